"""The request as the portal's views know it."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from clinic.models import User


class StaffRequest(HttpRequest):
    """A request of a signed-in user: `clinic.access` lets no other through to the pages that say so."""

    user: User
    htmx: HtmxDetails
