"""What users do with appointments: book, move, cancel, and change the status.

Each action reads the row again, checks every rule, writes, and audits in one transaction, with `by` as the actor. It
raises ValidationErrors by field. `version` is the one that the user was shown; None skips that check (`stale`).
"""

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from appointments import rules, transitions
from appointments.models import Appointment, DisplacedAppointment
from appointments.statuses import Status
from clinic.audit.actor import acting
from clinic.core import clinic_time
from clinic.core.field_errors import at_field
from clinic.core.names import clean_line
from clinic.db.transactions import is_lost_connection, retrying
from doctors.models import Doctor
from patients.models import Patient

if TYPE_CHECKING:
    from clinic.models import User


def book(
    *,
    patient: Patient,
    doctor: Doctor,
    start_time: dt.datetime,
    duration_minutes: int,
    by: "User | None",
    reason: str = "",
    notes: str = "",
    outside_hours_reason: str = "",
    booking_key: uuid.UUID | None = None,
    is_walk_in: bool = False,
) -> Appointment:
    """Book an appointment, or return the one that this `booking_key` has booked before.

    Raises:
        ValidationError: by field, with the codes of `rules`; `booking_key_used` if the key booked something else.
        DatabaseError: if the database stays busy or away; sending the same key again is safe.
    """
    _check_may_book_outside_hours(outside_hours_reason, by=by)
    new = partial(
        Appointment,
        patient=patient,
        doctor=doctor,
        start_time=start_time,
        duration_minutes=duration_minutes,
        reason=reason,
        notes=notes,
        outside_hours_reason=outside_hours_reason,
        booked_by=by,
        booking_key=booking_key or uuid.uuid4(),
        is_walk_in=is_walk_in,
    )
    return _book_over_lost_connection(new, by=by)


def _book_over_lost_connection(new: Callable[[], Appointment], *, by: "User | None") -> Appointment:
    """Book; if the connection is lost around the COMMIT, look up once whether it took effect."""
    try:
        return _book_once(new, by=by)
    except DatabaseError as error:
        if connection.in_atomic_block or not is_lost_connection(error):
            raise
        connection.close()
        if (booked := _booked_before(new())) is None:
            raise
        return booked


def _check_may_book_outside_hours(reason: str, *, by: "User | None") -> None:
    if not reason.strip():
        return
    may = by is not None and by.has_perm("appointments.book_outside_hours")
    with at_field("outside_hours_reason"):
        rules.check_may_book_outside_hours(reason, may=may)


@retrying
def _book_once(new: Callable[[], Appointment], *, by: "User | None") -> Appointment:
    wanted = new()  # made again at each try: a failed COMMIT leaves an instance that believes it is saved
    try:
        with acting(by):
            wanted.clean_and_save()
    except (ValidationError, IntegrityError):
        # The conflict may be this very booking: the same form, sent before or twice at once. Its key is unique.
        if (booked := _booked_before(wanted)) is not None:
            return booked
        raise
    return wanted


def _booked_before(wanted: Appointment) -> Appointment | None:
    booked = Appointment.objects.filter(booking_key=wanted.booking_key).first()
    if booked is None:
        return None
    requested, existing = (
        (each.doctor_id, clinic_time.whole_minute(each.start_time), *details_of(each)) for each in (wanted, booked)
    )
    if requested != existing or not booked.is_blocking:
        refuse_used_key(booked)
    return booked


def details_of(appointment: Appointment) -> tuple[Any, ...]:
    """Return what a booking form contains apart from doctor and start, to compare two bookings."""
    return appointment.patient_id, appointment.duration_minutes, appointment.reason.split(), appointment.notes


def refuse_used_key(booked: Appointment) -> NoReturn:
    """Refuse a key that has booked something else: `booking_key_used`."""
    raise ValidationError(
        _("This form has already booked %(appointment)s. Send it again to book this one as well."),
        code="booking_key_used",
        params={"appointment": booked},
    )


