"""Times when doctors are away despite their hours."""

import datetime as dt
from typing import Any

from auditlog.registry import auditlog
from django.db import models
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic.core import clinic_time, names
from clinic.core.field_errors import at_field
from doctors import rules
from doctors.availability import Span
from doctors.models.availability_record import AvailabilityRecord
from doctors.models.doctor import Doctor
from doctors.querysets import ClosureQuerySet, DoctorQuerySet, LeaveQuerySet


class Leave(AvailabilityRecord):
    """A doctor's absence, from `start_time` up to but not including `end_time`."""

    doctor = models.ForeignKey(Doctor, on_delete=models.CASCADE, related_name="leaves")
    start_time = models.DateTimeField("from")
    end_time = models.DateTimeField("until")
    reason = models.CharField(max_length=100, help_text="Visible to administrators and the doctor.")

    objects = LeaveQuerySet.as_manager()

    class Meta:
        ordering = ["start_time", "pk"]
        permissions = [("enter_absence", "Can enter that a doctor is away today or on the next working day")]
        indexes = [models.Index(fields=["end_time"], name="leave_end")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(end_time__gt=models.F("start_time")), name="leave_ends_after_start"
            )
        ]

    def __str__(self) -> str:
        return f"{self.reason}, {self.span_text}"

    @property
    def cause(self) -> str:
        return f"{self.doctor} on leave: {self.span_text}"

    def touched(self) -> list[Span]:
        return [(self.start_time, self.end_time)]

    @property
    def span_text(self) -> str:
        """From when to when, in words; midnights at its ends are left out."""
        first, last = self.dates
        starts = "" if self.start_time == clinic_time.day_bounds(first)[0] else clinic_time.time_text(self.start_time)
        ends = "" if self.end_time == clinic_time.day_bounds(last)[1] else clinic_time.time_text(self.end_time)
        day, last_day = (date_format(date, "D j M Y") for date in (first, last))
        if first != last:
            return f"{day} {starts}".strip() + " – " + f"{last_day} {ends}".strip()
        if starts and ends:
            return clinic_time.span_text(self.start_time, self.end_time)
        if starts:
            return _("from %(time)s on %(day)s") % {"time": starts, "day": day}
        return _("until %(time)s on %(day)s") % {"time": ends, "day": day} if ends else day

    @property
    def dates(self) -> tuple[dt.date, dt.date]:
        """The first and the last clinic-local date."""
        return clinic_time.local_date(self.start_time), clinic_time.local_date(self.end_time - clinic_time.MINUTE)

    @property
    def is_whole_days(self) -> bool:
        return all(
            clinic_time.day_bounds(clinic_time.local_date(each))[0] == each for each in (self.start_time, self.end_time)
        )

    def clean_fields(self, exclude: Any = None) -> None:
        self.reason = names.clean_line(self.reason or "")
        names.check_fields_with_names(super().clean_fields, self, ("reason",), exclude)

    def clean(self) -> None:
        """Check the rules: `leave_span`, `leave_overlap`, `past`, `date_range`, by field."""
        if self.start_time is None or self.end_time is None:
            return
        with at_field("end_time"):
            rules.check_leave_span(self.start_time, self.end_time)
            if self._state.adding:
                rules.check_to_come(self.end_time, at=timezone.now())
        if self.doctor_id is not None:
            self.check_apart()

    def check_apart(self) -> None:
        others = Leave.objects.for_doctor(self.doctor_id).exclude(pk=self.pk)
        with at_field("start_time"):
            rules.check_leave_apart(others, self.start_time, self.end_time)

    def diaries(self) -> DoctorQuerySet:
        return Doctor.objects.filter(pk=self.doctor_id)


class Closure(AvailabilityRecord):
    date = models.DateField(unique=True)
    name = models.CharField(max_length=100, help_text="Shown in the schedule.")

    objects = ClosureQuerySet.as_manager()

    class Meta:
        ordering = ["date"]

    def __str__(self) -> str:
        return f"{date_format(self.date, 'D j M Y')}: {self.name}"

    @property
    def cause(self) -> str:
        return f"Clinic closed: {self}"

    def touched(self) -> list[Span]:
        return [clinic_time.day_bounds(self.date)]

    def clean_fields(self, exclude: Any = None) -> None:
        self.name = names.clean_line(self.name or "")
        names.check_fields_with_names(super().clean_fields, self, ("name",), exclude)

    def clean(self) -> None:
        """Check the rules: `closed_already`, `past`, `date_range`, by field."""
        if self.date is None:
            return
        with at_field("date"):
            clinic_time.check_date(self.date)
            if self._state.adding:
                rules.check_to_come(clinic_time.day_bounds(self.date)[1], at=timezone.now())
        self.check_apart()

    def validate_constraints(self, exclude: Any = None) -> None:
        """Leave the unique date to `clean()`, whose message names the other closure."""

    def validate_unique(self, exclude: Any = None) -> None:
        """Leave the unique date to `clean()`."""

    def check_apart(self) -> None:
        with at_field("date"):
            rules.check_not_closed_already(Closure.objects.exclude(pk=self.pk), self.date)

    def diaries(self) -> DoctorQuerySet:
        return Doctor.objects.all()


auditlog.register(Leave, exclude_fields=["version"])
auditlog.register(Closure, exclude_fields=["version"])
