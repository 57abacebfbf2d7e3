"""The audit trail for people to read: which entries are asked for, and each in words, with names as they are now."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.db.models import Q, QuerySet
from django.urls import NoReverseMatch

from clinic.accounts.models import User
from clinic.audit.former_names import changes_of
from clinic.audit.models import AuditEntry, Event, SeenPatient
from clinic.audit.wording import MAX_CHARACTERS, day_text, instant_text, records_told, told_text, yes_or_no
from clinic.core import clinic_time
from clinic.rest.models import ApiToken
from patients.models import Patient

ROWS_PER_PAGE = 50
# The records whose names are looked up; each can say its name without asking for another record.
_NAMED = frozenset({"patients.Patient", "doctors.Doctor", "clinic.User", "clinic.ApiToken"})
_NOT_TOLD = frozenset({"id", "created_at", "patients", "found"})


@dataclass(frozen=True)
class Asked:
    """Which entries are asked for: of a patient, by a user, of a kind, from a clinic-local day to another."""

    patient_id: int | None = None
    user_id: int | None = None
    event: str = ""
    first: dt.date | None = None
    last: dt.date | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What the trail says of a look into it, beside the patient."""
        said = {"of_user": self.user_id, "of_event": self.event, "first": self.first, "last": self.last}
        return {name: str(value) for name, value in said.items() if value}


def page_of(asked: Asked, *, before: int | None = None) -> tuple[list[Any], int | None]:
    """Return a page of entries, newest first, and the id of the last one if there are more. At most four queries.

    `before` is the id of the entry that the page goes on from.
    """
    after = AuditEntry.objects.filter(pk=before).values_list("timestamp", "pk").first() if before else None
    entries = _narrowed(AuditEntry.objects.all(), asked, after)
    if asked.patient_id is not None:
        entries = AuditEntry.objects.filter(pk__in=_ids_about(asked.patient_id, entries, asked, after))
    found = list(entries.select_related("actor", "content_type").order_by("-timestamp", "-pk")[: ROWS_PER_PAGE + 1])
    shown = found[:ROWS_PER_PAGE]
    return shown, shown[-1].pk if len(found) > ROWS_PER_PAGE else None


def _narrowed(entries: QuerySet, asked: Asked, after: tuple[dt.datetime, int] | None) -> QuerySet:
    if asked.user_id is not None:
        entries = entries.filter(actor_id=asked.user_id)
    if asked.event:
        entries = entries.filter(event=asked.event)
    return _in_time(entries, asked, after)


def _in_time(rows: QuerySet, asked: Asked, after: tuple[dt.datetime, int] | None, key: str = "pk") -> QuerySet:
    """Return the rows from day to day that come after one, in the order of newest first."""
    if asked.first:
        rows = rows.filter(timestamp__gte=clinic_time.day_bounds(asked.first)[0])
    if asked.last:
        rows = rows.filter(timestamp__lt=clinic_time.day_bounds(asked.last)[1])
    if after:
        at, pk = after
        # The first condition says no more than the second, but is one that an index serves.
        rows = rows.filter(timestamp__lte=at).filter(Q(timestamp__lt=at) | Q(**{f"{key}__lt": pk}))
    return rows


def _ids_about(patient_id: int, entries: QuerySet, asked: Asked, after: tuple[dt.datetime, int] | None) -> list[int]:
    """Return the ids of the newest entries about a patient: those of the record, and those of lists with it.

    Each is a walk along an index; both at once, by OR, would read the whole trail.
    """
    own = entries.filter(patient_id=patient_id).order_by("-timestamp", "-pk")
    own_keys = list(own.values_list("timestamp", "pk")[: ROWS_PER_PAGE + 1])
    listed = _in_time(SeenPatient.objects.filter(patient_id=patient_id), asked, after, "entry_id")
    if asked.user_id is not None:
        listed = listed.filter(entry__actor_id=asked.user_id)
    if asked.event:
        listed = listed.filter(entry__event=asked.event)
    listed_keys = list(
        listed.order_by("-timestamp", "-entry_id").values_list("timestamp", "entry_id")[: ROWS_PER_PAGE + 1]
    )
    newest = sorted({*own_keys, *listed_keys}, reverse=True)[: ROWS_PER_PAGE + 1]
    return [pk for _timestamp, pk in newest]


@dataclass
class Named:
    """A record as the trail calls it, with the address of its page if there is one."""

    text: str
    url: str = ""


@dataclass
class Row:
    """An entry in words."""

    at: dt.datetime
    who: str
    token: str
    address: str
    event: str
    what: str
    record: Named | None
    patients: list[Named] = field(default_factory=list)
    more_patients: int = 0
    told: list[str] = field(default_factory=list)
    changes: list[tuple[str, str, str]] = field(default_factory=list)


def rows_of(entries: list[Any]) -> list[Row]:
    """Return entries in words. One query for each kind of record that has a name, at most four."""
    names = _Names(entries)
    return [_row(entry, names) for entry in entries]


