"""The portal's settings for a scan, without lockouts, so that the login form is scanned completely.

What a scan makes lies beside its database; static files are not compressed, which would take longest of all.
"""

from pathlib import Path

from clinic.settings import *  # noqa: F403 -- all of them, but for what follows

AXES_ENABLED = False
STATIC_ROOT = Path(DATABASES["default"]["NAME"]).with_name("static")  # noqa: F405 -- one of them
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
