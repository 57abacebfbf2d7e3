"""The rules of appointments. Each raises a ValidationError with the code in its docstring; `at` is the present."""

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from django.core.exceptions import ValidationError
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from appointments.statuses import BLOCKING, MOVABLE, Status
from clinic.audit.actor import ANONYMISED
from clinic.core import clinic_time
from clinic.core.appointment_length import check_duration as check_duration  # also a rule of doctors' default lengths
from clinic.db.versions import check_unchanged

if TYPE_CHECKING:
    from appointments.models import Appointment
    from appointments.querysets import AppointmentQuerySet
    from doctors.availability import DoctorAvailability
    from doctors.models import Doctor

# Rules that a reason may override; and all rules after which another time or doctor helps.
OUTSIDE_HOURS = frozenset({"hours", "leave", "closed", "gap"})
TIME_IN_THE_WAY = OUTSIDE_HOURS | {"doctor_overlap", "patient_overlap", "inactive"}
# What people write about an appointment in their own words.
TEXTS = ("reason", "notes", "cancel_reason", "outside_hours_reason")


def check_aware(start_time: dt.datetime) -> None:
    """Refuse a start without a UTC offset, which could mean any of two dozen instants: `naive`."""
    if isinstance(start_time, dt.datetime) and start_time.utcoffset() is None:
        raise ValidationError(
            _("Give the time with its offset from UTC, as in 2026-11-24T10:30:00+00:00."), code="naive"
        )


def check_calendar(start_time: dt.datetime) -> None:
    """Refuse a start outside the portal's calendar, where conversions overflow: `date_range`."""
    try:
        day = clinic_time.local_date(start_time)
    except OverflowError:
        day = dt.date.max
    clinic_time.check_date(day)


def check_not_past(start_time: dt.datetime, *, at: dt.datetime) -> None:
    """Refuse a new or changed start that is not in the future; one equal to `at` has passed: `past`."""
    if start_time <= at:
        raise ValidationError(
            _("%(time)s has already passed. Choose a time in the future."),
            code="past",
            params={"time": f"{clinic_time.time_text(start_time)}, {clinic_time.date_text(start_time)},"},
        )


def check_imported_over(end_time: dt.datetime, *, at: dt.datetime) -> None:
    """Refuse the mark `is_imported` before the end of the appointment; at its very end it is over: `imported`."""
    if at < end_time:
        raise ValidationError(
            _("An appointment brought in from another system must be over. Book a new one for a time in the future."),
            code="imported",
        )


def check_whole_minutes(minutes: Any) -> None:
    """Refuse a length with a fraction, which the database would cut off silently: `duration`."""
    if isinstance(minutes, float | Decimal) and minutes % 1:
        raise ValidationError(_("An appointment lasts whole minutes."), code="duration")


def check_active(doctor: "Doctor") -> None:
    """Refuse an inactive doctor: `inactive`."""
    if not doctor.is_active:
        raise ValidationError(
            _("%(doctor)s does not take appointments at present. Choose another doctor."),
            code="inactive",
            params={"doctor": doctor.full_name},
        )


def check_open(time: "DoctorAvailability", start_time: dt.datetime, end_time: dt.datetime, *, doctor: "Doctor") -> None:
    """Refuse a time at which the doctor is not available; the first reason is given: `closed`, `leave`, `hours`."""
    check_not_closed(time, start_time, end_time)
    check_not_on_leave(time, start_time, end_time, doctor=doctor)
    check_in_hours(time, start_time, end_time, doctor=doctor)


def check_not_closed(time: "DoctorAvailability", start_time: dt.datetime, end_time: dt.datetime) -> None:
    """Refuse an appointment that touches a closing day: `closed`, with its name."""
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
    """Refuse an appointment that shares time with the doctor's leave; touching is allowed: `leave`."""
    # The message gives the end of the leave but not its reason, which is private.
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
    """Refuse an appointment outside a single working interval, if the doctor has any hours: `hours`."""
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
    """Refuse to book outside hours for a user without that permission: `outside_hours_denied`."""
    if reason and not may:
        raise ValidationError(
            _("Your role does not allow booking outside hours or in a gap."), code="outside_hours_denied"
        )


def check_outside_hours_reason(reason: str, *, is_ticked: bool) -> None:
    """Refuse a tick for booking outside hours without a reason: `required`."""
    if is_ticked and not reason.strip():
        raise ValidationError(_("Give the reason for the exception."), code="required")


def check_doctor_free(others: "AppointmentQuerySet", start_time: dt.datetime, end_time: dt.datetime) -> None:
    """Refuse an appointment that overlaps another of the doctor: `doctor_overlap`. One query."""
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
    """Refuse an appointment within the doctor's gap before or after another: `gap`. At most one query."""
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
    """Return the span of a conflicting appointment, in words and as instants, without the patient."""
    span = clinic_time.span_text(other.start_time, other.end_time)
    return {"span": span, "start_time": other.start_time, "end_time": other.end_time}


