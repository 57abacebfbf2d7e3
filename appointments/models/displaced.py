"""What is left to do for patients whose doctor will not be there: kept until each has been told."""

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


# Appointments that were to take place longer ago are nobody's business any more, wherever they have been moved to.
_MAX_OPEN = dt.timedelta(days=90)


def _is_unmoved(hit: str = "") -> models.Q:
    """Return what holds for a hit whose appointment is still where it was; `hit` leads to it in a query."""
    return models.Q(
        (f"{hit}appointment__doctor", models.F(f"{hit}doctor")),
        (f"{hit}appointment__start_time", models.F(f"{hit}start_time")),
        (f"{hit}appointment__status__in", sorted(MOVABLE)),
    )


def _is_to_arrange(at: dt.datetime, hit: str = "") -> models.Q:
    """Return the condition for appointments still to be moved or cancelled: coming, or with a patient waiting."""
    today, _ = clinic_time.day_bounds(clinic_time.local_date(at))
    is_to_come = models.Q((f"{hit}appointment__end_time__gt", at))
    is_waiting = models.Q((f"{hit}appointment__status", Status.ARRIVED), (f"{hit}start_time__gte", today))
    return models.Q((f"{hit}stays", False)) & _is_unmoved(hit) & (is_to_come | is_waiting)


def _is_to_reach(at: dt.datetime, hit: str = "") -> models.Q:
    """Return what holds for a hit of whose change the patient is to be told, before the old time or the new one."""
    today, _ = clinic_time.day_bounds(clinic_time.local_date(at))
    start, held = f"{hit}appointment__start_time", models.F(f"{hit}start_time")
    doctor, held_doctor = f"{hit}appointment__doctor", models.F(f"{hit}doctor")
    is_elsewhere = models.Q((f"{start}__lt", held)) | models.Q((f"{start}__gt", held))
    is_elsewhere |= models.Q((f"{doctor}__lt", held_doctor)) | models.Q((f"{doctor}__gt", held_doctor))
    is_in_time = models.Q((f"{hit}start_time__gte", today)) | models.Q((f"{start}__gt", at))
    is_cancelled = models.Q((f"{hit}appointment__status", Status.CANCELLED))
    is_changed = (is_elsewhere | is_cancelled | models.Q((f"{hit}stays", True))) & is_in_time
    return models.Q((f"{hit}reached_at", None)) & (is_changed | _is_to_arrange(at, hit))


class DisplacedAppointmentQuerySet(models.QuerySet["DisplacedAppointment"]):
    """Hits."""

    def to_arrange(self, *, at: dt.datetime | None = None) -> "DisplacedAppointmentQuerySet":
        """Return those whose appointments are still to be moved or cancelled, at `at` (default now)."""
        return self.filter(_is_to_arrange(at or timezone.now()))

    def unfinished(self, *, at: dt.datetime | None = None) -> "DisplacedAppointmentQuerySet":
        """Return those, and those whose patients are to be told, at `at` (default now)."""
        at = at or timezone.now()
        return self.filter(_is_to_arrange(at) | _is_to_reach(at))


class ScheduleChangeQuerySet(models.QuerySet["ScheduleChange"]):
    """Impacts."""

    def unfinished(self, *, at: dt.datetime | None = None) -> "ScheduleChangeQuerySet":
        """Return those with appointments to move or cancel, or patients to inform; urgent ones first.

        `to_arrange` and `to_reach` count them; `soonest` is when the first of them was to take place.
        """
        at = at or timezone.now()
        to_arrange, to_reach = _is_to_arrange(at, "hits__"), _is_to_reach(at, "hits__")
        found = self.filter(hits__start_time__gt=at - _MAX_OPEN).annotate(
            to_arrange=models.Count("hits", filter=to_arrange),
            to_reach=models.Count("hits", filter=to_reach),
            soonest=models.Min("hits__start_time", filter=to_arrange | to_reach),
        )
        return found.exclude(soonest=None).order_by("soonest", "pk")


class ScheduleChange(models.Model):
    """A change of doctors' time that has hit booked appointments: leave, a closure, shorter hours, a deactivation."""

    cause = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )

    objects = ScheduleChangeQuerySet.as_manager()

    class Meta:
        db_table = "appointments_impact"  # its name when the table was made
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.cause

    def get_absolute_url(self) -> str:
        """Return the address of the impact page."""
        return reverse("appointments:impact_detail", args=[self.pk])


class DisplacedAppointment(models.Model):
    """An appointment that an impact has hit: with whom and when it was then, and whether the patient has been told."""

    impact = models.ForeignKey(ScheduleChange, on_delete=models.CASCADE, related_name="hits")
    appointment = models.ForeignKey("appointments.Appointment", on_delete=models.CASCADE, related_name="hits")
    doctor = models.ForeignKey(Doctor, on_delete=models.PROTECT, related_name="+")
    start_time = models.DateTimeField()
    because = models.CharField(max_length=40)  # what keeps it from taking place, as `closed,leave`
    stays = models.BooleanField(default=False)  # the doctor is there again, and the patient was told otherwise
    reached_at = models.DateTimeField(null=True)
    reached_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    objects = DisplacedAppointmentQuerySet.as_manager()

    class Meta:
        db_table = "appointments_hit"  # its name when the table was made
        ordering = ["start_time", "pk"]
        indexes = [models.Index(fields=["start_time"], name="hit_start")]
        constraints = [models.UniqueConstraint(fields=["impact", "appointment"], name="hit_once")]

    def __str__(self) -> str:
        return f"{self.appointment_id} by {self.impact_id}"

    @property
    def trail_patient_id(self) -> int:
        """The patient whose data an audit entry of this record holds."""
        return self.appointment.patient_id

    def still_applies(self, obstacles: frozenset[str]) -> bool:
        """Return whether one of the obstacles is what has hit the appointment."""
        return not obstacles.isdisjoint(self.because.split(","))

    def reinstate(self) -> None:
        """Note that the appointment stays: who was told otherwise is to be told so, and else there is nothing to do."""
        if self.reached_at is None and not self.stays:
            self.delete()
        else:
            self.stays = True
            self.mark_not_informed()

    def mark_informed(self, *, by: "User") -> None:
        """Note that the patient has been told, on whatever list the appointment stands; who was first stays."""
        for hit in DisplacedAppointment.objects.filter(appointment=self.appointment_id, reached_at=None).select_related(
            "appointment"
        ):
            hit.reached_at, hit.reached_by = timezone.now(), by
            hit.save(force_update=True)

    def mark_not_informed(self) -> None:
        """Take that back."""
        self.reached_at = self.reached_by = None
        self.save(force_update=True)


auditlog.register(ScheduleChange, exclude_fields=["hits"])
auditlog.register(DisplacedAppointment)
