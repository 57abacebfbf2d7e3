"""How reliably a patient attends, for the staff who book the next appointment."""

import datetime as dt
from typing import NamedTuple

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from appointments.models import Appointment
from appointments.statuses import GIVEN_UP, CancelledBy, Status
from clinic.core.clinic_time import HOUR
from patients.models import Patient

LAST_APPOINTMENTS = 6


class Attendance(NamedTuple):
    """How many of a patient's last appointments were missed, left unseen, or cancelled late by the patient."""

    missed: int
    cancelled_late: int
    of_last: int
    left_unseen: int = 0

    @property
    def remark(self) -> str:
        """What stands out, as `Missed 2, cancelled late 1 of the last 6`; empty for a patient who comes."""
        remarks = [("missed", self.missed), ("left unseen", self.left_unseen), ("cancelled late", self.cancelled_late)]
        told = ", ".join(f"{word} {number}" for word, number in remarks if number)
        return f"{told[0].upper()}{told[1:]} of the last {self.of_last}" if told else ""


def attendance_of(patient: Patient, *, at: dt.datetime | None = None) -> Attendance:
    """Look at the last `LAST_APPOINTMENTS` that took place, were not kept, or were cancelled late. One query.

    Late is less than `LATE_CANCEL_HOURS` before the start, and only if the patient cancelled.
    """
    late_from = F("start_time") - settings.LATE_CANCEL_HOURS * HOUR
    was_cancelled_late = Q(status=Status.CANCELLED, cancelled_by=CancelledBy.PATIENT, cancelled_at__gt=late_from)
    outcomes = list(
        Appointment.objects.for_patient(patient.pk)
        .past(at=at or timezone.now())
        .filter(Q(status__in=sorted({Status.COMPLETED, *GIVEN_UP})) | was_cancelled_late)
        .values_list("status", flat=True)[:LAST_APPOINTMENTS]
    )
    return Attendance(
        missed=outcomes.count(Status.NO_SHOW),
        cancelled_late=outcomes.count(Status.CANCELLED),
        of_last=len(outcomes),
        left_unseen=outcomes.count(Status.LEFT),
    )


def next_appointment_of(patient: Patient, *, at: dt.datetime | None = None) -> Appointment | None:
    """Return the first open appointment that has not ended by `at`. One query."""
    coming = Appointment.objects.for_patient(patient.pk).open().upcoming(at=at)
    return coming.select_related("doctor").first()


def last_doctor_id(patient_id: int) -> int | None:
    """Return the doctor who saw the patient last, if it is known. One query."""
    seen = Appointment.objects.for_patient(patient_id).filter(status=Status.COMPLETED).order_by("-start_time")
    return seen.values_list("doctor_id", flat=True).first()
