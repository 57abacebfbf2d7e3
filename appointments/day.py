"""What the day view shows: ready values, and nothing a user may not see."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from appointments.grid import Grid, Mark, Place
from appointments.models import Appointment
from appointments.rules import SHORTEST_MINUTES, USUAL_MINUTES
from appointments.statuses import BLOCKING, Status
from clinic import clinic_time, names
from doctors.models import Doctor
from patients.models import Patient

FREE_STEP_MINUTES = 30  # free time is offered in pieces that begin on the clock's half hours
BEGIN_STEP_MINUTES = 5  # and today not before the next full five minutes
TALL_BLOCK_MINUTES = 25


class _Row(NamedTuple):
    """What is read of an appointment. Rows and not model objects: they cost a third of the time."""

    pk: int
    doctor_id: int
    patient_id: int
    start_time: dt.datetime
    end_time: dt.datetime
    status: str
    reason: str
    patient__first_name: str
    patient__last_name: str
    patient__phone_number: str


@dataclass(frozen=True)
class Block:
    """One appointment. `url` is empty, and the patient reduced to initials, for who may not see the patient."""

    place: Place
    url: str
    time: str
    until: str
    who: str
    phone: str
    reason: str
    doctor_name: str
    status: Status
    is_beside: bool

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
class Column:
    """One doctor's day: all visits in order of time, cancelled ones too, and the time that is free."""

    doctor: Doctor
    listed: list[Block]
    free: list[Free]

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
        return drawn

    @property
    def visits(self) -> int:
        """How many appointments occupy the doctor."""
        return sum(block.status in BLOCKING for block in self.listed)

    @property
    def next_free(self) -> Free | None:
        """The first free time."""
        return self.free[0] if self.free else None


@dataclass(frozen=True)
class Day:
    """The schedule of one clinic-local date, as it stands at an instant."""

    date: dt.date
    at: dt.datetime
    grid: Grid
    columns: list[Column]
    doctors: list[Doctor]  # also those whom a filter leaves out

    @cached_property
    def listed(self) -> list[Block]:
        """All visits, in order of time."""
        return sorted((block for column in self.columns for block in column.listed), key=lambda it: it.place.minute)

    @property
    def counts(self) -> list[tuple[Status, int]]:
        """How many visits there are of each status that occurs."""
        counts = Counter(block.status for block in self.listed)
        return [(status, counts[status]) for status in Status if counts[status]]

    @property
    def hours(self) -> list[Mark]:
        """The hours on the time axis."""
        return list(self.grid.hour_marks())

    @property
    def length(self) -> Place:
        """The whole grid."""
        return Place(0, self.grid.minutes)

    @property
    def now(self) -> Mark | None:
        """Where the day stands, if it is drawn."""
        if not self.grid.start <= self.at < self.grid.end:
            return None
        return Mark(Place(self.grid.minute_of(self.at)), clinic_time.time_text(self.at))

    @property
    def specializations(self) -> list[str]:
        """The specializations of the day's doctors, in alphabetical order."""
        return sorted({doctor.specialization for doctor in self.doctors})

    @property
    def has_no_free(self) -> bool:
        """Whether no doctor has free time."""
        return not any(column.free for column in self.columns)

    def nearest_free(self, doctor_id: int, instant: dt.datetime, *, most: int = 3) -> list[Free]:
        """Return the doctor's free times nearest to an instant, in order of time."""
        minute = self.grid.minute_of(instant)
        free = [each for column in self.columns if column.doctor.pk == doctor_id for each in column.free]
        nearest = sorted(free, key=lambda each: abs(each.place.minute - minute))[:most]
        return sorted(nearest, key=lambda each: each.place.minute)


def day_view(
    day: dt.date,
    *,
    user: Any,
    doctor_id: int | None = None,
    specialization: str = "",
    room_for: int = SHORTEST_MINUTES,
    patient: Patient | None = None,
    moving: Appointment | None = None,
    at: dt.datetime | None = None,
) -> Day:
    """Return what a user sees of a day, for all doctors, one, or one specialization. Two queries, however many rows.

    Free times are those at which a visit of `room_for` minutes would fit, for the `patient` too if one is given; the
    visit that is `moving` takes no time from itself. Columns come in order of the doctors' names, blocks in order of
    time.
    """
    at = at or timezone.now()
    rows = _read(day)
    doctors = [doctor for doctor in Doctor.objects.all() if doctor.is_active or doctor.pk in rows]
    grid = Grid.around(day, [(row.start_time, row.end_time) for diary in rows.values() for row in diary])
    own = [row for diary in rows.values() for row in diary if patient is not None and row.patient_id == patient.pk]
    desk = _Desk(user, grid, at=at, room_for=room_for, own=own, moving=moving.pk if moving else None)
    columns = [
        desk.column(doctor, rows[doctor.pk])
        for doctor in doctors
        if doctor_id in (None, doctor.pk) and specialization in ("", doctor.specialization)
    ]
    return Day(day, at, grid, columns, doctors)


