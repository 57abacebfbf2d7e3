"""An appointment's history in words, from the audit trail."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet

from appointments.models import Appointment
from appointments.statuses import Status
from clinic.audit.actor import ANONYMISED
from clinic.audit.record_names import RecordNames, field_values, records_in_changes
from clinic.audit.wording import EMPTY, describe_actor, describe_value, field_label
from clinic.models import AuditEntry

HIDDEN_FIELDS = frozenset(
    {"id", "booked_by", "created_at", "arrived_at", "started_at", "completed_at", "left_at", "cancelled_at"}
)
_SLOT = frozenset({"doctor", "patient", "start_time"})


@dataclass(frozen=True)
class HistoryEntry:
    at: dt.datetime
    who: str
    what: list[str]  # sentences


def history_of(appointment: Appointment, *, user: Any, limit: int = 100) -> list[HistoryEntry]:
    """Return the latest changes of an appointment, latest first. At most three queries.

    Users who may see only their own patients do not see changes from before the appointment was given to this patient.
    """
    return _in_words(list(_entries_of([appointment])[:limit]), user=user)


def moves_of(appointments: list[Appointment], *, user: Any) -> dict[int, list[HistoryEntry]]:
    """Return the moves and cancellations by appointment id, latest first, limited as in `history_of`.

    At most three queries.
    """
    by_appointment = defaultdict(list)
    for entry in _entries_of(appointments):
        if _is_move_or_cancellation(entry):
            by_appointment[entry.object_id].append(entry)
    names = _names_in([entry for entries in by_appointment.values() for entry in entries])
    return {pk: _in_words(entries, user=user, names=names) for pk, entries in by_appointment.items()}


def _entries_of(appointments: list[Appointment]) -> QuerySet:
    content_type = ContentType.objects.get_for_model(Appointment)
    ids = [appointment.pk for appointment in appointments]
    entries = AuditEntry.objects.writes().filter(content_type=content_type, object_id__in=ids)
    return entries.select_related("actor").order_by("-pk")


def _is_move_or_cancellation(entry: Any) -> bool:
    changes = entry.changes_dict
    is_cancelled = Status.CANCELLED in changes.get("status", ())
    return entry.action == entry.Action.UPDATE and (is_cancelled or not _SLOT.isdisjoint(changes))


def _in_words(entries: list[Any], *, user: Any, names: RecordNames | None = None) -> list[HistoryEntry]:
    if not user.has_perm("appointments.view_appointment"):
        entries = list(takewhile(lambda entry: not _changes_patient(entry), entries))
    known = names or _names_in(entries)
    return [
        HistoryEntry(
            at=entry.timestamp,
            who=describe_actor(entry) or "The system",
            what=[_booking(entry)] if entry.action == entry.Action.CREATE else list(_sentences(entry, known)),
        )
        for entry in entries
    ]


def _booking(entry: Any) -> str:
    return "Booked as a walk-in" if "True" in entry.changes_dict.get("is_walk_in", ()) else "Booked"


def _changes_patient(entry: Any) -> bool:
    return entry.action == entry.Action.UPDATE and "patient" in entry.changes_dict


def _names_in(entries: list[Any]) -> RecordNames:
    updates = [entry for entry in entries if entry.action == entry.Action.UPDATE]
    return RecordNames(
        pair for entry in updates for pair in records_in_changes(entry, Appointment, hidden=HIDDEN_FIELDS)
    )


def _sentences(entry: Any, names: RecordNames) -> Iterator[str]:
    order = [field.name for field in Appointment._meta.get_fields()]  # auditlog stores fields in no fixed order
    changed = field_values(entry, Appointment, hidden=HIDDEN_FIELDS)
    for name, field, values in sorted(changed, key=lambda each: order.index(each[0])):
        if ANONYMISED in values:
            yield f"{field_label(name, field).capitalize()}: {ANONYMISED}"
        else:
            old, new = (describe_value(field, value, name_of=names.name) for value in values)
            yield _sentence(field, old, new)
    if reason := (entry.additional_data or {}).get("reason"):
        yield f"Why: {reason}"


def _sentence(field: Any, old: str, new: str) -> str:
    if field.name == "status":
        return f"{old} → {new}"
    if field.name == "start_time":
        return f"Moved from {old} to {new}"
    if field.name == "cancelled_by":
        return "No longer called off" if new == EMPTY else f"Called off by: {new.lower()}"
    return f"{field_label(field.name, field).capitalize()}: {old} → {new}"
