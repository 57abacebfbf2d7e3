"""Doctors, and when they can be booked. What that comes to on a date is in `doctors.availability`.

Whatever changes a doctor's time claims the diary first, as a booking does: a booking that looks at the hours while they
change waits, and the schedule shows that something has changed.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from auditlog.registry import auditlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.urls import reverse
from django.utils.formats import date_format

from clinic import clinic_time, names
from clinic.audited import AuditedRecord
from clinic.field_errors import FieldErrors
from clinic.fields import ClaimCounterField
from clinic.linked import LinkedRecord
from clinic.transactions import LostRace
from clinic.visit_length import LONGEST_MINUTES, SHORTEST_MINUTES, USUAL_MINUTES, check_duration
from doctors import rules
from doctors.availability import Interval, Week, week_of
from doctors.querysets import ClosureQuerySet, DoctorQuerySet, LeaveQuerySet, TimetableQuerySet


class Weekday(models.IntegerChoices):
    """A day of the week, numbered as Python does."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


class Doctor(LinkedRecord, AuditedRecord):
    """A person who sees patients and has one diary. `diary_version` counts the diary's changes."""

    full_name = models.CharField(max_length=100, validators=[names.check_name])
    specialization = models.CharField(max_length=100, validators=[names.check_name], db_index=True)
    is_active = models.BooleanField("active", default=True, help_text="Only active doctors can be booked.")
    usual_minutes = models.PositiveSmallIntegerField(
        "usual length in minutes",
        default=USUAL_MINUTES,
        validators=[check_duration],
        help_text="Of an appointment for which no length is given.",
    )
    gap_minutes = models.PositiveSmallIntegerField(
        "gap in minutes",
        default=0,
        validators=[rules.check_gap_minutes],
        help_text="Kept free after each appointment.",
    )
    diary_version = ClaimCounterField()
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="doctor",
        help_text="The doctor's own login, if any.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DoctorQuerySet.as_manager()

    linked_advice = rules.LINKED

    class Meta:
        ordering = ["full_name", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(usual_minutes__gte=SHORTEST_MINUTES, usual_minutes__lte=LONGEST_MINUTES),
                name="doctor_usual_minutes",
            ),
            models.CheckConstraint(
                condition=models.Q(gap_minutes__lte=rules.MOST_GAP_MINUTES), name="doctor_gap_minutes"
            ),
        ]

    def __str__(self) -> str:
        return self.full_name

    @property
    def gap(self) -> dt.timedelta:
        """What is kept free after each appointment."""
        return dt.timedelta(minutes=self.gap_minutes)

    def get_absolute_url(self) -> str:
        """Return the address of the doctor's page."""
        return reverse("doctors:doctor_detail", args=[self.pk])

    def clean_fields(self, exclude: Any = None) -> None:
        """Tidy the texts before their validators look at them."""
        self.full_name = names.clean_name(self.full_name or "")
        self.specialization = names.clean_name(self.specialization or "")
        super().clean_fields(exclude=exclude)


class DoctorsTime(models.Model):
    """What decides when doctors can be booked. Saved and deleted under the claim of the diaries it is about."""

    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        abstract = True

    def diaries(self) -> DoctorQuerySet:
        """Return the doctors whose time it is."""
        raise NotImplementedError

    def check_apart(self) -> None:
        """Check that it does not contradict other rows.

        Raises:
            ValidationError: by field.
        """
        raise NotImplementedError

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Claim the diaries, check against other rows and earlier changes again, write.

        Raises:
            LostRace: with the rules' codes if somebody else was quicker; `stale` if the row has changed since it was
                read. Nothing is written.
        """
        before = self.version
        try:
            with self._claimed():
                if not self._state.adding:
                    self._check_not_stale()
                    self.version += 1
                self.check_apart()
                super().save(*args, **kwargs)
                self.write_parts()
        except BaseException as error:
            self.version = before
            if isinstance(error, ValidationError):
                raise LostRace(error) from error
            raise

    def write_parts(self) -> None:
        """Write the rows that belong to this one."""

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete under the claim."""
        with self._claimed():
            return super().delete(*args, **kwargs)

    @contextmanager
    def _claimed(self) -> Iterator[None]:
        with transaction.atomic():
            self.diaries().claim()
            yield

    def _check_not_stale(self) -> None:
        held = type(self)._default_manager.filter(pk=self.pk).values_list("version", flat=True).first()
        rules.check_not_stale(held or 0, seen_version=self.version)


