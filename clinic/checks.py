"""System checks: what booking safety relies on must be so before the portal serves."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

_ISOLATION_HINT = "Leave isolation_level out of DATABASE_URL, or set it to 'read committed'."
_STRICT_HINT = "Add STRICT_TRANS_TABLES to sql_mode in the server's configuration."


@register(Tags.compatibility)
def check_isolation_setting(**kwargs: Any) -> list[CheckMessage]:
    """Refuse an isolation level other than READ COMMITTED in the settings, without asking the database."""
    levels = {
        alias: str(database.get("OPTIONS", {}).get("isolation_level", "read committed"))
        for alias, database in settings.DATABASES.items()
        if database["ENGINE"].endswith("mysql")
    }
    return [_wrong_isolation(alias, level) for alias, level in levels.items() if level.lower() != "read committed"]


@register(Tags.database)
def check_database_session(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Ask each MariaDB or MySQL what isolation and strictness our sessions really have."""
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


def _wrong_isolation(alias: str, level: str) -> Error:
    return Error(
        f"Database '{alias}' has the isolation level {level}; double bookings are excluded only at READ COMMITTED.",
        hint=_ISOLATION_HINT,
        id="clinic.E001",
    )
