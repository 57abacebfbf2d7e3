"""What must be in place before the portal is served. `python -m clinic.ops.serving` collects its static files."""

import os
import sys
from functools import cache
from typing import Any

import django
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

NEEDED_TO_START = "needed_to_start"  # tag of the system checks without which the portal does not start
_DEBUG_IS_ON = "DEBUG is on, which is for development only. Set DEBUG=off in .env, or start with: DEBUG=off make serve"
_NOT_COLLECTED = "The static files are missing or older than their sources. Collect them: make static"


@cache
def why_not() -> str | None:
    """Return why the portal cannot be served, or None if it can.

    Checked once in each process: a server that is told to reload must not stop because files have changed.
    """
    reason = _invalid_settings() or _failed_check()
    return reason if reason or _are_files_current() else _NOT_COLLECTED


def collect_static_files() -> str | None:
    """Collect the static files if they are missing or outdated. Return what prevents it."""
    if reason := _invalid_settings():
        return reason
    if not _are_files_current():
        sys.stdout.write("Collecting static files …\n")
        call_command("collectstatic", interactive=False, verbosity=0)
    return None


def _invalid_settings() -> str | None:
    """Load the settings and the apps, and return in one line what is wrong with them."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
    from django.conf import settings

    try:
        if settings.DEBUG:
            return _DEBUG_IS_ON
        django.setup()
    except ImproperlyConfigured as error:
        return " ".join(str(error).split())
    return None


def _failed_check() -> str | None:
    messages = run_checks(tags=[NEEDED_TO_START], include_deployment_checks=True)
    return next((str(each.msg) for each in messages if each.is_serious()), None)


def _are_files_current() -> bool:
    """Other storages, as in tests, serve the sources themselves."""
    from django.contrib.staticfiles.storage import staticfiles_storage

    is_current: Any = getattr(staticfiles_storage, "is_current", lambda: True)
    return is_current()


if __name__ == "__main__":
    sys.exit(collect_static_files())
