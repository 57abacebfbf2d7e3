"""An appointment's history in words, from the audit trail."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from auditlog import get_logentry_model

from appointments.models import Appointment
from appointments.statuses import CancelledBy, Status
from clinic import clinic_time
from doctors.models import Doctor
from patients.models import Patient

_NOT_TOLD = frozenset({"id", "booked_by", "created_at", "arrived_at", "started_at", "completed_at", "cancelled_at"})


@dataclass(frozen=True)
class Entry:
    """One change: when, by whom, and what changed, in sentences."""

    at: dt.datetime
    who: str
    what: list[str]


def history_of(appointment: Appointment, *, user: Any, most: int = 100) -> list[Entry]:
    """Return the latest changes of an appointment, latest first. At most three queries.

    Who may see only the own patients learns nothing from before the visit was this patient's.
    """
    entries = list(
        get_logentry_model().objects.get_for_object(appointment).select_related("actor").order_by("-pk")[:most]
    )
    if not user.has_perm("appointments.view_appointment"):
        entries = list(takewhile(lambda entry: not _gave_to_other_patient(entry), entries))
    names = _names_in(entries)
    return [
        Entry(
            at=entry.timestamp,
            who=entry.actor.display_name if entry.actor else entry.actor_email or "The system",
            what=["Booked"] if entry.action == entry.Action.CREATE else list(_told(entry.changes_dict, names)),
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
        }
        if ids:
            names |= {(field, str(pk)): str(found) for pk, found in model._default_manager.in_bulk(ids).items()}
    return names


def _told(changes: dict[str, list[str]], names: dict[tuple[str, str], str]) -> Iterator[str]:
    for field, (old, new) in changes.items():
        if field == "status":
            yield f"{Status(old).label} → {Status(new).label}"
        elif field == "start_time":
            yield f"Moved from {_instant_text(old)} to {_instant_text(new)}"
        elif field in {"doctor", "patient"}:
            yield f"{field.capitalize()}: {names.get((field, old), old)} → {names.get((field, new), new)}"
        elif field == "cancelled_by":
            yield f"Called off by: {CancelledBy(new).label.lower()}" if new else "No longer called off"
        elif field not in _NOT_TOLD:
            label = str(getattr(Appointment._meta.get_field(field), "verbose_name", field)).capitalize()
            yield f"{label}: {old or '–'} → {new or '–'}"


def _instant_text(stored: str) -> str:
    """Return an instant of the audit trail, which holds UTC without saying so, in clinic time."""
    instant = dt.datetime.fromisoformat(stored).replace(tzinfo=dt.UTC)
    return f"{clinic_time.date_text(instant)} {clinic_time.time_text(instant)}"
