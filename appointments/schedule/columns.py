"""One doctor's day as a column of the schedule."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from django.urls import reverse

from appointments.availability.search import (
    BEGIN_STEP,
    FreeInterval,
    free_intervals,
    slot_parameters,
    step_of,
    with_gap,
)
from appointments.models import Appointment
from appointments.schedule.blocks import Block, BlockBuilder, ColumnRow, Viewer
from appointments.schedule.grid import Grid, Mark, Place
from appointments.statuses import BLOCKING, Status
from clinic.core import clinic_time
from clinic.core.appointment_length import MIN_MINUTES
from doctors.availability import DoctorAvailability, Span, Unavailability, Why, minutes_of, shared, without
from doctors.models import Doctor
from patients.models import Patient


@dataclass(frozen=True)
class FreeBlock:
    """A free interval. `url` opens the booking form filled in; `take` is the same time for a form that is open."""

    place: Place
    time: str
    url: str
    take: str


@dataclass(frozen=True)
class UnavailableBlock:
    """An interval in which the doctor cannot be booked. `text` is the reason, as `Leave: Training`."""

    place: Place
    span: str  # such as `until 10:00`; empty for the whole day
    why: str
    text: str


@dataclass(frozen=True)
class Column:
    """One doctor's day: appointments in order of time (cancelled ones too), free time and unavailable time.

    `hours` are those in which free times are offered, and `booked_share` how much of them is booked, in percent; None
    on a day without any. `now` is None if it is not drawn. `marks` are set if the clock changes on this day.
    """

    doctor: Doctor
    date: dt.date
    grid: Grid
    now: Mark | None
    listed: list[Block]
    free: list[FreeBlock]
    unavailable: list[UnavailableBlock]
    hours: list[Span]
    booked_share: int | None
    marks: list[Mark] = field(default_factory=list)

    @property
    def length(self) -> Place:
        return self.grid.length

    @property
    def blocks(self) -> list[Block]:
        """All but cancelled appointments. A no-show whose time has been given away is drawn beside the others."""
        drawn: list[Block] = []
        taken = [block.place for block in self.listed if block.status in BLOCKING]
        for block in self.listed:
            if block.status == Status.NO_SHOW:
                block = replace(block, is_beside=any(map(block.place.overlaps, taken)))
                taken.append(block.place)
            if block.status != Status.CANCELLED:
                drawn.append(block)
        beside = [block.place for block in drawn if block.is_beside]
        if not beside:
            return drawn
        return [replace(block, has_beside=any(map(block.place.overlaps, beside))) for block in drawn]

    @property
    def appointments(self) -> int:
        """How many appointments occupy the doctor."""
        return sum(block.status in BLOCKING for block in self.listed)

    @property
    def next_free(self) -> FreeBlock | None:
        return self.free[0] if self.free else None


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


class ColumnBuilder:
    """Builds the columns of one date for one user. `patient_rows` are the appointments of the query's patient."""

    def __init__(
        self,
        viewer: Viewer,
        grid: Grid,
        *,
        at: dt.datetime,
        query: FreeTimeQuery | None = None,
        patient_rows: Sequence[ColumnRow] = (),
    ) -> None:
        self.viewer, self.grid, self.at = viewer, grid, at
        self.query = query or FreeTimeQuery()
        self.patient_rows = patient_rows
        self.block_builder = BlockBuilder(viewer, grid, at=at)
        self.book_url = reverse("appointments:appointment_book")
        self.day = clinic_time.local_date(grid.start)
        self.midnight, self.next_midnight = clinic_time.day_bounds(self.day)
        self.earliest_start = at + BEGIN_STEP - (at - self.midnight) % BEGIN_STEP

    def column(self, doctor: Doctor, rows: list[ColumnRow], availability: DoctorAvailability) -> Column:
        """Return a doctor's day. Free time is shown only for active doctors, to users who may book.

        `rows` may include other days, and must include appointments there whose gap reaches into this day.
        """
        hours, unavailable = availability.offered_on(self.day), availability.away_on(self.day)
        booked = shared(hours, _blocked_spans(rows))
        free, too_short = self._free_time(rows, doctor, hours) if doctor.is_active else ([], [])
        return Column(
            doctor,
            self.day,
            self.grid,
            self.grid.mark_at(self.at),
            listed=[self.block_builder.block(row, doctor, unavailable) for row in rows if self._is_on_day(row)],
            free=[self._free_block(doctor, each) for each in free if self._is_offered(doctor, each)],
            unavailable=self._unavailable_blocks(doctor, [*unavailable, *too_short]),
            hours=hours,
            booked_share=100 * minutes_of(booked) // minutes_of(hours) if hours else None,
        )

    def _is_on_day(self, row: ColumnRow) -> bool:
        return self.midnight <= row.start_time < self.next_midnight

    def _free_time(
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

    def _free_block(self, doctor: Doctor, free: FreeInterval) -> FreeBlock:
        slot = slot_parameters(doctor.pk, free.start)
        take = urlencode(slot)
        if free.max_minutes < doctor.usual_minutes:
            slot["minutes"] = free.max_minutes
        place = self.grid.place_of(free.start, free.end)
        return FreeBlock(place, clinic_time.time_text(free.start), f"{self.book_url}?{urlencode(slot)}", take)

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
        start, end = (clinic_time.time_text(instant) for instant in (unavailable.start, unavailable.end))
        is_from_midnight, is_to_midnight = unavailable.start == self.midnight, unavailable.end == self.next_midnight
        if is_from_midnight and is_to_midnight:
            return ""
        if is_from_midnight:
            return f"until {end}"
        return f"from {start}" if is_to_midnight else f"{start}–{end}"


def _blocked_spans(rows: Iterable[ColumnRow]) -> list[Span]:
    return [(row.start_time, row.end_time) for row in rows if row.status in BLOCKING]
