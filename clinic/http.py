"""The request as the portal's views know it."""

from typing import Any

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from clinic.models import User


class StaffRequest(HttpRequest):
    """A request of a signed-in user: `clinic.access` lets no other through to the pages that say so."""

    user: User
    htmx: HtmxDetails


def sent_data(request: HttpRequest) -> Any:
    """Return what a form sent, be it nothing at all, or None if no form was sent."""
    return request.POST if request.method == "POST" else None
