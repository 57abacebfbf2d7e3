"""The week of one doctor, with a column for each date."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils import timezone

from appointments.availability.search import with_gap
from appointments.models import Appointment
from appointments.schedule.blocks import ColumnRow, Viewer, read_rows, status_counts
from appointments.schedule.columns import Column, ColumnBuilder
from appointments.schedule.grid import Grid, Mark, Place, side_by_side
from appointments.schedule.versions import Versions, week_versions
from appointments.statuses import Status
from clinic.core import clinic_time
from clinic.core.clinic_time import ONE_DAY
from doctors.availability import USUAL_WEEKDAYS, DoctorAvailability, Span
from doctors.availability_loader import load_availability
from doctors.models import Doctor


@dataclass(frozen=True)
class Week:
    """One doctor's week, as it stands at `at`."""

    doctor: Doctor
    dates: list[dt.date]  # Monday to Sunday within the calendar, also those without a column
    at: dt.datetime
    axis: Grid  # that of a date without a clock change
    columns: list[Column]
    doctors: list[Doctor]  # to choose from
    versions: Versions

    @property
    def today(self) -> dt.date:
        return clinic_time.today(at=self.at)

    @property
    def counts(self) -> list[tuple[Status, int]]:
        return status_counts(block for column in self.columns for block in column.listed)

    @property
    def hours(self) -> list[Mark]:
        return list(self.axis.hour_marks())

    @property
    def length(self) -> Place:
        return max(column.length for column in self.columns)

    @property
    def now(self) -> Mark | None:
        return next((column.now for column in self.columns if column.date == self.today), None)


def week_view(
    doctor: Doctor, day: dt.date, *, user: Any, at: dt.datetime | None = None, versions: Versions | None = None
) -> Week:
    """Return what a user sees of the doctor's week that contains `day`. Five queries, one more without `versions`.

    Saturday and Sunday have a column only if the doctor works or has appointments.
    """
    at = at or timezone.now()
    viewer, dates = Viewer(user), dates_of_week(day)
    versions = versions or week_versions(doctor, dates, viewer, at=at)
    rows = _read(doctor, dates)
    availability = load_availability([doctor.pk], dates[0], dates[-1])[doctor.pk]
    grids = side_by_side(_drawn_spans(doctor, dates, rows, availability))
    axis = next(grid for date, grid in grids.items() if _has_24_hours(date))

    def column(date: dt.date, grid: Grid) -> Column:
        builder = ColumnBuilder(viewer, grid, at=at)
        return Column(builder, doctor, rows, availability.opening_on(date), marks=_own_marks(grid, axis))

    columns = [column(date, grid) for date, grid in grids.items()]
    doctors = list(Doctor.objects.filter(Q(is_active=True) | Q(pk=doctor.pk)))
    return Week(doctor, dates, at, axis, columns, doctors, versions)


def dates_of_week(day: dt.date) -> list[dt.date]:
    """Return the dates of the Monday-to-Sunday week of `day`, within the calendar."""
    monday = day - day.weekday() * ONE_DAY
    return [date for number in range(7) if (date := clinic_time.shifted_date(monday, days=number))]


def _read(doctor: Doctor, dates: list[dt.date]) -> list[ColumnRow]:
    """Return the week's appointments, and those before and after it whose gap reaches into it. One query."""
    start, end = clinic_time.day_bounds(dates[0])[0], clinic_time.day_bounds(dates[-1])[1]
    appointments = Appointment.objects.for_doctor(doctor.pk).overlapping(*with_gap((start, end), doctor.gap))
    return list(read_rows(appointments))


def _drawn_spans(
    doctor: Doctor, dates: list[dt.date], rows: list[ColumnRow], availability: DoctorAvailability
) -> dict[dt.date, list[Span]]:
    """Return the offered hours and the appointments of each date that has a column."""
    drawn = {}
    for day in dates:
        midnight, next_midnight = clinic_time.day_bounds(day)
        shown = [row for row in rows if row.is_shown_on(midnight, next_midnight)]
        # Working hours count even during a leave, which the column then shows.
        has_hours = doctor.is_active and availability.has_hours and bool(availability.hours_on(day))
        is_needed = any(row.status != Status.CANCELLED for row in shown)
        if has_hours or is_needed or day.weekday() in USUAL_WEEKDAYS:
            appointments = [(max(row.start_time, midnight), row.end_time) for row in shown]
            drawn[day] = availability.offered_on(day) + appointments
    return drawn


def _has_24_hours(day: dt.date) -> bool:
    start, end = clinic_time.day_bounds(day)
    return end - start == ONE_DAY


def _own_marks(grid: Grid, axis: Grid) -> list[Mark]:
    """Return the hour marks of a column; none if they are those of the time axis."""
    marks = list(grid.hour_marks())
    return [] if marks == list(axis.hour_marks()) else marks
