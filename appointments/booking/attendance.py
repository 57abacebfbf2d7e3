"""How a patient has kept appointments, for the staff who book the next one."""

import datetime as dt
from dataclasses import dataclass

from django.utils import timezone

from appointments.models import Appointment
from appointments.statuses import Status
from patients.models import Patient

LAST_VISITS = 6


@dataclass(frozen=True)
class Attendance:
    """How many of the patient's last visits were missed, and the next one if any is booked."""

    missed: int
    of_last: int
    next_visit: Appointment | None


def attendance_of(patient: Patient, *, at: dt.datetime | None = None) -> Attendance:
    """Return the patient's attendance: of the last `LAST_VISITS` that took place or were missed. Two queries."""
    at = at or timezone.now()
    visits = Appointment.objects.for_patient(patient.pk)
    outcomes = list(
        visits.past(at=at)
        .filter(status__in=[Status.COMPLETED, Status.NO_SHOW])
        .values_list("status", flat=True)[:LAST_VISITS]
    )
    return Attendance(
        missed=outcomes.count(Status.NO_SHOW),
        of_last=len(outcomes),
        next_visit=visits.open().upcoming(at=at).select_related("doctor").first(),
    )
