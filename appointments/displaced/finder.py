"""Who is hit: booked appointments that a change of doctors' time leaves without a doctor.

A change is any call that writes doctors' time. To know whom it hits, it is carried out, looked at, and taken back.
"""

import copy
import datetime as dt
from collections.abc import Callable, Iterable
from functools import partial, reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from django.db import transaction

from appointments.models import Appointment, DisplacedAppointment, ScheduleChange
from appointments.querysets import AppointmentQuerySet
from clinic.audit.actor import acting
from clinic.core import clinic_time
from clinic.models import AuditEntry, Event
from doctors.availability import Span
from doctors.availability_loader import load_availability
from doctors.models import AvailabilityRecord, Closure, Doctor
from doctors.querysets import DoctorQuerySet

if TYPE_CHECKING:
    from clinic.models import User

MAX_CAUSE = ScheduleChange._meta.get_field("cause").max_length or 0
MAX_NAMED = 100  # of the appointments that a change would hit, on a page


def displaced_by_saving(record: AvailabilityRecord | Doctor) -> list[Appointment]:
    """Return the appointments that saving the record as it is now would hit; as `displaced_by`."""
    return displaced_by(partial(_on_a_copy, record, "save"), record.diaries(), within=record.touched())


def displaced_by_closing(closures: list[Closure]) -> list[Appointment]:
    """Return the appointments that saving all of these closures would hit; as `displaced_by`."""

    def close() -> None:
        for closure in closures:
            _on_a_copy(closure, "save")

    return displaced_by(
        close, Doctor.objects.all(), within=[span for closure in closures for span in closure.touched()]
    )


def displaced_by_deleting(record: AvailabilityRecord) -> list[Appointment]:
    """Return the appointments that deleting the record would hit; as `displaced_by`."""
    return displaced_by(partial(_on_a_copy, record, "delete"), record.diaries())


def _on_a_copy(record: Any, verb: str) -> None:
    getattr(copy.copy(record), verb)()  # the record itself must not believe that it is saved


def displaced_by(
    change: Callable[[], Any], doctors: DoctorQuerySet, *, within: Iterable[Span] | None = None
) -> list[Appointment]:
    """Return the coming appointments of these doctors that a change leaves without their doctor.

    Soonest first, with patient and doctor, and with them patients who wait, be it beyond their time; of the stretches
    `within`, if given. The diaries are claimed first: if the caller goes on in the same transaction, nobody books in
    between. Nine queries and those of claim and change.

    Raises:
        LostRace: if the change is refused under the claim.
    """
    with transaction.atomic():
        doctors.claim()
        appointments = list(_coming(doctors, within).select_related("patient", "doctor"))
        if not appointments:
            return []
        before = obstacles_to(appointments)
        with transaction.atomic():
            change()
            after = obstacles_to(appointments)
            transaction.set_rollback(True)
    for appointment in appointments:
        appointment.hit_because = after[appointment.pk] - before[appointment.pk]
    return [appointment for appointment in appointments if appointment.hit_because]


def _coming(doctors: DoctorQuerySet, within: Iterable[Span] | None) -> AppointmentQuerySet:
    appointments = Appointment.objects.still_to_take_place().filter(doctor__in=doctors.order_by())
    if within is None:
        return appointments
    return reduce(or_, (appointments.overlapping(*span) for span in within), appointments.none())


def obstacles_to(appointments: list[Appointment]) -> dict[int, frozenset[str]]:
    """Return why doctors are away, by appointment id: `inactive`, `closed`, `leave`, `hours`, or nothing.

    Four queries, however many appointments.
    """
    if not appointments:
        return {}
    doctor_ids = {appointment.doctor_id for appointment in appointments}
    first, last = (
        min(appointment.start_time for appointment in appointments),
        max(appointment.end_time for appointment in appointments),
    )
    times = load_availability(doctor_ids, clinic_time.local_date(first), clinic_time.local_date(last))
    active = set(Doctor.objects.active().filter(pk__in=doctor_ids).values_list("pk", flat=True))
    return {
        appointment.pk: times[appointment.doctor_id].obstacles(appointment.start_time, appointment.end_time)
        | (frozenset() if appointment.doctor_id in active else {"inactive"})
        for appointment in appointments
    }


def with_patient_names(hits: list[Appointment]) -> list[Appointment]:
    """Return those of the appointments that a change would hit whose patients a page names."""
    return hits[:MAX_NAMED]


def record_displaced_read(appointments: list[Appointment]) -> None:
    """Record that the patients of affected appointments were shown. Two queries, or none.

    To be called outside the transaction in which they were looked for: that is taken back, and this is to stay.
    """
    if appointments:
        AuditEntry.objects.record(
            Event.READ, Appointment, patients=[appointment.patient_id for appointment in appointments]
        )


def unfinished_for(user: Any, *, at: dt.datetime | None = None) -> list[ScheduleChange]:
    """Return the impacts on which there is something left to do that the user may do: to arrange before to call.

    One query, or none.
    """
    if not user.has_perm("appointments.change_appointment"):
        return []
    impacts: list[Any] = list(ScheduleChange.objects.unfinished(at=at))
    return sorted(impacts, key=lambda impact: not impact.to_arrange)


def unfinished_hit_of(
    appointment: Appointment, user: Any, *, at: dt.datetime | None = None
) -> DisplacedAppointment | None:
    """Return the hit because of which there is something left to do about an appointment that the user may do.

    One query, or none.
    """
    if not user.has_perm("appointments.change_appointment"):
        return None
    hits = DisplacedAppointment.objects.filter(appointment=appointment).unfinished(at=at)
    return hits.select_related("impact").order_by("-pk").first()


def follow_up(
    appointments: Iterable[Appointment], *, cause: str, doctors: DoctorQuerySet, by: "User | None"
) -> ScheduleChange | None:
    """Take off the lists who is no longer hit after a change of these doctors' time, and list who is now."""
    with acting(by), transaction.atomic():
        _settle(doctors)
        return open_schedule_change(appointments, cause=cause, by=by)


def _settle(doctors: DoctorQuerySet) -> None:
    """Take appointments off the worklists whose reason for being there no longer applies. Six queries."""
    hits = list(
        DisplacedAppointment.objects.to_arrange().filter(doctor__in=doctors.order_by()).select_related("appointment")
    )
    obstacles = obstacles_to([hit.appointment for hit in hits])
    for hit in hits:
        if not hit.still_applies(obstacles[hit.appointment_id]):
            hit.reinstate()


def open_schedule_change(
    appointments: Iterable[Appointment], *, cause: str, by: "User | None"
) -> ScheduleChange | None:
    """Keep which appointments were hit, and by what, until their patients have been told; None if there are none.

    Of appointments that `displaced_by` has not looked at, it is what keeps them now.
    """
    appointments = list(appointments)
    if not appointments:
        return None
    with acting(by), transaction.atomic():
        impact = ScheduleChange.objects.create(cause=cause[:MAX_CAUSE], created_by=by)
        now = {} if all(appointment.hit_because for appointment in appointments) else obstacles_to(appointments)
        for appointment in appointments:
            hit = DisplacedAppointment(
                impact=impact, appointment=appointment, doctor=appointment.doctor, start_time=appointment.start_time
            )
            hit.because = ",".join(sorted(appointment.hit_because or now[appointment.pk]))
            hit.save()
    return impact
