"""What every request passes through."""

import logging
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers

from clinic.audit.actor import acting
from clinic.core.client_address import client_address
from clinic.ops.logs import answering, place_of
from clinic.ops.rate_limit import seconds_to_wait
from clinic.ops.request_limits import refused_length
from clinic.rest.bodies import body_refused
from clinic.rest.errors import READ_BY_PEOPLE, is_api, refuse_call
from clinic.web.denied_access import known_method
from clinic.web.error_pages import refusal_page
from clinic.web.http import redirect_or_reload
from clinic.web.page_access import PUBLIC, Permissions, is_open_to, methods_of
from clinic.web.required_steps import own_password_first, required_step
from clinic.web.session_limits import is_too_late, to_login

log = logging.getLogger("clinic.access_log")

GetResponse = Callable[[HttpRequest], HttpResponse]

ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class LogMiddleware:
    """Gives each request an id in the log, and the log a line for each: which view, how it ended, how long it took.

    The id is the portal's own: one that the client sends could be anything.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request, and log it."""
        began = time.perf_counter()
        with answering(request, uuid.uuid4().hex):
            response = self.get_response(request)
            if not request.path_info.startswith(f"/{settings.STATIC_URL.lstrip('/')}"):
                took_ms = round((time.perf_counter() - began) * 1000)
                beside = {"method": known_method(request), "status": response.status_code, "ms": took_ms}
                log.info("answered", extra=beside | place_of(request))
        return response


class AccessMiddleware:
    """Serve a page only by a method and to a person that the table in `clinic.web.page_access` names."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; the page is known only in `process_view`."""
        return self.get_response(request)

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Answer in the view's place: 302 to the login or to what comes first, 403, or 405.

        Programs get 401, 403, 405, 413 or 415.
        """
        methods = methods_of(request.resolver_match)
        is_head = request.method == "HEAD" and not is_api(request)
        permissions = methods.get("GET" if is_head else str(request.method))
        # Which methods a page answers anybody may hear, if anybody may open it at all.
        is_for_all = permissions == PUBLIC or (permissions is None and PUBLIC in methods.values())
        if not is_for_all and not request.user.is_authenticated:
            if not is_too_late(request):
                return _to_sign_in(request)
            return _body_refused(request) or _too_often(request, request.session.ended_for)
        if not methods:
            raise PermissionDenied
        if permissions is None:
            allowed = [*methods, *(["HEAD"] if "GET" in methods and not is_api(request) else [])]
            return _not_allowed(request, allowed)
        if permissions == PUBLIC:
            return _body_refused(request)
        if not is_open_to(request.user, permissions):
            return _closed(request)
        return _body_refused(request) or _too_often(request, request.user.pk) or _first_step(request, permissions)


def _too_often(request: HttpRequest, user_id: int) -> HttpResponse | None:
    """Refuse who opens more pages than people can read, or keeps more forms; programs have a rate of their own."""
    if is_api(request):
        return None
    wait = seconds_to_wait(f"user-{user_id}", most=settings.PAGES_A_MINUTE)
    return refusal_page(request, 429, {"Retry-After": str(wait)}) if wait else None


def _first_step(request: Any, permissions: Permissions) -> HttpResponse | None:
    """Lead to what the user has to do before the page is served; programs have nothing to do."""
    first = None if is_api(request) else required_step(request, permissions)
    return redirect_or_reload(request, first) if first else None


def _closed(request: Any) -> HttpResponse:
    """Refuse a page that is not for the user; who has yet to choose a password is led to that, be there no role yet."""
    first = None if is_api(request) else own_password_first(request)
    if first is None:
        raise PermissionDenied
    return redirect_or_reload(request, first)


def _body_refused(request: HttpRequest) -> HttpResponse | None:
    """Refuse a body before any of it is read; whoever may not send one at all has been refused already."""
    if is_api(request):
        is_nowhere = request.resolver_match is not None and request.resolver_match.view_name == "api_unknown"
        return None if is_nowhere else body_refused(request)
    status = refused_length(request)
    return refusal_page(request, status) if status else None


def _not_allowed(request: HttpRequest, allowed: list[str]) -> HttpResponse:
    if is_api(request):
        return refuse_call(request, 405, {"Allow": ", ".join(allowed)})
    return HttpResponseNotAllowed(allowed, render_to_string("405.html", request=request))


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send a stranger to the login; a program is told to send a token."""
    if is_api(request) and request.path_info not in READ_BY_PEOPLE:
        return refuse_call(request, 401, {"WWW-Authenticate": "Bearer"})
    return to_login(request)


class AuditOriginMiddleware:
    """Note the signed-in user, the token of a program and the client's address beside all that the request does."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request as its user."""
        token = getattr(request, "api_token", None)
        with acting(request.user, address=client_address(request), token=token and token.pk):
            return self.get_response(request)


class IsolationMiddleware:
    """Let no other site embed an answer or read it by a side channel, and give refusals by what follows the rest.

    Django's own middleware adds its headers to answers, but not to one that stands for an error in that middleware.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add to the response what it lacks."""
        response = self.get_response(request)
        for name, value in ISOLATION.items():
            response.headers.setdefault(name, value)
        return response


class PrivateResponseMiddleware:
    """Keep pages of signed-in people out of every cache, the browser's back button included."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Mark the response unless a view has said otherwise."""
        response = self.get_response(request)
        if not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response
