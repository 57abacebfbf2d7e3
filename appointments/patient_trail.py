"""What of the audit trail is about one patient.

An appointment may have been another patient's before, or be another's by now. Which of its entries, and of the entry
that gave it away which values, are about whom, its own history says. It is asked even where an entry names its patient:
those from before the trail did so name nobody.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Q

from appointments.models import Appointment, DisplacedAppointment
from clinic.audit.former_names import changes_of
from clinic.models import AuditEntry
from patients.models import Patient


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
            for field, (old, new) in changes_of(self.entry).items()
        }


@dataclass(frozen=True)
class PatientTrail:
    """Entries in the order in which they were written, of appointments and hits by the appointment's id."""

    record: list[RelevantEntry]
    appointments: dict[int, list[RelevantEntry]]
    hits: dict[int, list[RelevantEntry]]
    others: list[RelevantEntry]

    def __iter__(self) -> Iterator[RelevantEntry]:
        """Yield them all."""
        yield from self.record
        for by_appointment in (self.appointments, self.hits):
            for entries in by_appointment.values():
                yield from entries
        yield from self.others


def trail_of(patient: Patient) -> PatientTrail:
    """Return what the audit trail holds about a patient. At most fourteen queries, however many entries."""
    named = _entries(Q(patient_id=patient.pk))
    of_record = [each for each in named if each.content_type_id == _type_id(Patient)]
    others = [
        each
        for each in named
        if each.content_type_id not in map(_type_id, (Patient, Appointment, DisplacedAppointment))
    ]
    appointments = _of_appointments(patient, named)
    return PatientTrail(
        record=[RelevantEntry(each) for each in _together(of_record, _of(Patient, [patient.pk]))],
        appointments=appointments,
        hits=_of_hits(patient),
        others=[RelevantEntry(each) for each in others],
    )


def _of_appointments(patient: Patient, named: list[Any]) -> dict[int, list[RelevantEntry]]:
    now_own = Appointment.objects.for_patient(patient.pk).order_by()
    ids = {each.object_id for each in named if each.content_type_id == _type_id(Appointment)}
    ids |= set(now_own.values_list("pk", flat=True)) | _unnamed_appointments(patient.pk)
    owners = dict(Appointment.objects.filter(pk__in=ids).order_by().values_list("pk", "patient_id"))
    by_appointment: dict[int, list[Any]] = defaultdict(list)
    for entry in _of(Appointment, ids):
        by_appointment[entry.object_id].append(entry)
    told = {pk: list(_about(patient.pk, entries, owners.get(pk))) for pk, entries in by_appointment.items()}
    return {pk: entries for pk, entries in told.items() if entries}


def _about(patient_id: int, entries: list[Any], owner_now: int | None) -> Iterator[RelevantEntry]:
    """Yield those of an appointment's entries that are about the patient, following whose appointment it was."""
    wanted = str(patient_id)
    owner = _first_owner(entries, owner_now)
    for entry in entries:
        old, new = entry.changes_dict.get("patient", (owner, owner))
        if entry.action == entry.Action.CREATE:
            old = new
        if wanted in (old, new):
            yield RelevantEntry(entry, old=old == wanted, new=new == wanted)
        owner = new


def _first_owner(entries: list[Any], owner_now: int | None) -> str:
    for entry in entries:
        if "patient" in entry.changes_dict:
            old, new = entry.changes_dict["patient"]
            return new if entry.action == entry.Action.CREATE else old
    return str(owner_now)


def _of_hits(patient: Patient) -> dict[int, list[RelevantEntry]]:
    """Return the entries of hits of the patient's appointments, also of those that were taken back."""
    appointments = dict(
        DisplacedAppointment.objects.filter(appointment__patient=patient).order_by().values_list("pk", "appointment_id")
    )
    named = {each.pk: each for each in _entries(Q(patient_id=patient.pk, content_type=_type_id(DisplacedAppointment)))}
    found: dict[int, list[RelevantEntry]] = defaultdict(list)
    for entry in _together(named.values(), _of(DisplacedAppointment, appointments)):
        appointment_id = appointments.get(entry.object_id) or entry.changes_dict.get("appointment", (None, 0))[1]
        found[int(appointment_id or 0)].append(RelevantEntry(entry))
    return found


def _unnamed_appointments(patient_id: int) -> set[int]:
    """Return the appointments that entries which name no patient say were this one's once."""
    was_own = Q(changes__patient__0=str(patient_id)) | Q(changes__patient__1=str(patient_id))
    unnamed = AuditEntry.objects.filter(was_own, patient_id=None, content_type=_type_id(Appointment))
    return set(unnamed.order_by().values_list("object_id", flat=True))


def _of(model: type[models.Model], ids: Iterable[int]) -> list[Any]:
    return _entries(Q(content_type=_type_id(model), object_id__in=list(ids)))


def _entries(condition: Q) -> list[Any]:
    found = AuditEntry.objects.filter(condition).order_by("pk")
    return list(found.select_related("actor").prefetch_related("actor__groups"))


def _together(*found: Iterable[Any]) -> list[Any]:
    by_id = {entry.pk: entry for entries in found for entry in entries}
    return [by_id[pk] for pk in sorted(by_id)]


def _type_id(model: type[models.Model]) -> int:
    return ContentType.objects.get_for_model(model).pk
