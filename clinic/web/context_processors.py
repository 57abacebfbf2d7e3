from typing import Any

from django.conf import settings

from clinic.web.saved_forms import is_saved


def clinic(request: Any) -> dict[str, object]:
    """Return the variables that every template can use. The callables make no query unless they are used."""
    return {
        "CLINIC_NAME": settings.CLINIC_NAME,
        "seconds_left": lambda: request.session.seconds_left(),
        "saves_form": lambda: is_saved(request.path),
    }
