"""Other times for displaced appointments, each offered to one appointment only, so that all can be moved."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q
from django.utils import timezone

from appointments.availability.search import Slot, TakenTimes, add_taken, load_taken_times, offered_slots, with_gap
from appointments.models import Appointment
from appointments.statuses import Status
from clinic.core import clinic_time
from clinic.core.clinic_time import ONE_DAY
from doctors.availability import DoctorAvailability, Span, without
from doctors.availability_loader import load_availability
from doctors.models import Doctor

MAX_POSTPONEMENT_DAYS = 28


@dataclass(frozen=True)
class Proposal:
    """The nearest free time of the same doctor, and the nearest of others in the specialization."""

    same: Slot | None = None
    other: Slot | None = None
    has_colleagues: bool = True


def propose(appointments: list[Appointment], *, at: dt.datetime | None = None) -> dict[int, Proposal]:
    """Return a proposal by the id of each appointment. Five queries, however many appointments and doctors.

    Appointments are looked at in order of time, each for `MAX_POSTPONEMENT_DAYS` from its own clinic-local date on, not
    before `at` (default now). On a date, the time nearest to the appointment's own time of day counts. What is proposed
    to one is not proposed to the next: all could be moved to the same doctors, or all to others.
    """
    if not appointments:
        return {}
    at = at or timezone.now()
    appointments = sorted(appointments, key=lambda appointment: (appointment.start_time, appointment.pk))
    specializations = {appointment.doctor.specialization for appointment in appointments}
    doctors = list(Doctor.objects.active().filter(specialization__in=specializations))
    first_day = max(clinic_time.local_date(appointments[0].start_time), clinic_time.today(at=at))
    last_appointment = max(clinic_time.local_date(appointments[-1].start_time), first_day)
    last_day = min(last_appointment + MAX_POSTPONEMENT_DAYS * ONE_DAY, clinic_time.LAST_DATE)
    times = load_availability([doctor.pk for doctor in doctors], first_day, last_day)
    patient_ids = {appointment.patient_id for appointment in appointments}
    rows = Appointment.objects.filter(Q(doctor__in=doctors) | Q(patient__in=patient_ids))
    taken = load_taken_times(rows, doctors, patient_ids, first_day, last_day)
    same, others = _Planner(times, taken, at), _Planner(times, taken, at)
    proposals = {}
    for appointment in appointments:
        colleagues = [doctor for doctor in doctors if _is_colleague(doctor, appointment.doctor)]
        proposals[appointment.pk] = Proposal(
            same.place(appointment, [doctor for doctor in doctors if doctor.pk == appointment.doctor_id]),
            others.place(appointment, colleagues),
            has_colleagues=bool(colleagues),
        )
    return proposals


def _is_colleague(doctor: Doctor, of: Doctor) -> bool:
    return doctor.pk != of.pk and doctor.specialization == of.specialization


class _Planner:
    """Places one appointment after the other, each in what the ones before have left."""

    def __init__(self, times: dict[int, DoctorAvailability], taken: TakenTimes, at: dt.datetime) -> None:
        self.times = times
        self.taken: TakenTimes = defaultdict(list, {key: list(spans) for key, spans in taken.items()})
        self.at = at
        self.free: dict[tuple[int, dt.date], list[Span]] = {}

    def place(self, appointment: Appointment, doctors: list[Doctor]) -> Slot | None:
        """Return the appointment's new place with one of these doctors, taken from the appointments that follow."""
        for day in self._days_for(appointment) if doctors else ():
            meant = clinic_time.first_instant_from(day, clinic_time.local(appointment.start_time).time())
            slots = (slot for doctor in doctors for slot in self._free_on(day, doctor, appointment))
            slot = min(slots, key=lambda slot: (abs(slot.start - meant), slot.start), default=None)
            if slot is not None:
                self._give(appointment, slot)
                return slot
        return None

    def _give(self, appointment: Appointment, slot: Slot) -> None:
        span = (slot.start, slot.start + dt.timedelta(minutes=appointment.duration_minutes))
        for day in add_taken(self.taken, "doctor", slot.doctor.pk, with_gap(span, slot.doctor.gap)):
            self.free.pop((slot.doctor.pk, day), None)
        left = (appointment.start_time, appointment.end_time)
        for day in {clinic_time.local_date(instant) for instant in left}:
            spans = self.taken["patient", appointment.patient_id, day]
            self.taken["patient", appointment.patient_id, day] = [each for each in spans if each != left]
        add_taken(self.taken, "patient", appointment.patient_id, span)

    def _days_for(self, appointment: Appointment) -> Iterator[dt.date]:
        """Yield the dates on which the appointment may take place: who has arrived stays on the same day."""
        own = clinic_time.local_date(appointment.start_time)
        first = max(own, clinic_time.today(at=self.at))
        last = own if appointment.status == Status.ARRIVED else first + MAX_POSTPONEMENT_DAYS * ONE_DAY
        day = first
        while day <= min(last, clinic_time.LAST_DATE):
            yield day
            day += ONE_DAY

    def _free_on(self, day: dt.date, doctor: Doctor, appointment: Appointment) -> Iterator[Slot]:
        """Yield starts at which doctor and patient are free; the appointment itself does not block its patient."""
        needed = dt.timedelta(minutes=appointment.duration_minutes)
        free = [(start, end) for start, end in self._left_on(day, doctor) if end - start >= needed]
        held = (appointment.start_time, appointment.end_time)
        own = [span for span in self.taken["patient", appointment.patient_id, day] if span != held] if free else ()
        return offered_slots(doctor, free, own, minutes=appointment.duration_minutes, at=self.at)

    def _left_on(self, day: dt.date, doctor: Doctor) -> list[Span]:
        """Return what is left of the doctor's time on a date."""
        key = (doctor.pk, day)
        if key not in self.free:
            time = self.times[doctor.pk]
            offered = time.offered_on(day) if time.works_on(day) else ()
            self.free[key] = list(without(offered, self.taken["doctor", doctor.pk, day]))
        return self.free[key]
