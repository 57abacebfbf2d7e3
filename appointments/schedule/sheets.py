"""A day on paper, with a sheet for each doctor. Unlike the day view it includes past free time, undivided."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.formats import date_format

from appointments.models import Appointment
from appointments.schedule.blocks import Block
from appointments.schedule.columns import Column
from appointments.schedule.day import Day
from appointments.statuses import BLOCKING, Status
from clinic.core import clinic_time
from clinic.core.appointment_length import SHORTEST
from clinic.core.clinic_time import HOUR
from doctors.availability import Span, without
from doctors.availability_loader import LOOK_AHEAD_DAYS, working_day_after
from doctors.models import Doctor

SPARE_LINES = range(3)  # for walk-ins and notes, at the end of each sheet


@dataclass(frozen=True)
class PrintLine:
    """An appointment, or, without a `block`, free time."""

    start: dt.datetime
    end: dt.datetime
    block: Block | None = None

    @property
    def time(self) -> str:
        """Clinic time, as `10:15–10:45`."""
        return f"{clinic_time.time_text(self.start)}–{clinic_time.time_text(self.end)}"

    @property
    def writing_lines(self) -> range:
        """One line for each full hour, at least one, to write on."""
        return range(max(1, (self.end - self.start) // HOUR))


@dataclass(frozen=True)
class Sheet:
    """One doctor's day on paper, in order of time."""

    date: dt.date
    doctor: Doctor
    appointments: int
    lines: list[PrintLine]
    cancelled: list[PrintLine]

    @property
    def day(self) -> str:
        """The date, as `Tuesday 24 November 2026`."""
        return date_format(self.date, "l j F Y")


def sheets(day: Day) -> list[Sheet]:
    """Return a sheet for each doctor who has appointments or is active, in the day's order. No query."""
    return [_sheet(day, column) for column in day.columns if column.listed or column.doctor.is_active]


def _sheet(day: Day, column: Column) -> Sheet:
    listed = [_line(day, block) for block in column.listed]
    taken = [(line.start, line.end) for line in listed if line.block and line.block.status in BLOCKING]
    free = list(_free_lines(column.hours, taken)) if column.doctor.is_active else []
    cancelled = [line for line in listed if line.block and line.block.status == Status.CANCELLED]
    lines = [line for line in listed if line not in cancelled] + free
    # An appointment that was not kept comes before the free time that it leaves.
    lines.sort(key=lambda line: (line.start, line.block is None))
    return Sheet(day.date, column.doctor, column.appointments, lines, cancelled)


def _line(day: Day, block: Block) -> PrintLine:
    start, end = (block.place.minute, block.place.minute + block.place.minutes)
    return PrintLine(day.grid.instant_at(start), day.grid.instant_at(end), block)


def _free_lines(hours: list[Span], taken: list[Span]) -> Iterator[PrintLine]:
    for start, end in without(hours, taken):
        if end - start >= SHORTEST:
            yield PrintLine(start, end)


def next_working_day(day: dt.date) -> dt.date:
    """Return the next date within two weeks with appointments, or else with working hours. At most 5 queries."""
    begin, _ = clinic_time.day_bounds(day + dt.timedelta(days=1))
    _, end = clinic_time.day_bounds(day + dt.timedelta(days=LOOK_AHEAD_DAYS))
    upcoming = Appointment.objects.blocking().filter(start_time__gte=begin, start_time__lt=end)
    first = upcoming.order_by("start_time").values_list("start_time", flat=True).first()
    if first is not None:
        return clinic_time.local_date(first)
    return working_day_after(day)
