"""Who is hit: booked visits that a change of doctors' time leaves without a doctor.

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
MAX_NAMED = 100  # of the visits that a change would hit, on a page


def displaced_by_saving(record: AvailabilityRecord | Doctor) -> list[Appointment]:
    """Return the visits that saving the record as it is now would hit; as `displaced_by`."""
    return displaced_by(partial(_on_a_copy, record, "save"), record.diaries(), within=record.touched())


def displaced_by_closing(closures: list[Closure]) -> list[Appointment]:
    """Return the visits that saving all of these closures would hit; as `displaced_by`."""

    def close() -> None:
        for closure in closures:
            _on_a_copy(closure, "save")

    return displaced_by(
        close, Doctor.objects.all(), within=[span for closure in closures for span in closure.touched()]
    )


def displaced_by_deleting(record: AvailabilityRecord) -> list[Appointment]:
    """Return the visits that deleting the record would hit; as `displaced_by`."""
    return displaced_by(partial(_on_a_copy, record, "delete"), record.diaries())


def _on_a_copy(record: Any, verb: str) -> None:
    getattr(copy.copy(record), verb)()  # the record itself must not believe that it is saved


def displaced_by(
    change: Callable[[], Any], doctors: DoctorQuerySet, *, within: Iterable[Span] | None = None
) -> list[Appointment]:
    """Return the coming visits of these doctors for whom a change is one more reason that the doctor is not there.

    Soonest first, with patient and doctor, and with them patients who wait, be it beyond their time; of the stretches
    `within`, if given. The diaries are claimed first: if the caller goes on in the same transaction, nobody books in
    between. Nine queries and those of claim and change.

    Raises:
        LostRace: if the change is refused under the claim.
    """
    with transaction.atomic():
        doctors.claim()
        visits = list(_coming(doctors, within).select_related("patient", "doctor"))
        if not visits:
            return []
        before = obstacles_to(visits)
        with transaction.atomic():
            change()
            after = obstacles_to(visits)
            transaction.set_rollback(True)
    for visit in visits:
        visit.hit_because = after[visit.pk] - before[visit.pk]
    return [visit for visit in visits if visit.hit_because]


def _coming(doctors: DoctorQuerySet, within: Iterable[Span] | None) -> AppointmentQuerySet:
    visits = Appointment.objects.still_to_take_place().filter(doctor__in=doctors.order_by())
    if within is None:
        return visits
    return reduce(or_, (visits.overlapping(*span) for span in within), visits.none())


def obstacles_to(visits: list[Appointment]) -> dict[int, frozenset[str]]:
    """Return, by the ids of visits, why their doctors are not there: `inactive`, `closed`, `leave`, `hours`, if at all.

    Four queries, however many visits.
    """
    if not visits:
        return {}
    doctor_ids = {visit.doctor_id for visit in visits}
    first, last = min(visit.start_time for visit in visits), max(visit.end_time for visit in visits)
    times = load_availability(doctor_ids, clinic_time.local_date(first), clinic_time.local_date(last))
    active = set(Doctor.objects.active().filter(pk__in=doctor_ids).values_list("pk", flat=True))
    return {
        visit.pk: times[visit.doctor_id].obstacles(visit.start_time, visit.end_time)
        | (frozenset() if visit.doctor_id in active else {"inactive"})
        for visit in visits
    }


def with_patient_names(hits: list[Appointment]) -> list[Appointment]:
    """Return those of the visits that a change would hit whose patients a page names."""
    return hits[:MAX_NAMED]


def record_displaced_read(visits: list[Appointment]) -> None:
    """Have the audit trail say whose visits somebody is shown, as those that a change would hit. Two queries, or none.

    To be called outside the transaction in which they were looked for: that is taken back, and this is to stay.
    """
    if visits:
        AuditEntry.objects.note(Event.READ, Appointment, patients=[visit.patient_id for visit in visits])


def unfinished_for(user: Any, *, at: dt.datetime | None = None) -> list[ScheduleChange]:
    """Return the impacts on which there is something left to do that the user may do: to arrange before to call.

    One query, or none.
    """
    if not user.has_perm("appointments.change_appointment"):
        return []
    impacts: list[Any] = list(ScheduleChange.objects.unfinished(at=at))
    return sorted(impacts, key=lambda impact: not impact.to_arrange)


def unfinished_hit_of(visit: Appointment, user: Any, *, at: dt.datetime | None = None) -> DisplacedAppointment | None:
    """Return the hit because of which there is something left to do about a visit that the user may do.

    One query, or none.
    """
    if not user.has_perm("appointments.change_appointment"):
        return None
    hits = DisplacedAppointment.objects.filter(appointment=visit).unfinished(at=at)
    return hits.select_related("impact").order_by("-pk").first()


def follow_up(
    visits: Iterable[Appointment], *, cause: str, doctors: DoctorQuerySet, by: "User | None"
) -> ScheduleChange | None:
    """Take off the lists who is no longer hit after a change of these doctors' time, and list who is now."""
    with acting(by), transaction.atomic():
        _settle(doctors)
        return open_schedule_change(visits, cause=cause, by=by)


def _settle(doctors: DoctorQuerySet) -> None:
    """Take visits off the lists that what has hit them keeps no more, be it that something else does. Six queries."""
    hits = list(
        DisplacedAppointment.objects.to_arrange().filter(doctor__in=doctors.order_by()).select_related("appointment")
    )
    obstacles = obstacles_to([hit.appointment for hit in hits])
    for hit in hits:
        if not hit.still_applies(obstacles[hit.appointment_id]):
            hit.reinstate()


def open_schedule_change(visits: Iterable[Appointment], *, cause: str, by: "User | None") -> ScheduleChange | None:
    """Keep which visits were hit, and by what, until their patients have been told; None if there are none.

    Of visits that `displaced_by` has not looked at, it is what keeps them now.
    """
    visits = list(visits)
    if not visits:
        return None
    with acting(by), transaction.atomic():
        impact = ScheduleChange.objects.create(cause=cause[:MAX_CAUSE], created_by=by)
        now = {} if all(visit.hit_because for visit in visits) else obstacles_to(visits)
        for visit in visits:
            hit = DisplacedAppointment(
                impact=impact, appointment=visit, doctor=visit.doctor, start_time=visit.start_time
            )
            hit.because = ",".join(sorted(visit.hit_because or now[visit.pk]))
            hit.save()
    return impact
