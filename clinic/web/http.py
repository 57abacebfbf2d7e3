from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from clinic.accounts.models import User
from clinic.sessions.store import SessionStore
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
