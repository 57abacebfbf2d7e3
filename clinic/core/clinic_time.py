"""Clinic time, the zone in `CLINIC_TIME_ZONE`: the only place that converts between it and aware datetimes in UTC."""

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

# Dates beyond these are typing errors, or overflow when converted to UTC.
FIRST_DATE = dt.date(1900, 1, 1)
LAST_DATE = dt.date(2199, 12, 31)

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
ONE_DAY = dt.timedelta(days=1)  # 24 hours; a clinic-local day has 23 to 25
FIRST, SECOND = 0, 1  # which of the two, for a local time that the clock change repeats


def clinic_zone() -> ZoneInfo:
    return timezone.get_default_timezone()


def local(instant: dt.datetime) -> dt.datetime:
    """Return an instant in clinic time, still aware."""
    return instant.astimezone(clinic_zone())


def local_date(instant: dt.datetime) -> dt.date:
    return local(instant).date()


def today(*, at: dt.datetime | None = None) -> dt.date:
    """Return the clinic-local date of `at`, or of now."""
    return local_date(at or timezone.now())


def whole_minute(instant: dt.datetime) -> dt.datetime:
    """Return the instant without seconds: MariaDB and SQLite compare them differently in a constraint."""
    return instant.replace(second=0, microsecond=0)


def check_date(day: dt.date) -> None:
    """Check that a date lies in the portal's calendar, `FIRST_DATE` to `LAST_DATE`, both included.

    Raises:
        ValidationError: `date_range`.
    """
    if not FIRST_DATE <= day <= LAST_DATE:
        raise ValidationError(
            _("Enter a date between the years %(first)s and %(last)s."),
            code="date_range",
            params={"first": FIRST_DATE.year, "last": LAST_DATE.year},
        )


def known_date(day: dt.date | None) -> dt.date | None:
    """Return the date if it lies in the portal's calendar, else None."""
    return day if day and FIRST_DATE <= day <= LAST_DATE else None


def shifted_date(day: dt.date, *, days: int) -> dt.date | None:
    """Return the date so many days later (earlier if negative); None beyond the portal's calendar."""
    return known_date(day + dt.timedelta(days=days))


def day_bounds(day: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """Return the first instant of a clinic-local day and that of the next: 23, 24 or 25 hours apart."""
    zone = clinic_zone()
    return _midnight(day, zone), _midnight(day + ONE_DAY, zone)


@lru_cache(maxsize=1024)
def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.min, zone).astimezone(dt.UTC)


def instant_at(day: dt.date, time: dt.time, *, which: int | None = None) -> dt.datetime:
    """Return the instant, in UTC, at which clinic clocks show this date and time, cut to the minute.

    `which` (`FIRST` or `SECOND`) picks one where the clock change shows the time twice; elsewhere it changes nothing.

    Raises:
        ValidationError: `date_range`; `no_such_time` if the clock change skips the time; `ambiguous_time` if it
            repeats it and `which` is None.
    """
    check_date(day)
    wall = dt.datetime.combine(day, time.replace(second=0, microsecond=0, tzinfo=None))
    first, second = (wall.replace(tzinfo=clinic_zone(), fold=fold).astimezone(dt.UTC) for fold in (FIRST, SECOND))
    if first == second:
        return first
    if local(first).replace(tzinfo=None) != wall:  # PEP 495: a skipped time does not survive the way there and back
        raise ValidationError(
            _("%(time)s does not exist on %(date)s: the clocks go forward. Choose another time."),
            code="no_such_time",
            params={"time": f"{time:%H:%M}", "date": date_format(day, "j F Y")},
        )
    if which is None:
        raise ValidationError(
            _("%(time)s comes twice on %(date)s: the clocks go back. Choose which of the two."),
            code="ambiguous_time",
            params={"time": f"{time:%H:%M}", "date": date_format(day, "j F Y")},
        )
    return second if which == SECOND else first


def first_instant_from(day: dt.date, time: dt.time) -> dt.datetime:
    """Return the first instant, in UTC, at which clinic clocks show this time of a date or a later one."""
    return _first_instant_from(day, time, clinic_zone())


@lru_cache(maxsize=4096)
def _first_instant_from(day: dt.date, time: dt.time, zone: ZoneInfo) -> dt.datetime:
    wall = dt.datetime.combine(day, time)
    instant = wall.replace(tzinfo=zone).astimezone(dt.UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # Skipped: read by the offset before the change it lies after the change, read by the one after it, before it.
    before = wall.replace(tzinfo=zone, fold=SECOND).astimezone(dt.UTC)
    while instant - before > MINUTE:
        middle = before + (instant - before) // (2 * MINUTE) * MINUTE
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            instant = middle
    return instant


def is_repeated(instant: dt.datetime) -> bool:
    """Return whether clinic clocks show this instant's time twice on its day."""
    wall = local(instant)
    return wall.replace(fold=FIRST).utcoffset() != wall.replace(fold=SECOND).utcoffset()


def time_text(instant: dt.datetime) -> str:
    """Return the clinic-local time of day, as `09:05`; one that comes twice on its day says which, as `01:30 WET`."""
    # In UTC, as instants in clinic time are equal even if the clock change repeats the time between them.
    return _time_text(instant.astimezone(dt.UTC), clinic_zone())


# A page shows the same few times hundreds of times.
@lru_cache(maxsize=4096)
def _time_text(instant: dt.datetime, zone: ZoneInfo) -> str:
    wall = instant.astimezone(zone)
    return f"{wall:%H:%M %Z}" if is_repeated(wall) else f"{wall:%H:%M}"


def date_text(instant: dt.datetime) -> str:
    """Return the clinic-local date with its weekday, as `Tue 24 Nov 2026`."""
    return _date_text(local_date(instant), get_language())


@lru_cache(maxsize=4096)
def _date_text(day: dt.date, _language: str | None) -> str:
    return date_format(day, "D j M Y")


def span_text(start: dt.datetime, end: dt.datetime) -> str:
    """Return a stretch of clinic time with its date, as `10:15–10:45 on Tue 24 Nov 2026`."""
    return _("%(start)s–%(end)s on %(date)s") % {
        "start": time_text(start),
        "end": time_text(end),
        "date": date_text(start),
    }
