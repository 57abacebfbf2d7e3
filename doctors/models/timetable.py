import datetime as dt
from typing import Any

from auditlog.registry import auditlog
from django.db import models
from django.utils.formats import date_format

from clinic.core.clinic_time import FIRST_DATE, LAST_DATE, ONE_DAY
from clinic.core.field_errors import FieldErrors, at_field
from doctors import rules
from doctors.availability import Interval, Week, week_of
from doctors.models.availability_record import AvailabilityRecord
from doctors.models.doctor import Doctor
from doctors.querysets import DoctorQuerySet, TimetableQuerySet


class Weekday(models.IntegerChoices):
    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


class Timetable(AvailabilityRecord):
    """A doctor's weekly hours on the dates from `valid_from` to `valid_until`, both included; empty is no bound.

    Setting `week` and saving replaces the rows of `WorkingHours`.
    """

    doctor = models.ForeignKey(Doctor, on_delete=models.CASCADE, related_name="timetables")
    valid_from = models.DateField("from", null=True, blank=True, help_text="Leave empty for no first date.")
    valid_until = models.DateField("until", null=True, blank=True, help_text="Leave empty for until further notice.")

    objects = TimetableQuerySet.as_manager()

    # Set to have the doctor's other hours end before these when they are saved, and continue after them.
    shortens_others = False

    class Meta:
        ordering = ["doctor", "valid_from", "pk"]

    def __str__(self) -> str:
        return f"Hours of {self.doctor} {self.validity_text}"

    @property
    def cause(self) -> str:
        return str(self)

    @property
    def validity_text(self) -> str:
        """The dates it applies to, as `from 1 Dec 2026 until 31 Dec 2026`."""
        parts = [
            f"{word} {date_format(day, 'j M Y')}"
            for word, day in (("from", self.valid_from), ("until", self.valid_until))
            if day
        ]
        return " ".join(parts) or "until further notice"

    @property
    def week(self) -> Week:
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
        """The weekdays with hours, and those hours as people write them."""
        week = self.week
        return [
            (str(Weekday(day).label), ", ".join(rules.interval_text(*interval) for interval in week[day]))
            for day in sorted(week)
        ]

    def clean(self) -> None:
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
        others = Timetable.objects.for_doctor(self.doctor_id).exclude(pk=self.pk)
        if self.shortens_others:
            others = others.exclude(pk__in=[other.pk for other in self._overlapped()])
        with at_field("valid_from"):
            rules.check_validity_apart(others, self.valid_from, self.valid_until)

    def diaries(self) -> DoctorQuerySet:
        return Doctor.objects.filter(pk=self.doctor_id)

    def _overlapped(self) -> list["Timetable"]:
        """Return other hours of the doctor that share some of these dates and have dates of their own."""
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

    def rows_after_saving(self) -> list["Timetable"]:
        """Return these hours, and other hours as they make room for them, if `shortens_others`."""
        others = self._overlapped() if self.shortens_others else []
        return [self, *(part for other in others for part in self._parts_beside(other))]

    def _parts_beside(self, other: "Timetable") -> list["Timetable"]:
        """Return other hours as they end the day before these begin, and continue the day after these end."""
        rest = other
        if self._begins_after(other) and self._ends_before(other):
            rest = Timetable(doctor_id=other.doctor_id, valid_until=other.valid_until)
            rest.week = other.week
        parts = []
        if self.valid_from is not None and self._begins_after(other):
            other.valid_until = self.valid_from - ONE_DAY
            parts.append(other)
        if self.valid_until is not None and self._ends_before(rest):
            rest.valid_from = self.valid_until + ONE_DAY
            parts.append(rest)
        return parts

    def rows_after_deleting(self) -> tuple[list["Timetable"], list["Timetable"]]:
        """Return these hours as deleted; the same hours on the dates before and after them become one again."""
        before, after = self._neighbours()
        if before is None or after is None or before.week != after.week:
            return [], [self]
        before.valid_until = after.valid_until
        return [before], [self, after]

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with self._locked():
            written, gone = self.rows_after_deleting()
            deleted = super().delete(*args, **kwargs)
            for other in gone[1:]:
                super(Timetable, other).delete()
            for other in written:
                other.save()
            return deleted

    def _neighbours(self) -> tuple["Timetable | None", "Timetable | None"]:
        """Return the doctor's hours that end just before these begin, and those that begin just after they end."""
        others = Timetable.objects.for_doctor(self.doctor_id).exclude(pk=self.pk)
        before = self.valid_from and others.filter(valid_until=self.valid_from - ONE_DAY).first()
        after = self.valid_until and others.filter(valid_from=self.valid_until + ONE_DAY).first()
        return before or None, after or None

    def write_parts(self) -> None:
        """Save other hours that make room, and replace the rows of hours that differ, if `week` was set."""
        for other in self.rows_after_saving()[1:]:
            other.save()
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
    end = models.TimeField(help_text="00:00 is the following midnight.")

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
        return self.start, self.end


auditlog.register(Timetable, exclude_fields=["version", "working_hours"])
auditlog.register(WorkingHours)
