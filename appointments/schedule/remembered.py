"""The view that a user chose last, kept in a cookie of the browser: docs/decisions/025-remembered-view.md."""

import datetime as dt
from urllib.parse import parse_qsl

from django.conf import settings
from django.core import signing
from django.http import HttpResponse

from appointments.navigation import query_text
from clinic.web.http import StaffRequest

LASTS = dt.timedelta(days=365)  # from the last choice
MAX_LENGTH = 3000  # characters; browsers keep 4096
_SALT = "appointments.remembered_view"

# What each choice in the toolbar sets. A choice that is not in the address any more is forgotten.
CHOICES = {"doctors": ("doctor", "specialization"), "layout": ("layout",), "density": ("density",)}
OWN = "own"  # the doctors ticked last, also while all are shown


def remembered_view(request: StaffRequest) -> dict[str, str]:
    """Return the filters that this user chose last, as in an address, and their own doctors as `own`."""
    return dict(parse_qsl(_views(request).get(str(request.user.pk), "")))


def remember_choice(request: StaffRequest, response: HttpResponse, choice: str, filters: dict[str, str]) -> None:
    """Remember one of `CHOICES` for this user, and leave the other users of the browser theirs."""
    view = remembered_view(request)
    view |= {name: filters.get(name, "") for name in CHOICES[choice]}
    if choice == "doctors" and view["doctor"]:
        view[OWN] = view["doctor"]
    others = {pk: text for pk, text in _views(request).items() if pk != str(request.user.pk)}
    response.set_cookie(
        settings.VIEW_COOKIE_NAME,
        _cookie_text({str(request.user.pk): query_text(view)} | others),
        max_age=LASTS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _views(request: StaffRequest) -> dict[str, str]:
    """Return the views of all users of this browser by the users' ids, the latest first."""
    try:
        views: dict[str, str] = signing.loads(request.COOKIES.get(settings.VIEW_COOKIE_NAME, ""), salt=_SALT)
    except signing.BadSignature:
        return {}
    return views


def _cookie_text(views: dict[str, str]) -> str:
    """Return the views as text for the cookie, without the oldest ones if they are too long for it."""
    while len(text := signing.dumps(views, salt=_SALT, compress=True)) > MAX_LENGTH and views:
        views.popitem()
    return text
