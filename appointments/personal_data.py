"""What appointments store about a patient, for `patients.privacy`.

An appointment may have belonged to several patients: its own history says which entries and values are about whom, as
entries from before the trail named patients do not.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Case, Count, Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from appointments import locking
from appointments.models import Appointment, DisplacedAppointment
from appointments.querysets import AppointmentQuerySet
from appointments.rules import TEXTS, check_no_open_appointments
from clinic.audit.actor import ANONYMISED
from clinic.core import clinic_time
from clinic.db.transactions import LostRace
from clinic.models import AuditEntry
from doctors.models import Doctor
from patients.models import Patient
from patients.privacy import subject_access
from patients.privacy.holders import PersonalDataHolder
from patients.privacy.subject_access import Data, describe_change, field_values, role_of, writes
from patients.privacy.trail import (
    LinkedEntries,
    PatientTrail,
    RelevantEntry,
    entries_about,
    entries_of,
    in_order,
    type_id,
)

# They show that an appointment was cancelled for a reason, or booked outside hours: that stays, without the text.
_MARKS = ("cancel_reason", "outside_hours_reason")
# Ids of patients, of staff, of the appointment and of the worklist it is on.
HIDDEN_FIELDS = subject_access.HIDDEN_FIELDS | {"patient", "booked_by", "informed_by", "change", "appointment"}


class AppointmentData(PersonalDataHolder):
    form_paths = ("/appointments/",)

    def lock(self, patient_id: int) -> None:
        """Lock the diaries of the patient's doctors and the patient's own, as every booking does.

        A booking or edit at the same moment comes before, and counts as open, or after, and is refused.

        Raises:
            ValidationError: by field, `anonymised` or `gone`.
            LostRace: if an appointment with yet another doctor was booked in between.
        """
        doctors = _appointments_of(patient_id).values_list("doctor_id", flat=True)
        doctor_ids = set(doctors)
        locking.lock_diaries(doctor_ids=doctor_ids, patient_ids=[patient_id])
        if set(doctors.all()) != doctor_ids:
            raise LostRace("An appointment has been booked in between.", code="stale")

    def check_may_anonymise(self, patient: Patient) -> None:
        open_appointments = Appointment.objects.for_patient(patient.pk).open().select_related("doctor")
        check_no_open_appointments(open_appointments, today=clinic_time.today())

    def erase(self, patient_id: int) -> None:
        """Empty the texts of the appointments, without audit entries. Forms opened before become outdated."""
        emptied: dict[str, Any] = dict.fromkeys(set(TEXTS) - set(_MARKS), "")
        marked = {name: Case(When(**{name: ""}, then=Value("")), default=Value(ANONYMISED)) for name in _MARKS}
        appointments = _appointments_of(patient_id)
        appointments.update(**emptied, **marked, version=F("version") + 1, updated_at=timezone.now())

    def trail(self, patient: Patient, entries: list[Any]) -> LinkedEntries:
        """Return the entries of appointments and of displaced appointments, both by the appointment's id."""
        return {
            Appointment: _appointment_entries(patient.pk, entries_about(Appointment, entries)),
            DisplacedAppointment: _displaced_entries(patient.pk, entries_about(DisplacedAppointment, entries)),
        }

    def texts(self, trail: PatientTrail) -> Iterator[str]:
        for entries in trail.linked[Appointment].values():
            for relevant in entries:
                values = [value for name in TEXTS for value in relevant.changes.get(name, ())]
                values += (relevant.entry.additional_data or {}).values()
                yield from (value for value in values if isinstance(value, str) and value not in ("None", ANONYMISED))

    def export(self, patient: Patient, trail: PatientTrail) -> Data:
        """Return the appointments with their history, and those that went to another patient until then."""
        doctors = _doctor_names(trail)
        notices = _notices_of(patient, trail, doctors)
        appointments = Appointment.objects.for_patient(patient.pk).select_related("doctor", "booked_by")
        own = [
            _export_appointment(
                appointment,
                notices=notices[appointment.pk],
                history=_history(trail.linked[Appointment].get(appointment.pk, []), doctors),
            )
            for appointment in appointments.prefetch_related("booked_by__groups")
        ]
        own_ids = {appointment["id"] for appointment in own}
        return {
            "appointments": own,
            "appointments_no_longer_yours": [
                {"id": pk, "history": _history(entries, doctors)}
                for pk, entries in sorted(trail.linked[Appointment].items())
                if pk not in own_ids
            ],
        }

    def in_use(self, *, before: dt.datetime) -> list[Exists]:
        # All their appointments are earlier; saying so keeps MariaDB from reading every open one for each page.
        return [Exists(_appointments_of(OuterRef("pk")).open().filter(start_time__lt=before))]

    def review_columns(self) -> dict[str, Any]:
        counted = _appointments_of(OuterRef("pk")).values("patient").values(n=Count("pk"))
        return {"appointment_count": Coalesce(Subquery(counted), 0)}


def _appointments_of(patient_id: Any) -> AppointmentQuerySet:
    return Appointment.objects.filter(patient=patient_id).order_by()


