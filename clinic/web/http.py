from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from clinic.accounts.models import User
from clinic.sessions.store import SessionStore
from clinic.web.page_access import PUBLIC, is_open_to, methods_of, page_at
from clinic.web.saved_forms import take_saved_form

MAX_ID_DIGITS = 18  # digits that fit a database's big integer


class StaffRequest(HttpRequest):
    """A request of a signed-in user: `clinic.web.page_access` lets only these through to such pages."""

    user: User
    session: SessionStore
    htmx: HtmxDetails


def sent_data(request: HttpRequest) -> Any:
    """Return the submitted data, or None. On a GET, this page's saved form: to be shown, not processed."""
    return request.POST if request.method == "POST" else take_saved_form(request)


def is_form_submission(request: StaffRequest) -> bool:
    """Return whether htmx submitted the whole form, and did not just ask for a part of the page."""
    return bool(request.htmx) and request.htmx.trigger == "slot-form"


def redirect_or_reload(request: StaffRequest, url: str) -> HttpResponse:
    """Redirect; for htmx let the browser load the page, because htmx would follow a redirect itself."""
    return HttpResponseClientRedirect(url) if request.htmx else HttpResponseRedirect(url)


def parse_number(text: str) -> int | None:
    """Return the text as a whole number; None if it is not one, or too large for an id."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= MAX_ID_DIGITS
    return int(text) if is_number else None


def next_or(request: HttpRequest, default: str) -> str:
    """Return the `next` URL that the form sent, if it is a path of the portal, else the default."""
    url = request.POST.get("next", "")
    return url if is_local_path(url) else default


def is_local_path(url: str) -> bool:
    """Return whether a URL is a path of the portal without a host; `redirect` takes others for names of views."""
    return url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)


def referring_page(request: HttpRequest) -> str:
    """Return the portal's page that the browser names as referrer, or an empty string."""
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return ""
    url = parts._replace(scheme="", netloc="", fragment="").geturl()
    return url if parts.netloc == request.get_host() and is_local_path(url) else ""


def may_open(request: HttpRequest, url: str) -> bool:
    """Return whether a signed-in user may GET the page at this URL; public pages such as the login do not count."""
    permissions = methods_of(page_at(urlsplit(url).path)).get("GET", PUBLIC)
    return permissions != PUBLIC and is_open_to(request.user, permissions)
