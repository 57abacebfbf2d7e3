"""What every template may use without being given it."""

from typing import Any

from django.conf import settings


def clinic(request: Any) -> dict[str, object]:
    """Return the clinic's name, and what tells how long the session lasts, asked by pages of signed-in people."""
    return {"CLINIC_NAME": settings.CLINIC_NAME, "seconds_left": lambda: request.session.seconds_left()}
