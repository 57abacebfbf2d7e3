"""What the week of one doctor shows: a column a date. What a column shows is in `columns`."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

from django.utils import timezone

from appointments.availability.search import widened
from appointments.models import Appointment
from appointments.schedule.columns import Column, ColumnBuilder, Row, read_rows, status_counts
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
    """One doctor's clinic-local week, as it stands at an instant.

    `axis` is the grid of a date on which the clocks do not change. `version` is that of the day view on `version_date`,
    which changes whenever the week does.
    """

    doctor: Doctor
    dates: list[dt.date]  # Monday to Sunday, as far as the calendar goes; the weekend, too, if it has no column
    at: dt.datetime
    axis: Grid
    columns: list[Column]
    doctors: list[Doctor]  # whose week can be looked at instead
    version_date: dt.date
    version: str

    @property
    def today(self) -> dt.date:
        """The clinic-local date."""
        return clinic_time.today(at=self.at)

    @property
    def counts(self) -> list[tuple[Status, int]]:
        """How many appointments there are of each status that occurs."""
        return status_counts(block for column in self.columns for block in column.listed)

    @property
    def hours(self) -> list[Mark]:
        """The hours on the time axis."""
        return list(self.axis.hour_marks())

    @property
    def length(self) -> Place:
        """The longest column."""
        return max(column.length for column in self.columns)

    @property
    def now(self) -> Mark | None:
        """Where today stands, if it is drawn."""
        return next((column.now for column in self.columns if column.date == self.today), None)


def week_view(doctor: Doctor, day: dt.date, *, user: Any, at: dt.datetime | None = None) -> Week:
    """Return what a user sees of a doctor's week in which a date lies. Five queries, however many rows and dates.

    A Saturday or Sunday on which the doctor does not work and nothing is booked has no column.
    """
    at = at or timezone.now()
    known = list(Doctor.objects.all())  # before the appointments: what is booked between the two shows as a change
    dates = dates_of_week(day)
    rows = _read(doctor, dates)
    time = load_availability([doctor.pk], dates[0], dates[-1])[doctor.pk]
    grids = side_by_side(_drawn(doctor, dates, rows, time))
    axis = next(grid for date, grid in grids.items() if _has_24_hours(date))
    columns = [
        _with_own_marks(ColumnBuilder(user, grid, at=at).column(doctor, rows, time), axis) for grid in grids.values()
    ]
    version_date = min(max(clinic_time.today(at=at), dates[0]), dates[-1])
    version = version_of(known, version_date, at=at)
    doctors = [each for each in known if each.is_active or each.pk == doctor.pk]
    return Week(doctor, dates, at, axis, columns, doctors, version_date, version)


def dates_of_week(day: dt.date) -> list[dt.date]:
    """Return the dates from Monday to Sunday among which a date is, as far as the calendar goes."""
    monday = day - day.weekday() * ONE_DAY
    dates = [monday + number * ONE_DAY for number in range(7)]
    return [date for date in dates if clinic_time.FIRST_DATE <= date <= clinic_time.LAST_DATE]


def _read(doctor: Doctor, dates: list[dt.date]) -> list[Row]:
    """Return the week's appointments, in order of time, and those of the days beside that take time from it."""
    start, end = clinic_time.day_bounds(dates[0])[0], clinic_time.day_bounds(dates[-1])[1]
    found = Appointment.objects.for_doctor(doctor.pk).overlapping(*widened((start, end), doctor.gap))
    return list(read_rows(found))


def _drawn(
    doctor: Doctor, dates: list[dt.date], rows: list[Row], time: DoctorAvailability
) -> dict[dt.date, list[Span]]:
    """Return what is drawn on each date that has a column: the hours, also of an inactive doctor, and appointments."""
    appointments: dict[dt.date, list[Span]] = defaultdict(list)
    for row in rows:
        if row.status != Status.CANCELLED:
            appointments[clinic_time.local_date(row.start_time)].append((row.start_time, row.end_time))
    drawn = {}
    for day in dates:
        has_hours = doctor.is_active and time.has_hours and bool(time.hours_on(day))  # be it in a leave
        if has_hours or appointments[day] or day.weekday() in USUAL_WEEKDAYS:
            drawn[day] = time.offered_on(day) + appointments[day]
    return drawn


def _has_24_hours(day: dt.date) -> bool:
    start, end = clinic_time.day_bounds(day)
    return end - start == ONE_DAY


def _with_own_marks(column: Column, axis: Grid) -> Column:
    """Return the column with hour marks of its own, if they do not stand where those of the axis do."""
    marks = list(column.grid.hour_marks())
    return column if marks == list(axis.hour_marks()) else replace(column, marks=marks)
