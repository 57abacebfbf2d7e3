"""When an appointment's status may change to which. Each rule raises a ValidationError with its code."""

import datetime as dt
from typing import NamedTuple, NoReturn

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from appointments import rules
from appointments.statuses import FORWARD, Stamped, Status, is_closed_out, undone
from clinic.core import clinic_time


def check_transition(
    old: str, new: str, *, stamped: Stamped, start_time: dt.datetime, end_time: dt.datetime, at: dt.datetime
) -> None:
    """Refuse a change of status that is not allowed, or not now; see `transition_obstacle` for the codes."""
    code = transition_obstacle(old, new, stamped=stamped, moment=moment_of(start_time, end_time, at=at))
    if code == "transition":
        _refuse_transition(old, new)
    if code == "not_today":
        raise ValidationError(
            _("This is possible only on the day of the appointment, %(date)s."),
            code=code,
            params={"date": clinic_time.date_text(start_time)},
        )
    if code == "not_started":
        raise ValidationError(
            _("The appointment starts at %(time)s. A patient can be marked as a no-show only after that."),
            code=code,
            params={"time": clinic_time.time_text(start_time)},
        )
    if code == "not_over":
        check_over(end_time, at=at)
    if code == "past":
        rules.check_not_past(start_time, at=at)


class Moment(NamedTuple):
    """Whether the present is on the appointment's clinic-local day, at or after its start, at or after its end."""

    is_its_day: bool
    has_started: bool
    is_over: bool


def moment_of(start_time: dt.datetime, end_time: dt.datetime, *, at: dt.datetime) -> Moment:
    return Moment(clinic_time.local_date(start_time) == clinic_time.today(at=at), start_time <= at, end_time <= at)


def transition_obstacle(old: str, new: str, *, stamped: Stamped, moment: Moment) -> str:
    """Return the code of what is in the way of a change of status; empty if it is allowed now.

    `transition` if never; `not_today` if only on the appointment's clinic-local day; `not_started` for a no-show before
    the start; `not_over` for attendance recorded before the end; `past` for reinstating a cancelled past appointment.
    """
    if undone(old, stamped) != new and new not in FORWARD[Status(old)]:
        return "transition"
    if _only_on_its_day(old, new, stamped) and not moment.is_its_day:
        return "not_today"
    if new == Status.NO_SHOW and not moment.has_started:
        return "not_started"
    if old in {Status.BOOKED, Status.ARRIVED} and new == Status.COMPLETED and not moment.is_over:
        return "not_over"
    return "past" if old == Status.CANCELLED and moment.has_started else ""


def check_over(end_time: dt.datetime, *, at: dt.datetime) -> None:
    """Refuse before the end of the appointment; at its very end it is over: `not_over`."""
    if at < end_time:
        raise ValidationError(
            _("The appointment lasts until %(time)s. It can be marked as attended only after that."),
            code="not_over",
            params={"time": clinic_time.time_text(end_time)},
        )


def check_forward(old: str, new: str) -> None:
    """Refuse a status that does not follow from the old one; only an undo goes back: `transition`."""
    if new not in FORWARD[Status(old)]:
        _refuse_transition(old, new)


def check_under_way(status: str) -> None:
    """Refuse to complete a consultation that has not started; see `record_attended` for those: `transition`."""
    if status != Status.IN_CONSULTATION:
        _refuse_transition(status, Status.COMPLETED)


def _refuse_transition(old: str, new: str) -> NoReturn:
    raise ValidationError(
        _("The status is “%(old)s”, so it cannot become “%(new)s”."),
        code="transition",
        params={"old": Status(old).label, "new": Status(new).label},
    )


def status_before(status: str, stamped: Stamped) -> Status:
    """Return the status that an undo restores; refuse if there is nothing to undo: `transition`."""
    earlier = undone(status, stamped)
    if earlier is None:
        raise ValidationError(_("There is nothing to undo."), code="transition")
    return earlier


def _only_on_its_day(old: str, new: str, stamped: Stamped) -> bool:
    arrives = old in {Status.BOOKED, Status.NO_SHOW} and new in {Status.ARRIVED, Status.IN_CONSULTATION}
    reopens = old in {Status.COMPLETED, Status.LEFT} and not is_closed_out(old, stamped)
    return arrives or reopens
