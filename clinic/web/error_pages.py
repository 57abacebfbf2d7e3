"""Error responses: HTML for people, the API's error body for programs."""

import sys
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import DisallowedHost, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

from clinic.core.database_errors import database_reason
from clinic.db.transactions import RETRY_AFTER_SECONDS
from clinic.ops.logs import explain
from clinic.rest.errors import is_api, refuse_call

_TOO_LARGE = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)
_PAGES = {411: "413.html", 413: "413.html", 429: "429.html"}


def refusal_page(request: HttpRequest, status: int, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Answer 411, 413 or 429 with a page that needs neither the database nor anything that was sent."""
    return HttpResponse(render_to_string(_PAGES[status]), status=status, headers=headers)


def bad_request(request: HttpRequest, exception: Any) -> HttpResponse:
    """Answer 400, or 413 for too many fields or too much data."""
    explain(request, "host" if isinstance(exception, DisallowedHost) else database_reason(exception))
    status = 413 if isinstance(exception, _TOO_LARGE) else 400
    if is_api(request):
        return refuse_call(request, status)
    return refusal_page(request, status) if status == 413 else defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Any) -> HttpResponse:
    return refuse_call(request, 403) if is_api(request) else defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return refuse_call(request, 404) if is_api(request) else defaults.page_not_found(request, exception)


@csrf_exempt
def unknown_api(request: HttpRequest, unknown: str) -> HttpResponse:
    """Answer 404 below the API's address; with DEBUG on, Django would send a page of its own."""
    return refuse_call(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 with Retry-After while the database is down, else 500; without context, which could need queries."""
    error = sys.exc_info()[1]
    if isinstance(error, OperationalError | InterfaceError):
        return unavailable(request, database_reason(error))
    explain(request, database_reason(error))
    return refuse_call(request, 500) if is_api(request) else HttpResponse(render_to_string("500.html"), status=500)


def unavailable(request: HttpRequest, reason: str | None) -> HttpResponse:
    """Answer 503 with Retry-After, without using the database. The reason is for the log."""
    explain(request, reason)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if is_api(request):
        return refuse_call(request, 503, headers)
    return HttpResponse(render_to_string("503.html"), status=503, headers=headers)
