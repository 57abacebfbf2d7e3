"""What every request passes through."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils.cache import add_never_cache_headers

from clinic.access import PUBLIC, is_open_to, methods_of
from clinic.audit import acting

GetResponse = Callable[[HttpRequest], HttpResponse]


class AccessMiddleware:
    """Serve a page only by a method and to a person that the table in `clinic.access` names."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; the page is known only in `process_view`."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Answer in the view's place: 302 to the login, 403, or 405."""
        methods = methods_of(request.resolver_match)
        permissions = methods.get("GET" if request.method == "HEAD" else str(request.method))
        if permissions == PUBLIC:
            return None
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not methods:
            raise PermissionDenied
        if permissions is None:
            return HttpResponseNotAllowed([*methods, *(["HEAD"] if "GET" in methods else [])])
        if not is_open_to(request, permissions):
            raise PermissionDenied
        return None


class AuditOriginMiddleware:
    """Note the signed-in user and the client's address beside every change made in the request."""

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
