"""Everything stored about one patient, for the patient: as data for a program and for people to read.

Staff are named by their role: whom the clinic employs is not the patient's data.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils import timezone

from clinic.audit.actor import stored_instant
from clinic.models import Event
from patients.models import Patient
from patients.privacy.holders import registered_holders
from patients.privacy.trail import RelevantEntry, trail_of

Data = dict[str, Any]

SEARCH_KEYS_ARE_FOR = "Created from the name, e-mail and phone number, to find the record by parts of them."
HIDDEN_FIELDS = frozenset({"id"})
_EMPTY = frozenset({None, "None", ""})  # as the trail stores it


def export_patient_data(patient: Patient, *, at: dt.datetime | None = None) -> Data:
    """Return everything stored: JSON values, dates and datetimes. Seventeen queries, however much it is."""
    trail = trail_of(patient)
    linked: Data = {}
    for holder in registered_holders():
        linked |= holder.export(patient, trail)
    return {
        "about": {"patient": patient.pk, "clinic": settings.CLINIC_NAME, "made_at": at or timezone.now()},
        "record": field_values(patient, leave_out={"name_key", "diary_version", "last_contact"}),
        "record_history": [describe_change(each) for each in writes(trail.record)],
        **linked,
        "who_looked": [_event(each) for each in trail if each.entry.event != Event.WRITE],
        "search_keys": {
            "what_for": SEARCH_KEYS_ARE_FOR,
            "keys": sorted({patient.name_key, *_search_keys(patient)}),
        },
        "retention": retention_periods(),
    }


def _search_keys(patient: Patient) -> Iterator[str]:
    yield from patient.search_keys.values_list("key", flat=True)
    for key, others in patient.name_pairs.values_list("key", "others"):
        yield key + others


def retention_periods() -> dict[str, str]:
    """Return in words how long the clinic keeps each kind of data."""
    trail_days = getattr(settings, "AUDIT_RETENTION_DAYS", None)
    return {
        "record and appointments": "Until the record is anonymised. The clinic reviews it "
        f"{settings.PATIENT_RETENTION_YEARS} years after the last appointment, or earlier if you ask.",
        "history, and who viewed the data": f"{trail_days} days." if trail_days else "As long as the law requires.",
        "searches by staff, and messages on their screens": "Until they log out.",
        "files being imported": "One hour.",
        "answers to programs, in case they repeat a request": "One day.",
    }


def field_values(record: models.Model, *, leave_out: Collection[str]) -> Data:
    """Return a record's fields; a foreign key by its id."""
    fields = record._meta.concrete_fields
    return {field.name: getattr(record, field.attname) for field in fields if field.name not in leave_out}


def writes(entries: Iterable[RelevantEntry]) -> list[RelevantEntry]:
    return [each for each in entries if each.entry.event == Event.WRITE]


def describe_change(
    relevant: RelevantEntry,
    *,
    hidden: Collection[str] = HIDDEN_FIELDS,
    names: Mapping[str, Mapping[str, str]] | None = None,
) -> Data:
    """Return who changed what and when; `names` has, by field, the names that stand for ids."""
    content_type = ContentType.objects.get_for_id(relevant.entry.content_type_id)
    model: Any = content_type.model_class()
    changed = {
        field: [_value(model, field, value, (names or {}).get(field, {})) for value in values]
        for field, values in sorted(relevant.changes.items())
        if field not in hidden and not _EMPTY.issuperset(values)
    }
    change = _event(relevant) | {"event": relevant.entry.get_action_display(), "changed": changed}
    reason = (relevant.entry.additional_data or {}).get("reason")
    if reason and relevant.is_whole:  # the reason of an entry about two patients could name the other one
        change["why"] = reason
    return change


def _value(model: type[models.Model], field: str, value: Any, names: Mapping[str, str]) -> Any:
    if value in (None, "None"):
        return None
    if _is_datetime(model, field):
        return stored_instant(value) or value
    return names.get(str(value), value)


def _is_datetime(model: type[models.Model], field: str) -> bool:
    try:
        return isinstance(model._meta.get_field(field), models.DateTimeField)
    except FieldDoesNotExist:  # renamed since
        return False


def _event(relevant: RelevantEntry) -> Data:
    entry = relevant.entry
    by = role_of(entry.actor)
    return {
        "at": entry.timestamp,
        "event": entry.get_event_display(),
        "by": f"{by}, by a program" if entry.token_id else by,
    }


def role_of(user: Any) -> str:
    """Return the user's present roles. No query, if the groups were prefetched."""
    if user is None:
        return "The system"
    return ", ".join(sorted(group.name for group in user.groups.all())) or "Staff"
