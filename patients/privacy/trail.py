"""The part of the audit trail that is about one patient."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Q

from clinic.models import AuditEntry
from patients.models import Patient
from patients.privacy.holders import registered_holders


@dataclass(frozen=True)
class RelevantEntry:
    """An entry, and whether its old values, its new ones or both are about the patient."""

    entry: Any
    old: bool = True
    new: bool = True

    @property
    def is_whole(self) -> bool:
        """Whether all of it is about the patient."""
        return self.old and self.new

    @property
    def changes(self) -> dict[str, tuple[Any, Any]]:
        """The changes of fields, without the values that are another patient's."""
        return {
            field: (old if self.old else None, new if self.new else None)
            for field, (old, new) in self.entry.changes_dict.items()
        }


# By model, then by the id of a record.
LinkedEntries = dict[type[models.Model], dict[int, list[RelevantEntry]]]


@dataclass(frozen=True)
class PatientTrail:
    """Entries in the order in which they were written: of the record, of linked records, and others."""

    record: list[RelevantEntry]
    linked: LinkedEntries
    others: list[RelevantEntry]

    def __iter__(self) -> Iterator[RelevantEntry]:
        yield from self.record
        for by_record in self.linked.values():
            for entries in by_record.values():
                yield from entries
        yield from self.others


def trail_of(patient: Patient) -> PatientTrail:
    """Return the audit entries about a patient. At most fourteen queries, however many entries."""
    named = find_entries(Q(patient_id=patient.pk))
    linked: LinkedEntries = {}
    for holder in registered_holders():
        linked |= holder.trail(patient, named)
    record = in_order(entries_about(Patient, named), entries_of(Patient, [patient.pk]))
    known_models: list[type[models.Model]] = [Patient, *linked]
    known_types = set(map(type_id, known_models))
    return PatientTrail(
        record=[RelevantEntry(each) for each in record],
        linked=linked,
        others=[RelevantEntry(each) for each in named if each.content_type_id not in known_types],
    )


def entries_about(model: type[models.Model], entries: Iterable[Any]) -> list[Any]:
    """Return those of the entries that are about records of a model. No query."""
    return [each for each in entries if each.content_type_id == type_id(model)]


def entries_of(model: type[models.Model], ids: Iterable[int]) -> list[Any]:
    """Return the entries of records, oldest first. Two queries."""
    return find_entries(Q(content_type=type_id(model), object_id__in=list(ids)))


def find_entries(condition: Q) -> list[Any]:
    """Return the entries with their actors and the actors' roles, oldest first. Two queries."""
    found = AuditEntry.objects.filter(condition).order_by("pk")
    return list(found.select_related("actor").prefetch_related("actor__groups"))


def in_order(*found: Iterable[Any]) -> list[Any]:
    """Return entries of several lists once each, oldest first."""
    by_id = {entry.pk: entry for entries in found for entry in entries}
    return [by_id[pk] for pk in sorted(by_id)]


def type_id(model: type[models.Model]) -> int:
    return ContentType.objects.get_for_model(model).pk
