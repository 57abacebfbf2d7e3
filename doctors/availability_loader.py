"""What the database knows of doctors' time, read for `availability` to reckon with."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable

from clinic.core import clinic_time
from doctors.availability import Absence, DoctorAvailability, ValidWeek, week_of
from doctors.models import Closure, Leave, WorkingHours


def load_availability(
    doctor_ids: Iterable[int], first_day: dt.date, last_day: dt.date
) -> dict[int, DoctorAvailability]:
    """Return each doctor's time on the clinic-local dates from the first to the last. Three queries, however many."""
    doctor_ids = list(doctor_ids)
    weeks = _weeks(doctor_ids)
    absences = _absences(doctor_ids, first_day, last_day)
    closures = dict(Closure.objects.within(first_day, last_day).values_list("date", "name"))
    return {pk: DoctorAvailability(weeks.get(pk, ()), absences.get(pk, ()), closures) for pk in doctor_ids}


def load_doctor_availability(doctor_id: int, start: dt.datetime, end: dt.datetime) -> DoctorAvailability:
    """Return what is known of a doctor's time on the clinic-local dates that `[start, end]` touches. Three queries."""
    return load_availability([doctor_id], clinic_time.local_date(start), clinic_time.local_date(end))[doctor_id]


def _weeks(doctor_ids: list[int]) -> dict[int, list[ValidWeek]]:
    """Return all timetables by doctor: whether there is any at all counts, too."""
    rows = defaultdict(list)
    columns = ("timetable__doctor", "timetable", "timetable__valid_from", "timetable__valid_until")
    found = WorkingHours.objects.filter(timetable__doctor__in=doctor_ids).order_by()
    for *valid, weekday, start, end in found.values_list(*columns, "weekday", "start", "end"):
        rows[tuple(valid)].append((weekday, start, end))
    weeks = defaultdict(list)
    for (doctor_id, _timetable, valid_from, valid_until), hours in rows.items():
        weeks[doctor_id].append(ValidWeek(valid_from, valid_until, week_of(hours)))
    return weeks


def _absences(doctor_ids: list[int], first_day: dt.date, last_day: dt.date) -> dict[int, list[Absence]]:
    start, end = clinic_time.day_bounds(first_day)[0], clinic_time.day_bounds(last_day)[1]
    absences = defaultdict(list)
    found = Leave.objects.filter(doctor__in=doctor_ids).overlapping(start, end)
    for doctor_id, start_time, end_time, reason in found.values_list("doctor", "start_time", "end_time", "reason"):
        absences[doctor_id].append(Absence(start_time, end_time, reason))
    return absences
