"""One query for everything that may stand in the way of an appointment."""

from typing import TYPE_CHECKING, Any

from django.db.models import BigIntegerField, DateField, DateTimeField, Exists, QuerySet

from clinic.core import clinic_time
from clinic.db.compiled_query import CompiledQuery, Parameter
from doctors.availability import DoctorAvailability
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

    doctor, patient, itself = (Parameter(name, BigIntegerField()) for name in ("doctor", "patient", "itself"))
    start, end, start_with_gap, end_with_gap = (
        Parameter(name, DateTimeField()) for name in ("start", "end", "start_with_gap", "end_with_gap")
    )
    first_day, last_day = (Parameter(name, DateField()) for name in ("first_day", "last_day"))
    others: Any = Appointment.objects.exclude(pk=itself).blocking().order_by()
    # Each EXISTS reads one index and depends on no other, so that the database looks at it once.
    return (
        Doctor.objects.filter(pk=doctor)
        .order_by()
        .values_list(
            "is_active",
            "gap_minutes",
            Exists(others.for_doctor(doctor).overlapping(start_with_gap, end_with_gap)),
            Exists(others.for_patient(patient).overlapping(start, end)),
            Exists(Leave.objects.for_doctor(doctor).overlapping(start, end)),  # type: ignore[arg-type]
            Exists(Closure.objects.within(first_day, last_day)),  # type: ignore[arg-type]
            *_HOURS,
        )
    )


_DIARIES = CompiledQuery(_diaries)


def is_nothing_in_the_way(appointment: "Appointment") -> bool:
    """Return whether doctor and patient are free and the doctor is available, with the gap on both sides. One query.

    False says only that the rules have to look: some do not apply to each change, and a reason overrides some.
    """
    start, end, gap = appointment.start_time, appointment.end_time, appointment.doctor.gap
    rows = _DIARIES.rows(
        doctor=appointment.doctor_id,
        patient=appointment.patient_id,
        itself=appointment.pk or 0,  # NULL would match no other appointment either
        start=start,
        end=end,
        start_with_gap=start - gap,
        end_with_gap=end + gap,
        first_day=clinic_time.local_date(start),
        last_day=clinic_time.local_date(end),
    )
    if not rows:
        return False
    is_active, gap_minutes, *obstacles = rows[0][:6]
    # The gap searched is that of the record in memory, which may be older than the row.
    if not is_active or gap_minutes > appointment.doctor.gap_minutes or any(obstacles):
        return False
    weeks = weeks_of(row[6:] for row in rows).get(appointment.doctor_id, ())
    return DoctorAvailability(weeks).has_inside_hours(start, end)