class Timetable(DoctorsTime):
    """A doctor's hours of a week, on the dates from `valid_from` to `valid_until`, both included; empty is no bound.

    `week` is what the rows of `WorkingHours` say; setting it and saving replaces them.
    """

    doctor = models.ForeignKey(Doctor, on_delete=models.CASCADE, related_name="timetables")
    valid_from = models.DateField("from", null=True, blank=True, help_text="Empty: from the beginning.")
    valid_until = models.DateField("until", null=True, blank=True, help_text="Empty: until further notice.")

    objects = TimetableQuerySet.as_manager()

    class Meta:
        ordering = ["doctor", "valid_from", "pk"]

    def __str__(self) -> str:
        return f"{self.doctor}, {self.validity_text}"

    @property
    def validity_text(self) -> str:
        """For which dates it is, as `from 1 Dec 2026 until 31 Dec 2026`."""
        parts = [
            f"{word} {date_format(day, 'j M Y')}"
            for word, day in (("from", self.valid_from), ("until", self.valid_until))
            if day
        ]
        return " ".join(parts) or "until further notice"

    @property
    def week(self) -> Week:
        """The hours by weekday, each day's in order."""
        staged: Week | None = getattr(self, "_week", None)
        if staged is not None:
            return staged
        if self._state.adding:
            return {}
        return week_of((row.weekday, row.start, row.end) for row in self.working_hours.all())

    @week.setter
    def week(self, week: Week) -> None:
        self._week: Week | None = {day: list(intervals) for day, intervals in week.items() if intervals}

    @property
    def week_text(self) -> list[tuple[str, str]]:
        """Each weekday with hours, and those hours as people write them."""
        week = self.week
        return [
            (str(Weekday(day).label), ", ".join(rules.interval_text(*interval) for interval in week[day]))
            for day in sorted(week)
        ]

    def clean(self) -> None:
        """Check the rules of a timetable.

        Raises:
            ValidationError: by field, hours under the weekday's name: `interval`, `intervals_overlap`, `no_hours`,
                `validity`, `validity_overlap`, `date_range`.
        """
        errors = FieldErrors()
        for day, intervals in self.week.items():
            with errors.at(Weekday(day).name.lower()):
                for interval in intervals:
                    rules.check_interval(*interval)
                rules.check_intervals_apart(intervals)
        with errors.at(Weekday.MONDAY.name.lower()):
            rules.check_any_hours(self.week)
        with errors.at("valid_until"):
            rules.check_validity(self.valid_from, self.valid_until)
        errors.raise_any()
        if self.doctor_id is not None:
            self.check_apart()

    def check_apart(self) -> None:
        """Check that no other timetable of the doctor is for some of the same dates. One query."""
        others = Timetable.objects.for_doctor(self.doctor_id).exclude(pk=self.pk)
        with (errors := FieldErrors()).at("valid_from"):
            rules.check_validity_apart(others, self.valid_from, self.valid_until)
        errors.raise_any()

    def diaries(self) -> DoctorQuerySet:
        """Return the doctor."""
        return Doctor.objects.filter(pk=self.doctor_id)

    def write_parts(self) -> None:
        """Replace the rows of hours that differ, if a week was set."""
        staged: Week | None = getattr(self, "_week", None)
        if staged is None:
            return
        wanted = {(day, *interval) for day, intervals in staged.items() for interval in intervals}
        for row in self.working_hours.all():
            key = (row.weekday, row.start, row.end)
            if key in wanted:
                wanted.remove(key)
            else:
                row.delete()
        for weekday, start, end in sorted(wanted):
            self.working_hours.create(weekday=weekday, start=start, end=end)
        self._week = None
        getattr(self, "_prefetched_objects_cache", {}).pop("working_hours", None)


class WorkingHours(models.Model):
    """A weekly interval of clinic-local time, `start` included and `end` not. Written by its timetable."""

    timetable = models.ForeignKey(Timetable, on_delete=models.CASCADE, related_name="working_hours")
    weekday = models.PositiveSmallIntegerField(choices=Weekday.choices)
    start = models.TimeField()
    end = models.TimeField(help_text="00:00 is the midnight that follows.")

    class Meta:
        ordering = ["weekday", "start"]
        verbose_name_plural = "working hours"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(end__gt=models.F("start")) | models.Q(end=dt.time.min),
                name="working_hours_end_after_start",
            )
        ]

    def __str__(self) -> str:
        return f"{Weekday(self.weekday).label} {rules.interval_text(*self.interval)}"

    @property
    def interval(self) -> Interval:
        """Start and end."""
        return self.start, self.end


