"""FHIR R4 resources of the portal's records, without queries and clock.

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
PATIENT_ID_SYSTEM = "urn:patient-encounter-system:patient"
APPOINTMENT_TYPE_SYSTEM = "http://terminology.hl7.org/CodeSystem/v2-0276"
CANCELLATION_SYSTEM = "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason"

FHIR_STATUS = {
    Status.BOOKED: "booked",
    Status.ARRIVED: "arrived",
    Status.IN_CONSULTATION: "checked-in",
    Status.COMPLETED: "fulfilled",
    Status.NO_SHOW: "noshow",
    Status.LEFT: "cancelled",  # the patient did appear, so it is no "noshow": docs/fhir.md
    Status.CANCELLED: "cancelled",
}
# Valid in FHIR, but without appointments in the portal.
UNUSED_STATUSES = ("proposed", "pending", "entered-in-error", "waitlist")

_CANCELLATION = {CancelledBy.PATIENT: ("pat", "Patient"), CancelledBy.CLINIC: ("prov", "Provider")}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def instant_text(instant: dt.datetime) -> str:
    """Return the instant in UTC, with milliseconds if it has any."""
    precision = "milliseconds" if instant.microsecond else "seconds"
    return instant.astimezone(dt.UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def epoch_minutes(instant: dt.datetime) -> int:
    return (instant - _EPOCH) // clinic_time.MINUTE


def slot_id(doctor_id: int, start: dt.datetime, minutes: int) -> str:
    """Return the id of a free or busy slot; `free_busy.slot_key` parses it."""
    return f"{doctor_id}-{epoch_minutes(start)}-{minutes}"


def patient_resource(patient: Patient) -> Resource:
    """Return a Patient; words of the first name are given names."""
    resource: Resource = {
        "resourceType": "Patient",
        "id": str(patient.pk),
        "meta": {"lastUpdated": instant_text(patient.updated_at)},
        "identifier": [{"system": PATIENT_ID_SYSTEM, "value": str(patient.pk)}],
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
    """Return a Practitioner, with the specialization as qualification."""
    return {
        "resourceType": "Practitioner",
        "id": str(doctor.pk),
        "active": doctor.is_active,
        "name": [{"text": doctor.full_name}],
        "qualification": [{"code": {"text": doctor.specialization}}],
    }


def schedule_resource(doctor: Doctor, *, today: dt.date) -> Resource:
    """Return the doctor's only Schedule, which has the doctor's id and begins today."""
    return {
        "resourceType": "Schedule",
        "id": str(doctor.pk),
        "active": doctor.is_active,
        "specialty": [{"text": doctor.specialization}],
        "actor": [{"reference": f"Practitioner/{doctor.pk}", "display": doctor.full_name}],
        "planningHorizon": {"start": today.isoformat()},
    }


def slot_resource(doctor_id: int, start: dt.datetime, minutes: int, status: str) -> Resource:
    return {
        "resourceType": "Slot",
        "id": slot_id(doctor_id, start, minutes),
        "schedule": {"reference": f"Schedule/{doctor_id}"},
        "status": status,
        "start": instant_text(start),
        "end": instant_text(start + minutes * clinic_time.MINUTE),
    }


def appointment_resource(appointment: Appointment, *, is_named: bool) -> Resource:
    """Return an Appointment; without `is_named`, without the patient's name and any reason."""
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
    if appointment.is_walk_in:
        resource["appointmentType"] = {"coding": [{"system": APPOINTMENT_TYPE_SYSTEM, "code": "WALKIN"}]}
    if appointment.status == Status.LEFT:
        resource["cancelationReason"] = _cancellation_reason(CancelledBy.PATIENT, str(Status.LEFT.label))
    elif appointment.status == Status.CANCELLED and (reason := _cancellation(appointment, is_named=is_named)):
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
    """Return by whom and why it was cancelled; rows written without `clean()` may have neither."""
    return _cancellation_reason(appointment.cancelled_by, appointment.cancel_reason if is_named else "")


def _cancellation_reason(cancelled_by: str, text: str) -> Resource:
    reason: Resource = {}
    if cancelled_by:
        code, display = _CANCELLATION[CancelledBy(cancelled_by)]
        reason["coding"] = [{"system": CANCELLATION_SYSTEM, "code": code, "display": display}]
    if text:
        reason["text"] = text
    return reason
