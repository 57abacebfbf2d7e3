from typing import Any

from django.conf import settings

from clinic.web.saved_forms import is_kept


def clinic(request: Any) -> dict[str, object]:
    """Return the variables that every template can use. The callables make no query unless they are used."""
    return {
        "CLINIC_NAME": settings.CLINIC_NAME,
        "seconds_left": lambda: request.session.seconds_left(),
        "keeps_form": lambda: is_kept(request.path),
    }
