"""What the day view shows: ready values, placed to the minute.

Places count minutes that really pass since the grid's first instant, so a day of 23 or 25 hours is drawn right and
only the hour marks show what the clocks do.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from appointments.models import Appointment
from appointments.rules import SHORTEST_MINUTES
from appointments.statuses import BLOCKING, Status
from clinic import clinic_time, names
from doctors.models import Doctor

# The hours that are drawn when nothing is booked outside them.
DAY_OPENS = dt.time(8)
DAY_CLOSES = dt.time(18)

USUAL_MINUTES = 30
FREE_STEP_MINUTES = 30  # free time is offered in pieces that begin on the clock's half hours
BEGIN_STEP_MINUTES = 5  # and today not before the next full five minutes
TALL_BLOCK_MINUTES = 25

_ROW = (
    "pk",
    "doctor_id",
    "start_time",
    "end_time",
    "status",
    "reason",
    "patient__first_name",
    "patient__last_name",
    "patient__phone_number",
)


@dataclass(frozen=True)
class Place:
    """Where on the grid: minutes after its first instant, and for how many."""

    minute: int
    minutes: int = 0

    @property
    def css(self) -> str:
        """The classes of day.css that put an element there, since the security policy forbids inline styles."""
        hour, minute = divmod(self.minute, 60)
        hours, minutes = divmod(self.minutes, 60)
        return f"at-h{hour} at-m{minute} for-h{hours} for-m{minutes}"


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


@dataclass
class Column:
    """One doctor's day."""

    doctor: Doctor
    blocks: list[Block] = field(default_factory=list)
    free: list[Free] = field(default_factory=list)

    @property
    def visits(self) -> int:
        """How many appointments occupy the doctor."""
        return sum(block.status in BLOCKING for block in self.blocks)

    @property
    def next_free(self) -> Free | None:
        """The first free time."""
        return self.free[0] if self.free else None


@dataclass(frozen=True)
class Mark:
    """An hour on the time axis."""

    place: Place
    label: str


@dataclass(frozen=True)
class Day:
    """The schedule of one clinic-local date."""

    date: dt.date
    first_instant: dt.datetime
    columns: list[Column]
    listed: list[Block]
    hours: list[Mark]
    length: Place
    now: Mark | None
    counts: list[tuple[Status, int]]
    doctors: list[Doctor]
    specializations: list[str]

    @property
    def has_no_free(self) -> bool:
        """Whether no doctor has free time."""
        return not any(column.free for column in self.columns)

    def nearest_free(self, doctor_id: int, instant: dt.datetime, *, most: int = 3) -> list[Free]:
        """Return the doctor's free times nearest to an instant, in order of time."""
        minute = (instant - self.first_instant) // dt.timedelta(minutes=1)
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
    at: dt.datetime | None = None,
) -> Day:
    """Return what a user sees of a day, for all doctors, one, or one specialization. Two queries, however many rows.

    Free times are those at which a visit of `room_for` minutes would fit. Columns come in order of the doctors' names, blocks in order of time. Cancelled visits are listed, not drawn.
    """
    at = at or timezone.now()
    doctors = list(Doctor.objects.order_by("full_name", "pk"))
    rows = list(Appointment.objects.on_day(day).order_by("start_time", "pk").values_list(*_ROW))
    booked = {row[1] for row in rows}
    shown = [
        doctor
        for doctor in doctors
        if (doctor.is_active or doctor.pk in booked)
        and (doctor_id is None or doctor.pk == doctor_id)
        and specialization in ("", doctor.specialization)
    ]
    grid = _Grid.around(day, [(row[2], row[3]) for row in rows])
    by_doctor: dict[int, list[tuple]] = {doctor.pk: [] for doctor in shown}
    for row in rows:
        by_doctor.get(row[1], []).append(row)
    sight = _Sight(user)
    columns, listed = [], []
    for doctor in shown:
        blocks = [(row, _block(row, doctor, grid, sight)) for row in by_doctor[doctor.pk]]
        listed += [(row[2], block) for row, block in blocks]
        drawn = [block for row, block in blocks if row[4] != Status.CANCELLED]
        offers = _free_times(by_doctor[doctor.pk], doctor, grid, at, room_for) if sight.books else ()
        free = list(offers) if doctor.is_active else []
        columns.append(Column(doctor, _beside(drawn), free))
    counts = Counter(block.status for _start, block in listed)
    return Day(
        date=day,
        first_instant=grid.start,
        columns=columns,
        listed=[block for _start, block in sorted(listed, key=lambda pair: pair[0])],
        hours=list(grid.hour_marks()),
        length=Place(0, grid.minutes),
        now=Mark(Place(grid.minute_of(at)), clinic_time.time_text(at)) if grid.start <= at < grid.end else None,
        counts=[(status, counts[status]) for status in Status if counts[status]],
        doctors=[doctor for doctor in doctors if doctor.is_active or doctor.pk in booked],
        specializations=sorted({doctor.specialization for doctor in doctors if doctor.is_active}),
    )


