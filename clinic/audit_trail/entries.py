import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from django.db import models
from django.db.models import QuerySet
from django.urls import NoReverseMatch

from clinic.accounts.models import User
from clinic.audit.models import AuditEntry, Event, SeenPatient
from clinic.audit.record_names import NAMED_MODELS, RecordNames, field_values, records_in_changes
from clinic.audit.wording import (
    MAX_CHARACTERS,
    describe_actor,
    describe_detail,
    describe_value,
    field_label,
    records_in_details,
)
from clinic.core import clinic_time
from clinic.db.keyset import Key, KeysetOrder
from clinic.rest.models import ApiToken
from patients.models import Patient

ROWS_PER_PAGE = 50
_NEWEST_FIRST = KeysetOrder(("timestamp", "pk"), is_descending=True)
_NEWEST_LISTED_FIRST = KeysetOrder(("timestamp", "entry_id"), is_descending=True)
HIDDEN_FIELDS = frozenset({"id", "created_at"})
HIDDEN_DETAILS = frozenset({"patients", "found"})  # shown in other columns


@dataclass(frozen=True)
class AuditFilter:
    """Which entries to show. The days are clinic-local and both included."""

    patient_id: int | None = None
    user_id: int | None = None
    event: str = ""
    first: dt.date | None = None
    last: dt.date | None = None

    @property
    def details(self) -> dict[str, str]:
        """The details of the entry for looking at the trail. The patient has a column of its own."""
        values = {"of_user": self.user_id, "of_event": self.event, "first": self.first, "last": self.last}
        return {name: str(value) for name, value in values.items() if value}


def entries_page(filters: AuditFilter, *, before: int | None = None) -> tuple[list[Any], int | None]:
    """Return a page of entries, newest first, and the id to go on from if there are more. At most four queries."""
    after = AuditEntry.objects.filter(pk=before).values_list("timestamp", "pk").first() if before else None
    entries = _filtered(AuditEntry.objects.all(), filters)
    if filters.patient_id is not None:
        entries = AuditEntry.objects.filter(pk__in=_newest_ids_about(filters.patient_id, entries, filters, after))
        after = None
    shown, last = _NEWEST_FIRST.page(entries.select_related("actor", "content_type"), after=after, size=ROWS_PER_PAGE)
    return shown, None if last is None else last[1]


def _filtered(entries: QuerySet, filters: AuditFilter) -> QuerySet:
    if filters.user_id is not None:
        entries = entries.filter(actor_id=filters.user_id)
    if filters.event:
        entries = entries.filter(event=filters.event)
    return _on_days(entries, filters)


def _on_days(rows: QuerySet, filters: AuditFilter) -> QuerySet:
    if filters.first:
        rows = rows.filter(timestamp__gte=clinic_time.day_bounds(filters.first)[0])
    if filters.last:
        rows = rows.filter(timestamp__lt=clinic_time.day_bounds(filters.last)[1])
    return rows


def _newest_ids_about(patient_id: int, entries: QuerySet, filters: AuditFilter, after: Key | None) -> list[int]:
    """Return the ids of entries about the patient's own records and of lists that included the patient."""
    # Two queries, each by its index: with OR, the database would read the whole trail.
    own = _NEWEST_FIRST.following(entries.filter(patient_id=patient_id), after)
    listed = _on_days(SeenPatient.objects.filter(patient_id=patient_id), filters)
    if filters.user_id is not None:
        listed = listed.filter(entry__actor_id=filters.user_id)
    if filters.event:
        listed = listed.filter(entry__event=filters.event)
    listed = _NEWEST_LISTED_FIRST.following(listed, after)
    own_keys = own.values_list("timestamp", "pk")[: ROWS_PER_PAGE + 1]
    listed_keys = listed.values_list("timestamp", "entry_id")[: ROWS_PER_PAGE + 1]
    newest = sorted({*own_keys, *listed_keys}, reverse=True)[: ROWS_PER_PAGE + 1]
    return [pk for _timestamp, pk in newest]


@dataclass
class RecordLink:
    text: str
    url: str = ""  # empty if the record has no page


