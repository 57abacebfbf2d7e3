"""What a column shows: one doctor's day, as ready values, and nothing that a user may not see."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
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
from appointments.detail.buttons import Action, actions_on, can_change, can_undo
from appointments.models import Appointment
from appointments.permissions import is_own_diary, rights_of
from appointments.querysets import AppointmentQuerySet
from appointments.schedule.grid import MINUTE, Grid, Mark, Place
from appointments.statuses import BLOCKING, MOVABLE, Stamped, Status
from clinic.core import clinic_time, names
from clinic.core.appointment_length import MIN_MINUTES
from doctors.availability import DoctorAvailability, Span, Unavailability, Why, minutes_of, shared, without
from doctors.models import Doctor

TALL_BLOCK_MINUTES = 25


class Row(NamedTuple):
    """What is read of an appointment. Rows and not model objects: they cost a third of the time."""

    pk: int
    doctor_id: int
    patient_id: int
    start_time: dt.datetime
    end_time: dt.datetime
    status: str
    arrived_at: dt.datetime | None
    started_at: dt.datetime | None
    completed_at: dt.datetime | None
    version: int
    reason: str
    outside_hours_reason: str
    patient__first_name: str
    patient__last_name: str
    patient__phone_number: str
    patient__date_of_birth: dt.date | None

    @property
    def stamped(self) -> Stamped:
        """Which steps the appointment has a time for."""
        return Stamped(self.arrived_at is not None, self.started_at is not None, self.completed_at is not None)


@dataclass(frozen=True)
class Block:
    """One appointment. `url` is empty, and the patient reduced to initials, for who may not see the patient.

    `waiting` counts the minutes since who has arrived is here, `late` those since who has not should have been.
    `is_beside` is drawn at the right of its column, `has_beside` leaves that part of the column free.
    """

    pk: int
    version: int
    place: Place
    url: str
    time: str
    until: str
    who: str
    phone: str
    born: dt.date | None
    reason: str
    doctor_name: str
    status: Status
    is_beside: bool
    has_beside: bool
    mark: str  # what is out of the ordinary about the time: booked outside hours, or a doctor who is away now
    waiting: int | None
    late: int | None
    actions: list[Action]
    can_undo: bool
    can_change: bool

    @property
    def is_tall(self) -> bool:
        """Whether there is room for a name of two lines."""
        return self.place.minutes >= TALL_BLOCK_MINUTES


@dataclass(frozen=True)
class Free:
    """A piece of free time. `url` opens the booking form filled in; `take` says the same to a form that is open."""

    place: Place
    time: str
    url: str
    take: str


@dataclass(frozen=True)
class UnavailableBlock:
    """A stretch in which the doctor cannot be booked, and why, as `Leave: Training`."""

    place: Place
    span: str  # from when to when, as `until 10:00`; nothing if it is the whole day
    why: str
    text: str


@dataclass(frozen=True)
class Column:
    """One doctor's day: all appointments in order of time, cancelled ones too, free time, and unavailable time.

    `hours` are those in which free times are offered; `booked_share` is how much of them appointments take, in percent,
    None of a day without any. `now` is where the day stands, if it is drawn. `marks` are the column's own hours, if
    they do not stand where those on the time axis do.
    """

    doctor: Doctor
    date: dt.date
    grid: Grid
    now: Mark | None
    listed: list[Block]
    free: list[Free]
    shades: list[UnavailableBlock]
    hours: list[Span]
    booked_share: int | None
    marks: list[Mark] = field(default_factory=list)

    @property
    def length(self) -> Place:
        """The whole column."""
        return self.grid.length

    @property
    def blocks(self) -> list[Block]:
        """What is drawn: not the cancelled; beside the others a no-show whose time has been given away."""
        drawn: list[Block] = []
        taken = [block.place for block in self.listed if block.status in BLOCKING]
        for block in self.listed:
            if block.status == Status.NO_SHOW:
                block = replace(block, is_beside=any(map(block.place.meets, taken)))
                taken.append(block.place)
            if block.status != Status.CANCELLED:
                drawn.append(block)
        beside = [block.place for block in drawn if block.is_beside]
        return [replace(block, has_beside=any(map(block.place.meets, beside))) for block in drawn] if beside else drawn

    @property
    def appointments(self) -> int:
        """How many appointments occupy the doctor."""
        return sum(block.status in BLOCKING for block in self.listed)

    @property
    def next_free(self) -> Free | None:
        """The first free time."""
        return self.free[0] if self.free else None


def status_counts(blocks: Iterable[Block]) -> list[tuple[Status, int]]:
    """Return how many appointments there are of each status that occurs, in the order of the statuses."""
    counts = Counter(block.status for block in blocks)
    return [(status, counts[status]) for status in Status if counts[status]]


def read_rows(appointments: AppointmentQuerySet) -> Iterator[Row]:
    """Yield what is read of appointments, in order of time. One query."""
    return map(Row._make, appointments.values_list(*Row._fields))


class ColumnBuilder:
    """Lays out one day for one user, who sees all patients, the own ones, or initials only."""

    def __init__(
        self,
        user: Any,
        grid: Grid,
        *,
        at: dt.datetime,
        room_for: int = MIN_MINUTES,
        own: Sequence[Row] = (),
        moving: Appointment | None = None,
        shows_names: bool = False,
    ) -> None:
        self.user = user
        self.sees_all = shows_names or user.has_perm("patients.view_patient")
        self.sees_own = user.has_perm("patients.view_own_patient")
        self.sees_leave = user.has_perm("doctors.view_leave")
        self.rights = {is_own: rights_of(user, is_own=is_own) for is_own in (False, True)}
        self.books = user.has_perm("appointments.add_appointment")
        self.book_url = reverse("appointments:appointment_book")
        self.grid = grid
        self.at = at
        self.day = clinic_time.local_date(grid.start)
        self.midnight, self.next_midnight = clinic_time.day_bounds(self.day)
        self.soonest = at + BEGIN_STEP - (at - self.midnight) % BEGIN_STEP
        self.is_today = self.day == clinic_time.today(at=at)
        self.room_for = room_for
        self.own = own  # the appointments of the patient for whom a time is sought
        self.moving = moving

    def column(self, doctor: Doctor, rows: list[Row], time: DoctorAvailability) -> Column:
        """Return a doctor's day; free time only of doctors who can be booked, for users who book.

        `rows` may be of other days too; those that take time from this day are among them.
        """
        hours, away = time.offered_on(self.day), time.away_on(self.day)
        booked = shared(hours, ((row.start_time, row.end_time) for row in rows if row.status in BLOCKING))
        pieces, unfit = self._free_time(rows, doctor, hours) if doctor.is_active else ([], [])
        return Column(
            doctor,
            self.day,
            self.grid,
            self.grid.mark_at(self.at),
            [self._block(row, doctor, away) for row in rows if self.midnight <= row.start_time < self.next_midnight],
            [self._free(doctor, piece) for piece in pieces if self.books and not self._is_held(doctor, piece)],
            [shade for each in (*away, *unfit) if (shade := self._shade(each, doctor))],
            hours,
            100 * minutes_of(booked) // minutes_of(hours) if hours else None,
        )

    def _shade(self, away: Unavailability, doctor: Doctor) -> UnavailableBlock | None:
        """Return the part of a stretch that is drawn, if any; the text tells of the whole.

        Why a doctor is on leave is for administrators and for the doctor.
        """
        start, end = max(away.start, self.grid.start), min(away.end, self.grid.end)
        if start >= end:
            return None
        is_told = away.detail and (away.why != Why.LEAVE or self.sees_leave or is_own_diary(doctor, self.user))
        text = f"{away.why.label}: {away.detail}" if is_told else away.why.label
        return UnavailableBlock(self.grid.place_of(start, end), self._span_text(away), away.why, text)

    def _span_text(self, away: Unavailability) -> str:
        begins, ends = (clinic_time.time_text(instant) for instant in (away.start, away.end))
        is_from_midnight, is_to_midnight = away.start == self.midnight, away.end == self.next_midnight
        if is_from_midnight and is_to_midnight:
            return ""
        if is_from_midnight:
            return f"until {ends}"
        return f"from {begins}" if is_to_midnight else f"{begins}–{ends}"

    def _mark(self, row: Row, doctor: Doctor, away: list[Unavailability], *, is_named: bool) -> str:
        """Return what is unusual about an appointment's time. Leave is, even if it was booked outside hours."""
        met = {each.why for each in away if each.start < row.end_time and row.start_time < each.end}
        if row.status in MOVABLE:
            if Why.CLOSED in met:
                return "clinic closed"
            if Why.LEAVE in met or not doctor.is_active or (met and not row.outside_hours_reason):
                return "doctor away"
        if row.outside_hours_reason:
            return f"outside hours: {row.outside_hours_reason}" if is_named else "outside hours"
        return ""

    def _block(self, row: Row, doctor: Doctor, away: list[Unavailability]) -> Block:
        is_own = is_own_diary(doctor, self.user)
        is_named = self.sees_all or (self.sees_own and is_own)
        rights = self.rights[is_own]
        is_awaited = row.status == Status.BOOKED and row.end_time > self.at
        names_of_patient = row.patient__first_name, row.patient__last_name
        return Block(
            pk=row.pk,
            version=row.version,
            place=self.grid.place_of(row.start_time, row.end_time),
            url=reverse("appointments:appointment_detail", args=[row.pk]) if is_named else "",
            time=clinic_time.time_text(row.start_time),
            until=clinic_time.time_text(row.end_time),
            who=" ".join(names_of_patient) if is_named else names.initials(*names_of_patient),
            phone=row.patient__phone_number if is_named else "",
            born=row.patient__date_of_birth if is_named else None,
            reason=row.reason if is_named else "",
            doctor_name=doctor.full_name,
            status=Status(row.status),
            is_beside=False,
            has_beside=False,
            mark=self._mark(row, doctor, away, is_named=is_named),
            waiting=self._minutes_since(row.arrived_at) if row.status == Status.ARRIVED else None,
            late=self._minutes_since(row.start_time) if is_awaited else None,
            actions=actions_on(row, rights, at=self.at),
            can_undo=can_undo(row, rights, at=self.at),
            can_change=can_change(row, rights),
        )

    def _minutes_since(self, instant: dt.datetime | None) -> int | None:
        """Return the whole minutes that have passed; None on another day, or for an instant to come."""
        if instant is None or not self.is_today or instant > self.at:
            return None
        return (self.at - instant) // MINUTE

    def _free_time(
        self, rows: list[Row], doctor: Doctor, hours: list[Span]
    ) -> tuple[list[FreeInterval], list[Unavailability]]:
        """Return the doctor's free time from now on, and why the rest is not offered."""
        taken, own = self._taken_by(rows), self._taken_by(self.own)
        kept = [with_gap(span, doctor.gap) for span in taken]
        pieces = list(free_intervals(hours, [*kept, *own], minutes=self.room_for, at=self.at, step=step_of(doctor)))
        to_come = shared(hours, [(self.soonest, self.next_midnight)])
        gaps = without(shared(to_come, kept), taken)
        rest = without(to_come, [*kept, *own, *((piece.start, piece.end) for piece in pieces)])
        return pieces, [
            *(Unavailability(*span, Why.GAP) for span in gaps),
            *(Unavailability(*span, Why.TOO_SHORT) for span in rest),
        ]

    def _taken_by(self, rows: Iterable[Row]) -> list[Span]:
        """Return what appointments take, less the one that is moved."""
        moving = self.moving and self.moving.pk
        return [(row.start_time, row.end_time) for row in rows if row.status in BLOCKING and row.pk != moving]

    def _is_held(self, doctor: Doctor, piece: FreeInterval) -> bool:
        """Return whether a piece is where the appointment that is moved is already."""
        return self.moving is not None and (doctor.pk, piece.start) == (self.moving.doctor_id, self.moving.start_time)

    def _free(self, doctor: Doctor, piece: FreeInterval) -> Free:
        slot = slot_parameters(doctor.pk, piece.start)
        take = urlencode(slot)
        if piece.max_minutes < doctor.usual_minutes:
            slot["minutes"] = piece.max_minutes
        place = self.grid.place_of(piece.start, piece.end)
        return Free(place, clinic_time.time_text(piece.start), f"{self.book_url}?{urlencode(slot)}", take)
