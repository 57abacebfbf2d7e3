"""System checks of what booking safety and privacy rely on."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 -- Django's own name
from django.db import connections

from clinic.ops import setting_values
from clinic.ops.network_cache import load_package
from clinic.ops.serving import NEEDED_TO_START

_ISOLATION_HINT = "Leave isolation_level out of DATABASE_URL, or set it to 'read committed'."
_STRICT_HINT = "Add STRICT_TRANS_TABLES to sql_mode in the server's configuration."

_TLS_HINT = "Add ?ssl_mode=VERIFY_IDENTITY to DATABASE_URL, and let the server offer TLS."
_CACHE_HINT = "Install it (Redis: make redis), or leave CACHE_URL out. Until then no limits are counted."
_NOT_WRITABLE = (
    "DATABASE_URL names a SQLite file that cannot be written. "
    "Expected: a file in a folder that exists and in which the portal may create files."
)
_LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")


@register(Tags.compatibility)
def check_isolation_setting(**kwargs: Any) -> list[CheckMessage]:
    """Refuse an isolation level other than READ COMMITTED in the settings, without a query."""
    levels = {
        alias: str(database.get("OPTIONS", {}).get("isolation_level", "read committed"))
        for alias, database in settings.DATABASES.items()
        if database["ENGINE"].endswith("mysql")
    }
    return [_wrong_isolation(alias, level) for alias, level in levels.items() if level.lower() != "read committed"]


@register(Tags.database)
def check_database_session(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Ask each MariaDB or MySQL for the isolation level and strictness of the portal's sessions."""
    messages: list[CheckMessage] = []
    for alias in databases or ():
        connection: Any = connections[alias]
        if connection.vendor != "mysql":
            continue
        isolation_variable = "tx_isolation" if connection.mysql_is_mariadb else "transaction_isolation"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT @@SESSION.{isolation_variable}, @@SESSION.sql_mode")
            isolation, sql_mode = cursor.fetchone()
        if isolation != "READ-COMMITTED":
            messages.append(_wrong_isolation(alias, isolation))
        if not {"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"} & set(sql_mode.split(",")):
            messages.append(
                Error(
                    f"Database '{alias}' is not in strict mode: it would cut and change data silently.",
                    hint=_STRICT_HINT,
                    id="clinic.E002",
                )
            )
    return messages


@register(NEEDED_TO_START, Tags.security, deploy=True)
def check_setting_values(**kwargs: Any) -> list[CheckMessage]:
    """Refuse what `clinic.settings` refuses to read, for values that come from another settings module."""
    listed = (
        ("SECRET_KEY", [settings.SECRET_KEY], setting_values.SECRET_KEY, "clinic.E004"),
        ("SECRET_KEY_FALLBACKS", settings.SECRET_KEY_FALLBACKS, setting_values.SECRET_KEY, "clinic.E004"),
        ("ALLOWED_HOSTS", settings.ALLOWED_HOSTS, setting_values.SERVED_HOSTS, "clinic.E005"),
        ("CSRF_TRUSTED_ORIGINS", settings.CSRF_TRUSTED_ORIGINS, setting_values.ORIGINS, "clinic.E006"),
        ("READY_FROM", settings.READY_FROM, setting_values.NETWORKS, "clinic.E007"),
    )
    return [Error(form.complaint(name), id=code) for name, values, form, code in listed if not form.all_valid(values)]


@register(NEEDED_TO_START, Tags.security, deploy=True)
def check_sqlite_folder(**kwargs: Any) -> list[CheckMessage]:
    """Refuse a SQLite file that cannot be written, without opening it."""
    return [
        Error(_NOT_WRITABLE, id="clinic.E008")
        for path in _sqlite_files()
        if not os.access(path.parent, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.W_OK))
    ]


def _sqlite_files() -> Iterator[Path]:
    each: Any
    for each in connections.all():
        if each.vendor == "sqlite" and not each.is_in_memory_db():
            yield Path(each.settings_dict["NAME"])


@register(Tags.security, deploy=True)
def check_hosts(**kwargs: Any) -> list[CheckMessage]:
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [Warning("The portal accepts any host name.", hint="List its own in ALLOWED_HOSTS.", id="clinic.W001")]


@register(Tags.caches, deploy=True)
def check_cache_packages(**kwargs: Any) -> list[CheckMessage]:
    """Report caches whose package is not installed. The portal does without them."""
    return [
        Error(f"Cache '{alias}' needs the package {package}.", hint=_CACHE_HINT, id="clinic.E003")
        for alias, cache in settings.CACHES.items()
        if (package := load_package(cache)) is not None
    ]


@register(Tags.database, deploy=True)
def check_database_line(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Warn if the connection to MariaDB or MySQL on another machine is not encrypted.

    The settings are not enough: with `ssl_mode=REQUIRED` MariaDB's driver goes on without TLS if the server has none.
    """
    return [
        Warning(f"The connection to database '{alias}' is not encrypted.", hint=_TLS_HINT, id="clinic.W002")
        for alias in databases or ()
        if connections[alias].vendor == "mysql" and not _is_local(alias) and not _cipher(alias)
    ]


def _is_local(alias: str) -> bool:
    host = connections[alias].settings_dict["HOST"]
    return host in _LOCAL_HOSTS or host.startswith("/")


def _cipher(alias: str) -> str:
    with connections[alias].cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        return cursor.fetchone()[1]


def _wrong_isolation(alias: str, level: str) -> Error:
    return Error(
        f"Database '{alias}' has the isolation level {level}; double bookings are excluded only at READ COMMITTED.",
        hint=_ISOLATION_HINT,
        id="clinic.E001",
    )
