"""Chainable queries of appointments. Writes that would bypass the locks are refused."""

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from django.db import models, transaction
from django.db.models.functions import Coalesce
from django.utils import timezone

from appointments import locking
from appointments.statuses import BLOCKING, MOVABLE, OPEN, Status
from clinic.core import clinic_time
from clinic.core.appointment_length import LONGEST
from clinic.db.local_dates import LocalDates
from patients.models import Patient

if TYPE_CHECKING:
    from appointments.models import Appointment  # noqa: F401 -- for the annotation below only
    from clinic.models import User

SLOT_COLUMNS = frozenset(
    {"doctor", "doctor_id", "patient", "patient_id", "start_time", "end_time", "duration_minutes", "status"}
)


class DiaryBypassed(TypeError):
    """A write that would change diaries without locking them."""


class AppointmentQuerySet(LocalDates, models.QuerySet["Appointment"]):
    def for_doctor(self, doctor_id: int) -> "AppointmentQuerySet":
        return self.filter(doctor_id=doctor_id)

    def for_patient(self, patient_id: int) -> "AppointmentQuerySet":
        return self.filter(patient_id=patient_id)

    def blocking(self) -> "AppointmentQuerySet":
        """Return those that occupy their doctor and patient; imported ones are over and block nobody."""
        return self.filter(status__in=sorted(BLOCKING), is_imported=False)

    def open(self) -> "AppointmentQuerySet":
        return self.filter(status__in=sorted(OPEN))

    def overlapping(self, start_time: dt.datetime, end_time: dt.datetime) -> "AppointmentQuerySet":
        """Return the appointments that share time with `[start_time, end_time)`; the one definition of overlap."""
        # The lower bound, the longest length, keeps the query from reading a doctor's whole history.
        return self.filter(start_time__lt=end_time, start_time__gt=start_time - LONGEST, end_time__gt=start_time)

    def on_day(self, day: dt.date) -> "AppointmentQuerySet":
        """Return the appointments that start on a clinic-local date."""
        # `start_time__date` would read a doctor's whole history.
        start, end = clinic_time.day_bounds(day)
        return self.filter(start_time__gte=start, start_time__lt=end)

    def upcoming(self, *, at: dt.datetime | None = None) -> "AppointmentQuerySet":
        """Return the appointments that end after `at` (default now), soonest first."""
        return self.filter(end_time__gt=at or timezone.now()).order_by("start_time", "pk")

    def still_to_take_place(self, *, at: dt.datetime | None = None) -> "AppointmentQuerySet":
        """Return the movable appointments that have not ended by `at` (default now), or whose patients are waiting."""
        at = at or timezone.now()
        today, _ = clinic_time.day_bounds(clinic_time.local_date(at))
        is_waiting = models.Q(status=Status.ARRIVED, start_time__gte=today)
        found = self.filter(status__in=sorted(MOVABLE)).filter(models.Q(end_time__gt=at) | is_waiting)
        return found.order_by("start_time", "pk")

    def waiting(self, *, at: dt.datetime | None = None) -> "AppointmentQuerySet":
        """Return the appointments of the clinic-local day of `at` (default now) whose patients wait to be seen."""
        return self.on_day(clinic_time.today(at=at)).filter(status=Status.ARRIVED)

    def past(self, *, at: dt.datetime | None = None) -> "AppointmentQuerySet":
        """Return the appointments that have ended by `at` (default now), latest first."""
        return self.filter(end_time__lte=at or timezone.now()).order_by("-start_time", "-pk")

    def without_outcome(self, *, at: dt.datetime | None = None) -> "AppointmentQuerySet":
        """Return the appointments that had ended by `at` (default now) without a final status, oldest first."""
        at = at or timezone.now()
        # The start is bounded for the index; ordered by start, SQLite would read years of completed appointments.
        return self.open().filter(start_time__lt=at, end_time__lte=at).order_by("end_time", "pk")

    def closed_out_by(self, user: "User") -> "AppointmentQuerySet":
        """Return those whose outcome the user may record: all, those in the user's diary, or none."""
        if user.has_perm("appointments.arrive_appointment"):
            return self.all()
        if user.has_perm("appointments.arrive_own_appointment"):
            return self.filter(doctor__user=user)
        return self.none()

    def visible_to(self, user: "User") -> "AppointmentQuerySet":
        """Return those that the user may open: all, those in the user's diary, or none."""
        if user.has_perm("appointments.view_appointment"):
            return self.all()
        if user.has_perm("appointments.view_own_appointment"):
            return self.filter(doctor__user=user)
        return self.none()

    def booked_times(self) -> Iterable[tuple[int, dt.datetime, dt.datetime]]:
        """Return doctor, start and end of each, when iterated."""
        times: models.QuerySet[Any, tuple[int, dt.datetime, dt.datetime]]
        times = self.order_by().values_list("doctor_id", "start_time", "end_time")
        return times

    def update(self, **values: Any) -> int:
        """Refuse to change doctor, patient, time or status: `DiaryBypassed`."""
        if bypassed := SLOT_COLUMNS & values.keys():
            raise DiaryBypassed(f"Save appointments one by one to change {', '.join(sorted(bypassed))}.")
        with transaction.atomic():
            self.model.renew_days(self.booked_times())
            return super().update(**values)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete appointments under the doctors' and the patients' locks."""
        with transaction.atomic():
            locking.lock_diaries(doctor_ids=self.order_by().values_list("doctor_id", flat=True), patient_ids=())
            patient_ids = set(self.order_by().values_list("patient_id", flat=True))
            locking.lock_patients(patient_ids)
            self.model.renew_days(self.booked_times())
            deleted = super().delete()
            self.model.objects.update_last_contact(patient_ids)
        return deleted

    delete.queryset_only = True  # type: ignore[attr-defined]  # Django's own mark: keeps it off managers

    def update_last_contact(self, patient_ids: Iterable[int]) -> None:
        """Compute the patients' `last_contact` again, after an appointment has become earlier or is no longer theirs.

        The patients have to be locked before: an UPDATE may read the appointments before it waits for its lock.
        One query for each patient.
        """
        starts = self.model.objects.filter(patient=models.OuterRef("pk")).order_by("-start_time").values("start_time")
        last_contact = Coalesce(models.Subquery(starts[:1]), models.F("created_at"))
        for pk in sorted(set(patient_ids)):
            Patient.objects.filter(pk=pk).update(last_contact=last_contact)

    def bulk_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise DiaryBypassed("Book appointments one by one: bulk_create does not lock diaries.")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise DiaryBypassed("Change appointments one by one: bulk_update does not lock diaries.")