def _read(day: dt.date) -> dict[int, list[_Row]]:
    """Return the day's visits by doctor, in order of time; of those from before midnight that run on, the time."""
    rows: dict[int, list[_Row]] = defaultdict(list)
    for row in map(
        _Row._make, Appointment.objects.overlapping(*clinic_time.day_bounds(day)).values_list(*_Row._fields)
    ):
        rows[row.doctor_id].append(row)
    return rows


class _Desk:
    """Lays out one day for one user, who sees all patients, the own ones, or initials only."""

    def __init__(
        self, user: Any, grid: Grid, *, at: dt.datetime, room_for: int, own: list[_Row], moving: int | None
    ) -> None:
        self.user_id = user.pk
        self.sees_all = user.has_perm("patients.view_patient")
        self.sees_own = user.has_perm("patients.view_own_patient")
        self.books = user.has_perm("appointments.add_appointment")
        self.book_url = reverse("appointments:appointment_book")
        self.grid = grid
        self.at = at
        self.room_for = room_for
        self.own = own  # the visits of the patient for whom a time is sought
        self.moving = moving

    def column(self, doctor: Doctor, rows: list[_Row]) -> Column:
        """Return a doctor's day; free time only of doctors who can be booked, for users who book."""
        is_named = self.sees_all or (self.sees_own and doctor.user_id == self.user_id)
        return Column(
            doctor,
            [self._block(row, doctor, is_named=is_named) for row in rows if row.start_time >= self.grid.start],
            list(self._free_times(rows, doctor)) if self.books and doctor.is_active else [],
        )

    def _block(self, row: _Row, doctor: Doctor, *, is_named: bool) -> Block:
        names_of_patient = row.patient__first_name, row.patient__last_name
        return Block(
            place=self.grid.place_of(row.start_time, row.end_time),
            url=reverse("appointments:appointment_detail", args=[row.pk]) if is_named else "",
            time=clinic_time.time_text(row.start_time),
            until=clinic_time.time_text(row.end_time),
            who=" ".join(names_of_patient) if is_named else names.initials(*names_of_patient),
            phone=row.patient__phone_number if is_named else "",
            reason=row.reason if is_named else "",
            doctor_name=doctor.full_name,
            status=Status(row.status),
            is_beside=False,
        )

    def _free_times(self, rows: list[_Row], doctor: Doctor) -> Iterator[Free]:
        """Yield the doctor's free time from now on, in pieces on which a visit can begin, soonest first."""
        taken = sorted(
            self.grid.place_of(row.start_time, row.end_time)
            for row in (*rows, *self.own)
            if row.status in BLOCKING and row.pk != self.moving
        )
        begin = max(0, _round_up(self.grid.minute_of(self.at) + 1, BEGIN_STEP_MINUTES))
        for place in [*taken, Place(self.grid.last_start)]:
            for piece in _pieces(begin, place.minute):
                if place.minute - piece.minute >= self.room_for:
                    yield self._free(doctor, piece, room=place.minute - piece.minute)
            begin = max(begin, place.minute + place.minutes)

    def _free(self, doctor: Doctor, piece: Place, *, room: int) -> Free:
        wall = clinic_time.local(self.grid.instant_at(piece.minute))
        slot: dict[str, Any] = {"doctor": doctor.pk, "date": wall.date().isoformat(), "time": f"{wall:%H:%M}"}
        if clinic_time.is_repeated(wall):
            slot["which"] = wall.fold
        take = urlencode(slot)
        if room < USUAL_MINUTES:
            slot["minutes"] = room
        return Free(piece, slot["time"], f"{self.book_url}?{urlencode(slot)}", take)


def _pieces(begin: int, end: int) -> Iterator[Place]:
    """Yield a gap cut at the half hours; what is too short for a visit joins its neighbour."""
    while end - begin >= SHORTEST_MINUTES:
        cut = _round_up(begin + SHORTEST_MINUTES, FREE_STEP_MINUTES)
        if end - cut < SHORTEST_MINUTES:
            cut = end
        yield Place(begin, cut - begin)
        begin = cut


def _round_up(minute: int, step: int) -> int:
    return -(-minute // step) * step
