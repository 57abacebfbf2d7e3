import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from django.db import models
from django.db.models import Count, F, QuerySet, Window
from django.db.models.functions import RowNumber
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
from clinic.db.keyset import Key, KeysetOrder, split_page
from clinic.rest.models import ApiToken
from patients.models import Patient

ROWS_PER_PAGE = 50
MAX_LISTED = 20  # patients of a list that are named
_NEWEST_FIRST = KeysetOrder(("timestamp", "pk"), is_descending=True)
_NEWEST_LISTED_FIRST = KeysetOrder(("timestamp", "entry_id"), is_descending=True)
HIDDEN_FIELDS = frozenset({"id", "created_at"})
# Shown otherwise. The ids of the first patients of a list were stored until each list had rows of `SeenPatient` only.
HIDDEN_DETAILS = frozenset({"patients", "found"})


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


def entries_page(filters: AuditFilter, *, before: Key | None = None) -> tuple[list[Any], Key | None]:
    """Return a page of entries, newest first, and the key to go on from if there are more. At most three queries.

    With a patient, the time of a list is when it showed the patient, `seen_at`.
    """
    entries = _filtered(AuditEntry.objects.select_related("actor", "content_type"), filters)
    if filters.patient_id is None:
        return _NEWEST_FIRST.page(entries, after=before, size=ROWS_PER_PAGE)
    keys, are_more = split_page(_newest_keys_about(filters.patient_id, entries, filters, before), ROWS_PER_PAGE)
    shown = {pk: seen_at for seen_at, pk in keys}
    by_id = entries.in_bulk(shown)
    for pk, entry in by_id.items():
        entry.seen_at = shown[pk]
    return [by_id[pk] for pk in shown if pk in by_id], keys[-1] if are_more else None


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


def _newest_keys_about(patient_id: int, entries: QuerySet, filters: AuditFilter, after: Key | None) -> list[Key]:
    """Return time and id of entries about the patient's own records and of lists that included the patient."""
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
    return sorted({*own_keys, *listed_keys}, reverse=True)[: ROWS_PER_PAGE + 1]


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


@dataclass
class ListedPatients:
    """The ids of the first patients of a list, and the number of all."""

    first: list[int] = field(default_factory=list)
    total: int = 0


def describe_entries(entries: list[Any]) -> list[AuditRow]:
    """Return entries in words. At most five queries: the lists, and one for each model whose records have names."""
    lists = _listed_in(entries)
    names = RecordNames(pair for entry in entries for pair in _records_in(entry, lists[entry.pk]))
    return [_row(entry, names, lists[entry.pk]) for entry in entries]


def _listed_in(entries: list[Any]) -> dict[int, ListedPatients]:
    """Return the patients of each entry: its own, or those of its list. One query."""
    lists: dict[int, ListedPatients] = defaultdict(ListedPatients)
    ids = [entry.pk for entry in entries if entry.patient_id is None]
    rows = SeenPatient.objects.filter(entry__in=ids).annotate(
        place=Window(RowNumber(), partition_by=F("entry_id"), order_by="pk"),
        total=Window(Count("pk"), partition_by=F("entry_id")),
    )
    for row in rows.filter(place__lte=MAX_LISTED).order_by("pk"):
        lists[row.entry_id].first.append(row.patient_id)
        lists[row.entry_id].total = row.total
    own = {entry.pk: ListedPatients([entry.patient_id], 1) for entry in entries if entry.patient_id is not None}
    return lists | own


def _records_in(entry: Any, patients: ListedPatients) -> Iterator[tuple[type[models.Model], int]]:
    yield from ((Patient, pk) for pk in patients.first)
    if entry.token_id:
        yield ApiToken, entry.token_id
    kind = entry.content_type.model_class()
    if kind and kind._meta.label in NAMED_MODELS and entry.object_id:
        yield kind, entry.object_id
    yield from records_in_changes(entry, kind, hidden=HIDDEN_FIELDS)
    yield from records_in_details(entry.additional_data or {})


def _row(entry: Any, names: RecordNames, patients: ListedPatients) -> AuditRow:
    kind = entry.content_type.model_class()
    is_patient = kind is Patient and entry.object_id
    return AuditRow(
        at=entry.seen_at or entry.timestamp,
        who=describe_actor(entry),
        token=names.name(ApiToken, entry.token_id) if entry.token_id else "",
        address=entry.remote_addr or "",
        what=_what(entry),
        record=_record(entry, kind, names),
        patients=[] if is_patient else [_link(Patient, pk, names) for pk in patients.first],
        more_patients=patients.total - len(patients.first),
        details=list(_details(entry, names, found=patients.total)),
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


def _details(entry: Any, names: RecordNames, *, found: int) -> Iterator[str]:
    details = entry.additional_data or {}
    if entry.event == Event.SEARCH or "found" in details:
        yield f"{details.get('found', found)} found"
    for name, value in details.items():
        if value not in (None, "") and name not in HIDDEN_DETAILS:
            yield describe_detail(name, value, name_of=names.name)


def _changes(entry: Any, kind: type[models.Model] | None, names: RecordNames) -> Iterator[tuple[str, str, str]]:
    for name, changed, values in sorted(field_values(entry, kind, hidden=HIDDEN_FIELDS), key=itemgetter(0)):
        before, after = (describe_value(changed, value, name_of=names.name)[:MAX_CHARACTERS] for value in values)
        if before != after:
            yield field_label(name, changed), before, after
