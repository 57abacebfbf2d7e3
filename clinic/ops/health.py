from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpRequest, HttpResponse

from clinic.core.client_address import client_address, is_among

TEXT = "text/plain; charset=utf-8"


def livez(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type=TEXT)


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 if the database answers and all migrations are applied, else 503; 404 outside `READY_FROM`."""
    if not is_among(client_address(request), settings.READY_FROM):
        raise Http404
    try:
        executor = MigrationExecutor(connection)
        ready = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (DatabaseError, ImproperlyConfigured):
        ready = False
    if ready:
        return HttpResponse("ok", content_type=TEXT)
    return HttpResponse("not ready", content_type=TEXT, status=503)
