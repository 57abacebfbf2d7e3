"""What must hold for an appointment: one function a rule, called from `Appointment.clean()`.

Every instant is aware; `at` is the instant taken as now. Intervals contain their start and not their end.
"""

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from django.core.exceptions import ValidationError
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from appointments.statuses import BLOCKING, FORWARD, MOVABLE, Stamped, Status, is_closed_out, undone
from clinic.core import clinic_time
from clinic.core.appointment_length import check_duration as check_duration  # doctors' usual lengths share the rule

if TYPE_CHECKING:
    from appointments.models import Appointment
    from appointments.querysets import AppointmentQuerySet
    from doctors.availability import DoctorAvailability
    from doctors.models import Doctor

# The rules that a reason may override, and with them those after which another time or doctor helps.
OUTSIDE_HOURS = frozenset({"hours", "leave", "closed", "gap"})
TIME_IN_THE_WAY = OUTSIDE_HOURS | {"doctor_overlap", "patient_overlap", "inactive"}


def check_aware(start_time: dt.datetime) -> None:
    """Check that a start is an instant: a time without zone could mean any of two dozen.

    Raises:
        ValidationError: `naive`.
    """
    if isinstance(start_time, dt.datetime) and start_time.utcoffset() is None:
        raise ValidationError(
            _("Give the time with its offset from UTC, as in 2026-11-24T10:30:00+00:00."), code="naive"
        )


def check_calendar(start_time: dt.datetime) -> None:
    """Check that the start lies in the portal's calendar, beyond which instants overflow.

    Raises:
        ValidationError: `date_range`.
    """
    try:
        day = clinic_time.local_date(start_time)
    except OverflowError:
        day = dt.date.max
    clinic_time.check_date(day)


def check_not_past(start_time: dt.datetime, *, at: dt.datetime) -> None:
    """Check that a new or changed start is still to come; a start at this very instant has passed.

    Raises:
        ValidationError: `past`.
    """
    if start_time <= at:
        raise ValidationError(
            _("%(time)s has already passed. Choose a time to come."),
            code="past",
            params={"time": f"{clinic_time.time_text(start_time)}, {clinic_time.date_text(start_time)},"},
        )


def check_whole_minutes(minutes: Any) -> None:
    """Check that a length has no fraction, which the database would cut off silently.

    Raises:
        ValidationError: `duration`.
    """
    if isinstance(minutes, float | Decimal) and minutes % 1:
        raise ValidationError(_("An appointment lasts whole minutes."), code="duration")


def check_active(doctor: "Doctor") -> None:
    """Check that the doctor can be booked.

    Raises:
        ValidationError: `inactive`.
    """
    if not doctor.is_active:
        raise ValidationError(
            _("%(doctor)s takes no appointments at present. Choose another doctor."),
            code="inactive",
            params={"doctor": doctor.full_name},
        )


def check_open(time: "DoctorAvailability", start_time: dt.datetime, end_time: dt.datetime, *, doctor: "Doctor") -> None:
    """Check that the doctor is there: no closure, no leave, and inside the working hours. The first that fails counts.

    Raises:
        ValidationError: `closed`, `leave` or `hours`.
    """
    check_not_closed(time, start_time, end_time)
    check_not_on_leave(time, start_time, end_time, doctor=doctor)
    check_in_hours(time, start_time, end_time, doctor=doctor)


def check_not_closed(time: "DoctorAvailability", start_time: dt.datetime, end_time: dt.datetime) -> None:
    """Check that the visit touches no date on which the clinic is closed.

    Raises:
        ValidationError: `closed`, with the closure's name.
    """
    day = time.closed_on(start_time, end_time)
    if day is not None:
        raise ValidationError(
            _("The clinic is closed on %(day)s: %(name)s."),
            code="closed",
            params={"day": date_format(day, "D j M Y"), "name": time.closures[day]},
        )


def check_not_on_leave(
    time: "DoctorAvailability", start_time: dt.datetime, end_time: dt.datetime, *, doctor: "Doctor"
) -> None:
    """Check that the visit shares no time with a leave of the doctor; touching is not sharing.

    Raises:
        ValidationError: `leave`, with its end. Why a doctor is away is nothing that booking needs to know.
    """
    leave = time.absence_in(start_time, end_time)
    if leave is not None:
        raise ValidationError(
            _("%(doctor)s is on leave until %(time)s on %(day)s."),
            code="leave",
            params={
                "doctor": doctor,
                "time": clinic_time.time_text(leave.end),
                "day": clinic_time.date_text(leave.end),
            },
        )


def check_in_hours(
    time: "DoctorAvailability", start_time: dt.datetime, end_time: dt.datetime, *, doctor: "Doctor"
) -> None:
    """Check that the visit lies inside one working interval; a doctor without any hours can be booked at any time.

    Raises:
        ValidationError: `hours`, with those of the day.
    """
    if time.has_inside_hours(start_time, end_time):
        return
    hours = time.hours_on(clinic_time.local_date(start_time))
    spans = [f"{clinic_time.time_text(start)}–{clinic_time.time_text(end)}" for start, end in hours]
    raise ValidationError(
        _("%(doctor)s works %(hours)s on %(day)s.") if spans else _("%(doctor)s does not work on %(day)s."),
        code="hours",
        params={"doctor": doctor, "hours": ", ".join(spans), "day": clinic_time.date_text(start_time)},
    )


