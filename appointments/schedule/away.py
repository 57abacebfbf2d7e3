"""Doctors who are not in on a day: the line that names them in place of their columns, and a day without any doctor."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.utils.formats import date_format

from appointments.schedule.columns import Column
from clinic.core import clinic_time
from doctors.availability import Why
from doctors.availability_loader import LOOK_AHEAD_DAYS, load_availability


class AwayLine(NamedTuple):
    """Who is not in. `url` shows their columns, or hides them again.

    `columns` has the versions of columns that are not shown, as `12:90210,13:0`: the page asks for itself again when
    one of them gets an appointment.
    """

    label: str
    names: str
    url: str
    link: str
    columns: str


class DayOff(NamedTuple):
    """A day on which no doctor works; `closure` is empty unless the clinic is closed."""

    closure: str
    date: str
    next_day: dt.date | None

    @property
    def next_day_text(self) -> str:
        """The next open day, as `Mon 28 Dec`."""
        return date_format(self.next_day, "D j M") if self.next_day else ""


def away_line(away: Sequence[Column], *, of: int, is_today: bool, is_shown: bool, url: str) -> AwayLine | None:
    """Return who of the day's doctors is away; None if nobody is."""
    if not away:
        return None
    is_all = len(away) == of > 1
    names = " · ".join(f"{column.doctor.full_name} ({_why(column)})" for column in away)
    return AwayLine(
        label="Not in today:" if is_today else "Not in:",
        names=f"all {of} doctors" if is_all else names,
        url=url,
        link="Hide their columns" if is_shown else "Show their columns",
        columns="" if is_shown else ",".join(f"{column.doctor.pk}:{column.version}" for column in away),
    )


def _why(column: Column) -> str:
    reasons = {each.why for each in column.opening.away}
    if Why.CLOSED in reasons:
        return "closed"
    return "leave" if Why.LEAVE in reasons else f"not on {date_format(column.date, 'l')}s"


def day_off(away: Sequence[Column]) -> DayOff:
    """Return what to say of the day of columns that are all away. Three queries."""
    day = away[0].date
    reasons = (each for column in away for each in column.opening.away)
    closure = next((each.detail for each in reasons if each.why == Why.CLOSED), "")
    return DayOff(closure, date_format(day, "l j F"), _next_open_day((column.doctor.pk for column in away), day))


def _next_open_day(doctor_ids: Iterable[int], day: dt.date) -> dt.date | None:
    """Return the first date of the next two weeks on which one of the doctors works."""
    shifted = (clinic_time.shifted_date(day, days=number) for number in range(1, LOOK_AHEAD_DAYS + 1))
    dates = [date for date in shifted if date]
    if not dates:
        return None
    times = load_availability(list(doctor_ids), dates[0], dates[-1]).values()
    return next((date for date in dates if any(each.works_on(date) for each in times)), None)
