"""The week of one doctor, with a column for each date."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

from django.utils import timezone

from appointments.availability.search import with_gap
from appointments.models import Appointment
from appointments.schedule.blocks import ColumnRow, Viewer, read_rows, status_counts
from appointments.schedule.columns import Column, ColumnBuilder
from appointments.schedule.day import version_of
from appointments.schedule.grid import Grid, Mark, Place, side_by_side
from appointments.statuses import Status
from clinic.core import clinic_time
from clinic.core.clinic_time import ONE_DAY
from doctors.availability import USUAL_WEEKDAYS, DoctorAvailability, Span
from doctors.availability_loader import load_availability
from doctors.models import Doctor


@dataclass(frozen=True)
class Week:
    """One doctor's week, as it stands at `at`. `version` is that of the day view of `version_date`."""

    doctor: Doctor
    dates: list[dt.date]  # Monday to Sunday within the calendar, also those without a column
    at: dt.datetime
    axis: Grid  # that of a date without a clock change
    columns: list[Column]
    doctors: list[Doctor]  # to choose from
    version_date: dt.date
    version: str

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


def week_view(doctor: Doctor, day: dt.date, *, user: Any, at: dt.datetime | None = None) -> Week:
    """Return what a user sees of the doctor's week that contains `day`. Always five queries.

    Saturday and Sunday have a column only if the doctor works or has appointments.
    """
    at = at or timezone.now()
    all_doctors = list(Doctor.objects.all())  # before the appointments: a booking in between shows as a change
    dates = dates_of_week(day)
    rows = _read(doctor, dates)
    availability = load_availability([doctor.pk], dates[0], dates[-1])[doctor.pk]
    grids = side_by_side(_drawn_spans(doctor, dates, rows, availability))
    axis = next(grid for date, grid in grids.items() if _has_24_hours(date))
    viewer = Viewer(user)
    columns = [ColumnBuilder(viewer, grid, at=at).column(doctor, rows, availability) for grid in grids.values()]
    columns = [_with_own_marks(column, axis) for column in columns]
    version_date = min(max(clinic_time.today(at=at), dates[0]), dates[-1])
    version = version_of(all_doctors, version_date, at=at)
    doctors = [each for each in all_doctors if each.is_active or each.pk == doctor.pk]
    return Week(doctor, dates, at, axis, columns, doctors, version_date, version)


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
    appointments: dict[dt.date, list[Span]] = defaultdict(list)
    for row in rows:
        if row.status != Status.CANCELLED:
            appointments[clinic_time.local_date(row.start_time)].append((row.start_time, row.end_time))
    drawn = {}
    for day in dates:
        # Working hours count even during a leave, which the column then shows.
        has_hours = doctor.is_active and availability.has_hours and bool(availability.hours_on(day))
        if has_hours or appointments[day] or day.weekday() in USUAL_WEEKDAYS:
            drawn[day] = availability.offered_on(day) + appointments[day]
    return drawn


def _has_24_hours(day: dt.date) -> bool:
    start, end = clinic_time.day_bounds(day)
    return end - start == ONE_DAY


def _with_own_marks(column: Column, axis: Grid) -> Column:
    """Return the column with its own hour marks, if they differ from those of the time axis."""
    marks = list(column.grid.hour_marks())
    return column if marks == list(axis.hour_marks()) else replace(column, marks=marks)