class _Names:
    """The names that entries need, looked up at once."""

    def __init__(self, entries: list[Any]) -> None:
        wanted: dict[type[models.Model], set[int]] = defaultdict(set)
        for entry in entries:
            wanted[Patient].update(_patients_in(entry))
            if entry.token_id:
                wanted[ApiToken].add(entry.token_id)
            kind = entry.content_type.model_class()
            if kind and kind._meta.label in _NAMED and entry.object_id:
                wanted[kind].add(entry.object_id)
            for related, pk in (*_related_in(entry), *records_told(entry.additional_data or {})):
                wanted[related].add(pk)
        self._found = {kind: kind._base_manager.in_bulk(ids) for kind, ids in wanted.items() if ids}

    def of(self, kind: type[models.Model], pk: int) -> Named:
        """Return what to call a record; of one that is gone, or has no name, its kind and id."""
        record = self._found.get(kind, {}).get(pk)
        text = getattr(record, "display_name", str(record)) if record else f"{kind._meta.verbose_name} {pk}"
        return Named(text, _url_of(record or (kind(pk=pk) if kind._meta.label not in _NAMED else None)))


def _url_of(record: Any) -> str:
    try:
        return record.get_absolute_url() if hasattr(record, "get_absolute_url") else ""
    except NoReverseMatch:
        return ""


def _patients_in(entry: Any) -> list[int]:
    listed = (entry.additional_data or {}).get("patients", [])
    return [entry.patient_id] if entry.patient_id else listed


def _related_in(entry: Any) -> Iterator[tuple[type[models.Model], int]]:
    """Yield the records with names that the old and new values of an entry are."""
    for name, values in _changes(entry).items():
        related = _related(entry, name)
        if related is not None:
            yield from ((related, int(value)) for value in values if str(value).isdecimal())


def _related(entry: Any, name: str) -> type[models.Model] | None:
    kind = entry.content_type.model_class()
    known = {each.name: each for each in kind._meta.get_fields()} if kind else {}
    related = getattr(known.get(name), "related_model", None)
    is_key = getattr(known.get(name), "many_to_one", False) or getattr(known.get(name), "one_to_one", False)
    return related if is_key and related is not None and related._meta.label in _NAMED else None


def _changes(entry: Any) -> dict[str, list[Any]]:
    """Return old and new values by field; of those that the library wrote in other words, none."""
    return {
        name: values for name, values in changes_of(entry).items() if isinstance(values, list) and name not in _NOT_TOLD
    }


def _row(entry: Any, names: _Names) -> Row:
    kind = entry.content_type.model_class()
    told = entry.additional_data or {}
    about = _patients_in(entry)
    is_patient = kind is Patient and entry.object_id
    return Row(
        at=entry.timestamp,
        who=entry.actor.display_name if entry.actor else entry.actor_email or "",
        token=names.of(ApiToken, entry.token_id).text if entry.token_id else "",
        address=entry.remote_addr or "",
        event=entry.event,
        what=_what(entry),
        record=_record(entry, kind, names),
        patients=[] if is_patient else [names.of(Patient, pk) for pk in about],
        more_patients=max(0, told.get("found", 0) - len(about)) if "patients" in told else 0,
        told=list(_told(told, names)),
        changes=list(_changed(entry, names)),
    )


def _what(entry: Any) -> str:
    if entry.event != Event.WRITE:
        return str(Event(entry.event).label)
    return {entry.Action.CREATE: "made", entry.Action.DELETE: "deleted"}.get(entry.action, "changed")


def _record(entry: Any, kind: type[models.Model] | None, names: _Names) -> Named | None:
    """Return the record, or the kind of records; of signing in none, since it is the user."""
    if kind is None:
        return Named(str(entry.content_type))
    if entry.object_id is not None:
        is_self = kind is User and entry.object_id == entry.actor_id
        return None if is_self and entry.event != Event.WRITE else names.of(kind, entry.object_id)
    return None if kind is User else Named(str(kind._meta.verbose_name_plural))


def _told(told: dict[str, Any], names: _Names) -> Iterable[str]:
    if "found" in told:
        yield f"{told['found']} found"
    for name, value in told.items():
        if value not in (None, "") and name not in _NOT_TOLD:
            yield told_text(name, value, name_of=lambda kind, pk: names.of(kind, pk).text)


def _changed(entry: Any, names: _Names) -> Iterator[tuple[str, str, str]]:
    """Yield the label, the old and the new value of each field that was another afterwards."""
    kind = entry.content_type.model_class()
    fields = {each.name: each for each in kind._meta.get_fields()} if kind else {}
    for name, values in sorted(_changes(entry).items()):
        related = _related(entry, name)
        before, after = (_value(value, fields.get(name), related, names) for value in values)
        if before != after:
            yield str(getattr(fields.get(name), "verbose_name", name.replace("_", " "))), before, after


def _value(value: Any, field: Any, related: type[models.Model] | None, names: _Names) -> str:
    if value in (None, "", "None"):
        return "–"
    text = str(value)
    if related is not None and text.isdecimal():
        return names.of(related, int(text)).text
    if isinstance(field, models.DateTimeField):
        return instant_text(text)
    if isinstance(field, models.DateField):
        return day_text(text)
    if isinstance(field, models.BooleanField):
        return yes_or_no(text)
    labels = {str(choice): str(label) for choice, label in getattr(field, "flatchoices", ())}
    return labels.get(text, text)[:MAX_CHARACTERS]
