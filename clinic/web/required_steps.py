"""What a user must do before a page: choose a password, set up or use the second factor, confirm."""

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from clinic.accounts.confirmation import has_shown_second_factor, is_confirmed
from clinic.accounts.second_factor import device_of, is_required_of
from clinic.web.http import StaffRequest, referring_page
from clinic.web.page_access import CONFIRMED, SIGNED_IN, Permissions, methods_of

_OPEN_WITH_TEMPORARY_PASSWORD = {"password_change", "password_change_done", "logout"}
_BUTTONS_OF = {"session_end": "session_list", "session_end_others": "session_list"}
_FORMAT = "as"  # what the address of a download says beside that of the page that offers it


def required_step(request: StaffRequest, permissions: Permissions) -> str | None:
    """Return the URL of what the user must do before the page is served, or None. No query.

    `SIGNED_IN` pages, such as the account's, are open without the second factor.
    """
    if first := own_password_first(request):
        return first
    if permissions != SIGNED_IN and not has_shown_second_factor(request) and is_required_of(request.user):
        return _to_confirm(request) if device_of(request.user) else reverse("second_factor")
    method = "GET" if request.method == "HEAD" else str(request.method)
    if (_name_of(request), method) in CONFIRMED and not is_confirmed(request):
        return _to_confirm(request)
    return None


def own_password_first(request: StaffRequest) -> str | None:
    """Return the password page's URL if the user has a temporary password and must change it first."""
    is_needed = request.user.password_is_temporary and _name_of(request) not in _OPEN_WITH_TEMPORARY_PASSWORD
    return reverse("password_change") if is_needed else None


def _name_of(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""


def _to_confirm(request: HttpRequest) -> str:
    """Return the confirmation page's URL, which leads back; a form that was sent is not processed, and it says so."""
    said = {"next": _led_back_to(request)} | ({} if request.method in ("GET", "HEAD") else {"sent": "1"})
    if before := referring_page(request):
        said["back"] = before
    return f"{reverse('confirm')}?{urlencode(said, safe='/')}"


def _led_back_to(request: HttpRequest) -> str:
    """Return the page itself; of one that is a button alone, the page around it.

    Of a download, the page that offers it: while the file comes, a browser would go on showing what it showed before.
    """
    if "GET" not in methods_of(request.resolver_match):
        around = _BUTTONS_OF.get(_name_of(request))
        return reverse(around) if around else referring_page(request) or "/"
    if _FORMAT not in request.GET:
        return request.get_full_path()
    asked = request.GET.copy()
    del asked[_FORMAT]
    return f"{request.path}?{asked.urlencode()}" if asked else request.path
