"""What every request passes through."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django_htmx.http import HttpResponseClientRedirect

from clinic.access import PUBLIC, is_open_to, methods_of
from clinic.audit import acting
from clinic.rest.bodies import body_refused
from clinic.rest.errors import is_api, refuse_call

GetResponse = Callable[[HttpRequest], HttpResponse]


class AccessMiddleware:
    """Serve a page only by a method and to a person that the table in `clinic.access` names."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; the page is known only in `process_view`."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Answer in the view's place: 302 to the login, 403, or 405; to programs 401, 403, 405, 413 or 415."""
        methods = methods_of(request.resolver_match)
        is_head = request.method == "HEAD" and not is_api(request)
        permissions = methods.get("GET" if is_head else str(request.method))
        if permissions == PUBLIC:
            return None
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        if not methods:
            raise PermissionDenied
        if permissions is None:
            allowed = [*methods, *(["HEAD"] if "GET" in methods and not is_api(request) else [])]
            return _not_allowed(request, allowed)
        if not is_open_to(request, permissions):
            raise PermissionDenied
        return body_refused(request) if is_api(request) else None


def _not_allowed(request: HttpRequest, allowed: list[str]) -> HttpResponse:
    if is_api(request):
        return refuse_call(request, 405, {"Allow": ", ".join(allowed)})
    return HttpResponseNotAllowed(allowed, render_to_string("405.html", request=request))


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send a stranger to the login, and after it back to what was looked at; an action is not carried out later.

    A program is told to send a token.
    """
    if is_api(request):
        return refuse_call(request, 401, {"WWW-Authenticate": "Bearer"})
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(reverse("login"))
    return redirect_to_login(request.get_full_path() if request.method in ("GET", "HEAD") else "/")


class AuditOriginMiddleware:
    """Note the signed-in user, and the address the connection comes from, beside every change made in the request."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request as its user."""
        with acting(request.user, address=request.META.get("REMOTE_ADDR") or None):
            return self.get_response(request)


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
