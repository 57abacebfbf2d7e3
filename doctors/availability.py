"""When doctors can be booked: pure functions on spans of time, without database and clock.

A span is a pair `(start, end)` of aware instants, end excluded. Working hours are clinic-local and become instants day
by day, so that days of 23 and 25 hours come out right.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import TextChoices

from clinic.core import clinic_time
from clinic.core.clinic_time import ONE_DAY

Span = tuple[dt.datetime, dt.datetime]
Interval = tuple[dt.time, dt.time]  # of clinic-local times on one date; an end of 00:00 is the midnight that follows
Week = Mapping[int, Sequence[Interval]]  # by weekday, Monday is 0


# When free times are offered of doctors without any hours, who can be booked at any time.
USUAL_OPENS = dt.time(8)
USUAL_CLOSES = dt.time(18)
USUAL_WEEKDAYS = range(5)  # Monday to Friday


# Spans


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, with overlapping and touching ones joined and empty ones left out."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif start < end:
            joined.append((start, end))
    return joined


def without(spans: Iterable[Span], taken: Iterable[Span]) -> Iterator[Span]:
    """Yield what is left of spans that are in order; `taken` may be in any order and overlap."""
    taken = sorted(taken)
    for begin, closes in spans:
        for start, end in taken:
            if start >= closes:
                break
            if begin < start:
                yield begin, start
            begin = max(begin, end)
        if begin < closes:
            yield begin, closes


def shared(spans: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    others = list(others)
    return merged((max(a, c), min(b, d)) for a, b in spans for c, d in others if max(a, c) < min(b, d))


def minutes_of(spans: Iterable[Span]) -> int:
    return sum((end - start for start, end in spans), dt.timedelta()) // clinic_time.MINUTE


# A doctor's availability


class Why(TextChoices):
    CLOSED = "closed", "Closed"
    LEAVE = "leave", "Leave"
    DAY_OFF = "day_off", "Not working"
    BEFORE_HOURS = "before_hours", "Before hours"
    BREAK = "break", "Break"
    AFTER_HOURS = "after_hours", "After hours"
    GAP = "gap", "Gap"
    TOO_SHORT = "too_short", "Too short"


class Unavailability(NamedTuple):
    """A time in which a doctor cannot be booked; `detail` is a leave's reason or a closure's name."""

    start: dt.datetime
    end: dt.datetime
    why: Why
    detail: str = ""


class Opening(NamedTuple):
    """A doctor's date: when free times are offered, and when the doctor cannot be booked, both in order.

    A doctor who has no hours at all can be booked at any time.
    """

    hours: list[Span]
    away: list[Unavailability]
    has_hours: bool


class Absence(NamedTuple):
    start: dt.datetime
    end: dt.datetime
    reason: str


class ValidWeek(NamedTuple):
    """A timetable: weekly hours on the dates from first to last, both included; None is no bound."""

    valid_from: dt.date | None
    valid_until: dt.date | None
    week: Week

    def holds_on(self, day: dt.date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day <= self.valid_until
        )


def interval_spans(day: dt.date, intervals: Iterable[Interval]) -> list[Span]:
    """Return the clinic-local intervals of a date as instants, in order and joined.

    A time that the clock change skips is the instant of the change; of a repeated time, the first counts.
    """
    return list(_interval_spans(day, tuple(intervals), clinic_time.clinic_zone()))


@lru_cache(4096)
def _interval_spans(day: dt.date, intervals: tuple[Interval, ...], _zone: ZoneInfo) -> list[Span]:
    spans = []
    for start, end in intervals:
        last_day = day if end != dt.time.min else day + ONE_DAY
        spans.append((clinic_time.first_instant_from(day, start), clinic_time.first_instant_from(last_day, end)))
    return merged(spans)


def usual_hours(day: dt.date) -> Span:
    return clinic_time.first_instant_from(day, USUAL_OPENS), clinic_time.first_instant_from(day, USUAL_CLOSES)


@dataclass(frozen=True)
class DoctorAvailability:
    """A doctor's hours and leave, and the clinic's closures, on the dates that were loaded."""

    weeks: Sequence[ValidWeek] = ()
    absences: Sequence[Absence] = ()
    closures: Mapping[dt.date, str] = field(default_factory=dict)

    @cached_property
    def has_hours(self) -> bool:
        """Whether the doctor has any hours; a doctor without can be booked at any time."""
        return any(intervals for valid in self.weeks for intervals in valid.week.values())

    def hours_on(self, day: dt.date) -> list[Span]:
        """Return the working hours of a date, in order; the whole day for a doctor without any."""
        if not self.has_hours:
            return [clinic_time.day_bounds(day)]
        intervals = [pair for valid in self.weeks if valid.holds_on(day) for pair in valid.week.get(day.weekday(), ())]
        return interval_spans(day, intervals)

    def hours_between(self, start: dt.datetime, end: dt.datetime) -> list[Span]:
        """Return the working hours of all dates that `[start, end)` touches, joined over midnight."""
        return merged(span for day in local_dates(start, end) for span in self.hours_on(day))

    def has_inside_hours(self, start: dt.datetime, end: dt.datetime) -> bool:
        return any(opens <= start and end <= closes for opens, closes in self.hours_between(start, end))

    def closed_on(self, start: dt.datetime, end: dt.datetime) -> dt.date | None:
        """Return the first closing day that `[start, end)` touches."""
        return next((day for day in local_dates(start, end) if day in self.closures), None)

    def absence_in(self, start: dt.datetime, end: dt.datetime) -> Absence | None:
        return next((each for each in sorted(self.absences) if each.start < end and each.end > start), None)

    def obstacles(self, start: dt.datetime, end: dt.datetime) -> frozenset[str]:
        """Return why the doctor is away in part of `[start, end)`: `closed`, `leave`, `hours`."""
        is_obstacle = {
            "closed": self.closed_on(start, end) is not None,
            "leave": self.absence_in(start, end) is not None,
            "hours": not self.has_inside_hours(start, end),
        }
        return frozenset(code for code, applies in is_obstacle.items() if applies)

    def open_on(self, day: dt.date) -> list[Span]:
        """Return the hours of a date without closure and leave; booked times are included."""
        if day in self.closures:
            return []
        if not self.absences:
            return self.hours_on(day)
        return list(without(self.hours_on(day), [(leave.start, leave.end) for leave in self.absences]))

    def offered_on(self, day: dt.date) -> list[Span]:
        """Return when free times of a date are offered: without any hours, at usual times only."""
        is_open = self.open_on(day)
        return is_open if self.has_hours else shared(is_open, [usual_hours(day)])

    def works_on(self, day: dt.date) -> bool:
        """Return whether free times of a date are offered by default: no weekends without any hours."""
        return self.has_weekday(day) and bool(self.offered_on(day))

    def has_weekday(self, day: dt.date) -> bool:
        """Return whether the weekday is one of the usual ones, for a doctor without any hours."""
        return self.has_hours or day.weekday() in USUAL_WEEKDAYS

    def away_on(self, day: dt.date) -> list[Unavailability]:
        """Return when the doctor cannot be booked on a date, in order: the rest of `open_on`, without overlaps."""
        midnight, next_midnight = clinic_time.day_bounds(day)
        if day in self.closures:
            return [Unavailability(midnight, next_midnight, Why.CLOSED, self.closures[day])]
        leave = [
            Unavailability(start, end, Why.LEAVE, each.reason)
            for each in sorted(self.absences)
            for start, end in shared([(each.start, each.end)], [(midnight, next_midnight)])
        ]
        hours = self.hours_on(day)
        off = without([(midnight, next_midnight)], [*hours, *((each.start, each.end) for each in leave)])
        return sorted([*_first_of_each(leave), *(Unavailability(*span, _why_off(span, hours)) for span in off)])

    def opening_on(self, day: dt.date) -> Opening:
        return Opening(self.offered_on(day), self.away_on(day), self.has_hours)


def _first_of_each(leave: list[Unavailability]) -> Iterator[Unavailability]:
    """Yield leaves without the parts that an earlier one covers."""
    seen: list[Span] = []
    for each in leave:
        for start, end in without([(each.start, each.end)], seen):
            yield each._replace(start=start, end=end)
        seen.append((each.start, each.end))


def _why_off(span: Span, hours: list[Span]) -> Why:
    if not hours:
        return Why.DAY_OFF
    if span[1] <= hours[0][0]:
        return Why.BEFORE_HOURS
    return Why.AFTER_HOURS if span[0] >= hours[-1][1] else Why.BREAK


def local_dates(start: dt.datetime, end: dt.datetime) -> Iterator[dt.date]:
    """Yield the clinic-local dates that `[start, end)` touches, in order."""
    day, last = clinic_time.local_date(start), clinic_time.local_date(end - dt.timedelta(microseconds=1))
    while day <= last:
        yield day
        day += ONE_DAY


def week_of(rows: Iterable[tuple[int, dt.time, dt.time]]) -> dict[int, list[Interval]]:
    return {
        weekday: [(start, end) for _weekday, start, end in of_day]
        for weekday, of_day in groupby(sorted(rows), key=lambda row: row[0])
    }
