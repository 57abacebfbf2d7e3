"""Triggers of a table, made again after each migrate: SQLite drops them whenever Django alters the table."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from django.db import DatabaseError, transaction

CHECKS_TAG = "triggers"  # of system checks: `migrate` leaves these out, since it creates what is missing
_NO_SUCH_TRIGGER = 1360
_MAY_NOT_SEE = 1227
# For want of the right TRIGGER, or of SUPER while the binary log is on.
_MAY_NOT_CREATE = frozenset({1142, 1227, 1419})
_FOR_EACH_ROW = "FOR EACH ROW"


@dataclass(frozen=True)
class Trigger:
    """A trigger as a database stores it: `head` is when and on which table, `body` what it does to each row."""

    name: str
    head: str
    body: str

    @property
    def statement(self) -> str:
        return f"CREATE TRIGGER {self.name} {self.head} {_FOR_EACH_ROW} {self.body}"


class State(Enum):
    RIGHT = auto()
    MISSING = auto()
    DIFFERENT = auto()
    HIDDEN = auto()  # it is there, but this account may not see what it does


class TriggersNotAllowed(Exception):
    """The server does not let this account create triggers."""


def state_of(trigger: Trigger, connection: Any) -> State:
    """Compare the database's trigger with this one. One query."""
    stored = _stored(trigger.name, connection)
    if isinstance(stored, State):
        return stored
    return State.RIGHT if _body_in(stored) == trigger.body else State.DIFFERENT


def make(triggers: Iterable[Trigger], connection: Any) -> None:
    """Create those that are missing or different. MariaDB and MySQL commit if there are any.

    Raises:
        TriggersNotAllowed: with the database's message.
    """
    wrong = [trigger for trigger in triggers if not _is_well_made(trigger, connection)]
    try:
        for trigger in wrong:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute(f"DROP TRIGGER IF EXISTS {trigger.name}")
                cursor.execute(trigger.statement)
    except DatabaseError as error:
        if error.args[0] not in _MAY_NOT_CREATE:
            raise
        raise TriggersNotAllowed(str(error.args[1])) from error


def may_create(table: str, connection: Any) -> bool:
    """Return whether the server lets this account create triggers on the table. Rights by a role are not found."""
    if connection.vendor != "mysql":
        return True
    with connection.cursor() as cursor:
        cursor.execute(_RIGHTS, [table])
        rights = {row[0] for row in cursor.fetchall()}
        cursor.execute("SELECT @@log_bin AND NOT @@log_bin_trust_function_creators")
        (needs_super,) = cursor.fetchone()
    return "TRIGGER" in rights and (not needs_super or "SUPER" in rights)


# An account that may see the rights of others is one of the server's administrators.
_RIGHTS = """
    SELECT privilege_type FROM information_schema.user_privileges
    UNION SELECT privilege_type FROM information_schema.schema_privileges WHERE DATABASE() LIKE table_schema
    UNION SELECT privilege_type FROM information_schema.table_privileges
        WHERE table_schema = DATABASE() AND table_name = %s
"""


def _is_well_made(trigger: Trigger, connection: Any) -> bool:
    """Return whether nothing is to be done. A trigger runs with its maker's rights, and fails without that account."""
    stored = _stored(trigger.name, connection)
    if isinstance(stored, State):
        return stored is State.HIDDEN
    return _body_in(stored) == trigger.body and _maker_in(stored) == _account(connection)


def _stored(name: str, connection: Any) -> str | State:
    """Return the statement that the database has stored, or why there is none."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = %s", [name])
            row = cursor.fetchone()
            return State.MISSING if row is None else str(row[0])
        # Unlike information_schema, it tells a trigger that may not be seen from one that is not there.
        try:
            cursor.execute(f"SHOW CREATE TRIGGER {name}")
        except DatabaseError as error:
            if error.args[0] == _MAY_NOT_SEE:
                return State.HIDDEN
            if error.args[0] == _NO_SUCH_TRIGGER:
                return State.MISSING
            raise
        return str(cursor.fetchone()[2])


def _body_in(statement: str) -> str:
    return statement.partition(_FOR_EACH_ROW)[2].strip()


def _maker_in(statement: str) -> str:
    """Return the account that a stored statement names, as in root@localhost; SQLite knows none."""
    return statement.partition("DEFINER=")[2].partition(" TRIGGER ")[0].replace("`", "")


def _account(connection: Any) -> str:
    if connection.vendor != "mysql":
        return ""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER()")
        return str(cursor.fetchone()[0])
