"""Where things stand on the day view's grid.

Places count minutes that really pass since the grid's first instant, so a day of 23 or 25 hours is drawn right and
only the hour marks show what the clocks do.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clinic import clinic_time
from doctors.availability import Span, usual_hours

HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True, order=True)
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

    def meets(self, other: "Place") -> bool:
        """Return whether the two would be drawn over each other."""
        return self.minute < other.minute + other.minutes and other.minute < self.minute + self.minutes


@dataclass(frozen=True)
class Mark:
    """An hour on the time axis."""

    place: Place
    label: str


@dataclass(frozen=True)
class Grid:
    """The stretch of time that is drawn: from one full hour after midnight to another."""

    start: dt.datetime
    end: dt.datetime

    @classmethod
    def around(cls, day: dt.date, hours: Iterable[Span], visits: Iterable[Span]) -> "Grid":
        """Return the day from the earliest to the latest hours, stretched to the visits that begin on it.

        On a day on which nobody works it is the usual hours.
        """
        midnight, next_midnight = clinic_time.day_bounds(day)
        drawn = list(hours) or [usual_hours(day)]
        starts, ends = zip(*drawn, *(visit for visit in visits if midnight <= visit[0] < next_midnight), strict=True)
        return cls(
            start=midnight + (min(starts) - midnight) // HOUR * HOUR,
            end=midnight - (midnight - max(ends)) // HOUR * HOUR,  # rounded up
        )

    @property
    def minutes(self) -> int:
        """The length of the grid in minutes."""
        return self.minute_of(self.end)

    def minute_of(self, instant: dt.datetime) -> int:
        """Return the whole minutes that pass from the grid's first instant to another."""
        return (instant - self.start) // MINUTE

    def place_of(self, start: dt.datetime, end: dt.datetime) -> Place:
        """Return where a stretch of time is drawn."""
        return Place(self.minute_of(start), (end - start) // MINUTE)

    def instant_at(self, minute: int) -> dt.datetime:
        """Return the instant so many minutes after the grid's first."""
        return self.start + minute * MINUTE

    def hour_marks(self) -> Iterator[Mark]:
        """Yield a mark wherever clinic clocks show a full hour; a repeated hour says which it is."""
        for minute in range(0, self.minutes, 15):
            instant = self.instant_at(minute)
            if clinic_time.local(instant).minute == 0:
                yield Mark(Place(minute), clinic_time.time_text(instant))
