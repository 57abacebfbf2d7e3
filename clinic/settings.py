"""Settings, all from the environment or a `.env` file; docs/settings.md lists them."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from csp.constants import NONE, SELF
from jinja2 import StrictUndefined

from clinic.core.database_waits import Waits, is_command
from clinic.ops import environment as env
from clinic.ops.request_limits import MAX_FORM, MAX_UPLOAD

BASE_DIR = Path(__file__).resolve().parent.parent

env.read_file(BASE_DIR / ".env")

DEBUG = env.switch("DEBUG", default=False)
SECRET_KEY = env.secret_key("SECRET_KEY", development_key="only-for-development-" + "x" * 50 if DEBUG else None)
# Former keys: sessions and forms signed with them stay valid.
SECRET_KEY_FALLBACKS = env.former_keys("SECRET_KEY_FALLBACKS", is_development=DEBUG)

# The clinic

CLINIC_NAME = env.text("CLINIC_NAME", default="Riverside Clinic")
# Django's current time zone is the clinic's everywhere, so templates, forms and admin speak clinic time.
# The database holds UTC whatever this says.
TIME_ZONE = env.time_zone("CLINIC_TIME_ZONE", default="Europe/Lisbon")
USE_TZ = True
LANGUAGE_CODE = "en-gb"
USE_I18N = True
FORMAT_MODULE_PATH = ["clinic.formats"]

# Applications. `clinic` stays last: its roles need the permissions of every other app.

INSTALLED_APPS = [
    "clinic.administration.config.ClinicAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "clinic.web.static_files.CollectedFilesConfig",
    "auditlog",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
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

# Headers come first, so that redirects, static files and errors of later middleware have them too. Access comes
# before CSRF, whose token is in the body: no body is read from a user without access to the page.
MIDDLEWARE = [
    "clinic.web.middleware.LogMiddleware",
    "clinic.web.middleware.IsolationMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "clinic.web.database_slots.DatabaseSlotMiddleware",
    "clinic.web.middleware.PrivateResponseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "clinic.web.middleware.AccessMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "clinic.sessions.signed_in.SignedInMiddleware",
    "clinic.web.session_limits.SessionLimitMiddleware",
    "clinic.rest.tokens.TokenMiddleware",
    "clinic.web.middleware.AuditOriginMiddleware",
    "clinic.web.denied_access.RefusalMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
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
                "clinic.web.context_processors.clinic",
            ]
        },
    },
    # For what is drawn hundreds of times on a page: docs/decisions/021-drawing.md.
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "NAME": "jinja",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True},
    },
]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"
CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"

# Database. What each option guards against is measured in docs/decisions/001-locking.md.


def database_options(engine: str) -> dict[str, Any]:
    """Return the connection options that booking safety relies on, for SQLite or for MariaDB and MySQL."""
    if engine.endswith("sqlite3"):
        return {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"}
    return {"isolation_level": "read committed", "charset": "utf8mb4"}


def with_certificate(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with the certificate authority where the driver expects it: a URL only has `ssl_ca=`."""
    remaining = dict(options)
    authority = remaining.pop("ssl_ca", "")
    return remaining | {"ssl": {"ca": authority}} if authority else remaining


