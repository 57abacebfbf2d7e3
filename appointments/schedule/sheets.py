"""What is printed of a day: for each doctor a sheet that serves while the portal is down.

Paper is for the whole day, so free time that has passed by now is on it too, and in one stretch, not in the pieces
that the day view offers for booking. What a user may see of a patient is decided in `day`.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from appointments.availability.search import LOOK_AHEAD_DAYS, first_working_day
from appointments.models import Appointment
from appointments.schedule.day import Block, Column, Day
from appointments.statuses import BLOCKING, Status
from clinic.core import clinic_time
from clinic.core.appointment_length import SHORTEST
from doctors.availability import Span, without
from doctors.models import Doctor

SPARE_LINES = range(3)  # for walk-ins and notes, at the end of each sheet
HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Line:
    """A line of a sheet: an appointment, or without a `block` a stretch of free time."""

    start: dt.datetime
    end: dt.datetime
    block: Block | None = None

    @property
    def time(self) -> str:
        """From when to when by the clinic's clocks, as `10:15–10:45`."""
        return f"{clinic_time.time_text(self.start)}–{clinic_time.time_text(self.end)}"

    @property
    def writing_lines(self) -> range:
        """How many lines there are to write on: one, and with more than an hour as many as hours."""
        return range(max(1, (self.end - self.start) // HOUR))


@dataclass(frozen=True)
class Sheet:
    """One doctor's day on paper: appointments and free time in order of time, apart from them what was cancelled."""

    date: dt.date
    doctor: Doctor
    appointments: int
    lines: list[Line]
    cancelled: list[Line]


def sheets(day: Day) -> list[Sheet]:
    """Return a sheet for each doctor who has an appointment or can be booked, in the day's order. No query."""
    return [_sheet(day, column) for column in day.columns if column.listed or column.doctor.is_active]


def _sheet(day: Day, column: Column) -> Sheet:
    listed = [_line(day, block) for block in column.listed]
    taken = [(line.start, line.end) for line in listed if line.block and line.block.status in BLOCKING]
    free = list(_free_lines(column.hours, taken)) if column.doctor.is_active else []
    cancelled = [line for line in listed if line.block and line.block.status == Status.CANCELLED]
    lines = [line for line in listed if line not in cancelled] + free
    # A no-show comes before the free time that it leaves.
    lines.sort(key=lambda line: (line.start, line.block is None))
    return Sheet(day.date, column.doctor, column.appointments, lines, cancelled)


def _line(day: Day, block: Block) -> Line:
    start, end = (block.place.minute, block.place.minute + block.place.minutes)
    return Line(day.grid.instant_at(start), day.grid.instant_at(end), block)


def _free_lines(hours: list[Span], taken: list[Span]) -> Iterator[Line]:
    """Yield what is left of the hours, where an appointment would fit."""
    for start, end in without(hours, taken):
        if end - start >= SHORTEST:
            yield Line(start, end)


def next_working_day(day: dt.date) -> dt.date:
    """Return the first date of the coming two weeks with appointments, else with hours. At most 5 queries."""
    begin, _ = clinic_time.day_bounds(day + dt.timedelta(days=1))
    _, end = clinic_time.day_bounds(day + dt.timedelta(days=LOOK_AHEAD_DAYS))
    coming = Appointment.objects.blocking().filter(start_time__gte=begin, start_time__lt=end)
    first = coming.order_by("start_time").values_list("start_time", flat=True).first()
    if first is not None:
        return clinic_time.local_date(first)
    return first_working_day(Doctor.objects.active(), day + dt.timedelta(days=1))
