"""FHIR R4 resources of what the portal holds, as JSON has them: pure, without queries and clock.

R4 and R4B are the same in everything used here. R5 is not: there `cancelationReason` is spelled `cancellationReason`,
and `minutesDuration` may stand without start and end.
"""

import datetime as dt
from typing import Any

from appointments.models import Appointment
from appointments.rules import is_blocking
from appointments.statuses import CancelledBy, Status
from clinic.core import clinic_time
from doctors.models import Doctor
from patients.models import Patient

Resource = dict[str, Any]

STATUS_SYSTEM = "http://hl7.org/fhir/appointmentstatus"
CANCELLATION_SYSTEM = "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason"

FHIR_STATUS = {
    Status.BOOKED: "booked",
    Status.ARRIVED: "arrived",
    Status.IN_CONSULTATION: "checked-in",
    Status.COMPLETED: "fulfilled",
    Status.NO_SHOW: "noshow",
    Status.CANCELLED: "cancelled",
}
# FHIR has them, the portal has no such appointments: asked for, they find nothing.
UNUSED_STATUSES = ("proposed", "pending", "entered-in-error", "waitlist")

_CANCELLATION = {CancelledBy.PATIENT: ("pat", "Patient"), CancelledBy.CLINIC: ("prov", "Provider")}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def instant_text(instant: dt.datetime) -> str:
    """Return an instant in UTC, with milliseconds if it has any."""
    precision = "milliseconds" if instant.microsecond else "seconds"
    return instant.astimezone(dt.UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def epoch_minutes(instant: dt.datetime) -> int:
    """Return the whole minutes since 1970, or to it."""
    return (instant - _EPOCH) // clinic_time.MINUTE


def slot_id(doctor_id: int, start: dt.datetime, minutes: int) -> str:
    """Return the id of a stretch of a doctor's time, free or busy; `free_busy.slot_key` reads it."""
    return f"{doctor_id}-{epoch_minutes(start)}-{minutes}"


def patient_resource(patient: Patient) -> Resource:
    """Return a Patient; words of the first name are given names."""
    resource: Resource = {
        "resourceType": "Patient",
        "id": str(patient.pk),
        "meta": {"lastUpdated": instant_text(patient.updated_at)},
        "active": patient.anonymised_at is None,
        "name": [{"text": patient.full_name, "family": patient.last_name, "given": patient.first_name.split()}],
        "telecom": [{"system": "email", "value": patient.email}],
    }
    if patient.phone_number:
        resource["telecom"].append({"system": "phone", "value": patient.phone_number})
    if patient.date_of_birth:
        resource["birthDate"] = patient.date_of_birth.isoformat()
    return resource


def practitioner_resource(doctor: Doctor) -> Resource:
    """Return a Practitioner. The specialization is the qualification: a PractitionerRole would say no more."""
    return {
        "resourceType": "Practitioner",
        "id": str(doctor.pk),
        "active": doctor.is_active,
        "name": [{"text": doctor.full_name}],
        "qualification": [{"code": {"text": doctor.specialization}}],
    }


def schedule_resource(doctor: Doctor, *, today: dt.date) -> Resource:
    """Return the one Schedule of a doctor, which has the doctor's id; from today on, it has free slots."""
    return {
        "resourceType": "Schedule",
        "id": str(doctor.pk),
        "active": doctor.is_active,
        "specialty": [{"text": doctor.specialization}],
        "actor": [{"reference": f"Practitioner/{doctor.pk}", "display": doctor.full_name}],
        "planningHorizon": {"start": today.isoformat()},
    }


def slot_resource(doctor_id: int, start: dt.datetime, minutes: int, status: str) -> Resource:
    """Return a Slot, which never says who takes it."""
    return {
        "resourceType": "Slot",
        "id": slot_id(doctor_id, start, minutes),
        "schedule": {"reference": f"Schedule/{doctor_id}"},
        "status": status,
        "start": instant_text(start),
        "end": instant_text(start + minutes * clinic_time.MINUTE),
    }


def appointment_resource(appointment: Appointment, *, is_named: bool) -> Resource:
    """Return an Appointment; without `is_named`, neither the patient's name nor why the patient comes."""
    resource: Resource = {
        "resourceType": "Appointment",
        "id": str(appointment.pk),
        "meta": {"versionId": str(appointment.version), "lastUpdated": instant_text(appointment.updated_at)},
        "status": FHIR_STATUS[Status(appointment.status)],
        "start": instant_text(appointment.start_time),
        "end": instant_text(appointment.end_time),
        "minutesDuration": appointment.duration_minutes,
        "created": instant_text(appointment.created_at),
        "participant": [
            _participant(f"Patient/{appointment.patient_id}", appointment.patient.full_name if is_named else ""),
            _participant(f"Practitioner/{appointment.doctor_id}", appointment.doctor.full_name),
        ],
    }
    if appointment.status == Status.CANCELLED and (reason := _cancellation(appointment, is_named=is_named)):
        resource["cancelationReason"] = reason
    if appointment.reason and is_named:
        resource["description"] = appointment.reason
    if is_blocking(appointment.status):
        slot = slot_id(appointment.doctor_id, appointment.start_time, appointment.duration_minutes)
        resource["slot"] = [{"reference": f"Slot/{slot}"}]
    return resource


def _participant(reference: str, display: str) -> Resource:
    actor = {"reference": reference, "display": display} if display else {"reference": reference}
    return {"actor": actor, "required": "required", "status": "accepted"}


def _cancellation(appointment: Appointment, *, is_named: bool) -> Resource:
    """Return by whom and why an appointment was called off; rows written without `clean()` may say neither."""
    reason: Resource = {}
    if appointment.cancelled_by:
        code, display = _CANCELLATION[CancelledBy(appointment.cancelled_by)]
        reason["coding"] = [{"system": CANCELLATION_SYSTEM, "code": code, "display": display}]
    if appointment.cancel_reason and is_named:
        reason["text"] = appointment.cancel_reason
    return reason