def check_may_book_outside_hours(reason: str, *, may: bool) -> None:
    """Check that who gives a reason to book outside hours may do so.

    Raises:
        ValidationError: `outside_hours_denied`.
    """
    if reason and not may:
        raise ValidationError(
            _("Your role does not allow booking outside hours or in a gap."), code="outside_hours_denied"
        )


def check_outside_hours_reason(reason: str, *, is_ticked: bool) -> None:
    """Check that who ticks to book outside hours says why.

    Raises:
        ValidationError: `required`.
    """
    if is_ticked and not reason.strip():
        raise ValidationError(_("Say why it is booked nevertheless."), code="required")


def check_doctor_free(others: "AppointmentQuerySet", start_time: dt.datetime, end_time: dt.datetime) -> None:
    """Check that none of the doctor's other appointments occupies part of the interval. One query.

    Raises:
        ValidationError: `doctor_overlap`, naming the doctor and the time, never the other patient.
    """
    other = others.blocking().overlapping(start_time, end_time).select_related("doctor").first()
    if other is not None:
        raise ValidationError(
            _("%(doctor)s is booked %(span)s."),
            code="doctor_overlap",
            params={"doctor": other.doctor, **_in_the_way(other)},
        )


def check_gap_kept(
    others: "AppointmentQuerySet", start_time: dt.datetime, end_time: dt.datetime, *, doctor: "Doctor"
) -> None:
    """Check that the doctor's gap lies between the visit and the doctor's others, before and after. At most one query.

    Raises:
        ValidationError: `gap`, naming the doctor and the time, never the other patient.
    """
    if not doctor.gap_minutes:
        return
    other = others.blocking().overlapping(start_time - doctor.gap, end_time + doctor.gap).first()
    if other is not None:
        raise ValidationError(
            _("%(doctor)s keeps %(minutes)d minutes free after each appointment, and is booked %(span)s."),
            code="gap",
            params={
                "doctor": doctor,
                "minutes": doctor.gap_minutes,
                **_in_the_way(other),
            },
        )


def _in_the_way(other: "Appointment") -> dict[str, Any]:
    """Return from when to when a visit is: in words, and for programs as instants."""
    span = clinic_time.span_text(other.start_time, other.end_time)
    return {"span": span, "start_time": other.start_time, "end_time": other.end_time}


def check_patient_free(others: "AppointmentQuerySet", start_time: dt.datetime, end_time: dt.datetime) -> None:
    """Check that none of the patient's other appointments occupies part of the interval. One query.

    Raises:
        ValidationError: `patient_overlap`.
    """
    other = others.blocking().overlapping(start_time, end_time).select_related("doctor").first()
    if other is not None:
        raise ValidationError(
            _("This patient already has an appointment %(span)s, with %(doctor)s."),
            code="patient_overlap",
            params={"doctor": other.doctor, **_in_the_way(other)},
        )


def without_other_visit(refusal: ValidationError) -> ValidationError:
    """Return a refusal as it is told to who may see only the own diary: a patient's other visit is nobody else's."""
    if refusal.code != "patient_overlap":
        return refusal
    return ValidationError(_("This patient has another appointment at that time."), code="patient_overlap")


def check_movable(status: str, *, old_start: dt.datetime, new_start: dt.datetime) -> None:
    """Check that the visit may be given another time, doctor or patient; who has arrived stays on the same day.

    Raises:
        ValidationError: `not_movable`.
    """
    if status not in MOVABLE:
        raise ValidationError(
            _("This appointment is %(status)s and can no longer be moved. Undo that first, or book a new one."),
            code="not_movable",
            params={"status": Status(status).label.lower()},
        )
    if status == Status.ARRIVED and clinic_time.local_date(old_start) != clinic_time.local_date(new_start):
        raise ValidationError(
            _("The patient has arrived. Undo the arrival to move the appointment to another day."), code="not_movable"
        )


def check_transition(
    old: str, new: str, *, stamped: Stamped, start_time: dt.datetime, end_time: dt.datetime, at: dt.datetime
) -> None:
    """Check that a status may follow another, and may do so now. `stamped` is what the visit had stamped as `old`.

    Raises:
        ValidationError: `transition` if never; `not_today` if only on the visit's clinic-local day; `not_started` for
            a no-show before the start; `not_over` for a visit completed without a consultation before its end; `past`
            for a cancelled visit that would come back with its time gone.
    """
    if undone(old, stamped) != new:
        check_forward(old, new)
    if _only_on_its_day(old, new, stamped) and clinic_time.local_date(start_time) != clinic_time.today(at=at):
        raise ValidationError(
            _("This is possible only on the day of the visit, %(date)s."),
            code="not_today",
            params={"date": clinic_time.date_text(start_time)},
        )
    if new == Status.NO_SHOW and at < start_time:
        raise ValidationError(
            _("The visit starts at %(time)s. A patient can be a no-show only after that."),
            code="not_started",
            params={"time": clinic_time.time_text(start_time)},
        )
    if old in {Status.BOOKED, Status.ARRIVED} and new == Status.COMPLETED:
        check_over(end_time, at=at)
    if old == Status.CANCELLED:
        check_not_past(start_time, at=at)


