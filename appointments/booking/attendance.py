"""How reliably a patient attends, for the staff who book the next appointment."""

import datetime as dt
from dataclasses import dataclass

from django.utils import timezone

from appointments.models import Appointment
from appointments.statuses import Status
from patients.models import Patient

LAST_APPOINTMENTS = 6


@dataclass(frozen=True)
class Attendance:
    missed: int
    of_last: int
    next_appointment: Appointment | None


def attendance_of(patient: Patient, *, at: dt.datetime | None = None) -> Attendance:
    """Look at the last `LAST_APPOINTMENTS` that took place or were missed. Two queries."""
    at = at or timezone.now()
    appointments = Appointment.objects.for_patient(patient.pk)
    outcomes = list(
        appointments.past(at=at)
        .filter(status__in=[Status.COMPLETED, Status.NO_SHOW])
        .values_list("status", flat=True)[:LAST_APPOINTMENTS]
    )
    return Attendance(
        missed=outcomes.count(Status.NO_SHOW),
        of_last=len(outcomes),
        next_appointment=appointments.open().upcoming(at=at).select_related("doctor").first(),
    )


def last_doctor_id(patient_id: int) -> int | None:
    """Return the doctor who saw the patient last, if it is known. One query."""
    seen = Appointment.objects.for_patient(patient_id).filter(status=Status.COMPLETED).order_by("-start_time")
    return seen.values_list("doctor_id", flat=True).first()
