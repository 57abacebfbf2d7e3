"""What every template may use without being given it."""

from typing import Any

from django.conf import settings

from clinic.web.saved_forms import is_kept


def clinic(request: Any) -> dict[str, object]:
    """Return the clinic's name, and what pages of signed-in people ask: how long it lasts, and what is kept then."""
    return {
        "CLINIC_NAME": settings.CLINIC_NAME,
        "seconds_left": lambda: request.session.seconds_left(),
        "keeps_form": lambda: is_kept(request.path),
    }
