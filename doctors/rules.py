"""The rules of doctors and their availability; each raises ValidationError. Spans are as in `availability`."""

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
    "This doctor has, or has had, appointments, so the record cannot be deleted. Deactivate the doctor instead: then "
    "nothing new can be booked."
)

MAX_GAP_MINUTES = 60


def check_gap_minutes(minutes: int) -> None:
    """Refuse with `gap_minutes` a gap of more than an hour: a longer break belongs into the hours."""
    if not 0 <= minutes <= MAX_GAP_MINUTES:
        raise ValidationError(
            _("The gap is 0 to %(most)d minutes. For longer breaks, enter the hours accordingly."),
            code="gap_minutes",
            params={"most": MAX_GAP_MINUTES},
        )


def check_interval(start: dt.time, end: dt.time) -> None:
    """Refuse with `interval` hours that end before they start; an end of 00:00 is the midnight that follows."""
    if end <= start and end != dt.time.min:
        raise ValidationError(
            _(
                "%(span)s does not end after it starts. Enter hours past midnight as two: until 00:00, and from 00:00 "
                "on the next day."
            ),
            code="interval",
            params={"span": interval_text(start, end)},
        )


def check_intervals_apart(intervals: Iterable[tuple[dt.time, dt.time]]) -> None:
    """Refuse with `intervals_overlap` hours of one weekday that overlap; touching is not overlapping."""
    for (start, end), later in pairwise(sorted(intervals)):
        if end == dt.time.min or later[0] < end:
            raise ValidationError(
                _("%(one)s and %(other)s overlap."),
                code="intervals_overlap",
                params={"one": interval_text(start, end), "other": interval_text(*later)},
            )


def check_any_hours(week: Any) -> None:
    """Refuse with `no_hours` a timetable without any hours: to be away is a leave."""
    if not any(week.values()):
        raise ValidationError(_("Enter the hours of at least one day."), code="no_hours")


def check_validity(valid_from: dt.date | None, valid_until: dt.date | None) -> None:
    """Refuse with `validity` a last date before the first, and with `date_range` dates outside the calendar."""
    for day in filter(None, (valid_from, valid_until)):
        clinic_time.check_date(day)
    if valid_from and valid_until and valid_until < valid_from:
        raise ValidationError(_("The last date is before the first."), code="validity")


def check_validity_apart(others: Any, valid_from: dt.date | None, valid_until: dt.date | None) -> None:
    """Refuse with `validity_overlap` if one of the other timetables applies on one of the same dates. One query."""
    other = others.valid_within(valid_from, valid_until).first()
    if other is not None:
        raise ValidationError(
            _("The hours %(other)s apply on some of the same dates. End those first, or choose other dates."),
            code="validity_overlap",
            params={"other": other.validity_text},
        )


def check_leave_span(start_time: dt.datetime, end_time: dt.datetime) -> None:
    """Refuse with `leave_span` a leave that ends before it starts, with `date_range` one outside the calendar."""
    clinic_time.check_date(clinic_time.local_date(start_time))
    clinic_time.check_date(clinic_time.local_date(end_time))
    if end_time <= start_time:
        raise ValidationError(_("The leave ends before it starts."), code="leave_span")


def check_to_come(end_time: dt.datetime, *, at: dt.datetime) -> None:
    """Refuse with `past` a new leave or closure that is over: it is a typing error, and would change nothing."""
    if end_time <= at:
        raise ValidationError(_("That has already passed. Check the date."), code="past")


def check_leave_apart(others: Any, start_time: dt.datetime, end_time: dt.datetime) -> None:
    """Refuse with `leave_overlap` if another leave of the doctor covers part of the time. One query."""
    other = others.overlapping(start_time, end_time).first()
    if other is not None:
        raise ValidationError(
            _("This doctor is already on leave then: %(other)s."),
            code="leave_overlap",
            params={"other": other.span_text},  # not its reason: receptionists enter leave, too
        )


def check_absence_dates(first: dt.date, last: dt.date, *, today: dt.date, next_working_day: dt.date) -> None:
    """Refuse with `absence_dates` an absence, entered at the front desk, of other dates than these two."""
    if not (first in (today, next_working_day) and last in (today, next_working_day) and first <= last):
        raise ValidationError(
            _("An absence can be entered for today and %(day)s. Administrators enter longer or later leave."),
            code="absence_dates",
            params={"day": date_format(next_working_day, "D j M")},
        )


def check_not_closed_already(others: Any, day: dt.date) -> None:
    """Refuse with `closed_already` a date on which the clinic is closed already. One query."""
    other = others.filter(date=day).first()
    if other is not None:
        raise ValidationError(
            _("The clinic is already closed on %(day)s: %(name)s."),
            code="closed_already",
            params={"day": date_format(day, "D j M Y"), "name": other.name},
        )


def check_not_stale(version: int, *, seen_version: int | None) -> None:
    """Refuse with `stale` a record that was changed after it was shown; None asks for no check."""
    message = _("Somebody else has changed this in the meantime. Check it as it is now, then save again.")
    check_unchanged(version, seen=seen_version, message=message)


def interval_text(start: dt.time, end: dt.time) -> str:
    """Return hours as people write them: `08:00–12:30`."""
    return f"{start:%H:%M}–{end:%H:%M}"
