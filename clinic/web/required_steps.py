"""What a user must do before a page: choose a password, set up or use the second factor, confirm."""

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from clinic.accounts.confirmation import has_shown_second_factor, is_confirmed
from clinic.accounts.second_factor import device_of, is_required_of
from clinic.web.http import StaffRequest
from clinic.web.page_access import CONFIRMED, SIGNED_IN, Permissions, methods_of
from clinic.web.return_url import referring_page

_OPEN_WITH_TEMPORARY_PASSWORD = {"password_change", "password_change_done", "logout"}
_PAGES_OF_BUTTONS = {"session_end": "session_list", "session_end_others": "session_list"}
_FORMAT = "as"  # the query parameter of a download; without it, the URL is the page that offers it


def required_step(request: StaffRequest, permissions: Permissions) -> str | None:
    """Return the URL of what the user must do first, or None; `SIGNED_IN` pages need no second factor. No query."""
    if first := required_password_change(request):
        return first
    if permissions != SIGNED_IN and not has_shown_second_factor(request) and is_required_of(request.user):
        return _to_confirm(request) if device_of(request.user) else reverse("second_factor")
    method = "GET" if request.method == "HEAD" else str(request.method)
    if (_name_of(request), method) in CONFIRMED and not is_confirmed(request):
        return _to_confirm(request)
    return None


def required_password_change(request: StaffRequest) -> str | None:
    """Return the password page's URL if the user has a temporary password and must change it first."""
    is_needed = request.user.password_is_temporary and _name_of(request) not in _OPEN_WITH_TEMPORARY_PASSWORD
    return reverse("password_change") if is_needed else None


def _name_of(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""


def _to_confirm(request: HttpRequest) -> str:
    """Return the confirmation page's URL, which leads back; a form that was sent is not processed, and it says so."""
    query = {"next": _page_after_confirming(request)} | ({} if request.method in ("GET", "HEAD") else {"sent": "1"})
    if before := referring_page(request):
        query["back"] = before
    return f"{reverse('confirm')}?{urlencode(query, safe='/')}"


def _page_after_confirming(request: HttpRequest) -> str:
    """Return the URL of the page itself; for a button without a page, of the page around it.

    For a download it is the page that offers it: a browser keeps showing the old page while it downloads.
    """
    if "GET" not in methods_of(request.resolver_match):
        around = _PAGES_OF_BUTTONS.get(_name_of(request))
        return reverse(around) if around else referring_page(request) or "/"
    if _FORMAT not in request.GET:
        return request.get_full_path()
    query = request.GET.copy()
    del query[_FORMAT]
    return f"{request.path}?{query.urlencode()}" if query else request.path