def move(
    appointment: Appointment,
    *,
    doctor: Doctor,
    start_time: dt.datetime,
    duration_minutes: int,
    by: "User | None",
    reason: str = "",
    outside_hours_reason: str = "",
    version: int | None = None,
) -> Appointment:
    """Change doctor, start or length. The audit trail has old and new values, and the reason.

    A new doctor or start needs its own `outside_hours_reason`, as in `book`.
    """
    _check_may_book_outside_hours(outside_hours_reason, by=by)

    def change(current: Appointment) -> None:
        with at_field("start_time"):  # `clean()` checks this only if something changes
            rules.check_movable(current.status, old_start=current.start_time, new_start=start_time)
        current.doctor = doctor
        current.start_time = start_time
        current.duration_minutes = duration_minutes
        if current.changes("doctor_id", "start_time") or outside_hours_reason:
            current.outside_hours_reason = outside_hours_reason
        current.reason_of_change = clean_line(reason)

    return _change(appointment, change, by=by, version=version)


def edit_details(
    appointment: Appointment,
    *,
    by: "User | None",
    reason: str | None = None,
    notes: str | None = None,
    duration_minutes: int | None = None,
    seen_details: str | None = None,
    version: int | None = None,
) -> Appointment:
    """Change what is given of reason, notes and length, in any status; a new length needs free time.

    `seen_details` are the `state_of_details` that the user was shown: unlike `version`, an arrival in the meantime does
    not make them outdated (`stale`).
    """
    given = {"reason": reason, "notes": notes, "duration_minutes": duration_minutes}

    def change(current: Appointment) -> None:
        rules.check_details_not_stale(state_of_details(current), seen=seen_details)
        for name, value in given.items():
            if value is not None:
                setattr(current, name, value)

    return _change(appointment, change, by=by, version=version)


def state_of_details(appointment: Appointment) -> str:
    """Return a digest that differs whenever reason, notes or length do."""
    details = (appointment.reason, appointment.notes, appointment.duration_minutes)
    return hashlib.sha256(repr(details).encode()).hexdigest()[:16]


def exchange_patient(
    appointment: Appointment, *, patient: Patient, reason: str, by: "User | None", version: int | None = None
) -> Appointment:
    """Give an appointment that was booked for the wrong patient to the right one, with a reason: `required`.

    Possible while booked or arrived: `not_movable`. Locks: both patients, besides the doctor.
    """

    def change(current: Appointment) -> None:
        with at_field("exchange_reason"):
            rules.check_exchange_reason(reason)
        current.patient = patient
        current.reason_of_change = clean_line(reason)

    return _change(appointment, change, by=by, version=version)


def put_back(displaced: DisplacedAppointment, *, by: "User | None", version: int | None = None) -> Appointment:
    """Undo that a displaced appointment was moved or cancelled: its doctor may be away, so it has to be done again."""

    def change(current: Appointment) -> None:
        if current.status == Status.CANCELLED:
            _undo_status(current)
        with at_field("start_time"):
            rules.check_movable(current.status, old_start=current.start_time, new_start=displaced.start_time)
        current.doctor, current.start_time = displaced.doctor, displaced.start_time
        current.is_put_back = True
        current.reason_of_change = _("Undone, to be moved or cancelled again")

    return _change(displaced.appointment, change, by=by, version=version)


def cancel(
    appointment: Appointment, *, reason: str, cancelled_by: str, by: "User | None", version: int | None = None
) -> Appointment:
    """Cancel, with a reason and by whom (a `CancelledBy`): `transition`, `cancelled_by`, `cancel_reason`."""

    def change(current: Appointment) -> None:
        _advance_status(current, Status.CANCELLED)
        current.cancelled_at = timezone.now()
        current.cancelled_by = cancelled_by
        current.cancel_reason = reason

    return _change(appointment, change, by=by, version=version)


def mark_arrived(appointment: Appointment, *, by: "User | None", version: int | None = None) -> Appointment:
    """Mark the patient as arrived: `transition`, `not_today`; from no-show also `doctor_overlap`, `patient_overlap`."""

    def change(current: Appointment) -> None:
        _advance_status(current, Status.ARRIVED)
        current.arrived_at = timezone.now()

    return _change(appointment, change, by=by, version=version)