DATABASES: dict[str, dict[str, Any]] = {
    "default": env.database("DATABASE_URL", default=f"sqlite:///{quote(str(BASE_DIR / 'db.sqlite3'))}")
}
_database = DATABASES["default"]
# How long a page waits for the database, in seconds; commands and imports wait longer.
PAGE_WAITS = Waits(
    read=env.number("DATABASE_READ_TIMEOUT", default=5, minimum=1, maximum=600),
    write=env.number("DATABASE_WRITE_TIMEOUT", default=5, minimum=1, maximum=600),
    lock=env.number("DATABASE_LOCK_TIMEOUT", default=3, minimum=1, maximum=600),
    patience=env.number("DATABASE_PATIENCE", default=8, minimum=1, maximum=600),
)
DATABASE_WAITS = PAGE_WAITS.of_commands() if is_command() else PAGE_WAITS
_database["OPTIONS"] = (
    database_options(_database["ENGINE"])
    | DATABASE_WAITS.options(_database["ENGINE"])
    | with_certificate(_database.get("OPTIONS", {}))
)
if not _database["ENGINE"].endswith("sqlite3"):
    _database |= {
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "TEST": {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_general_ci"},
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# The audit trail is clinic.AuditEntry; without its migrations the library creates no table of its own.
AUDITLOG_LOGENTRY_MODEL = "clinic.AuditEntry"
MIGRATION_MODULES = {"auditlog": None}
# `prune_audit_trail` deletes older entries. Six years: HIPAA 164.316(b)(2)(i).
AUDIT_RETENTION_DAYS = env.number("AUDIT_RETENTION_DAYS", default=2192, minimum=1, maximum=100_000)

CACHES = {"default": env.cache("CACHE_URL", default="locmemcache://")}
vars().update(env.email("EMAIL_URL", default="consolemail://"))

# Messages name patients, so they stay on the server; a cookie would stay in the browser after logout.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# People

AUTH_USER_MODEL = "clinic.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "clinic.backends.RolesBackend"]
CSRF_FAILURE_VIEW = "clinic.account_pages.views.csrf_failure"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "appointments:schedule_today"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "clinic.accounts.passwords.LongestPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "clinic.accounts.passwords.GuessablePasswordValidator"},
]

# Too many wrong passwords: docs/decisions/013-login.md. The larger limits are in clinic.accounts.lockout.
AXES_HANDLER = "clinic.accounts.lockout.LockoutHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # otherwise anyone could lock a user out permanently
AXES_CLIENT_IP_CALLABLE = "clinic.core.client_address.subscriber_address"
AXES_USERNAME_CALLABLE = "clinic.accounts.lockout.username_key"
AXES_LOCKOUT_CALLABLE = "clinic.accounts.lockout.locked_response"
# Neither stored with the count nor logged.
AXES_SENSITIVE_PARAMETERS = [
    "username", "ip_address", "code", "old_password", "new_password1", "new_password2", "csrfmiddlewaretoken",
]  # fmt: skip
AXES_DISABLE_ACCESS_LOG = True  # the audit trail has it
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# An app code is valid for its half minute and the ones before and after; that window does not drift.
OTP_TOTP_ISSUER = CLINIC_NAME
OTP_TOTP_SYNC = False
# Required for administrators, optional for everyone else.
REQUIRE_SECOND_FACTOR = env.switch("REQUIRE_SECOND_FACTOR", default=not DEBUG)

# Transport. Production is HTTPS behind a proxy; USE_HTTPS=off is for trying it out on one machine.

ALLOWED_HOSTS = env.served_hosts("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
USE_HTTPS = env.switch("USE_HTTPS", default=not DEBUG)
SECURE_SSL_REDIRECT = USE_HTTPS
# Health checks, and URLs to which programs send a secret: `is_unencrypted` refuses those.
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^api/(?!docs$|$)", r"^calendar/"]
SECURE_HSTS_SECONDS = 31_536_000 if USE_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = USE_HTTPS
SECURE_HSTS_PRELOAD = USE_HTTPS
BEHIND_PROXY = env.switch("BEHIND_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
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

# Sessions and cookies: docs/decisions/012-sessions.md.

SESSION_ENGINE = "clinic.sessions.store"
SESSION_IDLE_MINUTES = env.number("SESSION_IDLE_MINUTES", default=15, minimum=1, maximum=1440)
SESSION_COOKIE_AGE = 12 * 60 * 60  # maximum length, from the sign-in
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
# With this prefix browsers accept a cookie only from this host, over HTTPS and for all paths.
_COOKIE_PREFIX = "__Host-" if USE_HTTPS else ""
SESSION_COOKIE_NAME = f"{_COOKIE_PREFIX}session"
CSRF_COOKIE_NAME = f"{_COOKIE_PREFIX}csrf"
VIEW_COOKIE_NAME = f"{_COOKIE_PREFIX}view"  # appointments.schedule.remembered sets it like a session's
DEVICE_COOKIE_NAME = f"{_COOKIE_PREFIX}device"  # clinic.accounts.known_devices sets it like a session's
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = USE_HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_AGE = None  # ends with the browser, too
# The portal uses no browser features such as camera, location, sensors or payment.
PERMISSIONS_POLICY: dict[str, list[str]] = {
    feature: []
    for feature in (
        "accelerometer",
        "autoplay",
        "bluetooth",
        "browsing-topics",
        "camera",
        "clipboard-read",
        "clipboard-write",
        "display-capture",
        "encrypted-media",
        "fullscreen",
        "gamepad",
        "geolocation",
        "gyroscope",
        "hid",
        "idle-detection",
        "local-fonts",
        "magnetometer",
        "microphone",
        "midi",
        "otp-credentials",
        "payment",
        "picture-in-picture",
        "publickey-credentials-create",
        "publickey-credentials-get",
        "screen-wake-lock",
        "serial",
        "storage-access",
        "sync-xhr",
        "usb",
        "web-share",
        "window-management",
        "xr-spatial-tracking",
    )
}

# Limits of requests. `clinic.ops.request_limits` refuses a larger Content-Length before any of the body is read. These
# limits apply to its parts. An upload stays in memory: a file of patients must not end up in a temporary folder.
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_FORM
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 1
FILE_UPLOAD_MAX_MEMORY_SIZE = MAX_UPLOAD
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

# Networks of load balancers that may call /readyz; 404 for others.
READY_FROM = env.networks("READY_FROM", default=["127.0.0.1/32", "::1/128"])

# Rate limits per token for the API, and per user for pages and parts of pages; 0: no limit.
API_CALLS_A_MINUTE = env.number("API_CALLS_A_MINUTE", default=600, minimum=0, maximum=1_000_000)
PAGES_A_MINUTE = env.number("PAGES_A_MINUTE", default=600, minimum=0, maximum=1_000_000)

# After how many years without an appointment the retention report names a patient.
PATIENT_RETENTION_YEARS = env.number("PATIENT_RETENTION_YEARS", default=10, minimum=1, maximum=150)

# The server: gunicorn.conf.py passes these on.

HOST = env.own_host("HOST", default="127.0.0.1")
PORT = env.number("PORT", default=8000, minimum=0, maximum=65_535)
WEB_CONCURRENCY = env.number("WEB_CONCURRENCY", default=2, minimum=1, maximum=64)
WEB_THREADS = env.number("WEB_THREADS", default=4, minimum=1, maximum=64)
CLIENT_TIMEOUT = env.number("CLIENT_TIMEOUT", default=20, minimum=1, maximum=600)

# Static files

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_ALLOW_ALL_ORIGINS = False
STATICFILES_DIRS = [BASE_DIR / "static"]
if not DEBUG:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "clinic.web.static_files.StaticFilesStorage"},
    }

# A patient who cancels less than this many hours before the start has cancelled late.
LATE_CANCEL_HOURS = env.number("LATE_CANCEL_HOURS", default=24, minimum=1, maximum=720)

# A request that takes longer, in milliseconds, is logged as a warning; 0: none.
SLOW_MS = env.number("SLOW_MS", default=1000, minimum=0, maximum=600_000)

# Logs contain ids, never names, contacts or notes, and no URL that is a key.

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"feed_tokens": {"()": "clinic.ops.logs.HideFeedTokens"}},
    "formatters": {"json": {"()": "clinic.ops.logs.JsonLines"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # Without Django's own handlers, which use other formats.
        "django": {"handlers": [], "level": "INFO"},
        # On the loggers that log URLs, and so before every handler.
        "axes": {"level": "WARNING"},
        "django.request": {"filters": ["feed_tokens"]},
        "django.security.csrf": {"filters": ["feed_tokens"]},
        # SQL statements contain data, and the development server logs whole URLs.
        "django.db.backends": {"level": "CRITICAL"},
        "django.server": {"filters": ["feed_tokens"], "handlers": [], "level": "CRITICAL", "propagate": False},
    },
}