# The audit trail


def _appointment_entries(patient_id: int, named: list[Any]) -> dict[int, list[RelevantEntry]]:
    ids = {each.object_id for each in named}
    ids |= set(_appointments_of(patient_id).values_list("pk", flat=True)) | _unnamed_appointments(patient_id)
    owners = dict(Appointment.objects.filter(pk__in=ids).order_by().values_list("pk", "patient_id"))
    by_appointment: dict[int, list[Any]] = defaultdict(list)
    for entry in entries_of(Appointment, ids):
        by_appointment[entry.object_id].append(entry)
    found = {pk: list(_relevant(patient_id, entries, owners.get(pk))) for pk, entries in by_appointment.items()}
    return {pk: entries for pk, entries in found.items() if entries}


def _unnamed_appointments(patient_id: int) -> set[int]:
    """Return the appointments that were once the patient's by entries which name no patient."""
    was_own = Q(changes__patient__0=str(patient_id)) | Q(changes__patient__1=str(patient_id))
    unnamed = AuditEntry.objects.filter(was_own, patient_id=None, content_type=type_id(Appointment))
    return set(unnamed.order_by().values_list("object_id", flat=True))


def _relevant(patient_id: int, entries: list[Any], present_owner: int | None) -> Iterator[RelevantEntry]:
    """Yield those of an appointment's entries that are about the patient, following whose appointment it was."""
    wanted = str(patient_id)
    owner = _first_owner(entries, present_owner)
    for entry in entries:
        old, new = entry.changes_dict.get("patient", (owner, owner))
        if entry.action == entry.Action.CREATE:
            old = new
        if wanted in (old, new):
            yield RelevantEntry(entry, old=old == wanted, new=new == wanted)
        owner = new


def _first_owner(entries: list[Any], present_owner: int | None) -> str:
    for entry in entries:
        if "patient" in entry.changes_dict:
            old, new = entry.changes_dict["patient"]
            return new if entry.action == entry.Action.CREATE else old
    return str(present_owner)


def _displaced_entries(patient_id: int, named: list[Any]) -> dict[int, list[RelevantEntry]]:
    """Return the entries by the appointment's id, those of deleted records included."""
    displaced = DisplacedAppointment.objects.filter(appointment__patient=patient_id).order_by()
    appointments = dict(displaced.values_list("pk", "appointment_id"))
    found: dict[int, list[RelevantEntry]] = defaultdict(list)
    for entry in in_order(named, entries_of(DisplacedAppointment, appointments)):
        appointment_id = appointments.get(entry.object_id) or entry.changes_dict.get("appointment", (None, 0))[1]
        found[int(appointment_id or 0)].append(RelevantEntry(entry))
    return found


# The export


def _export_appointment(appointment: Appointment, *, notices: list[Data], history: list[Data]) -> Data:
    return {
        **field_values(appointment, leave_out={"patient", "doctor", "booked_by"}),
        "doctor": appointment.doctor.full_name,
        "specialization": appointment.doctor.specialization,
        "booked_by": role_of(appointment.booked_by),
        "notices": notices,
        "history": history,
    }


def _notices_of(patient: Patient, trail: PatientTrail, doctors: dict[str, str]) -> dict[int, list[Data]]:
    """Return, by appointment, when the doctor was unavailable and whether the patient has been informed."""
    found: dict[int, list[Data]] = defaultdict(list)
    all_displaced = DisplacedAppointment.objects.filter(appointment__patient=patient)
    for displaced in all_displaced.select_related("doctor", "informed_by").prefetch_related("informed_by__groups"):
        entries = trail.linked[DisplacedAppointment].get(displaced.appointment_id, [])
        own_entries = [each for each in entries if each.entry.object_id == displaced.pk]
        found[displaced.appointment_id].append(
            {
                "doctor": displaced.doctor.full_name,
                "start_time": displaced.start_time,
                "reasons": displaced.reasons.split(","),
                "reinstated": displaced.reinstated,
                "informed_at": displaced.informed_at,
                "informed_by": role_of(displaced.informed_by),
                "history": _history(own_entries, doctors),
            }
        )
    return found


def _history(entries: Iterable[RelevantEntry], doctors: dict[str, str]) -> list[Data]:
    return [_describe(each, doctors) for each in writes(entries)]


def _describe(relevant: RelevantEntry, doctors: dict[str, str]) -> Data:
    change = describe_change(relevant, hidden=HIDDEN_FIELDS, names={"doctor": doctors})
    if not relevant.is_whole:
        change["event"] = "the appointment became yours" if relevant.new else "the appointment became another patient's"
    return change


def _doctor_names(trail: PatientTrail) -> dict[str, str]:
    """Return the names of the doctors whom the history mentions, by id. One query."""
    ids = {value for each in trail for value in each.changes.get("doctor", ()) if str(value).isdecimal()}
    return {str(pk): name for pk, name in Doctor.objects.filter(pk__in=ids).order_by().values_list("pk", "full_name")}
