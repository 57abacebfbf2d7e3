"""The rules that depend on other rows: the doctor is active and available, and doctor and patient are free."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.utils import timezone

from appointments import rules
from appointments.models.diary_query import Surroundings, surroundings_of
from clinic.core.field_errors import FieldErrors, at_field
from doctors.availability_loader import load_doctor_availability

if TYPE_CHECKING:
    from appointments.models import Appointment


def check_diaries(appointment: "Appointment") -> None:
    """Check an appointment that takes time.

    One query; more only to say what is in the way, or if a reason overrides it. Past times are not checked against the
    doctor's hours or gap, nor is the time to which a displaced appointment is put back.

    Raises:
        ValidationError: by field.
    """
    errors, around = FieldErrors(), surroundings_of(appointment)
    if around is None:
        with at_field("doctor"):
            rules.refuse_gone("doctor")
    is_new_start = not appointment.is_put_back and (
        appointment.is_reinstated or appointment.changes("doctor_id", "start_time")
    )
    if is_new_start:
        with errors.at("doctor"):
            rules.check_active(around.doctor)
    is_longer = appointment.duration_minutes > appointment.original.get("duration_minutes", 0)
    is_future_change = (is_new_start or is_longer) and appointment.start_time > timezone.now()
    is_overridden = is_future_change and _check_availability(appointment, errors, around)
    is_overridden |= _check_free(appointment, errors, around, checks_gap=is_future_change)
    errors.raise_any()
    if is_future_change and not is_overridden:
        appointment.outside_hours_reason = ""  # not needed


def _check_availability(appointment: "Appointment", errors: FieldErrors, around: Surroundings) -> bool:
    """Check that the doctor is available; return whether the reason for an exception was needed."""
    if around.is_doctor_available:
        return False
    start, end = appointment.start_time, appointment.end_time
    with errors.at("start_time"):
        time = load_doctor_availability(around.doctor.pk, start, end)
        return _overrides(appointment, partial(rules.check_open, time, start, end, doctor=around.doctor))
    return False


def _check_free(appointment: "Appointment", errors: FieldErrors, around: Surroundings, *, checks_gap: bool) -> bool:
    """Check that doctor and patient are free; return whether the reason for an exception was needed."""
    is_overridden = False
    others = type(appointment).objects.exclude(pk=appointment.pk)
    in_diary, span = others.for_doctor(around.doctor.pk), (appointment.start_time, appointment.end_time)
    if not around.is_doctor_free:
        with errors.at("start_time"):
            rules.check_doctor_free(in_diary, *span)
            if checks_gap:
                check = partial(rules.check_gap_kept, in_diary, *span, doctor=around.doctor)
                is_overridden = _overrides(appointment, check)
    if not around.is_patient_free:
        with errors.at("start_time"):
            rules.check_patient_free(others.for_patient(appointment.patient_id), *span)
    return is_overridden


def _overrides(appointment: "Appointment", check: Callable[[], None]) -> bool:
    """Check a rule that a reason overrides; return whether it was needed."""
    try:
        check()
    except ValidationError:
        if not appointment.outside_hours_reason:
            raise
        return True
    return False