def check_over(end_time: dt.datetime, *, at: dt.datetime) -> None:
    """Check that the visit's time has passed; at its very end it has.

    Raises:
        ValidationError: `not_over`.
    """
    if at < end_time:
        raise ValidationError(
            _("The visit lasts until %(time)s. It can be recorded as attended only after that."),
            code="not_over",
            params={"time": clinic_time.time_text(end_time)},
        )


def check_forward(old: str, new: str) -> None:
    """Check that a status leads on to another; none leads to itself, and only an undo leads back.

    Raises:
        ValidationError: `transition`.
    """
    if new not in FORWARD[Status(old)]:
        _refuse_transition(old, new)


def check_under_way(status: str) -> None:
    """Check that there is a consultation to end; a visit without one is recorded as attended, which is another thing.

    Raises:
        ValidationError: `transition`.
    """
    if status != Status.IN_CONSULTATION:
        _refuse_transition(status, Status.COMPLETED)


def _refuse_transition(old: str, new: str) -> NoReturn:
    raise ValidationError(
        _("This appointment is %(old)s, so it cannot become %(new)s."),
        code="transition",
        params={"old": Status(old).label.lower(), "new": Status(new).label.lower()},
    )


def status_before(status: str, stamped: Stamped) -> Status:
    """Return the status that an undo brings back.

    Raises:
        ValidationError: `transition` if there is nothing to undo.
    """
    earlier = undone(status, stamped)
    if earlier is None:
        raise ValidationError(_("There is nothing to undo."), code="transition")
    return earlier


def _only_on_its_day(old: str, new: str, stamped: Stamped) -> bool:
    comes_in = old in {Status.BOOKED, Status.NO_SHOW} and new in {Status.ARRIVED, Status.IN_CONSULTATION}
    return comes_in or (old == Status.COMPLETED and not is_closed_out(old, stamped))


def check_cancellation(status: str, *, cancelled_by: str) -> None:
    """Check that a cancelled visit says who called it off.

    Raises:
        ValidationError: `cancelled_by`.
    """
    if status == Status.CANCELLED and not cancelled_by:
        raise ValidationError(_("Say who cancels: the patient or the clinic."), code="cancelled_by")


def check_cancel_reason(status: str, *, cancel_reason: str) -> None:
    """Check that a cancelled visit says why.

    Raises:
        ValidationError: `cancel_reason`.
    """
    if status == Status.CANCELLED and not cancel_reason.strip():
        raise ValidationError(_("Say why the appointment is cancelled."), code="cancel_reason")


def check_status(status: str) -> None:
    """Check that a status is one of `Status`; MariaDB would take `Booked` for `booked`, and nobody else.

    Raises:
        ValidationError: `status`.
    """
    if status not in Status.values:
        raise ValidationError(_("This is not a status of an appointment."), code="status")


def refuse_no_free_time(minutes: int, *, doctor_name: str = "") -> NoReturn:
    """Refuse a walk-in on a day that has no time left for it, with the doctor named or with anybody.

    Raises:
        ValidationError: `no_free_time`.
    """
    raise ValidationError(
        _("%(who)s has no %(minutes)d minutes free today any more. Choose another doctor or day.")
        if doctor_name
        else _("Nobody has %(minutes)d minutes free today any more. Choose another day."),
        code="no_free_time",
        params={"minutes": minutes, "who": doctor_name},
    )


def refuse_no_proposal() -> NoReturn:
    """Refuse to move a visit for which no free time was proposed.

    Raises:
        ValidationError: `no_free_time`.
    """
    raise ValidationError(_("No free time was found in the coming four weeks."), code="no_free_time")


def refuse_gone(what: str) -> NoReturn:
    """Refuse what is asked of an `appointment`, `doctor` or `patient` that has been deleted meanwhile.

    Raises:
        ValidationError: `gone`.
    """
    message = {
        "appointment": _("This appointment has been deleted."),
        "doctor": _("This doctor's record has been deleted. Choose another doctor."),
        "patient": _("This patient's record has been deleted. Find the patient again."),
    }[what]
    raise ValidationError(message, code="gone")


def check_not_stale(held_version: int, *, seen_version: int | None) -> None:
    """Check that nobody has changed the record since it was shown; None asks for no check.

    Raises:
        ValidationError: `stale`.
    """
    if seen_version not in (None, held_version):
        raise ValidationError(
            _("Somebody else has changed this appointment meanwhile. Look at it as it is now, then decide again."),
            code="stale",
        )


def is_blocking(status: str) -> bool:
    """Return whether a visit in this status occupies the doctor and the patient."""
    return status in BLOCKING
