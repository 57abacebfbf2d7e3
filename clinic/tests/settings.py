"""Settings of the test suite: those of the portal, but faster and stricter."""

import os
import secrets
import sys
from pathlib import Path

# A developer's .env and DEBUG=on in the shell do not affect tests.
os.environ["ENV_FILE"] = os.devnull
os.environ["DEBUG"] = "off"
os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(64))
os.environ.setdefault("CLINIC_TIME_ZONE", "Europe/Lisbon")
os.environ.setdefault("CLINIC_NAME", "Test Clinic")

from clinic.settings import *
from clinic.settings import DATABASE_WAITS, DATABASES

USE_HTTPS = SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
REQUIRE_SECOND_FACTOR = False  # its own tests switch it on
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME, DEVICE_COOKIE_NAME = "session", "csrf", "device"
VIEW_COOKIE_NAME = "view"
API_CALLS_A_MINUTE = PAGES_A_MINUTE = 0  # tests of all kinds share a minute, and tokens their ids
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True  # tests serve files from their sources, without collectstatic
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

if Path(sys.argv[0]).name != "gunicorn":
    # Fixtures delete 100,000 rows in one statement, and threads of stress tests queue for seconds.
    DATABASE_WAITS = DATABASE_WAITS.of_commands()
    DATABASES["default"]["OPTIONS"] |= DATABASE_WAITS.options(DATABASES["default"]["ENGINE"])