@dataclass(frozen=True)
class _Grid:
    """The stretch of time that is drawn, from a full hour to a full hour."""

    start: dt.datetime
    end: dt.datetime

    @classmethod
    def around(cls, day: dt.date, spans: list[tuple[dt.datetime, dt.datetime]]) -> "_Grid":
        """Return the usual hours of the day, stretched to what is booked."""
        midnight, next_midnight = clinic_time.day_bounds(day)
        usual = [_clock_instant(day, time, midnight) for time in (DAY_OPENS, DAY_CLOSES)]
        first = min([usual[0], *(start for start, _end in spans)])
        last = max([usual[1], *(end for _start, end in spans)])
        start = midnight + (first - midnight) // dt.timedelta(hours=1) * dt.timedelta(hours=1)
        end = midnight - (midnight - last) // dt.timedelta(hours=1) * dt.timedelta(hours=1)
        return cls(start, max(end, min(next_midnight, start + dt.timedelta(hours=1))))

    @property
    def minutes(self) -> int:
        return self.minute_of(self.end)

    def minute_of(self, instant: dt.datetime) -> int:
        """Return the whole minutes that pass from the grid's first instant to another."""
        return (instant - self.start) // dt.timedelta(minutes=1)

    def at(self, minute: int) -> dt.datetime:
        """Return the instant so many minutes after the grid's first."""
        return self.start + dt.timedelta(minutes=minute)

    def hour_marks(self) -> Iterator[Mark]:
        """Yield a mark wherever clinic clocks show a full hour; a repeated hour says which it is."""
        for minute in range(0, self.minutes, 15):
            wall = clinic_time.local(self.at(minute))
            if wall.minute == 0:
                is_repeated = wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset()
                yield Mark(Place(minute), f"{wall:%H:%M %Z}" if is_repeated else f"{wall:%H:%M}")


def _clock_instant(day: dt.date, time: dt.time, midnight: dt.datetime) -> dt.datetime:
    """Return when clocks show a time; where they never do, the same time after midnight."""
    wall = dt.datetime.combine(day, time, clinic_time.clinic_zone())
    return max(wall.astimezone(dt.UTC), midnight)


class _Sight:
    """What a user may see of the patients in the day view, and whether the user books."""

    def __init__(self, user: Any) -> None:
        self.all = user.has_perm("patients.view_patient")
        self.own = user.has_perm("patients.view_own_patient")
        self.books = user.has_perm("appointments.add_appointment")
        self.user_id = user.pk

    def covers(self, doctor: Doctor) -> bool:
        """Return whether the patients in this doctor's column are named."""
        return self.all or (self.own and doctor.user_id == self.user_id)


def _block(row: tuple, doctor: Doctor, grid: _Grid, sight: _Sight) -> Block:
    pk, _doctor_id, start, end, status, reason, first_name, last_name, phone = row
    is_named = sight.covers(doctor)
    return Block(
        place=Place(grid.minute_of(start), (end - start) // dt.timedelta(minutes=1)),
        url=reverse("appointments:appointment_detail", args=[pk]) if is_named else "",
        time=clinic_time.time_text(start),
        until=clinic_time.time_text(end),
        who=f"{first_name} {last_name}" if is_named else names.initials(first_name, last_name),
        phone=phone if is_named else "",
        reason=reason if is_named else "",
        doctor_name=doctor.full_name,
        status=Status(status),
        is_beside=False,
    )


def _beside(blocks: list[Block]) -> list[Block]:
    """Return the blocks with those set beside whose freed time somebody else has been given."""
    taken = [block.place for block in blocks if block.status in BLOCKING]
    return [
        replace(block, is_beside=True)
        if block.status not in BLOCKING and any(_share_time(block.place, place) for place in taken)
        else block
        for block in blocks
    ]


def _share_time(one: Place, other: Place) -> bool:
    return one.minute < other.minute + other.minutes and other.minute < one.minute + one.minutes


def _free_times(rows: list[tuple], doctor: Doctor, grid: _Grid, at: dt.datetime, room_for: int) -> Iterator[Free]:
    """Yield the doctor's free time from `at` on, in pieces on which a visit can begin, soonest first."""
    earliest = max(0, _round_up(grid.minute_of(at) + 1, BEGIN_STEP_MINUTES))
    taken = sorted((grid.minute_of(row[2]), grid.minute_of(row[3])) for row in rows if row[4] in BLOCKING)
    begin = earliest
    for start, end in [*taken, (grid.minutes, grid.minutes)]:
        for minute, minutes in _pieces(begin, start):
            if start - minute >= room_for:
                yield _free(doctor, grid, minute, minutes, until=start)
        begin = max(begin, end)


def _pieces(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield `(minute, minutes)` for a gap cut at the half hours; what is too short for a visit joins its neighbour."""
    while end - begin >= SHORTEST_MINUTES:
        cut = _round_up(begin + SHORTEST_MINUTES, FREE_STEP_MINUTES)
        if end - cut < SHORTEST_MINUTES:
            cut = end
        yield begin, cut - begin
        begin = cut


def _round_up(minute: int, step: int) -> int:
    return -(-minute // step) * step


def _free(doctor: Doctor, grid: _Grid, minute: int, minutes: int, *, until: int) -> Free:
    wall = clinic_time.local(grid.at(minute))
    slot: dict[str, Any] = {"doctor": doctor.pk, "date": wall.date().isoformat(), "time": f"{wall:%H:%M}"}
    if wall.fold:
        slot["which"] = clinic_time.SECOND
    take = urlencode(slot)
    if until - minute < USUAL_MINUTES:
        slot["minutes"] = until - minute
    url = f"{reverse('appointments:appointment_book')}?{urlencode(slot)}"
    return Free(Place(minute, minutes), slot["time"], url, take)
