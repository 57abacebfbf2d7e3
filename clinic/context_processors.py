"""What every template may use without being given it."""

from django.conf import settings
from django.http import HttpRequest


def clinic(request: HttpRequest) -> dict[str, object]:
    """Return the clinic's name."""
    return {"CLINIC_NAME": settings.CLINIC_NAME}