def start(appointment: Appointment, *, by: "User | None", version: int | None = None) -> Appointment:
    """Start the consultation, and record the arrival if that was not done: `transition`, `not_today`."""

    def change(current: Appointment) -> None:
        _advance_status(current, Status.IN_CONSULTATION)
        current.started_at = timezone.now()
        current.arrived_at = current.arrived_at or current.started_at

    return _change(appointment, change, by=by, version=version)


def complete(appointment: Appointment, *, by: "User | None", version: int | None = None) -> Appointment:
    """Complete the consultation: `transition`."""

    def change(current: Appointment) -> None:
        with at_field("status"):
            transitions.check_under_way(current.status)
        current.status = Status.COMPLETED
        current.completed_at = timezone.now()

    return _change(appointment, change, by=by, version=version)


def record_attended(appointment: Appointment, *, by: "User | None", version: int | None = None) -> Appointment:
    """Mark a past appointment as attended, without timestamps, which are unknown: `transition`, `not_over`."""

    def change(current: Appointment) -> None:
        _advance_status(current, Status.COMPLETED)
        with at_field("status"):
            transitions.check_over(current.end_time, at=timezone.now())

    return _change(appointment, change, by=by, version=version)


def mark_no_show(appointment: Appointment, *, by: "User | None", version: int | None = None) -> Appointment:
    """Record that the patient did not come, which frees the time: `transition`, `not_started`."""

    def change(current: Appointment) -> None:
        _advance_status(current, Status.NO_SHOW)

    return _change(appointment, change, by=by, version=version)


def mark_left(appointment: Appointment, *, by: "User | None", version: int | None = None) -> Appointment:
    """Record that the patient arrived and went away without being seen, which frees the time: `transition`.

    Recorded on a later day, it has no timestamp: when the patient went is unknown.
    """

    def change(current: Appointment) -> None:
        _advance_status(current, Status.LEFT)
        now = timezone.now()
        is_its_day = clinic_time.local_date(current.start_time) == clinic_time.today(at=now)
        current.left_at = now if is_its_day else None

    return _change(appointment, change, by=by, version=version)


def undo(appointment: Appointment, *, by: "User | None", version: int | None = None) -> Appointment:
    """Restore the previous status: `transition`. If the last one freed the time, all rules of booking apply again."""
    return _change(appointment, _undo_status, by=by, version=version)


def _undo_status(current: Appointment) -> None:
    last = Status(current.status)
    with at_field("status"):
        current.status = transitions.status_before(last, current.stamped)
    for name, blank in _CLEARED_BY_UNDO.get(last, {}).items():
        setattr(current, name, blank)


def _advance_status(current: Appointment, status: Status) -> None:
    """Set a status that follows; `clean()` cannot check this, because to it an undo is a change like any other."""
    with at_field("status"):
        transitions.check_forward(current.status, status)
    current.status = status


# What each status has set on the row, and what an undo sets instead.
_CLEARED_BY_UNDO: dict[Status, dict[str, str | None]] = {
    Status.ARRIVED: {"arrived_at": None},
    Status.IN_CONSULTATION: {"started_at": None},
    Status.COMPLETED: {"completed_at": None},
    Status.LEFT: {"left_at": None},
    Status.CANCELLED: {"cancelled_at": None, "cancelled_by": "", "cancel_reason": ""},
}


def _change(
    appointment: Appointment,
    change: Callable[[Appointment], None],
    *,
    by: "User | None",
    version: int | None,
) -> Appointment:
    try:
        return _change_once(appointment, change, by=by, version=version)
    except ValidationError as refusal:
        if by is None or by.has_perm("appointments.view_appointment") or not hasattr(refusal, "error_dict"):
            raise
        raise ValidationError(
            {field: list(map(rules.without_other_appointment, errors)) for field, errors in refusal.error_dict.items()}
        ) from None


@retrying
def _change_once(
    appointment: Appointment,
    change: Callable[[Appointment], None],
    *,
    by: "User | None",
    version: int | None,
) -> Appointment:
    with acting(by), transaction.atomic():
        current = Appointment.objects.select_related("patient", "doctor").filter(pk=appointment.pk).first()
        if current is None:
            rules.refuse_gone("appointment")
        rules.check_not_stale(current.version, seen_version=version)
        change(current)
        current.clean_and_save()
    return current
