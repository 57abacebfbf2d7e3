"""Requests as the portal's views know them, and what they send."""

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from clinic.accounts.models import User
from clinic.sessions.store import SessionStore
from clinic.web.page_access import PUBLIC, is_open_to, methods_of, page_at
from clinic.web.saved_forms import taken_from

MAX_ID_DIGITS = 18  # digits that fit a database's big integer


class StaffRequest(HttpRequest):
    """A request of a signed-in user: `clinic.web.page_access` lets no other through to the pages that say so."""

    user: User
    session: SessionStore
    htmx: HtmxDetails


def sent_data(request: HttpRequest) -> Any:
    """Return what a form sent, be it nothing at all, or None if no form was sent.

    On a GET, what was kept of the page's form when its user's session ended: to be shown, never to be carried out.
    """
    return request.POST if request.method == "POST" else taken_from(request)


def answers_form(request: StaffRequest) -> bool:
    """Return whether htmx has sent a whole form, which leaves nothing in the history, and not asked for a part."""
    return bool(request.htmx) and request.htmx.trigger == "slot-form"


def redirect_or_reload(request: StaffRequest, url: str) -> HttpResponse:
    """Lead to another page, be it the browser that asked or htmx, which would only fetch it."""
    return HttpResponseClientRedirect(url) if request.htmx else HttpResponseRedirect(url)


def with_renewed(data: Any, name: str, value: str) -> Any:
    """Return what a form sent with one of its values as it is now, whatever else was sent several times."""
    renewed = data.copy()
    renewed[name] = value
    return renewed


def parse_number(text: str) -> int | None:
    """Return the whole number that somebody's text stands for, or None; never one too large for an id."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= MAX_ID_DIGITS
    return int(text) if is_number else None


def next_or(request: HttpRequest, default: str) -> str:
    """Return the page of the portal that the form asks to be led to next, or the default."""
    url = request.POST.get("next", "")
    return url if is_local_path(url) else default


def is_local_path(url: str) -> bool:
    """Return whether an address is a path of the portal, and names no host.

    Anything else `redirect` could take for the name of a page.
    """
    return url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)


def referring_page(request: HttpRequest) -> str:
    """Return the page of the portal that somebody had before them, as the browser says, or nothing."""
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return ""
    url = parts._replace(scheme="", netloc="", fragment="").geturl()
    return url if parts.netloc == request.get_host() and is_local_path(url) else ""


def may_open(request: HttpRequest, url: str) -> bool:
    """Return whether an address names a page that the user, who is signed in, may look at; a login is none."""
    permissions = methods_of(page_at(urlsplit(url).path)).get("GET", PUBLIC)
    return permissions != PUBLIC and is_open_to(request.user, permissions)