class Leave(DoctorsTime):
    """A doctor's absence, from `start_time` up to but not including `end_time`."""

    doctor = models.ForeignKey(Doctor, on_delete=models.CASCADE, related_name="leaves")
    start_time = models.DateTimeField("from")
    end_time = models.DateTimeField("until")
    reason = models.CharField(max_length=100, help_text="Seen in the schedule.")

    objects = LeaveQuerySet.as_manager()

    class Meta:
        ordering = ["start_time", "pk"]
        indexes = [models.Index(fields=["end_time"], name="leave_end")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(end_time__gt=models.F("start_time")), name="leave_ends_after_start"
            )
        ]

    def __str__(self) -> str:
        return f"{self.reason}, {self.span_text}"

    @property
    def span_text(self) -> str:
        """From when to when, whole days by their dates alone."""
        first, last = (
            clinic_time.local_date(self.start_time),
            clinic_time.local_date(self.end_time - clinic_time.MINUTE),
        )
        if self.is_whole_days:
            return " – ".join(date_format(day, "D j M Y") for day in dict.fromkeys((first, last)))
        if first == last:
            return clinic_time.span_text(self.start_time, self.end_time)
        ends = (
            f"{clinic_time.date_text(each)} {clinic_time.time_text(each)}" for each in (self.start_time, self.end_time)
        )
        return " – ".join(ends)

    @property
    def is_whole_days(self) -> bool:
        """Whether it begins and ends with a day."""
        return all(
            clinic_time.day_bounds(clinic_time.local_date(each))[0] == each for each in (self.start_time, self.end_time)
        )

    def clean_fields(self, exclude: Any = None) -> None:
        """Tidy the reason."""
        self.reason = " ".join((self.reason or "").split())
        super().clean_fields(exclude=exclude)

    def clean(self) -> None:
        """Check the rules of a leave.

        Raises:
            ValidationError: by field: `leave_span`, `leave_overlap`, `date_range`.
        """
        if self.start_time is None or self.end_time is None:
            return
        with (errors := FieldErrors()).at("end_time"):
            rules.check_leave_span(self.start_time, self.end_time)
        errors.raise_any()
        if self.doctor_id is not None:
            self.check_apart()

    def check_apart(self) -> None:
        """Check that no other leave of the doctor covers part of the time. One query."""
        others = Leave.objects.for_doctor(self.doctor_id).exclude(pk=self.pk)
        with (errors := FieldErrors()).at("start_time"):
            rules.check_leave_apart(others, self.start_time, self.end_time)
        errors.raise_any()

    def diaries(self) -> DoctorQuerySet:
        """Return the doctor."""
        return Doctor.objects.filter(pk=self.doctor_id)


class Closure(DoctorsTime):
    """A clinic-local date on which the clinic is closed."""

    date = models.DateField(unique=True)
    name = models.CharField(max_length=100, help_text="Seen in the schedule.")

    objects = ClosureQuerySet.as_manager()

    class Meta:
        ordering = ["date"]

    def __str__(self) -> str:
        return f"{date_format(self.date, 'D j M Y')}: {self.name}"

    def clean_fields(self, exclude: Any = None) -> None:
        """Tidy the name."""
        self.name = " ".join((self.name or "").split())
        super().clean_fields(exclude=exclude)

    def clean(self) -> None:
        """Check the rules of a closure.

        Raises:
            ValidationError: by field: `closed_already`, `date_range`.
        """
        if self.date is None:
            return
        with (errors := FieldErrors()).at("date"):
            clinic_time.check_date(self.date)
        errors.raise_any()
        self.check_apart()

    def validate_constraints(self, exclude: Any = None) -> None:
        """Leave the unique date to `clean()`, which names the closure that there is."""

    def validate_unique(self, exclude: Any = None) -> None:
        """Leave it to `clean()`, too."""

    def check_apart(self) -> None:
        """Check that the clinic is not closed on the date already. One query."""
        with (errors := FieldErrors()).at("date"):
            rules.check_not_closed_already(Closure.objects.exclude(pk=self.pk), self.date)
        errors.raise_any()

    def diaries(self) -> DoctorQuerySet:
        """Return all doctors."""
        return Doctor.objects.all()


auditlog.register(Doctor, exclude_fields=["diary_version", "appointments", "timetables", "leaves"])
auditlog.register(Timetable, exclude_fields=["version", "working_hours"])
auditlog.register(WorkingHours)
auditlog.register(Leave, exclude_fields=["version"])
auditlog.register(Closure, exclude_fields=["version"])