def check_patient_free(others: "AppointmentQuerySet", start_time: dt.datetime, end_time: dt.datetime) -> None:
    """Refuse an appointment that overlaps another of the patient: `patient_overlap`. One query."""
    other = others.blocking().overlapping(start_time, end_time).select_related("doctor").first()
    if other is not None:
        raise ValidationError(
            _("This patient already has an appointment %(span)s, with %(doctor)s."),
            code="patient_overlap",
            params={"doctor": other.doctor, **_in_the_way(other)},
        )


def without_other_appointment(refusal: ValidationError) -> ValidationError:
    """Return a refusal without details of the patient's other appointment, for users who see only their own diary."""
    if refusal.code != "patient_overlap":
        return refusal
    return ValidationError(_("This patient has another appointment at that time."), code="patient_overlap")


def check_movable(status: str, *, old_start: dt.datetime, new_start: dt.datetime) -> None:
    """Refuse to change time, doctor or patient in a final status, or the day after the arrival: `not_movable`."""
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


def check_exchange_reason(reason: str) -> None:
    """Refuse to give an appointment to another patient without a reason: `required`."""
    if not reason.strip():
        raise ValidationError(_("Say why the patient is changed."), code="required")


def check_cancellation(status: str, *, cancelled_by: str) -> None:
    """Refuse a cancelled appointment that does not say who cancelled: `cancelled_by`."""
    if status == Status.CANCELLED and not cancelled_by:
        raise ValidationError(_("Say who cancels: the patient or the clinic."), code="cancelled_by")


def check_cancel_reason(status: str, *, cancel_reason: str) -> None:
    """Refuse a cancelled appointment without a reason: `cancel_reason`."""
    if status == Status.CANCELLED and not cancel_reason.strip():
        raise ValidationError(_("Say why the appointment is cancelled."), code="cancel_reason")


def check_status(status: str) -> None:
    """Refuse anything but a `Status`; MariaDB alone would take `Booked` for `booked`: `status`."""
    if status not in Status.values:
        raise ValidationError(_("This is not a status of an appointment."), code="status")


def refuse_no_free_time(minutes: int, *, doctor_name: str = "") -> NoReturn:
    """Refuse a walk-in if the doctor, or without a name any doctor, has too little time left: `no_free_time`."""
    raise ValidationError(
        _("%(who)s has no %(minutes)d minutes left today. Choose another doctor or day.")
        if doctor_name
        else _("No doctor has %(minutes)d minutes left today. Choose another day."),
        code="no_free_time",
        params={"minutes": minutes, "who": doctor_name},
    )


def check_walk_in_doctor(specializations: int) -> None:
    """Refuse a walk-in without a doctor where several specializations work: `walk_in_doctor`."""
    if specializations > 1:
        raise ValidationError(
            _("Choose whom the patient is to see: a doctor or a specialization."), code="walk_in_doctor"
        )


def refuse_no_proposal() -> NoReturn:
    """Refuse to move an appointment for which no free time was found: `no_free_time`."""
    raise ValidationError(_("No free time was found in the next four weeks."), code="no_free_time")


def refuse_gone(what: str) -> NoReturn:
    """Refuse an action on a deleted `appointment`, `doctor` or `patient`: `gone`."""
    message = {
        "appointment": _("This appointment has been deleted."),
        "doctor": _("This doctor's record has been deleted. Choose another doctor."),
        "patient": _("This patient's record has been deleted. Find the patient again."),
    }[what]
    raise ValidationError(message, code="gone")


def check_not_stale(current_version: int, *, seen_version: int | None) -> None:
    """Refuse a change if the record was changed since it was shown; None skips the check: `stale`."""
    message = _("Somebody else has changed this appointment. Check it as it is now, then decide again.")
    check_unchanged(current_version, seen=seen_version, message=message)


def check_details_not_stale(current: str, *, seen: str | None) -> None:
    """Refuse new details if the old ones were changed since they were shown; None skips the check: `stale`."""
    message = _("Somebody else has changed this meanwhile. Compare, then save again to replace it.")
    check_unchanged(current, seen=seen, message=message)


def check_no_text_for_anonymised(text: str, *, is_anonymised: bool) -> None:
    """Refuse to write about the appointment of an anonymised patient: `anonymised`."""
    if is_anonymised and text not in ("", ANONYMISED):
        raise ValidationError(
            _("The patient of this appointment has been anonymised, so nothing can be written about it."),
            code="anonymised",
        )


def check_no_open_appointments(open_appointments: "AppointmentQuerySet", *, today: dt.date) -> None:
    """Refuse to anonymise a patient with an open appointment that ends `today` or later: `open_appointments`."""
    start, _end = clinic_time.day_bounds(today)
    if (appointment := open_appointments.filter(end_time__gt=start).order_by("start_time").first()) is not None:
        raise ValidationError(
            _("An appointment is still open: %(appointment)s. Record how it ended, or cancel it, first."),
            code="open_appointments",
            params={"appointment": appointment},
        )


def is_blocking(status: str) -> bool:
    return status in BLOCKING