@dataclass
class AuditRow:
    """An entry in words."""

    at: dt.datetime
    who: str
    token: str
    address: str
    what: str
    record: RecordLink | None
    patients: list[RecordLink] = field(default_factory=list)
    more_patients: int = 0
    details: list[str] = field(default_factory=list)
    changes: list[tuple[str, str, str]] = field(default_factory=list)  # label, old value, new value


def describe_entries(entries: list[Any]) -> list[AuditRow]:
    """Return entries in words. At most four queries: one for each model whose records have names."""
    names = RecordNames(pair for entry in entries for pair in _records_in(entry))
    return [_row(entry, names) for entry in entries]


def _records_in(entry: Any) -> Iterator[tuple[type[models.Model], int]]:
    yield from ((Patient, pk) for pk in _patients_in(entry))
    if entry.token_id:
        yield ApiToken, entry.token_id
    kind = entry.content_type.model_class()
    if kind and kind._meta.label in NAMED_MODELS and entry.object_id:
        yield kind, entry.object_id
    yield from records_in_changes(entry, kind, hidden=HIDDEN_FIELDS)
    yield from records_in_details(entry.additional_data or {})


def _patients_in(entry: Any) -> list[int]:
    listed = (entry.additional_data or {}).get("patients", [])
    return [entry.patient_id] if entry.patient_id else listed


def _row(entry: Any, names: RecordNames) -> AuditRow:
    kind = entry.content_type.model_class()
    details = entry.additional_data or {}
    patients = _patients_in(entry)
    is_patient = kind is Patient and entry.object_id
    return AuditRow(
        at=entry.timestamp,
        who=describe_actor(entry),
        token=names.name(ApiToken, entry.token_id) if entry.token_id else "",
        address=entry.remote_addr or "",
        what=_what(entry),
        record=_record(entry, kind, names),
        patients=[] if is_patient else [_link(Patient, pk, names) for pk in patients],
        more_patients=max(0, details.get("found", 0) - len(patients)) if "patients" in details else 0,
        details=list(_details(details, names)),
        changes=list(_changes(entry, kind, names)),
    )


def _what(entry: Any) -> str:
    if entry.event != Event.WRITE:
        return str(Event(entry.event).label)
    return {entry.Action.CREATE: "created", entry.Action.DELETE: "deleted"}.get(entry.action, "changed")


def _record(entry: Any, kind: type[models.Model] | None, names: RecordNames) -> RecordLink | None:
    """Return the record, or its model if there is no record in particular; None if the user acted on themselves."""
    if kind is None:
        return RecordLink(str(entry.content_type))
    if entry.object_id is not None:
        is_self = kind is User and entry.object_id == entry.actor_id
        return None if is_self and entry.event != Event.WRITE else _link(kind, entry.object_id, names)
    return None if kind is User else RecordLink(str(kind._meta.verbose_name_plural))


def _link(kind: type[models.Model], pk: int, names: RecordNames) -> RecordLink:
    # A record without a name is not looked up, and its page may or may not exist.
    record: Any = names.record(kind, pk) or (kind(pk=pk) if kind._meta.label not in NAMED_MODELS else None)
    try:
        url = record.get_absolute_url() if hasattr(record, "get_absolute_url") else ""
    except NoReverseMatch:
        url = ""
    return RecordLink(names.name(kind, pk), url)


def _details(details: dict[str, Any], names: RecordNames) -> Iterator[str]:
    if "found" in details:
        yield f"{details['found']} found"
    for name, value in details.items():
        if value not in (None, "") and name not in HIDDEN_DETAILS:
            yield describe_detail(name, value, name_of=names.name)


def _changes(entry: Any, kind: type[models.Model] | None, names: RecordNames) -> Iterator[tuple[str, str, str]]:
    for name, changed, values in sorted(field_values(entry, kind, hidden=HIDDEN_FIELDS), key=itemgetter(0)):
        before, after = (describe_value(changed, value, name_of=names.name)[:MAX_CHARACTERS] for value in values)
        if before != after:
            yield field_label(name, changed), before, after
