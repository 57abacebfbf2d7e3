import logging
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers

from clinic.audit.actor import acting
from clinic.core.client_address import client_address
from clinic.core.database_errors import database_reason
from clinic.ops.logs import answering, explain, place_of, still_answering
from clinic.ops.rate_limit import seconds_to_wait
from clinic.ops.request_cost import RequestCost
from clinic.ops.request_limits import refused_length
from clinic.rest.bodies import body_refused
from clinic.rest.errors import READ_BY_PEOPLE, is_api, refuse_call
from clinic.web.denied_access import known_method
from clinic.web.error_pages import refusal_page
from clinic.web.http import redirect_or_reload
from clinic.web.page_access import PUBLIC, Permissions, is_open_to, methods_of
from clinic.web.required_steps import required_password_change, required_step
from clinic.web.session_limits import is_after_session_end, to_login

log = logging.getLogger("clinic.access_log")

GetResponse = Callable[[HttpRequest], HttpResponse]

ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class LogMiddleware:
    """Logs a line per request under an id of the portal's own: view, status, milliseconds, queries.

    A response sent in parts is logged once it is complete or given up. Its time is that of making the parts, not of
    waiting for the client. `request.cost` is what the request has cost so far.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        cost = request.cost = RequestCost()
        with answering(request, uuid.uuid4().hex), cost.counting():
            response: Any = self.get_response(request)
        if request.path_info.startswith(f"/{settings.STATIC_URL.lstrip('/')}"):
            return response
        if response.streaming and not response.is_async and getattr(response, "file_to_stream", None) is None:
            response.streaming_content = _LoggedParts(request, response, cost)
        else:
            _log_answer(request, response, cost)
        return response


class _LoggedParts:
    """The parts of a streamed response. The server closes it at the end, also if the client has gone."""

    def __init__(self, request: HttpRequest, response: Any, cost: RequestCost) -> None:
        self._request, self._response, self._cost = request, response, cost
        self._parts = iter(response.streaming_content)

    def __iter__(self) -> "_LoggedParts":
        return self

    def __next__(self) -> bytes:
        with still_answering(self._request), self._cost.counting():
            try:
                return next(self._parts)
            except Error as error:
                explain(self._request, database_reason(error))
                raise

    def close(self) -> None:
        _log_answer(self._request, self._response, self._cost)


def _log_answer(request: HttpRequest, response: HttpResponse, cost: RequestCost) -> None:
    fields = {"method": known_method(request), "status": response.status_code, **cost.fields(), **place_of(request)}
    is_slow = settings.SLOW_MS and fields["ms"] > settings.SLOW_MS
    with still_answering(request):
        log.log(
            logging.WARNING if is_slow else logging.INFO, "answered slowly" if is_slow else "answered", extra=fields
        )


class AccessMiddleware:
    """Serve a page only for the methods and users in the table of `clinic.web.page_access`."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Answer in place of the view: 302 to the login or a required step, 403, 405; for the API 401 or 403 to 415."""
        methods = methods_of(request.resolver_match)
        is_head = request.method == "HEAD" and not is_api(request)
        permissions = methods.get("GET" if is_head else str(request.method))
        # A page that is public for one method may tell everyone which methods it answers.
        is_public = permissions == PUBLIC or (permissions is None and PUBLIC in methods.values())
        if not is_public and not request.user.is_authenticated:
            if not is_after_session_end(request):
                return _to_sign_in(request)
            return _body_refused(request) or _rate_limited(request, request.session.ended_for)
        if not methods:
            raise PermissionDenied
        if permissions is None:
            allowed = [*methods, *(["HEAD"] if "GET" in methods and not is_api(request) else [])]
            return _not_allowed(request, allowed)
        if permissions == PUBLIC:
            return _body_refused(request)
        if not is_open_to(request.user, permissions):
            return _deny(request)
        return _body_refused(request) or _rate_limited(request, request.user.pk) or _required_step(request, permissions)


def _rate_limited(request: HttpRequest, user_id: int) -> HttpResponse | None:
    """Refuse a user who opens more pages than anyone can read; the API has a limit of its own."""
    if is_api(request):
        return None
    wait = seconds_to_wait(f"user-{user_id}", most=settings.PAGES_A_MINUTE)
    return refusal_page(request, 429, {"Retry-After": str(wait)}) if wait else None


def _required_step(request: Any, permissions: Permissions) -> HttpResponse | None:
    """Redirect to what the user has to do before the page is served; API calls have no such steps."""
    first = None if is_api(request) else required_step(request, permissions)
    return redirect_or_reload(request, first) if first else None


def _deny(request: Any) -> HttpResponse:
    """Refuse a page; a user with a temporary password is redirected to choose a new one, with or without a role."""
    first = None if is_api(request) else required_password_change(request)
    if first is None:
        raise PermissionDenied
    return redirect_or_reload(request, first)


def _body_refused(request: HttpRequest) -> HttpResponse | None:
    """Refuse a body before any of it is read."""
    if is_api(request):
        is_unknown = request.resolver_match is not None and request.resolver_match.view_name == "api_unknown"
        return None if is_unknown else body_refused(request)
    status = refused_length(request)
    return refusal_page(request, status) if status else None


def _not_allowed(request: HttpRequest, allowed: list[str]) -> HttpResponse:
    if is_api(request):
        return refuse_call(request, 405, {"Allow": ", ".join(allowed)})
    return HttpResponseNotAllowed(allowed, render_to_string("405.html", request=request))


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if is_api(request) and request.path_info not in READ_BY_PEOPLE:
        return refuse_call(request, 401, {"WWW-Authenticate": "Bearer"})
    return to_login(request)


class AuditOriginMiddleware:
    """Record the user, API token and client address with every audit entry of the request."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = getattr(request, "api_token", None)
        with acting(request.user, address=client_address(request), token=token and token.pk):
            return self.get_response(request)


class IsolationMiddleware:
    """Adds headers against embedding and side channels, also to errors that Django's own middleware misses."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in ISOLATION.items():
            response.headers.setdefault(name, value)
        return response


class PrivateResponseMiddleware:
    """Keeps pages out of every cache, including the browser's back button, unless a view says otherwise."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response
