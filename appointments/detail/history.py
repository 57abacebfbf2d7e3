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
from appointments.statuses import CancelledBy, Status
from clinic.audit.actor import ANONYMISED
from clinic.audit.former_names import changes_of
from clinic.audit.wording import instant_text
from clinic.models import AuditEntry
from doctors.models import Doctor
from patients.models import Patient

_NOT_TOLD = frozenset({"id", "booked_by", "created_at", "arrived_at", "started_at", "completed_at", "cancelled_at"})


_SLOT = frozenset({"doctor", "patient", "start_time"})


@dataclass(frozen=True)
class Entry:
    """One change: when, by whom, and what changed, in sentences."""

    at: dt.datetime
    who: str
    what: list[str]


def history_of(appointment: Appointment, *, user: Any, most: int = 100) -> list[Entry]:
    """Return the latest changes of an appointment, latest first. At most three queries.

    Who may see only the own patients learns nothing from before the appointment was this patient's.
    """
    return _in_words(list(_entries_of([appointment])[:most]), user=user)


def moves_of(appointments: list[Appointment], *, user: Any) -> dict[int, list[Entry]]:
    """Return, by the ids of appointments, what moved or cancelled each, latest first. At most three queries.

    As with `history_of`, who may see only the own patients learns nothing from before.
    """
    entries = [entry for entry in _entries_of(appointments) if _tells_of_a_move(entry)]
    by_appointment = defaultdict(list)
    for entry in entries:
        by_appointment[entry.object_id].append(entry)
    names = _names_in(entries)
    return {pk: _in_words(of_one, user=user, names=names) for pk, of_one in by_appointment.items()}


def _entries_of(appointments: list[Appointment]) -> QuerySet:
    content_type = ContentType.objects.get_for_model(Appointment)
    ids = [appointment.pk for appointment in appointments]
    entries = AuditEntry.objects.writes().filter(content_type=content_type, object_id__in=ids)
    return entries.select_related("actor").order_by("-pk")


def _tells_of_a_move(entry: Any) -> bool:
    changes = entry.changes_dict
    is_cancelled = Status.CANCELLED in changes.get("status", ())
    return entry.action == entry.Action.UPDATE and (is_cancelled or not _SLOT.isdisjoint(changes))


def _in_words(entries: list[Any], *, user: Any, names: dict[tuple[str, str], str] | None = None) -> list[Entry]:
    if not user.has_perm("appointments.view_appointment"):
        entries = list(takewhile(lambda entry: not _gave_to_other_patient(entry), entries))
    known = _names_in(entries) if names is None else names
    return [
        Entry(
            at=entry.timestamp,
            who=entry.actor.display_name if entry.actor else entry.actor_email or "The system",
            what=["Booked"] if entry.action == entry.Action.CREATE else list(_told(entry, known)),
        )
        for entry in entries
    ]


def _gave_to_other_patient(entry: Any) -> bool:
    return entry.action == entry.Action.UPDATE and "patient" in entry.changes_dict


def _names_in(entries: list[Any]) -> dict[tuple[str, str], str]:
    """Return the names of the doctors and patients whom the entries mention by id."""
    names: dict[tuple[str, str], str] = {}
    for field, model in (("doctor", Doctor), ("patient", Patient)):
        ids = {
            value
            for entry in entries
            if entry.action == entry.Action.UPDATE
            for value in entry.changes_dict.get(field, ())
            if value != ANONYMISED
        }
        if ids:
            names |= {(field, str(pk)): str(found) for pk, found in model._default_manager.in_bulk(ids).items()}
    return names


def _told(entry: Any, names: dict[tuple[str, str], str]) -> Iterator[str]:
    in_order = [field.name for field in Appointment._meta.get_fields()]  # auditlog's own order is one of chance
    for field, (old, new) in sorted(changes_of(entry).items(), key=lambda each: in_order.index(each[0])):
        if ANONYMISED in (old, new):
            yield f"{_label(field)}: {ANONYMISED}"
        elif field == "status":
            yield f"{Status(old).label} → {Status(new).label}"
        elif field == "start_time":
            yield f"Moved from {instant_text(old)} to {instant_text(new)}"
        elif field in {"doctor", "patient"}:
            yield f"{field.capitalize()}: {names.get((field, old), old)} → {names.get((field, new), new)}"
        elif field == "cancelled_by":
            yield f"Called off by: {CancelledBy(new).label.lower()}" if new else "No longer called off"
        elif field not in _NOT_TOLD:
            yield f"{_label(field)}: {old or '–'} → {new or '–'}"
    if reason := (entry.additional_data or {}).get("reason"):
        yield f"Why: {reason}"


def _label(field: str) -> str:
    return str(getattr(Appointment._meta.get_field(field), "verbose_name", field)).capitalize()
