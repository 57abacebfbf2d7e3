"""The time grid of a day, and of days side by side.

Positions count elapsed minutes, so days of 23 and 25 hours are drawn correctly; only hour marks follow the clock.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from clinic.core import clinic_time
from clinic.core.clinic_time import HOUR, MINUTE, ONE_DAY
from clinic.web.http import parse_number
from doctors.availability import Span, usual_hours

USUAL_MINUTES = 30  # the length without a class in schedule/places.css


class Place(NamedTuple):
    """A position on the grid: minutes after its start, and a length in minutes."""

    minute: int
    minutes: int = 0

    @property
    def css(self) -> str:
        """The classes of schedule/places.css for this place: the security policy forbids inline styles."""
        return _css(self)

    @property
    def end(self) -> int:
        return self.minute + self.minutes

    def overlaps(self, other: "Place") -> bool:
        return self.minute < other.end and other.minute < self.end


@lru_cache(maxsize=4096)
def _css(place: Place) -> str:
    quarter, is_between = divmod(place.minute, 15)
    hour, minute = divmod(place.minute, 60)
    hours, minutes = divmod(place.minutes, 60)
    start = [("at-h", hour), ("at-m", minute)] if is_between else [("q", quarter)]
    names = [f"{name}{number}" for name, number in (*start, ("for-h", hours)) if number]
    return " ".join(names if minutes == USUAL_MINUTES else [*names, f"for-m{minutes}"])


class Mark(NamedTuple):
    """An hour on the time axis, or the present time."""

    place: Place
    label: str


@dataclass(frozen=True)
class Grid:
    start: dt.datetime
    end: dt.datetime

    @classmethod
    def around(cls, day: dt.date, hours: Iterable[Span], appointments: Iterable[Span]) -> "Grid":
        """Return a grid for the hours (or else the usual ones) and the appointments on the day.

        It ends when those do that start on the day, and begins at midnight if one lasts from the day before.
        """
        midnight, next_midnight = clinic_time.day_bounds(day)
        drawn = list(hours) or [usual_hours(day)]
        on_day = (
            (max(start, midnight), end) for start, end in appointments if start < next_midnight and midnight < end
        )
        starts, ends = zip(*drawn, *on_day, strict=True)
        return cls(
            start=midnight + (min(starts) - midnight) // HOUR * HOUR,
            end=midnight - (midnight - max(ends)) // HOUR * HOUR,  # rounded up
        )

    @classmethod
    def from_text(cls, text: str, day: dt.date) -> "Grid | None":
        """Return the grid of a date with this `text`; None for any other text."""
        midnight, next_midnight = clinic_time.day_bounds(day)
        match [parse_number(part) for part in text.split("-")]:
            case [int(start), int(end)] if start < end <= 2 * (next_midnight - midnight) // MINUTE:
                return cls(midnight + start * MINUTE, midnight + end * MINUTE)
        return None

    @property
    def text(self) -> str:
        """Start and end in minutes after the date's midnight, as `480-1020`."""
        midnight, _ = clinic_time.day_bounds(clinic_time.local_date(self.start))
        return "-".join(str((instant - midnight) // MINUTE) for instant in (self.start, self.end))

    @property
    def minutes(self) -> int:
        return self.minute_of(self.end)

    @property
    def length(self) -> Place:
        return Place(0, self.minutes)

    def minute_of(self, instant: dt.datetime) -> int:
        return (instant - self.start) // MINUTE

    def place_of(self, start: dt.datetime, end: dt.datetime) -> Place:
        return Place(self.minute_of(start), (end - start) // MINUTE)

    def instant_at(self, minute: int) -> dt.datetime:
        return self.start + minute * MINUTE

    def mark_at(self, instant: dt.datetime) -> Mark | None:
        """Return the mark of an instant; None outside the grid."""
        if not self.start <= instant < self.end:
            return None
        return Mark(Place(self.minute_of(instant)), clinic_time.time_text(instant))

    def hour_marks(self) -> Iterator[Mark]:
        """Yield a mark at each full hour of clinic time."""
        for minute in range(0, self.minutes, 15):
            instant = self.instant_at(minute)
            if clinic_time.local(instant).minute == 0:
                yield Mark(Place(minute), clinic_time.time_text(instant))


def side_by_side(drawn: Mapping[dt.date, Iterable[Span]]) -> dict[dt.date, Grid]:
    """Return a grid for each date, all with the same opening and closing hour on the clock: those needed on any date.

    Without spans these are the usual hours. A date on which the clocks change is shorter or longer than the others.
    """
    spans = [(day, *span) for day, of_day in drawn.items() for span in of_day]
    spans = spans or [(day, *usual_hours(day)) for day in drawn]
    opens = min(_clock(day, start) // HOUR for day, start, _end in spans)
    # Use the last instant before the end: for a repeated hour, the end itself may show the first of the two times.
    closes = max(_clock(day, end - dt.datetime.resolution) // HOUR for day, _start, end in spans) + 1
    return {day: Grid(_hour_on(day, opens), _hour_on(day, closes)) for day in drawn}


def _clock(day: dt.date, instant: dt.datetime) -> dt.timedelta:
    """Return the clinic-local time since the date's midnight; 24 hours or more on the next date."""
    return clinic_time.local(instant).replace(tzinfo=None) - dt.datetime.combine(day, dt.time.min)


def _hour_on(day: dt.date, hour: int) -> dt.datetime:
    days, hour = divmod(hour, 24)
    return clinic_time.first_instant_from(day + days * ONE_DAY, dt.time(hour))
