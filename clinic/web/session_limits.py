from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse

from clinic.accounts.models import User
from clinic.rest.errors import is_api
from clinic.web.http import redirect_or_reload
from clinic.web.page_access import PUBLIC, methods_of
from clinic.web.saved_forms import save_form, save_sent_form

# Requests that scripts make without user activity. Requests for parts of pages are marked by a header.
BACKGROUND_PAGES = frozenset({"session_left", "session_stay", "form_keep"})
BACKGROUND = "X-Background"
# In the address of the login page: what became of the form that was sent.
SENT, KEPT, LOST = "sent", "kept", "lost"


class SessionLimitMiddleware:
    """Records activity, and saves the form of a user whose session ended before it was sent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Record the request, or save its form and redirect to the login; CSRF has been checked by now."""
        methods = methods_of(request.resolver_match)
        if is_api(request) or methods.get("GET" if request.method == "HEAD" else str(request.method)) == PUBLIC:
            return None  # these open no session
        if is_after_session_end(request):
            return _save_and_log_in(request, user=User.objects.get(pk=request.session.ended_for))
        if request.user.is_authenticated and not _is_background(request):
            request.session.record_seen()
        return None


def is_after_session_end(request: Any) -> bool:
    """Return whether a form was sent after its user's session had ended."""
    return request.method == "POST" and not request.user.is_authenticated and request.session.ended_for is not None


def to_login(request: Any, *, back_to: str = "", is_kept: bool = False) -> HttpResponse:
    """Redirect to the login, and from there back to the page; an action is not repeated, and the login page says so."""
    url = redirect_to_login(back_to or _current_page_url(request)).url
    if _carries_work(request):
        url += f"&{urlencode({SENT: KEPT if is_kept else LOST})}"
    return redirect_or_reload(request, url)


def _carries_work(request: HttpRequest) -> bool:
    """Return whether the request should have saved something: not a logout, nor what scripts send by themselves."""
    page = request.resolver_match.view_name if request.resolver_match else ""
    return request.method not in ("GET", "HEAD") and page not in {*BACKGROUND_PAGES, "logout", "admin:logout"}


def _current_page_url(request: Any) -> str:
    """Return the URL of the page the user had open; for a part of a page, the page around it."""
    if request.htmx:
        try:
            return request.htmx.current_url_abs_path or "/"
        except ValueError:  # an invalid URL
            return "/"
    return request.get_full_path() if request.method in ("GET", "HEAD") else "/"


def _is_background(request: HttpRequest) -> bool:
    page = request.resolver_match.view_name if request.resolver_match else ""
    return page in BACKGROUND_PAGES or BACKGROUND in request.headers


def _save_and_log_in(request: HttpRequest, *, user: User) -> HttpResponse:
    match = request.resolver_match
    if match is not None and match.view_name == "form_keep":
        return save_sent_form(request, user=user)
    is_saved = save_form(request, request.path, user=user)
    return to_login(request, back_to=request.path if is_saved else "", is_kept=is_saved)
