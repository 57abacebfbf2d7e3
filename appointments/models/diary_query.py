"""What is around an appointment in the diaries, in one query."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import BigIntegerField, DateField, DateTimeField, Exists, QuerySet

from clinic.db.compiled_query import CompiledQuery, Parameter
from doctors.availability import DoctorAvailability, local_dates
from doctors.availability_loader import weeks_of
from doctors.models import Closure, Doctor, Leave

if TYPE_CHECKING:
    from appointments.models import Appointment

_HOURS = (
    "pk",
    "timetables",
    "timetables__valid_from",
    "timetables__valid_until",
    "timetables__working_hours__weekday",
    "timetables__working_hours__start",
    "timetables__working_hours__end",
)


def _diaries() -> "QuerySet[Any, Any]":
    """Return the doctor's state, what is in the way, and the hours: one row for each interval of a week."""
    from appointments.models import Appointment

    doctor, patient, itself = _given(BigIntegerField, "doctor", "patient", "itself")
    start, end, start_with_gap, end_with_gap = _given(DateTimeField, "start", "end", "start_with_gap", "end_with_gap")
    first_day, last_day = _given(DateField, "first_day", "last_day")
    others: Any = Appointment.objects.exclude(pk=itself).blocking().order_by()
    # Each EXISTS reads one index and depends on no other, so that the database looks at it once.
    return (
        Doctor.objects.filter(pk=doctor)
        .order_by()
        .values_list(
            "full_name",
            "is_active",
            "gap_minutes",
            Exists(others.for_doctor(doctor).overlapping(start_with_gap, end_with_gap)),
            Exists(others.for_patient(patient).overlapping(start, end)),
            Exists(Leave.objects.for_doctor(doctor).overlapping(start, end)),
            Exists(Closure.objects.within(first_day, last_day)),
            *_HOURS,
        )
    )


def _given(kind: Any, *names: str) -> Iterator[Any]:
    return (Parameter(name, kind()) for name in names)


_DIARIES = CompiledQuery(_diaries)


@dataclass(frozen=True)
class Surroundings:
    """What is around an appointment in the diaries. Only what is not free or available has to be looked at closer."""

    doctor: Doctor  # with nothing but what the rules ask for, as it is now
    is_doctor_available: bool  # in hours, without leave and closing days
    is_doctor_free: bool  # with the gap on both sides
    is_patient_free: bool


def surroundings_of(appointment: "Appointment") -> Surroundings | None:
    """Return what is around an appointment; None if there is no such doctor. One query."""
    start, end, gap = appointment.start_time, appointment.end_time, appointment.doctor.gap
    days = list(local_dates(start, end))
    rows = _DIARIES.rows(
        doctor=appointment.doctor_id,
        patient=appointment.patient_id,
        itself=appointment.pk or 0,  # with NULL, no appointment would be another
        start=start,
        end=end,
        start_with_gap=start - gap,
        end_with_gap=end + gap,
        first_day=days[0],
        last_day=days[-1],
    )
    if not rows:
        return None
    full_name, is_active, gap_minutes, is_doctor_booked, is_patient_booked, is_on_leave, is_closed = rows[0][:7]
    doctor = Doctor(pk=appointment.doctor_id, full_name=full_name, is_active=is_active, gap_minutes=gap_minutes)
    hours = DoctorAvailability(weeks_of(row[7:] for row in rows).get(doctor.pk, ()))
    return Surroundings(
        doctor,
        is_doctor_available=not (is_on_leave or is_closed) and hours.has_inside_hours(start, end),
        # The gap that was searched is that of the record in memory, which may be older than the row.
        is_doctor_free=not is_doctor_booked and doctor.gap <= gap,
        is_patient_free=not is_patient_booked,
    )
