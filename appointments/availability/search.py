"""Free times: at which starts an appointment would fit. Spans are as in `doctors.availability`."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import NamedTuple

from django.db.models import Q
from django.utils import timezone

from appointments.models import Appointment
from appointments.querysets import AppointmentQuerySet
from clinic.core import clinic_time
from clinic.core.appointment_length import SHORTEST
from clinic.core.clinic_time import ONE_DAY
from clinic.db.times_as_text import as_text, instant_of
from clinic.web.http import parse_number
from doctors.availability import Span, without
from doctors.availability_loader import LOOK_AHEAD_DAYS, LoadAvailability, load_availability
from doctors.models import Doctor

MAX_STEP = dt.timedelta(minutes=30)  # free time is offered in intervals that begin at least every half hour
BEGIN_STEP = dt.timedelta(minutes=5)  # and today not before the next full five minutes
INSTANT = dt.timedelta(microseconds=1)
NO_GAP = dt.timedelta()
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LAST_MINUTE = (dt.datetime.combine(clinic_time.LAST_DATE, dt.time.min, dt.UTC) - EPOCH) // clinic_time.MINUTE

DAYS_AT_ONCE = 8  # read together by a search that may stop early: five working days and the one after them
_LAST_WEEK = clinic_time.LAST_DATE - dt.timedelta(days=7)
NOON = dt.time(12)
EVENING = dt.time(17)


class FreeInterval(NamedTuple):
    """Free time in which an appointment can begin; it may last until `free_until`."""

    start: dt.datetime
    end: dt.datetime
    free_until: dt.datetime

    @property
    def max_minutes(self) -> int:
        """The longest appointment that can begin at `start`."""
        return (self.free_until - self.start) // dt.timedelta(minutes=1)


def free_intervals(
    hours: Iterable[Span],
    taken: Iterable[Span],
    *,
    minutes: int,
    at: dt.datetime,
    step: dt.timedelta = MAX_STEP,
) -> Iterator[FreeInterval]:
    """Yield the hours less what is taken, from `at` on, in intervals with room for `minutes`, soonest first.

    They begin where free time does and at each `step` from the opening; `taken` may be unsorted and overlap.
    """
    needed = dt.timedelta(minutes=minutes)
    taken = sorted(taken)
    for opens, closes in hours:
        for begin, end in without([(_earliest(opens, at), closes)], taken):
            for start, interval_end in _cut(begin, end, step, since=opens):
                if end - start >= needed:
                    yield FreeInterval(start, interval_end, end)


def offered_starts(
    hours: Iterable[Span], taken: Iterable[Span], *, minutes: int, at: dt.datetime, step: dt.timedelta
) -> Iterator[dt.datetime]:
    """Yield the starts of `free_intervals`, found without the intervals: a page needs thousands of them."""
    needed, stride = max(dt.timedelta(minutes=minutes), SHORTEST), _stride(step)
    taken = sorted(taken)
    for opens, closes in hours:
        for begin, end in without([(_earliest(opens, at), closes)], taken):
            latest = end - needed
            if begin <= latest:
                yield begin
                start = _round_up(begin + SHORTEST, step, since=opens)
                while start <= latest:
                    yield start
                    start += stride


def _earliest(opens: dt.datetime, at: dt.datetime) -> dt.datetime:
    return opens if at < opens else _round_up(at + INSTANT, BEGIN_STEP, since=opens)


def _cut(begin: dt.datetime, end: dt.datetime, step: dt.timedelta, *, since: dt.datetime) -> Iterator[Span]:
    """Cut free time at the steps; what is too short for an appointment joins its neighbour."""
    latest = end - SHORTEST
    cut = _round_up(begin + SHORTEST, step, since=since)
    while begin <= latest:
        if cut > latest:
            cut = end
        yield begin, cut
        begin, cut = cut, cut + _stride(step)


def _stride(step: dt.timedelta) -> dt.timedelta:
    """Return the least number of steps with room for an appointment."""
    return -(-SHORTEST // step) * step


def step_of(doctor: Doctor) -> dt.timedelta:
    """Return the time between the starts offered: the doctor's usual length with the gap, at most half an hour."""
    return min(dt.timedelta(minutes=doctor.usual_minutes) + doctor.gap, MAX_STEP)


