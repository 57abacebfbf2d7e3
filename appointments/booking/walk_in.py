"""Book a patient who is here today's next free time."""

import datetime as dt
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db import transaction

from appointments import locking, rules
from appointments.availability.search import Slot, SlotSearch, find_free
from appointments.booking import actions
from appointments.models import Appointment
from clinic.audit.actor import acting
from clinic.core import clinic_time
from clinic.core.appointment_length import DEFAULT_MINUTES
from clinic.core.field_errors import at_field
from clinic.db.transactions import retrying
from doctors.models import Doctor
from patients.models import Patient

if TYPE_CHECKING:
    from clinic.models import User


def walk_in(
    *,
    patient: Patient,
    search: SlotSearch,
    by: "User | None",
    reason: str = "",
    notes: str = "",
    booking_key: uuid.UUID | None = None,
    start_time: dt.datetime | None = None,
) -> Appointment:
    """Book today's next matching free time for a patient who is here, and mark the patient as arrived.

    That is `start_time`, the one that was shown, unless it has been taken or has passed. A repeated `booking_key`
    returns the walk-in that it booked.

    Raises:
        ValidationError: `no_free_time` if no matching doctor has time left today; `walk_in_doctor` if it is left open
            which specialization the patient needs; otherwise as `book`.
    """
    if search.minutes is not None:
        with at_field("duration_minutes"):
            rules.check_duration(search.minutes)
    _check_specialization(search)
    search = replace(search, patient_id=patient.pk)
    key = booking_key or uuid.uuid4()
    details = {"patient": patient, "reason": reason, "notes": notes, "booking_key": key, "by": by}
    return _walk_in_once(search, details, shown=start_time)


def _check_specialization(search: SlotSearch) -> None:
    if search.doctor_id is None and not search.specialization:
        active = Doctor.objects.active().order_by()
        with at_field("doctor"):
            rules.check_walk_in_doctor(active.values("specialization").distinct().count())


@retrying
def _walk_in_once(search: SlotSearch, details: dict[str, Any], *, shown: dt.datetime | None) -> Appointment:
    if (walked_in := _walked_in_before(search, details)) is not None:
        return walked_in
    with acting(details["by"]), transaction.atomic():
        doctor = _next_free_today(search).doctor
        locking.lock_diaries(doctor_ids=[doctor.pk], patient_ids=())
        if (walked_in := _walked_in_before(search, details)) is not None:
            return walked_in
        slot = _next_free_today(
            replace(search, doctor_id=doctor.pk), shown=shown
        )  # it cannot be taken, as its diary is locked
        new = actions.book(
            doctor=doctor,
            start_time=slot.start,
            duration_minutes=search.minutes_with(doctor),
            is_walk_in=True,
            **details,
        )
        return actions.mark_arrived(new, by=details["by"])


def _walked_in_before(search: SlotSearch, details: dict[str, Any]) -> Appointment | None:
    booked = Appointment.objects.filter(booking_key=details["booking_key"]).first()
    if booked is None:
        return None
    requested = details["patient"].pk, search.minutes_with(booked.doctor), details["reason"].split(), details["notes"]
    is_requested = requested == actions.details_of(booked) and search.suits_doctor(booked.doctor)
    is_here = booked.arrived_at is not None and booked.is_blocking
    if not (is_requested and is_here and clinic_time.local_date(booked.start_time) == clinic_time.today()):
        actions.refuse_used_key(booked)
    return booked


def _next_free_today(search: SlotSearch, *, shown: dt.datetime | None = None) -> Slot:
    """Return today's slot at the start `shown`, else the next that matches, or refuse: `no_free_time`."""
    doctors = list(Doctor.objects.active())
    found = find_free(search, doctors, first_day=clinic_time.today(), days=1)
    slot = min(found.slots(), key=lambda slot: (slot.start != shown, slot.start), default=None)
    if slot is None:
        matching = [doctor for doctor in doctors if search.suits_doctor(doctor)]
        minutes = min(map(search.minutes_with, matching), default=DEFAULT_MINUTES)
        with at_field("start_time"):
            rules.refuse_no_free_time(
                minutes, doctor_name=matching[0].full_name if search.doctor_id and matching else ""
            )
    return slot
