"""Settings of the Patient Encounter System, every one of them from the environment.

A `.env` file beside `manage.py` is read too; real environment variables win. README lists what can be set.
"""

from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="only-for-development-" + "x" * 50 if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Put a long random text into the environment or into .env, for example one made by "
        "`python3 -c 'import secrets; print(secrets.token_urlsafe(64))'`."
    )

# The clinic

CLINIC_NAME = env.str("CLINIC_NAME", default="Riverside Clinic")
# Django's current time zone is the clinic's everywhere, so templates, forms and admin speak clinic time.
# The database holds UTC whatever this says.
TIME_ZONE = env.str("CLINIC_TIME_ZONE", default="Europe/Lisbon")
USE_TZ = True
LANGUAGE_CODE = "en-gb"
USE_I18N = True
FORMAT_MODULE_PATH = ["clinic.formats"]

# Applications. `clinic` stays last: its roles are made after every other app has its permissions.

INSTALLED_APPS = [
    "clinic.admin_config.ClinicAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "auditlog",
    "crispy_forms",
    "crispy_bootstrap5",
    "csp",
    "django_htmx",
    "import_export",
    "ninja",
    "patients",
    "doctors",
    "appointments",
    "clinic",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "clinic.middleware.PrivateResponseMiddleware",
    "clinic.rest.tokens.TokenMiddleware",
    "clinic.middleware.AuditOriginMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "clinic.middleware.AccessMiddleware",
]

ROOT_URLCONF = "clinic.urls"
WSGI_APPLICATION = "clinic.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "clinic.context_processors.clinic",
            ]
        },
    }
]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"
CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"

# Database. What each option guards against is measured in docs/decisions/001-locking.md.


def database_options(engine: str) -> dict[str, Any]:
    """Return the connection options that booking safety relies on, for SQLite or for MariaDB and MySQL."""
    if engine.endswith("sqlite3"):
        return {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL"}
    return {"isolation_level": "read committed", "charset": "utf8mb4", "connect_timeout": 3}


DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
}
_database = DATABASES["default"]
_database["OPTIONS"] = database_options(_database["ENGINE"]) | _database.get("OPTIONS", {})
if not _database["ENGINE"].endswith("sqlite3"):
    _database |= {
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "TEST": {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_general_ci"},
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# The audit trail is clinic.AuditEntry; without its migrations the library makes no table of its own.
AUDITLOG_LOGENTRY_MODEL = "clinic.AuditEntry"
MIGRATION_MODULES = {"auditlog": None}

CACHES = {"default": env.cache_url("CACHE_URL", default="locmemcache://")}
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))

# Messages name patients, so they stay on the server; a cookie would keep them in the browser after the logout.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# People

AUTH_USER_MODEL = "clinic.User"
AUTHENTICATION_BACKENDS = ["clinic.backends.RolesBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "appointments:schedule_today"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Transport. Production is HTTPS behind a proxy; USE_HTTPS=off is for trying it out on one machine.

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
USE_HTTPS = env.bool("USE_HTTPS", default=not DEBUG)
SECURE_SSL_REDIRECT = USE_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if USE_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = USE_HTTPS
SECURE_HSTS_PRELOAD = USE_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = USE_HTTPS
SESSION_COOKIE_AGE = 12 * 60 * 60
CSRF_COOKIE_HTTPONLY = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # Bootstrap's stylesheet carries its icons as data: images
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# How often a token may call the API; 0: as often as it likes.
API_CALLS_A_MINUTE = env.int("API_CALLS_A_MINUTE", default=600)

# Static files

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
if not DEBUG:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }

# Logs say what happened and to which id, never to whom: no names, contacts or notes, and no address that is a key.

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"feed_tokens": {"()": "clinic.logs.HideFeedTokens"}},
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # At the loggers that note addresses, and so before every handler, those that Django adds included.
    "loggers": {
        "django.request": {"filters": ["feed_tokens"]},
        "django.security.csrf": {"filters": ["feed_tokens"]},
        "django.server": {"filters": ["feed_tokens"], "handlers": ["console"], "propagate": False},
    },
}
