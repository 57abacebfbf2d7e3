"""Appointments that a change of doctors' availability leaves without a doctor, and the worklists made of them."""

import datetime as dt
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from appointments.models import Appointment, DisplacedAppointment, ScheduleChange
from appointments.querysets import AppointmentQuerySet
from clinic.audit.actor import acting
from clinic.core import clinic_time
from clinic.models import AuditEntry, Event
from doctors.availability import Span
from doctors.availability_change import AvailabilityChange
from doctors.availability_loader import load_availability
from doctors.models import Doctor
from doctors.querysets import DoctorQuerySet

if TYPE_CHECKING:
    from clinic.models import User

MAX_CAUSE = ScheduleChange._meta.get_field("cause").max_length or 0


def displaced_by(change: AvailabilityChange) -> list[Appointment]:
    """Return the coming appointments that no longer fit after a change, soonest first, with patient and doctor.

    Includes patients who wait beyond their time. Locks the diaries until the caller's transaction ends. Nine queries
    beside the locks and the change's own. Raises LostRace if the change can no longer be saved.
    """
    with transaction.atomic():
        change.doctors.lock_diaries()
        appointments = list(_coming(change.doctors, change.touched()).select_related("patient", "doctor"))
        if not appointments:
            return []
        change.check()
        before, after = obstacles_to(appointments), obstacles_to(appointments, after=change)
    for appointment in appointments:
        appointment.displaced_reasons = after[appointment.pk] - before[appointment.pk]
    return [appointment for appointment in appointments if appointment.displaced_reasons]


def _coming(doctors: DoctorQuerySet, within: Iterable[Span] | None) -> AppointmentQuerySet:
    appointments = Appointment.objects.still_to_take_place().filter(doctor__in=doctors.order_by())
    if within is None:
        return appointments
    return reduce(or_, (appointments.overlapping(*span) for span in within), appointments.none())


def obstacles_to(
    appointments: list[Appointment], *, after: AvailabilityChange | None = None
) -> dict[int, frozenset[str]]:
    """Return why doctors are away, by appointment id: `inactive`, `closed`, `leave`, `hours`, or nothing.

    With `after`, as it would be after that change. Four queries, however many appointments.
    """
    if not appointments:
        return {}
    doctor_ids = {appointment.doctor_id for appointment in appointments}
    first, last = (
        min(appointment.start_time for appointment in appointments),
        max(appointment.end_time for appointment in appointments),
    )
    times = load_availability(doctor_ids, clinic_time.local_date(first), clinic_time.local_date(last), after=after)
    active = _active(doctor_ids, after)
    return {
        appointment.pk: times[appointment.doctor_id].obstacles(appointment.start_time, appointment.end_time)
        | (frozenset() if appointment.doctor_id in active else {"inactive"})
        for appointment in appointments
    }


def _active(doctor_ids: set[int], after: AvailabilityChange | None) -> set[int]:
    active = set(Doctor.objects.active().filter(pk__in=doctor_ids).values_list("pk", flat=True))
    for doctor in after.put(Doctor) if after else ():
        (active.add if doctor.is_active else active.discard)(doctor.pk)
    return active


def record_displaced_read(appointments: list[Appointment]) -> None:
    """Record that the patients of these appointments were shown. Call it outside a transaction to be rolled back."""
    if appointments:
        AuditEntry.objects.record(
            Event.READ, Appointment, patients=[appointment.patient_id for appointment in appointments]
        )


def is_begun(worklist_id: int) -> bool:
    """Return whether an appointment of this worklist was moved, cancelled or has taken place, or a patient informed."""
    displaced = DisplacedAppointment.objects.filter(change=worklist_id)
    return displaced.count() != displaced.untouched().count()


def unfinished_for(user: Any, *, at: dt.datetime | None = None) -> list[ScheduleChange]:
    """Return the worklists on which the user has something to do, those with appointments to rebook first.

    `to_rebook` and `to_inform` count them. At most two queries.
    """
    at = at or timezone.now()
    if not user.has_perm("appointments.change_appointment"):
        return []
    displaced = DisplacedAppointment.objects.recent(at=at)
    if not displaced.exists():  # on most days; the next query costs a lot
        return []
    changes: dict[int, Any] = {}
    unfinished: Any = displaced.unfinished(at=at).select_related("change").order_by("start_time", "change")
    for each in unfinished:
        change = changes.setdefault(each.change_id, each.change)
        change.to_rebook = getattr(change, "to_rebook", 0) + each.is_to_rebook
        change.to_inform = getattr(change, "to_inform", 0) + (each.informed_at is None)
    return sorted(changes.values(), key=lambda change: not change.to_rebook)


def unfinished_displacement_of(
    appointment: Appointment, user: Any, *, at: dt.datetime | None = None
) -> DisplacedAppointment | None:
    """Return the latest worklist entry about which the user still has something to do. One query, or none."""
    if not user.has_perm("appointments.change_appointment"):
        return None
    displacements = DisplacedAppointment.objects.filter(appointment=appointment).unfinished(at=at)
    return displacements.select_related("change").order_by("-pk").first()


def follow_up(
    appointments: Iterable[Appointment], *, cause: str, doctors: DoctorQuerySet, by: "User | None"
) -> ScheduleChange | None:
    """Drop appointments of these doctors that fit again from the worklists, and open one of those displaced now."""
    with acting(by), transaction.atomic():
        _settle(doctors)
        return open_schedule_change(appointments, cause=cause, by=by)


def _settle(doctors: DoctorQuerySet) -> None:
    """Take appointments off the worklists whose reason for being there no longer applies. Six queries."""
    displacements = list(
        DisplacedAppointment.objects.to_rebook().filter(doctor__in=doctors.order_by()).select_related("appointment")
    )
    obstacles = obstacles_to([each.appointment for each in displacements])
    for each in displacements:
        if not each.still_applies(obstacles[each.appointment_id]):
            each.reinstate()


def open_schedule_change(
    appointments: Iterable[Appointment], *, cause: str, by: "User | None"
) -> ScheduleChange | None:
    """Open a worklist, if there are any appointments; without `displaced_reasons` they get the present obstacles."""
    appointments = list(appointments)
    if not appointments:
        return None
    with acting(by), transaction.atomic():
        change = ScheduleChange.objects.create(cause=cause[:MAX_CAUSE], created_by=by)
        now = {} if all(each.displaced_reasons for each in appointments) else obstacles_to(appointments)
        for appointment in appointments:
            DisplacedAppointment(
                change=change,
                appointment=appointment,
                doctor=appointment.doctor,
                start_time=appointment.start_time,
                reasons=",".join(sorted(appointment.displaced_reasons or now[appointment.pk])),
            ).save()
    return change