def with_gap(span: Span, gap: dt.timedelta) -> Span:
    """Return the time that an appointment blocks for its doctor: its own, and the doctor's gap before and after."""
    return span[0] - gap, span[1] + gap


def _round_up(instant: dt.datetime, step: dt.timedelta, *, since: dt.datetime) -> dt.datetime:
    return since + -((since - instant) // step) * step


def slot_query(doctor_id: int, start: dt.datetime) -> str:
    """Return doctor and start, cut to the minute, as a parameter of an address; `parse_slot` reads its value."""
    return f"slot={doctor_id}-{(start - EPOCH) // clinic_time.MINUTE}"


def parse_slot(text: str) -> tuple[int, dt.datetime] | None:
    """Return doctor's id and start of a `slot` parameter; None if it is not one, or outside the portal's calendar."""
    numbers = [parse_number(part) for part in text.split("-")]
    match numbers:
        case [int(doctor_id), int(minutes)] if minutes <= _LAST_MINUTE:
            return doctor_id, EPOCH + minutes * clinic_time.MINUTE
    return None


class Slot(NamedTuple):
    doctor: Doctor
    start: dt.datetime

    @property
    def time(self) -> str:
        return clinic_time.time_text(self.start)

    @property
    def day(self) -> str:
        return clinic_time.date_text(self.start)

    @property
    def query(self) -> str:
        """The slot as a query string, for links and the values of buttons."""
        return slot_query(self.doctor.pk, self.start)


# Search across doctors and days

PARTS_OF_DAY = {"morning": "Morning", "afternoon": "Afternoon", "evening": "From 17:00"}


@dataclass(frozen=True)
class SlotSearch:
    """What a free time must match. Defaults match anything; `minutes` defaults to each doctor's usual length.

    `weekday` counts from Monday, 0. `moving` is the appointment that is to be moved: it blocks no time, and its present
    time is not offered.
    """

    minutes: int | None = None
    doctor_id: int | None = None
    specialization: str = ""
    part_of_day: str = ""
    weekday: int | None = None
    patient_id: int | None = None
    moving: Appointment | None = None

    def minutes_with(self, doctor: Doctor) -> int:
        return self.minutes or doctor.usual_minutes

    def length_with(self, doctor: Doctor) -> dt.timedelta:
        return dt.timedelta(minutes=self.minutes_with(doctor))

    def is_present_time(self, doctor: Doctor, start: dt.datetime) -> bool:
        """Return whether the appointment being moved has this doctor, start and length already."""
        if self.moving is None:
            return False
        present = (self.moving.doctor_id, self.moving.start_time, self.moving.duration_minutes)
        return present == (doctor.pk, start, self.minutes_with(doctor))

    def suits_doctor(self, doctor: Doctor) -> bool:
        return self.doctor_id in (None, doctor.pk) and self.specialization in ("", doctor.specialization)

    def suits_day(self, day: dt.date) -> bool:
        return self.weekday in (None, day.weekday())

    def suits_start(self, start: dt.datetime) -> bool:
        """Return whether the clinic-local time of day matches: mornings end at 12:00, evenings begin at 17:00."""
        if not self.part_of_day:
            return True
        time = clinic_time.local(start).time()
        part = "morning" if time < NOON else "afternoon" if time < EVENING else "evening"
        return part == self.part_of_day


def offered_slots(
    doctor: Doctor, hours: Iterable[Span], taken: Iterable[Span], *, minutes: int, at: dt.datetime
) -> Iterator[Slot]:
    """Yield the starts offered within a doctor's hours for an appointment of `minutes`, soonest first."""
    for start in offered_starts(hours, taken, minutes=minutes, at=at, step=step_of(doctor)):
        yield Slot(doctor, start)


@dataclass(frozen=True)
class FreeDay:
    """The free times of one clinic-local date: doctors with any, in order of their first free time."""

    date: dt.date
    doctors: list[tuple[Doctor, list[Slot]]]


@dataclass(frozen=True)
class SlotSearchResult:
    """The days with free times in order, the last day searched, and the day from which to search on."""

    days: list[FreeDay]
    last_day: dt.date
    later: dt.date

    def slots(self) -> Iterator[Slot]:
        """Yield all free times; not in order of time."""
        for day in self.days:
            for _doctor, slots in day.doctors:
                yield from slots


def find_free(
    search: SlotSearch,
    doctors: list[Doctor],
    *,
    first_day: dt.date,
    days: int = LOOK_AHEAD_DAYS,
    max_times: int | None = None,
    at: dt.datetime | None = None,
    load: LoadAvailability = load_availability,
) -> SlotSearchResult:
    """Return the matching free times from `first_day` on, after `at` (default now). Four queries in all.

    With `max_times`, only so many of each doctor and day.
    """
    finder = _Finder(search, doctors, first_day, days, at or timezone.now(), load)
    return SlotSearchResult(list(finder.free_days(max_times)), finder.last_day, finder.later())


def find_first_free(
    search: SlotSearch,
    doctors: list[Doctor],
    *,
    first_day: dt.date,
    max_days: int,
    max_times: int | None,
    at: dt.datetime | None = None,
    load: LoadAvailability = load_availability,
) -> SlotSearchResult:
    """Return the first `max_days` of `find_free`, with the first `max_times` of each doctor and day (None: with all).

    `later` is the next day with free times, if there is one. At most five queries: nothing after it is looked at.
    """
    finder = _Finder(search, doctors, first_day, LOOK_AHEAD_DAYS, at or timezone.now(), load, DAYS_AT_ONCE)
    found: list[FreeDay] = []
    for day in finder.dates():
        if len(found) < max_days:
            found += filter(None, [finder.free_day(day, max_times)])
        elif finder.is_free(day):
            return SlotSearchResult(found, finder.last_day, day)
    return SlotSearchResult(found, finder.last_day, finder.later())


def _dates(first: dt.date, last: dt.date) -> list[dt.date]:
    return [first + number * ONE_DAY for number in range((last - first).days + 1)]


# Blocked time by ("doctor" or "patient", id, clinic-local date).
TakenTimes = dict[tuple[str, int, dt.date], list[Span]]


def _taken_in_search(search: SlotSearch, doctors: list[Doctor], first_day: dt.date, last_day: dt.date) -> TakenTimes:
    appointments = Appointment.objects.all()
    if search.moving is not None:
        appointments = appointments.exclude(pk=search.moving.pk)
    if search.doctor_id is not None or search.specialization:
        appointments = appointments.filter(
            Q(doctor__in=[doctor.pk for doctor in doctors]) | Q(patient=search.patient_id)
        )
    patient_ids = () if search.patient_id is None else (search.patient_id,)
    return load_taken_times(appointments, doctors, patient_ids, first_day, last_day)


def load_taken_times(
    appointments: AppointmentQuerySet,
    doctors: Iterable[Doctor],
    patient_ids: Collection[int],
    first_day: dt.date,
    last_day: dt.date,
) -> TakenTimes:
    """Return the time that these appointments block for doctors, with their gaps, and for patients. One query."""
    gaps = {doctor.pk: doctor.gap for doctor in doctors}
    days = clinic_time.day_bounds(first_day)[0], clinic_time.day_bounds(last_day)[1]
    rows = appointments.blocking().overlapping(*with_gap(days, max(gaps.values(), default=NO_GAP))).order_by()
    columns = rows.values_list("doctor_id", "patient_id", as_text("start_time"), as_text("end_time"))
    blocked = cache(_blocked_time)  # many doctors have appointments at the same times
    taken: TakenTimes = defaultdict(list)
    for doctor_id, patient_id, start, end in columns:
        if doctor_id in gaps:
            span, dates = blocked(start, end, gaps[doctor_id])
            for day in dates:
                taken["doctor", doctor_id, day].append(span)
        if patient_id in patient_ids:
            add_taken(taken, "patient", patient_id, (instant_of(start), instant_of(end)))
    return taken


def _blocked_time(start: str, end: str, gap: dt.timedelta) -> tuple[Span, set[dt.date]]:
    span = with_gap((instant_of(start), instant_of(end)), gap)
    return span, {clinic_time.local_date(instant) for instant in span}


def add_taken(taken: TakenTimes, whose: str, pk: int, span: Span) -> set[dt.date]:
    """Add a span to the dates on which it starts and ends, and return them."""
    days = {clinic_time.local_date(instant) for instant in span}
    for day in days:
        taken[whose, pk, day].append(span)
    return days


class _Finder:
    """The free times of the matching doctors, day by day; the days have to be asked for in order."""

    def __init__(
        self,
        search: SlotSearch,
        doctors: list[Doctor],
        first_day: dt.date,
        days: int,
        at: dt.datetime,
        load: LoadAvailability,
        days_at_once: int | None = None,
    ) -> None:
        self.search = search
        self.doctors = [doctor for doctor in doctors if search.suits_doctor(doctor)]
        self.first_day = first_day
        self.last_day = min(first_day + (days - 1) * ONE_DAY, clinic_time.LAST_DATE)
        self.next_week = self.last_day + 7 * ONE_DAY if self.last_day < _LAST_WEEK else self.last_day
        self.at = at
        self.times = load([doctor.pk for doctor in self.doctors], first_day, self.next_week)
        self.days_at_once = days_at_once or days
        self.starts = cache(self._starts)  # many doctors are free at the same times
        self.taken: TakenTimes = {}
        self.taken_until = first_day - ONE_DAY

    def dates(self) -> list[dt.date]:
        """Return the dates searched, without those that are over."""
        dates = _dates(self.first_day, self.last_day)
        return [day for day in dates if clinic_time.day_bounds(day)[1] > self.at]

    def free_days(self, max_times: int | None = None) -> Iterator[FreeDay]:
        return filter(None, (self.free_day(day, max_times) for day in self.dates()))

    def later(self) -> dt.date:
        """Return the first date after those searched, within a week, on which there may be free times."""
        dates = _dates(self.last_day + ONE_DAY, self.next_week)
        return next((day for day in dates if any(self._hours_on(day))), self.last_day + ONE_DAY)

    def free_day(self, day: dt.date, max_times: int | None = None) -> FreeDay | None:
        """Return the free times of a date, at most `max_times` of each doctor, or None if there are none."""
        slots = ((doctor, self._slots(day, doctor, hours, max_times)) for doctor, hours in self._hours_on(day))
        free = [each for each in slots if each[1]]
        return FreeDay(day, sorted(free, key=lambda each: each[1][0].start)) if free else None

    def is_free(self, day: dt.date) -> bool:
        return any(self._slots(day, doctor, hours, 1) for doctor, hours in self._hours_on(day))

    def _hours_on(self, day: dt.date) -> Iterator[tuple[Doctor, list[Span]]]:
        """Yield the doctors to look at on this date with the hours offered; none if its weekday does not match.

        Doctors without any hours are included at a weekend only if it is asked for: by weekday, or as the first day.
        """
        if not self.search.suits_day(day):
            return
        is_asked_for = day == self.first_day or self.search.weekday is not None
        for doctor in self.doctors:
            time = self.times[doctor.pk]
            if is_asked_for:
                yield doctor, time.offered_on(day)
            elif time.has_weekday(day) and (hours := time.offered_on(day)):
                yield doctor, hours

    def _slots(self, day: dt.date, doctor: Doctor, hours: list[Span], max_times: int | None) -> list[Slot]:
        search, taken = self.search, self._taken_on(day, "doctor", doctor.pk)
        if search.patient_id is not None:
            taken = [*taken, *self._taken_on(day, "patient", search.patient_id)]
        # One more, as one of them may be the present time.
        limit = max_times and max_times + 1
        starts = self.starts(tuple(hours), tuple(taken), search.minutes_with(doctor), step_of(doctor), limit)
        return [Slot(doctor, start) for start in starts if not search.is_present_time(doctor, start)][:max_times]

    def _starts(
        self, hours: tuple[Span, ...], taken: tuple[Span, ...], minutes: int, step: dt.timedelta, limit: int | None
    ) -> list[dt.datetime]:
        starts = offered_starts(hours, taken, minutes=minutes, at=self.at, step=step)
        return list(islice(filter(self.search.suits_start, starts), limit))

    def _taken_on(self, day: dt.date, whose: str, pk: int) -> list[Span]:
        if day > self.taken_until:
            self.taken_until = min(day + (self.days_at_once - 1) * ONE_DAY, self.last_day)
            self.taken = _taken_in_search(self.search, self.doctors, day, self.taken_until)
        return self.taken.get((whose, pk, day), [])


def nearest(slots: Iterable[Slot], instant: dt.datetime, *, limit: int = 3) -> list[Slot]:
    """Return the free times nearest to an instant, in order of time."""
    chosen = sorted(slots, key=lambda slot: (abs(slot.start - instant), slot.start))[:limit]
    return sorted(chosen, key=lambda slot: slot.start)
