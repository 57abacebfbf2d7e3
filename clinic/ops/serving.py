"""`python -m clinic.ops.serving`: exit 0 if the portal can be served with these settings, else say why and exit 1."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured

_DEBUG_IS_ON = "DEBUG is on, which is for development only. Set DEBUG=off in .env, or start with: DEBUG=off make serve"


def why_not() -> str | None:
    """Return why the portal cannot be served with these settings, or None if it can."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
    from django.conf import settings

    try:
        if settings.DEBUG:
            return _DEBUG_IS_ON
    except ImproperlyConfigured as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(why_not())
