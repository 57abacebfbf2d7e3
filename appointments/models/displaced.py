"""Worklists of displaced appointments, open until each is rebooked and its patient informed."""

import datetime as dt
from typing import TYPE_CHECKING

from auditlog.registry import auditlog
from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from appointments.statuses import MOVABLE, Status
from clinic.core import clinic_time
from doctors.models import Doctor

if TYPE_CHECKING:
    from clinic.models import User


_MAX_OPEN = dt.timedelta(days=90)  # appointments whose old time is longer ago leave the worklists


# The appointment is still where it was.
_IS_UNMOVED = models.Q(
    appointment__doctor=models.F("doctor"),
    appointment__start_time=models.F("start_time"),
    appointment__status__in=sorted(MOVABLE),
)


def _is_to_rebook(at: dt.datetime) -> models.Q:
    """Return the condition for appointments still to be moved or cancelled: coming, or with a patient waiting."""
    today, _ = clinic_time.day_bounds(clinic_time.local_date(at))
    is_to_come = models.Q(appointment__end_time__gt=at)
    is_waiting = models.Q(appointment__status=Status.ARRIVED, start_time__gte=today)
    return models.Q(reinstated=False) & _IS_UNMOVED & (is_to_come | is_waiting)


def _is_changed(at: dt.datetime) -> models.Q:
    """Return the condition for appointments that are no longer as the patient knows, before the old or new time."""
    today, _ = clinic_time.day_bounds(clinic_time.local_date(at))
    is_elsewhere = models.Q(appointment__start_time__lt=models.F("start_time"))
    is_elsewhere |= models.Q(appointment__start_time__gt=models.F("start_time"))
    is_elsewhere |= models.Q(appointment__doctor__lt=models.F("doctor"))
    is_elsewhere |= models.Q(appointment__doctor__gt=models.F("doctor"))
    is_in_time = models.Q(start_time__gte=today) | models.Q(appointment__start_time__gt=at)
    is_cancelled = models.Q(appointment__status=Status.CANCELLED)
    return (is_elsewhere | is_cancelled | models.Q(reinstated=True)) & is_in_time


class DisplacedAppointmentQuerySet(models.QuerySet["DisplacedAppointment"]):
    def to_rebook(self, *, at: dt.datetime | None = None) -> "DisplacedAppointmentQuerySet":
        """Return those still to be moved or cancelled, at `at` (default now)."""
        return self.filter(_is_to_rebook(at or timezone.now()))

    def untouched(self) -> "DisplacedAppointmentQuerySet":
        """Return those that are as they were when the worklist was opened."""
        return self.filter(_IS_UNMOVED, reinstated=False, informed_at=None)

    def recent(self, *, at: dt.datetime) -> "DisplacedAppointmentQuerySet":
        """Return those that may be on a worklist, without a look at their appointments."""
        is_open = models.Q(reinstated=False) | models.Q(informed_at=None)
        return self.filter(is_open, start_time__gt=at - _MAX_OPEN)

    def unfinished(self, *, at: dt.datetime | None = None) -> "DisplacedAppointmentQuerySet":
        """Return those to be moved or cancelled, which `is_to_rebook` says, or whose patients are to be informed."""
        at = at or timezone.now()
        is_to_rebook = models.ExpressionWrapper(_is_to_rebook(at), output_field=models.BooleanField())
        found = self.annotate(is_to_rebook=is_to_rebook)
        return found.filter(models.Q(is_to_rebook=True) | (models.Q(informed_at=None) & _is_changed(at)))


class ScheduleChange(models.Model):
    """A change of doctors' availability that has displaced appointments, which are then its worklist."""

    cause = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )

    class Meta:
        db_table = "appointments_impact"  # its name when the table was made
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.cause

    def get_absolute_url(self) -> str:
        return reverse("appointments:schedule_change_detail", args=[self.pk])


class DisplacedAppointment(models.Model):
    """An appointment on a worklist, with its old doctor and time. Columns keep the names they were made with."""

    change = models.ForeignKey(
        ScheduleChange, on_delete=models.CASCADE, related_name="displaced", db_column="impact_id"
    )
    appointment = models.ForeignKey("appointments.Appointment", on_delete=models.CASCADE, related_name="displacements")
    doctor = models.ForeignKey(Doctor, on_delete=models.PROTECT, related_name="+")
    start_time = models.DateTimeField()
    reasons = models.CharField(max_length=40, db_column="because")  # why it no longer fits, as `closed,leave`
    reinstated = models.BooleanField(default=False, db_column="stays")  # it fits again, and the patient must be told
    informed_at = models.DateTimeField(null=True, db_column="reached_at")
    informed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_column="reached_by_id"
    )

    objects = DisplacedAppointmentQuerySet.as_manager()

    class Meta:
        db_table = "appointments_hit"  # its name when the table was made
        ordering = ["start_time", "pk"]
        indexes = [models.Index(fields=["start_time"], name="hit_start")]
        constraints = [models.UniqueConstraint(fields=["change", "appointment"], name="hit_once")]

    def __str__(self) -> str:
        return f"{self.appointment_id} by {self.change_id}"

    @property
    def trail_patient_id(self) -> int:
        return self.appointment.patient_id

    def still_applies(self, obstacles: frozenset[str]) -> bool:
        return not obstacles.isdisjoint(self.reasons.split(","))

    def reinstate(self) -> None:
        """Mark the appointment as unaffected after all. A patient who was already informed must be told again."""
        if self.informed_at is None and not self.reinstated:
            self.delete()
        else:
            self.reinstated = True
            self.mark_not_informed()

    def mark_informed(self, *, by: "User") -> None:
        """Record that the patient has been informed, on every worklist with the appointment that does not say so."""
        for displaced in DisplacedAppointment.objects.filter(
            appointment=self.appointment_id, informed_at=None
        ).select_related("appointment"):
            displaced.informed_at, displaced.informed_by = timezone.now(), by
            displaced.save(force_update=True)

    def mark_not_informed(self) -> None:
        self.informed_at = self.informed_by = None
        self.save(force_update=True)


auditlog.register(ScheduleChange, exclude_fields=["displaced"])
auditlog.register(DisplacedAppointment)
