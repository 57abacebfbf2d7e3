"""The hours of a doctor's week."""

import datetime as dt
from typing import Any

from auditlog.registry import auditlog
from django.db import models
from django.utils.formats import date_format

from clinic.core.clinic_time import FIRST_DATE, LAST_DATE, ONE_DAY
from clinic.core.field_errors import FieldErrors, at_field
from doctors import rules
from doctors.availability import Interval, Week, week_of
from doctors.models.doctor import Doctor
from doctors.models.doctors_time import AvailabilityRecord
from doctors.querysets import DoctorQuerySet, TimetableQuerySet


class Weekday(models.IntegerChoices):
    """A day of the week, numbered as Python does."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


class Timetable(AvailabilityRecord):
    """A doctor's hours of a week, on the dates from `valid_from` to `valid_until`, both included; empty is no bound.

    `week` is what the rows of `WorkingHours` say; setting it and saving replaces them.
    """

    doctor = models.ForeignKey(Doctor, on_delete=models.CASCADE, related_name="timetables")
    valid_from = models.DateField("from", null=True, blank=True, help_text="Empty: from the beginning.")
    valid_until = models.DateField("until", null=True, blank=True, help_text="Empty: until further notice.")

    objects = TimetableQuerySet.as_manager()

    # Set to have the doctor's other hours end before these when they are saved, and go on after them.
    displaces_others = False

    class Meta:
        ordering = ["doctor", "valid_from", "pk"]

    def __str__(self) -> str:
        return f"Hours of {self.doctor} {self.validity_text}"

    @property
    def cause(self) -> str:
        """What it is to appointments that it hits, in words."""
        return str(self)

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
        if self.displaces_others:
            others = others.exclude(pk__in=[other.pk for other in self._displaced()])
        with at_field("valid_from"):
            rules.check_validity_apart(others, self.valid_from, self.valid_until)

    def diaries(self) -> DoctorQuerySet:
        """Return the doctor."""
        return Doctor.objects.filter(pk=self.doctor_id)

    def _displaced(self) -> list["Timetable"]:
        """Return the doctor's other hours that are for some of the same dates, but for other dates, too."""
        others = Timetable.objects.for_doctor(self.doctor_id).exclude(pk=self.pk)
        return [
            other
            for other in others.valid_within(self.valid_from, self.valid_until)
            if self._begins_after(other) or self._ends_before(other)
        ]

    def _begins_after(self, other: "Timetable") -> bool:
        if self.valid_from is None or self.valid_from == FIRST_DATE:
            return False
        return other.valid_from is None or other.valid_from < self.valid_from

    def _ends_before(self, other: "Timetable") -> bool:
        if self.valid_until is None or self.valid_until == LAST_DATE:
            return False
        return other.valid_until is None or self.valid_until < other.valid_until

    def _displace(self, other: "Timetable") -> None:
        """Let other hours end the day before these begin, and go on the day after they end."""
        if self._begins_after(other) and self._ends_before(other):
            rest = Timetable(doctor_id=other.doctor_id, valid_until=other.valid_until)
            rest.week = other.week
        else:
            rest = other
        if self.valid_from is not None and self._begins_after(other):
            other.valid_until = self.valid_from - ONE_DAY
            other.save()
        if self.valid_until is not None and self._ends_before(rest):
            rest.valid_from = self.valid_until + ONE_DAY
            rest.save()

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete under the claim; the same hours on the dates before and after it are then one again."""
        with self._claimed():
            before, after = self._neighbours()
            deleted = super().delete(*args, **kwargs)
            if before is not None and after is not None and before.week == after.week:
                super(Timetable, after).delete()
                before.valid_until = after.valid_until
                before.save()
            return deleted

    def _neighbours(self) -> tuple["Timetable | None", "Timetable | None"]:
        """Return the doctor's hours that end just before these begin, and those that begin just after they end."""
        others = Timetable.objects.for_doctor(self.doctor_id).exclude(pk=self.pk)
        before = self.valid_from and others.filter(valid_until=self.valid_from - ONE_DAY).first()
        after = self.valid_until and others.filter(valid_from=self.valid_until + ONE_DAY).first()
        return before or None, after or None

    def write_parts(self) -> None:
        """Replace the rows of hours that differ, if a week was set; let other hours make room, if they are to."""
        for other in self._displaced() if self.displaces_others else ():
            self._displace(other)
        self._write_week()

    def _write_week(self) -> None:
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


auditlog.register(Timetable, exclude_fields=["version", "working_hours"])
auditlog.register(WorkingHours)
