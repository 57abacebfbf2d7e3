"""Triggers by which the database itself refuses overlaps, whoever writes: docs/decisions/023-overlap-triggers.md.

They say in SQL what `AppointmentQuerySet.blocking`, `AppointmentQuerySet.overlapping` and `Appointment.takes_time` say.
Races between two writers are decided by the locks: a trigger does not see what others have not committed.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.apps import apps as installed_apps
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import DatabaseError, IntegrityError, connections

from appointments.statuses import BLOCKING
from clinic.core.appointment_length import MAX_MINUTES
from clinic.db import triggers
from clinic.db.transactions import LostRace
from clinic.db.triggers import State, Trigger, TriggersNotAllowed

TABLE = "appointments_appointment"
INSERT, UPDATE = "appointment_overlap_insert", "appointment_overlap_update"
DOCTOR_OVERLAP = "The appointment overlaps another appointment of the doctor."
PATIENT_OVERLAP = "The appointment overlaps another appointment of the patient."
IMPORTED = "Only an appointment that is over can be marked as imported."
TIMES = "Times of appointments are in UTC and written like 2026-11-24 10:00:00."
GRANT_HINT = (
    "Grant the account TRIGGER on the database and, if the server writes a binary log, set "
    "log_bin_trust_function_creators; then run migrate again: docs/databases.md."
)

_CODES = {DOCTOR_OVERLAP: "doctor_overlap", PATIENT_OVERLAP: "patient_overlap", IMPORTED: "imported"}
# The number of a failed CHECK on MariaDB, for which Django raises IntegrityError as SQLite does.
_FAILED_CHECK = 4025
_STATUSES = ", ".join(f"'{status.value}'" for status in sorted(BLOCKING))
_DECIDING = ("is_imported", "doctor_id", "patient_id", "start_time", "end_time")
# SQLite compares times as texts, so that one with another offset would pass as another time.
_MISSPELT = " OR ".join(
    f"datetime(NEW.{column}) IS NOT substr(NEW.{column}, 1, 19)" for column in ("start_time", "end_time")
)
_log = logging.getLogger(__name__)

Refusal = tuple[str, str]  # a condition and a message


@dataclass(frozen=True)
class Dialect:
    now: str
    earliest_start: str  # of an appointment that can overlap the new one
    index: str


_DIALECTS = {
    "sqlite": Dialect("datetime('now')", f"datetime(NEW.start_time, '-{MAX_MINUTES} minutes')", index=""),
    # Without the name of an index, MariaDB compares several, which takes a third longer.
    "mysql": Dialect("UTC_TIMESTAMP(6)", f"NEW.start_time - INTERVAL {MAX_MINUTES} MINUTE", index=" FORCE INDEX ({})"),
}


def overlap_triggers(vendor: str) -> list[Trigger]:
    """Return the triggers of the table, as `sqlite` or `mysql` (also MariaDB) understands them."""
    inserted = f"(NEW.is_imported OR NEW.status IN ({_STATUSES}))"
    is_same = " AND ".join(f"OLD.{column} = NEW.{column}" for column in _DECIDING)
    updated = f"{inserted} AND NOT (OLD.status IN ({_STATUSES}) AND {is_same})"
    return [
        Trigger(INSERT, f"BEFORE INSERT ON {TABLE}", _body(vendor, inserted, itself="NEW.id")),
        Trigger(UPDATE, f"BEFORE UPDATE ON {TABLE}", _body(vendor, updated, itself="OLD.id")),
    ]


def _body(vendor: str, condition: str, *, itself: str) -> str:
    if vendor == "sqlite":
        refusals = [(_MISSPELT, TIMES), *_refusals(_DIALECTS[vendor], is_other=f"other.id IS NOT {itself}")]
        lines = [f"SELECT RAISE(ABORT, '{message}') WHERE {is_refused};" for is_refused, message in refusals]
        return "\n".join([f"WHEN {condition}", "BEGIN", *lines, "END"])
    refusals = _refusals(_DIALECTS[vendor], is_other=f"NOT (other.id <=> {itself})")
    refuse = f"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {_FAILED_CHECK}, MESSAGE_TEXT ="
    lines = [f"IF {is_refused} THEN {refuse} '{message}'; END IF;" for is_refused, message in refusals]
    return "\n".join(["BEGIN", f"IF {condition} THEN", *lines, "END IF;", "END"])


def _refusals(dialect: Dialect, *, is_other: str) -> list[Refusal]:
    return [
        (f"NEW.is_imported AND NEW.end_time > {dialect.now}", IMPORTED),
        (_overlaps(dialect, is_other, diary="doctor"), DOCTOR_OVERLAP),
        (_overlaps(dialect, is_other, diary="patient"), PATIENT_OVERLAP),
    ]


def _overlaps(dialect: Dialect, is_other: str, *, diary: str) -> str:
    """Return the condition of an overlap; bounded on both sides, so that no whole diary is read."""
    index = dialect.index.format(f"appointment_{diary}_start")
    is_in_the_way = (
        f"other.{diary}_id = NEW.{diary}_id AND other.start_time < NEW.end_time "
        f"AND other.start_time > {dialect.earliest_start} AND other.end_time > NEW.start_time "
        f"AND other.status IN ({_STATUSES}) AND NOT other.is_imported AND {is_other}"
    )
    found = f"SELECT 1 FROM {TABLE} AS other{index} WHERE {is_in_the_way}"  # noqa: S608  # nosec B608 -- constants
    return f"NOT NEW.is_imported AND EXISTS ({found})"


def make_triggers(using: str = "default", apps: Any = installed_apps, **kwargs: Any) -> None:
    """Create the triggers if they are missing or different, after every `migrate`; warn if the server forbids it."""
    if not _has_mark(apps):
        return  # an older state, without the column
    connection = connections[using]
    try:
        triggers.make(overlap_triggers(connection.vendor), connection)
    except TriggersNotAllowed as refusal:
        _log.warning("Database '%s' does not refuse overlapping appointments: %s. %s", using, refusal, GRANT_HINT)


def _has_mark(apps: Any) -> bool:
    try:
        apps.get_model("appointments", "Appointment")._meta.get_field("is_imported")
    except (LookupError, FieldDoesNotExist):
        return False
    return True


def missing_triggers(connection: Any) -> list[str]:
    """Return the names of those that are missing or different; none as long as the table is not migrated."""
    found = [(each.name, triggers.state_of(each, connection)) for each in overlap_triggers(connection.vendor)]
    wrong = [name for name, state in found if state in {State.MISSING, State.DIFFERENT}]
    return wrong if wrong and _is_migrated(connection) else []


def _is_migrated(connection: Any) -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT is_imported FROM {TABLE} WHERE 1 = 0")  # noqa: S608  # nosec B608 -- a constant
    except DatabaseError:
        return False
    return True


@contextmanager
def trigger_refusals_as_lost_race() -> Iterator[None]:
    """Raise a trigger's refusal as LostRace by field, as rules are refused under the locks."""
    try:
        yield
    except IntegrityError as error:
        for message, code in _CODES.items():
            if message in map(str, error.args):
                raise LostRace({"start_time": ValidationError(message, code=code)}) from error
        raise
