"""Where things stand on the grid of a day, and on those of days side by side.

Places count minutes that really pass since the grid's first instant, so a day of 23 or 25 hours is drawn right and
only the hour marks show what the clocks do.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from clinic.core import clinic_time
from doctors.availability import ONE_DAY, Span, usual_hours

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
    """An hour on the time axis, or where a day stands."""

    place: Place
    label: str


@dataclass(frozen=True)
class Grid:
    """The stretch of time that is drawn: from one full hour after midnight to another."""

    start: dt.datetime
    end: dt.datetime

    @classmethod
    def around(cls, day: dt.date, hours: Iterable[Span], appointments: Iterable[Span]) -> "Grid":
        """Return the day from the earliest to the latest hours, stretched to the appointments that begin on it.

        On a day on which nobody works it is the usual hours.
        """
        midnight, next_midnight = clinic_time.day_bounds(day)
        drawn = list(hours) or [usual_hours(day)]
        starts, ends = zip(
            *drawn,
            *(appointment for appointment in appointments if midnight <= appointment[0] < next_midnight),
            strict=True,
        )
        return cls(
            start=midnight + (min(starts) - midnight) // HOUR * HOUR,
            end=midnight - (midnight - max(ends)) // HOUR * HOUR,  # rounded up
        )

    @property
    def minutes(self) -> int:
        """The length of the grid in minutes."""
        return self.minute_of(self.end)

    @property
    def length(self) -> Place:
        """The whole grid."""
        return Place(0, self.minutes)

    def minute_of(self, instant: dt.datetime) -> int:
        """Return the whole minutes that pass from the grid's first instant to another."""
        return (instant - self.start) // MINUTE

    def place_of(self, start: dt.datetime, end: dt.datetime) -> Place:
        """Return where a stretch of time is drawn."""
        return Place(self.minute_of(start), (end - start) // MINUTE)

    def instant_at(self, minute: int) -> dt.datetime:
        """Return the instant so many minutes after the grid's first."""
        return self.start + minute * MINUTE

    def mark_at(self, instant: dt.datetime) -> Mark | None:
        """Return the mark of an instant, if it is drawn."""
        if not self.start <= instant < self.end:
            return None
        return Mark(Place(self.minute_of(instant)), clinic_time.time_text(instant))

    def hour_marks(self) -> Iterator[Mark]:
        """Yield a mark wherever clinic clocks show a full hour; a repeated hour says which it is."""
        for minute in range(0, self.minutes, 15):
            instant = self.instant_at(minute)
            if clinic_time.local(instant).minute == 0:
                yield Mark(Place(minute), clinic_time.time_text(instant))


def side_by_side(drawn: Mapping[dt.date, Iterable[Span]]) -> dict[dt.date, Grid]:
    """Return a grid for each date, all from the same full hour of the clock to the same, around what is drawn on any.

    So the same height is the same time, but where clocks change: from there on a date goes by its own hour marks, and
    is shorter or longer than the others. If nothing is drawn on any date, it is the usual hours.
    """
    spans = [(day, *span) for day, of_day in drawn.items() for span in of_day]
    spans = spans or [(day, *usual_hours(day)) for day in drawn]
    opens = min(_clock(day, start) // HOUR for day, start, _end in spans)
    # By the last instant before the end: of a time that comes twice, the end itself may read as the first.
    closes = max(_clock(day, end - dt.datetime.resolution) // HOUR for day, _start, end in spans) + 1
    return {day: Grid(_hour_on(day, opens), _hour_on(day, closes)) for day in drawn}


def _clock(day: dt.date, instant: dt.datetime) -> dt.timedelta:
    """Return what clinic clocks show, counted from the date's midnight and past the next."""
    return clinic_time.local(instant).replace(tzinfo=None) - dt.datetime.combine(day, dt.time.min)


def _hour_on(day: dt.date, hour: int) -> dt.datetime:
    days, hour = divmod(hour, 24)
    return clinic_time.first_instant_from(day + days * ONE_DAY, dt.time(hour))
