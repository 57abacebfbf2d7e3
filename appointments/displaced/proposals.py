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

    In order of time, each gets the first date with free time within `MAX_POSTPONEMENT_DAYS` of its own clinic-local
    date, not before `at` (default now), and on it the time nearest to its own. No time is proposed to two appointments.
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
        own = [doctor for doctor in doctors if doctor.pk == appointment.doctor_id]
        colleagues = [doctor for doctor in doctors if _is_colleague(doctor, appointment.doctor)]
        proposal = Proposal(same.place(appointment, own), others.place(appointment, colleagues), bool(colleagues))
        proposals[appointment.pk] = proposal
    return proposals


def _is_colleague(doctor: Doctor, of: Doctor) -> bool:
    return doctor.pk != of.pk and doctor.specialization == of.specialization


class _Planner:
    """Places one appointment after the other, each in the time that is left."""

    def __init__(self, times: dict[int, DoctorAvailability], taken: TakenTimes, at: dt.datetime) -> None:
        self.times = times
        self.taken: TakenTimes = defaultdict(list, {key: list(spans) for key, spans in taken.items()})
        self.at = at
        self.free: dict[tuple[int, dt.date], list[Span]] = {}

    def place(self, appointment: Appointment, doctors: list[Doctor]) -> Slot | None:
        """Return a new place with one of these doctors, which later appointments do not get."""
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
        """Yield the possible dates; patients who have arrived stay on the same day."""
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
        own_span = (appointment.start_time, appointment.end_time)
        taken = self.taken["patient", appointment.patient_id, day] if free else []
        others = [span for span in taken if span != own_span]
        return offered_slots(doctor, free, others, minutes=appointment.duration_minutes, at=self.at)

    def _left_on(self, day: dt.date, doctor: Doctor) -> list[Span]:
        """Return the doctor's free time on a date."""
        key = (doctor.pk, day)
        if key not in self.free:
            time = self.times[doctor.pk]
            offered = time.offered_on(day) if time.works_on(day) else ()
            self.free[key] = list(without(offered, self.taken["doctor", doctor.pk, day]))
        return self.free[key]
