"""One doctor's day as a column of the schedule."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from django.urls import reverse

from appointments.availability.search import (
    BEGIN_STEP,
    FreeInterval,
    free_intervals,
    slot_query,
    step_of,
    with_gap,
)
from appointments.models import Appointment
from appointments.schedule.blocks import Block, BlockBuilder, ColumnRow, Viewer, beside_ghosts, in_lanes
from appointments.schedule.grid import Grid, Mark, Place
from appointments.statuses import BLOCKING, Status
from clinic.core import clinic_time
from clinic.core.appointment_length import MIN_MINUTES
from doctors.availability import Opening, Span, Unavailability, Why, minutes_of, shared, without
from doctors.models import Doctor
from patients.models import Patient


class FreeBlock(NamedTuple):
    """A free interval. `take` is its start for a form that is open, and `url` opens the booking form filled in.

    `is_beside` is drawn at the right of a no-show, whose time it is.
    """

    place: Place
    time: str
    url: str
    take: str
    is_beside: bool


class UnavailableBlock(NamedTuple):
    """An interval in which the doctor cannot be booked. `text` is the reason, as `Leave: Training`."""

    place: Place
    span: str  # such as `until 10:00`; empty for the whole day
    why: str
    text: str


class FreeTime(NamedTuple):
    """What a column shows beside appointments."""

    free: list[FreeBlock]
    unavailable: list[UnavailableBlock]
    past: list[Place]  # hours that have passed with nothing booked


class Load(NamedTuple):
    """The minutes that a doctor offers on a day, and how many of them are booked."""

    booked: int
    offered: int

    @property
    def percent(self) -> int:
        return 100 * self.booked // self.offered

    @property
    def step(self) -> int:
        """The number of the class that draws it in schedule/grid.css, one for each 5 %: only a full day is full."""
        return self.percent // 5


@dataclass(frozen=True)
class FreeTimeQuery:
    """Which free times to offer: those with room for `minutes` at which the patient is free, too.

    An appointment that is `moving` does not block its own time.
    """

    minutes: int = MIN_MINUTES
    patient: Patient | None = None
    moving: Appointment | None = None

    @classmethod
    def for_moving(cls, appointment: Appointment | None) -> "FreeTimeQuery":
        if appointment is None:
            return cls()
        return cls(appointment.duration_minutes, appointment.patient, appointment)


ANY_TIME = FreeTimeQuery()


@dataclass(frozen=True)
class Column:
    """One doctor's day: appointments in order of time (cancelled ones too), free time and unavailable time.

    `rows` may include other days, and must include appointments there whose gap reaches into this day. `marks` are set
    if the clock changes on this day.
    """

    builder: "ColumnBuilder"
    doctor: Doctor
    rows: list[ColumnRow]
    opening: Opening
    version: int | None = None  # that of `Versions`
    marks: list[Mark] = field(default_factory=list)

    @property
    def date(self) -> dt.date:
        return self.builder.day

    @property
    def grid(self) -> Grid:
        return self.builder.grid

    @property
    def length(self) -> Place:
        return self.grid.length

    @property
    def now(self) -> Mark | None:
        """The present time; None if it is not drawn."""
        return self.builder.now

    @property
    def hours(self) -> list[Span]:
        """The hours in which free times are offered."""
        return self.opening.hours

    @cached_property
    def listed(self) -> list[Block]:
        return self.builder.blocks_of(self.doctor, self.rows, self.opening)

    @cached_property
    def ghosts(self) -> list[Block]:
        """The cancelled appointments, drawn at the side of the column."""
        return in_lanes([block for block in self.listed if block.status == Status.CANCELLED])

    @property
    def blocks(self) -> list[Block]:
        """All but cancelled appointments, those that overlap side by side."""
        drawn = in_lanes([block for block in self.listed if block.status != Status.CANCELLED])
        return beside_ghosts(drawn, self.ghosts) if self.ghosts else drawn

    @property
    def appointments(self) -> int:
        """How many appointments that start on the day occupy the doctor."""
        return sum(block.status in BLOCKING and not block.is_continued for block in self.listed)

    @property
    def is_away(self) -> bool:
        """Whether the column has nothing to show: no time to book, and no appointments."""
        return not self.hours and not self.listed

    @cached_property
    def free_time(self) -> FreeTime:
        return self.builder.free_time_of(self.doctor, self.rows, self.opening)

    @property
    def free(self) -> list[FreeBlock]:
        """Free time from now on, only of active doctors, and only for users who may book."""
        return self.free_time.free

    @property
    def unavailable(self) -> list[UnavailableBlock]:
        return self.free_time.unavailable

    @property
    def past(self) -> list[Place]:
        return self.free_time.past

    @property
    def next_free(self) -> FreeBlock | None:
        return self.free[0] if self.free else None

    @property
    def load(self) -> Load | None:
        """How much of the hours is booked; None on a day without any."""
        if not self.hours:
            return None
        return Load(minutes_of(shared(self.hours, _blocked_spans(self.rows))), minutes_of(self.hours))

    @property
    def offers_absence(self) -> bool:
        """Whether the user may enter that the doctor, who works on this day, is away."""
        return self.builder.offers_absence and bool(self.hours) and self.doctor.is_active


class ColumnBuilder:
    """Builds the columns of one date for one user. `patient_rows` are the appointments of the query's patient."""

    def __init__(
        self,
        viewer: Viewer,
        grid: Grid,
        *,
        at: dt.datetime,
        query: FreeTimeQuery = ANY_TIME,
        patient_rows: Sequence[ColumnRow] = (),
        offers_absence: bool = False,
    ) -> None:
        self.viewer, self.grid, self.at = viewer, grid, at
        self.query = query
        self.patient_rows = patient_rows
        self.offers_absence = offers_absence
        self.block_builder = BlockBuilder(viewer, grid, at=at)
        self.book_url = reverse("appointments:appointment_book")
        self.now = grid.mark_at(at)
        self.day = clinic_time.local_date(grid.start)
        self.midnight, self.next_midnight = clinic_time.day_bounds(self.day)
        self.earliest_start = at + BEGIN_STEP - (at - self.midnight) % BEGIN_STEP

    def blocks_of(self, doctor: Doctor, rows: list[ColumnRow], opening: Opening) -> list[Block]:
        shown = [row for row in rows if row.is_shown_on(self.midnight, self.next_midnight)]
        return self.block_builder.blocks(doctor, shown, opening.away)

    def free_time_of(self, doctor: Doctor, rows: list[ColumnRow], opening: Opening) -> FreeTime:
        unavailable = list(opening.away)
        if not doctor.is_active:
            return FreeTime([], self._unavailable_blocks(doctor, unavailable), [])
        free, too_short = self._free_intervals(rows, doctor, opening.hours)
        beside = self._places_of_unkept(rows)
        offered = [self._free_block(doctor, each, beside) for each in free if self._is_offered(doctor, each)]
        past = [self.grid.place_of(*span) for span in self._unbooked_past(rows, doctor, opening.hours)]
        return FreeTime(offered, self._unavailable_blocks(doctor, [*unavailable, *too_short]), past)

    def _places_of_unkept(self, rows: Iterable[ColumnRow]) -> list[Place]:
        """Return where appointments are drawn that take no time: free times are drawn beside them."""
        return [
            self.grid.place_of(row.start_time, row.end_time)
            for row in rows
            if row.status not in BLOCKING and row.status != Status.CANCELLED
        ]

    def _unbooked_past(self, rows: Iterable[ColumnRow], doctor: Doctor, hours: list[Span]) -> Iterator[Span]:
        if self.earliest_start <= self.midnight:
            return iter(())
        past = shared(hours, [(self.midnight, self.earliest_start)])
        return without(past, [with_gap(span, doctor.gap) for span in _blocked_spans(rows)])

    def _free_intervals(
        self, rows: list[ColumnRow], doctor: Doctor, hours: list[Span]
    ) -> tuple[list[FreeInterval], list[Unavailability]]:
        """Return the doctor's free time from now on, and the gaps and intervals that are too short to be offered."""
        booked, patient_booked = self._blocked_by(rows), self._blocked_by(self.patient_rows)
        booked_with_gaps = [with_gap(span, doctor.gap) for span in booked]
        blocked = [*booked_with_gaps, *patient_booked]
        free = list(free_intervals(hours, blocked, minutes=self.query.minutes, at=self.at, step=step_of(doctor)))
        remaining_hours = shared(hours, [(self.earliest_start, self.next_midnight)])
        gaps = without(shared(remaining_hours, booked_with_gaps), booked)
        too_short = without(remaining_hours, [*blocked, *((each.start, each.end) for each in free)])
        return free, [
            *(Unavailability(*span, Why.GAP) for span in gaps),
            *(Unavailability(*span, Why.TOO_SHORT) for span in too_short),
        ]

    def _blocked_by(self, rows: Iterable[ColumnRow]) -> list[Span]:
        moving = self.query.moving and self.query.moving.pk
        return _blocked_spans(row for row in rows if row.pk != moving)

    def _is_offered(self, doctor: Doctor, free: FreeInterval) -> bool:
        """Return whether to offer a free interval: not the present time of the appointment that is moved."""
        moving = self.query.moving
        is_present_time = moving is not None and (doctor.pk, free.start) == (moving.doctor_id, moving.start_time)
        return self.viewer.can_book and not is_present_time

    def _free_block(self, doctor: Doctor, free: FreeInterval, beside: list[Place]) -> FreeBlock:
        take = slot_query(doctor.pk, free.start)
        room = f"&minutes={free.max_minutes}" if free.max_minutes < doctor.usual_minutes else ""
        place = self.grid.place_of(free.start, free.end)
        is_beside = any(map(place.overlaps, beside))
        return FreeBlock(place, clinic_time.time_text(free.start), f"{self.book_url}?{take}{room}", take, is_beside)

    def _unavailable_blocks(self, doctor: Doctor, unavailable: list[Unavailability]) -> list[UnavailableBlock]:
        blocks = []
        for each in unavailable:
            start, end = max(each.start, self.grid.start), min(each.end, self.grid.end)
            if start < end:
                place = self.grid.place_of(start, end)
                blocks.append(UnavailableBlock(place, self._span_text(each), each.why, self._why_text(doctor, each)))
        return blocks

    def _why_text(self, doctor: Doctor, unavailable: Unavailability) -> str:
        """Return the reason. That of a leave is for administrators and for the doctor."""
        is_visible = unavailable.why != Why.LEAVE or self.viewer.sees_leave_reasons_of(doctor)
        label = unavailable.why.label
        return f"{label}: {unavailable.detail}" if unavailable.detail and is_visible else label

    def _span_text(self, unavailable: Unavailability) -> str:
        is_from_midnight, is_to_midnight = unavailable.start == self.midnight, unavailable.end == self.next_midnight
        start, end = (clinic_time.time_text(instant) for instant in (unavailable.start, unavailable.end))
        if is_from_midnight and is_to_midnight:
            return ""
        if is_from_midnight:
            return f"until {end}"
        return f"from {start}" if is_to_midnight else f"{start}–{end}"


def _blocked_spans(rows: Iterable[ColumnRow]) -> list[Span]:
    return [(row.start_time, row.end_time) for row in rows if row.status in BLOCKING]
