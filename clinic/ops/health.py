import logging
from functools import cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, NotSupportedError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import Http404, HttpRequest, HttpResponse

from clinic.core.client_address import client_address, is_among
from clinic.core.database_errors import database_code
from clinic.ops.logs import explain

TEXT = "text/plain; charset=utf-8"
_DRIVER_ERRORS = range(2000, 3000)  # numbers of MySQL's client library: no answer came from the server
_NO_TABLE = 1146

log = logging.getLogger(__name__)

Migration = tuple[str, str]  # app and name


def livez(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type=TEXT)


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 if the database answers and all migrations are applied, else 503 with the reason; one query.

    404 outside `READY_FROM`.
    """
    if not is_among(client_address(request), settings.READY_FROM):
        raise Http404
    reason = _why_not()
    _readiness.report(reason)
    if reason is None:
        return HttpResponse("ok", content_type=TEXT)
    explain(request, reason)
    response = HttpResponse(f"not ready: {reason}", content_type=TEXT, status=503)
    # Django would log an error for each probe, in addition to the line of the request.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


@cache
def migrations_on_disk() -> dict[Migration, frozenset[Migration]]:
    """Return all migrations and those that each replaces. They cannot change while the process lives."""
    found = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    return {name: frozenset(migration.replaces) for name, migration in found.items()}


class _Readiness:
    """The state that this process has logged last: probes come every few seconds, and only changes are logged."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def report(self, reason: str | None) -> None:
        if reason == self.reason:
            return
        self.reason = reason
        if reason is None:
            log.info("The portal is ready again")
        else:
            log.error("The portal is not ready: %s", reason)


_readiness = _Readiness()


def _why_not() -> str | None:
    """Return why the portal cannot serve pages, without texts of the database; None if it can."""
    try:
        missing = _unapplied()
    except NotSupportedError:
        return "the database has a version that is too old"
    except ImproperlyConfigured:
        return "the driver of the database is not installed"
    except Error as error:
        return _failure(database_code(error))
    return f"not all migrations are applied ({missing} missing)" if missing else None


def _failure(code: int | str | None) -> str:
    said = "does not answer" if not code or code in _DRIVER_ERRORS else "reports an error"
    return f"the database {said} ({code})" if code else f"the database {said}"


def _unapplied() -> int:
    on_disk = migrations_on_disk()
    try:
        applied = set(MigrationRecorder(connection).migration_qs.values_list("app", "name"))
    except Error as error:
        if database_code(error) != _NO_TABLE and "no such table" not in str(error):
            raise
        return len(on_disk)
    return sum(name not in applied and not (replaced and replaced <= applied) for name, replaced in on_disk.items())
