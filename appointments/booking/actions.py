"""What people do with appointments: the verbs of the front desk.

Each verb is a whole unit of work: it reads the row afresh, checks every rule, writes, and leaves an audit entry in the
same transaction, with `by` as the actor. Refusals are ValidationErrors by field; nothing is then saved. Every verb
that changes an appointment takes `version`, the one that was shown to whoever decides; None skips that check.
"""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from appointments import locking, rules
from appointments.availability.search import Slot, SlotSearch, find_free
from appointments.models import Appointment
from appointments.statuses import Status
from clinic.audit.actor import acting
from clinic.core import clinic_time
from clinic.core.appointment_length import USUAL_MINUTES
from clinic.core.field_errors import FieldErrors
from clinic.db.transactions import is_lost_connection, retrying
from doctors.models import Doctor
from patients.models import Patient

if TYPE_CHECKING:
    from clinic.models import User

# Their existence is known: callers hand over records, and booking_key has been looked up.
_KNOWN = {"patient", "doctor", "booked_by", "booking_key"}


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
) -> Appointment:
    """Book a visit, or return the one that this `booking_key` has booked before.

    With `outside_hours_reason`, `by` may book where the doctor is not there, if the role allows it.

    A connection lost around the COMMIT leaves open whether the visit was booked: the key is then looked up once.

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
    )
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
    with (errors := FieldErrors()).at("outside_hours_reason"):
        may = by is not None and by.has_perm("appointments.book_outside_hours")
        rules.check_may_book_outside_hours(reason.strip(), may=may)
    errors.raise_any()


@retrying
def _book_once(new: Callable[[], Appointment], *, by: "User | None") -> Appointment:
    wanted = new()  # afresh at each try: a COMMIT that failed leaves an instance that believes it is saved
    if (booked := _booked_before(wanted)) is not None:
        return booked
    try:
        wanted.full_clean(exclude=_KNOWN)
    except ValidationError:
        # What is in the way may be this very booking: the same form, sent twice at once.
        if (booked := _booked_before(wanted)) is not None:
            return booked
        raise
    with acting(by):
        wanted.save(force_insert=True)
    return wanted


def _booked_before(wanted: Appointment) -> Appointment | None:
    booked = Appointment.objects.filter(booking_key=wanted.booking_key).first()
    if booked is None:
        return None
    asked, got = (
        (each.doctor_id, clinic_time.whole_minute(each.start_time), *_told_of(each)) for each in (wanted, booked)
    )
    if asked != got or not booked.is_blocking:
        _refuse_used_key(booked)
    return booked


def _told_of(visit: Appointment) -> tuple[Any, ...]:
    """Return what somebody says of a visit apart from where and when it takes place."""
    return visit.patient_id, visit.duration_minutes, visit.reason.split(), visit.notes


def _refuse_used_key(booked: Appointment) -> NoReturn:
    raise ValidationError(
        _("This form has already booked %(appointment)s. Send it again to book this one as well."),
        code="booking_key_used",
        params={"appointment": booked},
    )


def walk_in(
    *,
    patient: Patient,
    wish: SlotSearch,
    by: "User | None",
    reason: str = "",
    notes: str = "",
    booking_key: uuid.UUID | None = None,
) -> Appointment:
    """Book the next free time of today that suits, for a patient who is here: the visit counts as arrived.

    The walk-in that this `booking_key` has booked for the patient before is returned as it is.

    Raises:
        ValidationError: `no_free_time` if nobody who suits is free today any more; `booking_key_used` if the key
            booked something else; else as `book`.
    """
    if wish.minutes is not None:
        with (errors := FieldErrors()).at("duration_minutes"):
            rules.check_duration(wish.minutes)
        errors.raise_any()
    wish = replace(wish, patient_id=patient.pk)
    key = booking_key or uuid.uuid4()
    return _walk_in_once(wish, {"patient": patient, "reason": reason, "notes": notes, "booking_key": key, "by": by})


@retrying
def _walk_in_once(wish: SlotSearch, details: dict[str, Any]) -> Appointment:
    if (walked_in := _walked_in_before(wish, details)) is not None:
        return walked_in
    with acting(details["by"]), transaction.atomic():
        doctor = _next_free_today(wish).doctor
        locking.claim(doctor_ids=[doctor.pk], patient_ids=())
        if (walked_in := _walked_in_before(wish, details)) is not None:
            return walked_in
        slot = _next_free_today(replace(wish, doctor_id=doctor.pk))  # nobody takes it from us any more
        new = book(doctor=doctor, start_time=slot.start, duration_minutes=wish.minutes_with(doctor), **details)
        return mark_arrived(new, by=details["by"])


def _walked_in_before(wish: SlotSearch, details: dict[str, Any]) -> Appointment | None:
    booked = Appointment.objects.filter(booking_key=details["booking_key"]).first()
    if booked is None:
        return None
    asked = details["patient"].pk, wish.minutes_with(booked.doctor), details["reason"].split(), details["notes"]
    is_asked = asked == _told_of(booked) and wish.suits_doctor(booked.doctor)
    is_here = booked.arrived_at is not None and booked.is_blocking
    if not (is_asked and is_here and clinic_time.local_date(booked.start_time) == clinic_time.today()):
        _refuse_used_key(booked)
    return booked


def _next_free_today(wish: SlotSearch) -> Slot:
    """Return the soonest slot of today that suits, or refuse."""
    doctors = list(Doctor.objects.active())
    found = find_free(wish, doctors, first_day=clinic_time.today(), days=1)
    slot = min(found.slots(), key=lambda slot: slot.start, default=None)
    if slot is None:
        with (errors := FieldErrors()).at("start_time"):
            sought = [doctor for doctor in doctors if wish.suits_doctor(doctor)]
            minutes = min(map(wish.minutes_with, sought), default=USUAL_MINUTES)
            chosen = sought[0].full_name if wish.doctor_id and sought else ""
            rules.refuse_no_free_time(minutes, doctor_name=chosen)
        errors.raise_any()
    return slot


def register_and(
    arrange: Callable[..., Appointment],
    *,
    new_patient: Callable[[], Patient],
    booking_key: uuid.UUID,
    by: "User | None",
) -> Appointment:
    """Register a patient and arrange a visit (`book` or `walk_in`, called with `patient`), both or neither.

    Sent again with the same key, the patient it registered is taken. `new_patient` makes the unsaved record afresh at
    each try.

    Raises:
        ValidationError: by field, of the patient's rules or of the visit's.
    """

    @retrying
    def register_and_once() -> Appointment:
        patient = new_patient()
        with acting(by), transaction.atomic():
            if (registered := registered_with(booking_key, email=patient.email)) is not None:
                return arrange(patient=registered)
            try:
                patient.full_clean()
            except ValidationError:
                # What is in the way may be this very patient: the same form, sent twice at once.
                if (registered := registered_with(booking_key, email=patient.email)) is None:
                    raise
                return arrange(patient=registered)
            patient.save()
            return arrange(patient=patient)

    return register_and_once()


def registered_with(booking_key: uuid.UUID, *, email: str) -> Patient | None:
    """Return the patient with this e-mail for whom the key has booked before, if it has."""
    return Patient.objects.filter(appointments__booking_key=booking_key, email=email.strip().lower()).first()


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
    """Give a visit another doctor, start or length. The row stays; the audit trail holds old and new, and the reason.

    Why it was outside hours is carried over only while doctor and start stay: `outside_hours_reason` says it of a new
    time, as in `book`.

    Raises:
        ValidationError: by field, with the codes of `rules`.
    """
    _check_may_book_outside_hours(outside_hours_reason, by=by)

    def change(current: Appointment) -> None:
        with (errors := FieldErrors()).at("start_time"):  # `clean()` asks only if something changes
            rules.check_movable(current.status, old_start=current.start_time, new_start=start_time)
        errors.raise_any()
        current.doctor = doctor
        current.start_time = start_time
        current.duration_minutes = duration_minutes
        if current.changes("doctor_id", "start_time") or outside_hours_reason:
            current.outside_hours_reason = outside_hours_reason
        current.reason_of_change = " ".join(reason.split())

    return _change(appointment, change, by=by, version=version)


def cancel(
    appointment: Appointment, *, reason: str, cancelled_by: str, by: "User | None", version: int | None = None
) -> Appointment:
    """Call a visit off, with a reason and by whom (a `CancelledBy`). Its time is free again.

    Raises:
        ValidationError: `transition`, `cancelled_by`, `cancel_reason` or `stale`.
    """

    def change(current: Appointment) -> None:
        _lead_on(current, Status.CANCELLED)
        current.cancelled_at = timezone.now()
        current.cancelled_by = cancelled_by
        current.cancel_reason = reason

    return _change(appointment, change, by=by, version=version)


def mark_arrived(appointment: Appointment, *, by: "User | None", version: int | None = None) -> Appointment:
    """Note that the patient is here.

    Raises:
        ValidationError: `transition`, `not_today`, `stale`; `doctor_overlap` or `patient_overlap` for a no-show whose
            time has been given away.
    """

    def change(current: Appointment) -> None:
        _lead_on(current, Status.ARRIVED)
        current.arrived_at = timezone.now()

    return _change(appointment, change, by=by, version=version)


def start(appointment: Appointment, *, by: "User | None", version: int | None = None) -> Appointment:
    """Note that the consultation begins; a patient nobody marked arrived has arrived by now.

    Raises:
        ValidationError: `transition`, `not_today` or `stale`.
    """

    def change(current: Appointment) -> None:
        _lead_on(current, Status.IN_CONSULTATION)
        current.started_at = timezone.now()
        current.arrived_at = current.arrived_at or current.started_at

    return _change(appointment, change, by=by, version=version)


def complete(appointment: Appointment, *, by: "User | None", version: int | None = None) -> Appointment:
    """Note that the consultation is over.

    Raises:
        ValidationError: `transition` or `stale`.
    """

    def change(current: Appointment) -> None:
        with (errors := FieldErrors()).at("status"):
            rules.check_under_way(current.status)
        errors.raise_any()
        current.status = Status.COMPLETED
        current.completed_at = timezone.now()

    return _change(appointment, change, by=by, version=version)


def record_attended(appointment: Appointment, *, by: "User | None", version: int | None = None) -> Appointment:
    """Note of a visit whose time has passed that it took place. Nobody knows when any more: nothing is stamped.

    Raises:
        ValidationError: `transition`, `not_over` or `stale`.
    """

    def change(current: Appointment) -> None:
        _lead_on(current, Status.COMPLETED)
        with (errors := FieldErrors()).at("status"):
            rules.check_over(current.end_time, at=timezone.now())
        errors.raise_any()

    return _change(appointment, change, by=by, version=version)


def mark_no_show(appointment: Appointment, *, by: "User | None", version: int | None = None) -> Appointment:
    """Note that the patient did not come. The time is free again.

    Raises:
        ValidationError: `transition`, `not_started` or `stale`.
    """

    def change(current: Appointment) -> None:
        _lead_on(current, Status.NO_SHOW)

    return _change(appointment, change, by=by, version=version)


def undo(appointment: Appointment, *, by: "User | None", version: int | None = None) -> Appointment:
    """Take the last status back and clear what it stamped. A time freed meanwhile is taken again, if still free.

    Raises:
        ValidationError: `transition` if there is nothing to undo; `not_today`, `past`, `stale`, `doctor_overlap`,
            `patient_overlap`, `inactive`.
    """

    def change(current: Appointment) -> None:
        last = Status(current.status)
        with (errors := FieldErrors()).at("status"):
            current.status = rules.status_before(last, current.stamped)
        errors.raise_any()
        for name, blank in _STAMPS.get(last, {}).items():
            setattr(current, name, blank)

    return _change(appointment, change, by=by, version=version)


def _lead_on(current: Appointment, status: Status) -> None:
    """Give the visit a later status. `clean()` cannot ask for this: it takes an undo for a change like any other."""
    with (errors := FieldErrors()).at("status"):
        rules.check_forward(current.status, status)
    errors.raise_any()
    current.status = status


# What each status stamps on the row, and what an undo puts in its place.
_STAMPS: dict[Status, dict[str, str | None]] = {
    Status.ARRIVED: {"arrived_at": None},
    Status.IN_CONSULTATION: {"started_at": None},
    Status.COMPLETED: {"completed_at": None},
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
            {field: list(map(rules.without_other_visit, errors)) for field, errors in refusal.error_dict.items()}
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
        current.full_clean(exclude=_KNOWN)
        current.save()
    return current
