"""Free times: at which starts an appointment would fit.

Spans `(start, end)` are of aware instants; they contain their start and not their end. When a doctor is there is what
`doctors.availability` says.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.db.models import Q
from django.utils import timezone

from appointments.models import Appointment
from clinic.core import clinic_time
from clinic.core.appointment_length import SHORTEST
from doctors.availability import DoctorAvailability, Span, without
from doctors.availability_loader import load_availability
from doctors.models import Doctor

MAX_STEP = dt.timedelta(minutes=30)  # free time is offered in pieces that begin at least every half hour
BEGIN_STEP = dt.timedelta(minutes=5)  # and today not before the next full five minutes
INSTANT = dt.timedelta(microseconds=1)
NO_GAP = dt.timedelta()

LOOK_AHEAD_DAYS = 14
_LAST_WEEK = clinic_time.LAST_DATE - dt.timedelta(days=7)
NOON = dt.time(12)
EVENING = dt.time(17)


class Piece(NamedTuple):
    """Free time on which an appointment can begin, and until when nothing is in its way."""

    start: dt.datetime
    end: dt.datetime
    room_until: dt.datetime

    @property
    def room_minutes(self) -> int:
        """How long an appointment that begins with the piece can last."""
        return (self.room_until - self.start) // dt.timedelta(minutes=1)


def free_pieces(
    hours: Iterable[Span],
    taken: Iterable[Span],
    *,
    minutes: int,
    at: dt.datetime,
    step: dt.timedelta = MAX_STEP,
) -> Iterator[Piece]:
    """Yield the hours less what is taken, from `at` on, in pieces with room for `minutes`, soonest first.

    Pieces begin where free time does and at each `step`, counted from where the hours begin; `taken` may come in any
    order and overlap.
    """
    needed = dt.timedelta(minutes=minutes)
    taken = list(taken)
    for opens, closes in hours:
        earliest = _round_up(at + INSTANT, BEGIN_STEP, since=opens)
        for begin, end in without([(max(opens, earliest), closes)], taken):
            for piece_start, piece_end in _pieces(begin, end, step, since=opens):
                if end - piece_start >= needed:
                    yield Piece(piece_start, piece_end, end)


def _pieces(begin: dt.datetime, end: dt.datetime, step: dt.timedelta, *, since: dt.datetime) -> Iterator[Span]:
    """Yield free time cut at the steps; what is too short for an appointment joins its neighbour."""
    while end - begin >= SHORTEST:
        cut = _round_up(begin + SHORTEST, step, since=since)
        if end - cut < SHORTEST:
            cut = end
        yield begin, cut
        begin = cut


def step_of(doctor: Doctor) -> dt.timedelta:
    """Return how far apart the starts offered of a doctor lie: the usual length with the gap, if that is short."""
    return min(dt.timedelta(minutes=doctor.usual_minutes) + doctor.gap, MAX_STEP)


def widened(span: Span, gap: dt.timedelta) -> Span:
    """Return the time that an appointment blocks for its doctor: its own, and the doctor's gap before and after."""
    return span[0] - gap, span[1] + gap


