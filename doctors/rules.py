"""What must hold for a doctor, and for doctors' time. Spans and dates are as in `availability`."""

import datetime as dt
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.core import clinic_time
from clinic.db.versions import check_unchanged

LINKED = gettext_lazy(
    "This doctor has, or has had, appointments, so the record is kept and cannot be deleted. Deactivate the doctor "
    "instead: nothing new can then be booked."
)

MAX_GAP_MINUTES = 60


def check_gap_minutes(minutes: int) -> None:
    """Check that the gap after each appointment is at most an hour: more of it is a break, and belongs to the hours.

    Raises:
        ValidationError: `gap_minutes`.
    """
    if not 0 <= minutes <= MAX_GAP_MINUTES:
        raise ValidationError(
            _("The gap is 0 to %(most)d minutes. For longer breaks, enter the hours accordingly."),
            code="gap_minutes",
            params={"most": MAX_GAP_MINUTES},
        )


def check_interval(start: dt.time, end: dt.time) -> None:
    """Check that hours end after they start, on the same date; an end of 00:00 is the midnight that follows.

    Raises:
        ValidationError: `interval`.
    """
    if end <= start and end != dt.time.min:
        raise ValidationError(
            _(
                "%(span)s does not end after it starts. Hours past midnight are two: until 00:00, and from 00:00 on "
                "the next day."
            ),
            code="interval",
            params={"span": interval_text(start, end)},
        )


def check_intervals_apart(intervals: Iterable[tuple[dt.time, dt.time]]) -> None:
    """Check that no two hours of a weekday overlap; touching is not overlapping.

    Raises:
        ValidationError: `intervals_overlap`.
    """
    for (start, end), later in pairwise(sorted(intervals)):
        if end == dt.time.min or later[0] < end:
            raise ValidationError(
                _("%(one)s and %(other)s overlap."),
                code="intervals_overlap",
                params={"one": interval_text(start, end), "other": interval_text(*later)},
            )


def check_any_hours(week: Any) -> None:
    """Check that a timetable has hours on some day: an empty one says nothing, and leave says that nobody is there.

    Raises:
        ValidationError: `no_hours`.
    """
    if not any(week.values()):
        raise ValidationError(_("Enter the hours of at least one day."), code="no_hours")


def check_validity(valid_from: dt.date | None, valid_until: dt.date | None) -> None:
    """Check that a timetable's last date is not before its first; one without is open on that side.

    Raises:
        ValidationError: `date_range`, `validity`.
    """
    for day in filter(None, (valid_from, valid_until)):
        clinic_time.check_date(day)
    if valid_from and valid_until and valid_until < valid_from:
        raise ValidationError(_("The last date is before the first."), code="validity")


def check_validity_apart(others: Any, valid_from: dt.date | None, valid_until: dt.date | None) -> None:
    """Check that no other timetable of the doctor, of those given, is for one of the same dates. One query.

    Raises:
        ValidationError: `validity_overlap`.
    """
    other = others.valid_within(valid_from, valid_until).first()
    if other is not None:
        raise ValidationError(
            _("The hours %(other)s are for some of the same dates. End those first, or choose other dates."),
            code="validity_overlap",
            params={"other": other.validity_text},
        )


def check_leave_span(start_time: dt.datetime, end_time: dt.datetime) -> None:
    """Check that a leave ends after it starts, within the calendar.

    Raises:
        ValidationError: `date_range`, `leave_span`.
    """
    clinic_time.check_date(clinic_time.local_date(start_time))
    clinic_time.check_date(clinic_time.local_date(end_time))
    if end_time <= start_time:
        raise ValidationError(_("The leave ends before it starts."), code="leave_span")


def check_to_come(end_time: dt.datetime, *, at: dt.datetime) -> None:
    """Check that a new leave or closure is not over: one in the past is a typing error, and would change nothing.

    Raises:
        ValidationError: `past`.
    """
    if end_time <= at:
        raise ValidationError(_("That has already passed. Check the date."), code="past")


def check_leave_apart(others: Any, start_time: dt.datetime, end_time: dt.datetime) -> None:
    """Check that none of the doctor's other leaves covers part of the time. One query.

    Raises:
        ValidationError: `leave_overlap`.
    """
    other = others.overlapping(start_time, end_time).first()
    if other is not None:
        raise ValidationError(
            _("This doctor is on leave then already: %(other)s."), code="leave_overlap", params={"other": other}
        )


def check_not_closed_already(others: Any, day: dt.date) -> None:
    """Check that the clinic is not closed on the date already. One query.

    Raises:
        ValidationError: `closed_already`.
    """
    other = others.filter(date=day).first()
    if other is not None:
        raise ValidationError(
            _("The clinic is closed on %(day)s already: %(name)s."),
            code="closed_already",
            params={"day": date_format(day, "D j M Y"), "name": other.name},
        )


def check_not_stale(held_version: int, *, seen_version: int | None) -> None:
    """Check that nobody has changed the hours, the leave or the closure since it was shown; None asks for no check.

    Raises:
        ValidationError: `stale`.
    """
    message = _("Somebody else has changed this meanwhile. Look at it as it is now, then decide again.")
    check_unchanged(held_version, seen=seen_version, message=message)


def interval_text(start: dt.time, end: dt.time) -> str:
    """Return hours as people write them: `08:00–12:30`."""
    return f"{start:%H:%M}–{end:%H:%M}"