def _round_up(instant: dt.datetime, step: dt.timedelta, *, since: dt.datetime) -> dt.datetime:
    return since + -((since - instant) // step) * step


def slot_words(doctor_id: int, start: dt.datetime) -> dict[str, Any]:
    """Return doctor, date and time as an address or a button says them; `forms.slot_initial` reads them."""
    wall = clinic_time.local(start)
    words: dict[str, Any] = {"doctor": doctor_id, "date": wall.date().isoformat(), "time": f"{wall:%H:%M}"}
    if clinic_time.is_repeated(wall):
        words["which"] = wall.fold
    return words


# Finding across doctors and days

PARTS_OF_DAY = {"morning": "Morning", "afternoon": "Afternoon", "evening": "From 17:00"}


@dataclass(frozen=True)
class SlotSearch:
    """What kind of time is sought. What is left at its default may be anything; `minutes`, each doctor's usual length.

    `weekday` counts from Monday, 0. `moving` is the appointment for which another time is sought: it takes no time from
    itself, and where it is already is not offered.
    """

    minutes: int | None = None
    doctor_id: int | None = None
    specialization: str = ""
    part_of_day: str = ""
    weekday: int | None = None
    patient_id: int | None = None
    moving: Appointment | None = None

    def minutes_with(self, doctor: Doctor) -> int:
        """Return how long the appointment would be."""
        return self.minutes or doctor.usual_minutes

    def length_with(self, doctor: Doctor) -> dt.timedelta:
        """Return the same as a length of time."""
        return dt.timedelta(minutes=self.minutes_with(doctor))

    def is_held(self, doctor: Doctor, start: dt.datetime) -> bool:
        """Return whether the appointment that is moved is there already, as long as it is to be."""
        if self.moving is None:
            return False
        held = (self.moving.doctor_id, self.moving.start_time, self.moving.duration_minutes)
        return held == (doctor.pk, start, self.minutes_with(doctor))

    def suits_doctor(self, doctor: Doctor) -> bool:
        """Return whether the doctor is among those sought."""
        return self.doctor_id in (None, doctor.pk) and self.specialization in ("", doctor.specialization)

    def suits_day(self, day: dt.date) -> bool:
        """Return whether the weekday is."""
        return self.weekday in (None, day.weekday())

    def suits_start(self, start: dt.datetime) -> bool:
        """Return whether the clinic-local time of day is: mornings end at 12:00, evenings begin at 17:00."""
        if not self.part_of_day:
            return True
        time = clinic_time.local(start).time()
        part = "morning" if time < NOON else "afternoon" if time < EVENING else "evening"
        return part == self.part_of_day


@dataclass(frozen=True)
class Slot:
    """A start at which the appointment would fit."""

    doctor: Doctor
    start: dt.datetime

    @property
    def time(self) -> str:
        """The clinic-local time of day."""
        return clinic_time.time_text(self.start)

    @property
    def day(self) -> str:
        """The clinic-local date with its weekday."""
        return clinic_time.date_text(self.start)

    @property
    def take(self) -> str:
        """What a button says to take this time into a form."""
        return urlencode(slot_words(self.doctor.pk, self.start))


@dataclass(frozen=True)
class FreeDay:
    """The free times of one clinic-local date: doctors with any, who is free first comes first."""

    date: dt.date
    doctors: list[tuple[Doctor, list[Slot]]]


@dataclass(frozen=True)
class SlotSearchResult:
    """What was found: the days with free times, in order, how far was looked, and where to look on."""

    days: list[FreeDay]
    last_day: dt.date
    later: dt.date

    def slots(self) -> Iterator[Slot]:
        """Yield all free times; not in order of time."""
        for day in self.days:
            for _doctor, slots in day.doctors:
                yield from slots


def find_free(
    wish: SlotSearch,
    doctors: list[Doctor],
    *,
    first_day: dt.date,
    days: int = LOOK_AHEAD_DAYS,
    at: dt.datetime | None = None,
) -> SlotSearchResult:
    """Return the free times of those doctors who suit, from `first_day` on. Four queries, however many there are.

    Of a doctor without any hours, weekends are offered if they were asked for: by weekday, or as the first day. Times
    that have passed at `at` (default now) and dates beyond the calendar are left out.
    """
    at = at or timezone.now()
    last_day = min(first_day + dt.timedelta(days=days - 1), clinic_time.LAST_DATE)
    dates = [first_day + dt.timedelta(days=number) for number in range((last_day - first_day).days + 1)]
    sought = [doctor for doctor in doctors if wish.suits_doctor(doctor)]
    coming = [last_day + dt.timedelta(days=number) for number in range(1, 8)] if last_day < _LAST_WEEK else []
    times = load_availability([doctor.pk for doctor in sought], first_day, coming[-1] if coming else last_day)
    taken = _taken(wish, sought, first_day, last_day)

    def there_on(day: dt.date) -> list[Doctor]:
        is_asked_for = day == first_day or wish.weekday is not None
        return [doctor for doctor in sought if is_asked_for or times[doctor.pk].works_on(day)]

    found = [
        FreeDay(day, _free_on(day, wish, there_on(day), times, taken, at=at)) for day in dates if wish.suits_day(day)
    ]
    later = next((day for day in coming if wish.suits_day(day) and there_on(day)), last_day + dt.timedelta(days=1))
    return SlotSearchResult([day for day in found if day.doctors], last_day, later)


def first_working_day(doctors: Iterable[Doctor], day: dt.date, *, days: int = LOOK_AHEAD_DAYS) -> dt.date:
    """Return the date, or the first after it on which one of the doctors works; itself if none does soon.

    Three queries, beside that of the doctors. A clinic without doctors has the usual weekdays.
    """
    coming = [day + dt.timedelta(days=number) for number in range(days)]
    times = [*load_availability([doctor.pk for doctor in doctors], coming[0], coming[-1]).values()] or [
        DoctorAvailability()
    ]
    return next((each for each in coming if any(time.works_on(each) for time in times)), day)


_Taken = dict[tuple[int, dt.date], list[Span]]


def _taken(wish: SlotSearch, sought: list[Doctor], first_day: dt.date, last_day: dt.date) -> _Taken:
    """Return the blocked time, gaps included, by doctor and clinic-local date; key 0 is the patient's own."""
    gaps = {doctor.pk: doctor.gap for doctor in sought}
    longest_gap = max(gaps.values(), default=NO_GAP)
    start, end = widened((clinic_time.day_bounds(first_day)[0], clinic_time.day_bounds(last_day)[1]), longest_gap)
    rows = Appointment.objects.blocking().overlapping(start, end).order_by()
    if wish.moving is not None:
        rows = rows.exclude(pk=wish.moving.pk)
    if wish.doctor_id is not None or wish.specialization:
        rows = rows.filter(Q(doctor__in=[doctor.pk for doctor in sought]) | Q(patient=wish.patient_id))
    taken: _Taken = defaultdict(list)
    for doctor_id, patient_id, *span in rows.values_list("doctor_id", "patient_id", "start_time", "end_time"):
        start, end = widened((span[0], span[1]), gaps.get(doctor_id, NO_GAP))
        for day in {clinic_time.local_date(instant) for instant in (start, end)}:
            taken[doctor_id, day].append((start, end))
            if patient_id == wish.patient_id:
                taken[0, day].append((span[0], span[1]))
    return taken


def _free_on(
    day: dt.date,
    wish: SlotSearch,
    doctors: list[Doctor],
    times: dict[int, DoctorAvailability],
    taken: _Taken,
    *,
    at: dt.datetime,
) -> list[tuple[Doctor, list[Slot]]]:
    if clinic_time.day_bounds(day)[1] <= at:
        return []
    free = []
    for doctor in doctors:
        spans = [*taken.get((doctor.pk, day), ()), *taken.get((0, day), ())]
        hours, minutes = times[doctor.pk].offered_on(day), wish.minutes_with(doctor)
        pieces = free_pieces(hours, spans, minutes=minutes, at=at, step=step_of(doctor))
        starts = [piece.start for piece in pieces if wish.suits_start(piece.start)]
        slots = [Slot(doctor, start) for start in starts if not wish.is_held(doctor, start)]
        if slots:
            free.append((doctor, slots))
    return sorted(free, key=lambda each: each[1][0].start)


def nearest(slots: Iterable[Slot], instant: dt.datetime, *, most: int = 3) -> list[Slot]:
    """Return the free times nearest to an instant, in order of time."""
    chosen = sorted(slots, key=lambda slot: (abs(slot.start - instant), slot.start))[:most]
    return sorted(chosen, key=lambda slot: slot.start)
