import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from clinic.core import clinic_time
from clinic.core.clinic_time import ONE_DAY
from clinic.db.times_as_text import as_text, time_of
from doctors.availability import Absence, DoctorAvailability, ValidWeek, week_of
from doctors.availability_change import AvailabilityChange
from doctors.models import Closure, Doctor, Leave, Timetable, WorkingHours

LOOK_AHEAD_DAYS = 14
LoadAvailability = Callable[[Collection[int], dt.date, dt.date], dict[int, DoctorAvailability]]


def load_availability(
    doctor_ids: Iterable[int], first_day: dt.date, last_day: dt.date, *, after: AvailabilityChange | None = None
) -> dict[int, DoctorAvailability]:
    """Return each doctor's availability on the clinic-local dates from first to last. Three queries.

    With `after`, as it would be once that change is saved.
    """
    doctor_ids, change = list(doctor_ids), after or AvailabilityChange()
    weeks = _weeks(doctor_ids, change)
    absences = _absences(doctor_ids, first_day, last_day, change)
    closures = _closures(first_day, last_day, change)
    return {pk: DoctorAvailability(weeks.get(pk, ()), absences.get(pk, ()), closures) for pk in doctor_ids}


def load_doctor_availability(doctor_id: int, start: dt.datetime, end: dt.datetime) -> DoctorAvailability:
    """Return a doctor's availability on the clinic-local dates that `[start, end]` touches. Three queries."""
    return load_availability([doctor_id], clinic_time.local_date(start), clinic_time.local_date(end))[doctor_id]


def _weeks(doctor_ids: list[int], change: AvailabilityChange) -> dict[int, list[ValidWeek]]:
    """Return all timetables by doctor, whatever the dates: a doctor without any can be booked at any time."""
    columns = ("timetable__doctor", "timetable", "timetable__valid_from", "timetable__valid_until")
    found = WorkingHours.objects.filter(timetable__doctor__in=doctor_ids).order_by()
    found = found.exclude(timetable__in=change.replaced_ids(Timetable))
    rows = found.values_list(*columns, "weekday", as_text("start"), as_text("end"))
    weeks = weeks_of((*valid, time_of(start), time_of(end)) for *valid, start, end in rows)
    for timetable in change.put(Timetable):
        weeks[timetable.doctor_id].append(ValidWeek(timetable.valid_from, timetable.valid_until, timetable.week))
    return weeks


def weeks_of(rows: Iterable[Sequence[Any]]) -> dict[int, list[ValidWeek]]:
    """Return timetables by doctor, from rows of doctor, timetable, first and last date, weekday, start and end.

    Rows without a weekday are those of a doctor or a timetable without hours.
    """
    hours = defaultdict(list)
    for *valid, weekday, start, end in rows:
        if weekday is not None:
            hours[tuple(valid)].append((weekday, start, end))
    weeks = defaultdict(list)
    for (doctor_id, _timetable, valid_from, valid_until), of_week in hours.items():
        weeks[doctor_id].append(ValidWeek(valid_from, valid_until, week_of(of_week)))
    return weeks


def _absences(
    doctor_ids: list[int], first_day: dt.date, last_day: dt.date, change: AvailabilityChange
) -> dict[int, list[Absence]]:
    start, end = clinic_time.day_bounds(first_day)[0], clinic_time.day_bounds(last_day)[1]
    absences = defaultdict(list)
    found = Leave.objects.filter(doctor__in=doctor_ids).overlapping(start, end)
    found = found.exclude(pk__in=change.replaced_ids(Leave))
    for doctor_id, start_time, end_time, reason in found.values_list("doctor", "start_time", "end_time", "reason"):
        absences[doctor_id].append(Absence(start_time, end_time, reason))
    for leave in change.put(Leave):
        absences[leave.doctor_id].append(Absence(leave.start_time, leave.end_time, leave.reason))
    return absences


def _closures(first_day: dt.date, last_day: dt.date, change: AvailabilityChange) -> dict[dt.date, str]:
    found = Closure.objects.within(first_day, last_day).exclude(pk__in=change.replaced_ids(Closure))
    return dict(found.values_list("date", "name")) | {closure.date: closure.name for closure in change.put(Closure)}


def first_working_day(
    doctors: Iterable[Doctor], day: dt.date, *, days: int = LOOK_AHEAD_DAYS, load: LoadAvailability = load_availability
) -> dt.date:
    """Return the date, or the first after it on which one of the doctors works; itself if none does soon.

    Three queries, besides that of the doctors. A clinic without doctors has the usual weekdays.
    """
    dates, ids = [day + number * ONE_DAY for number in range(days)], [doctor.pk for doctor in doctors]
    loaded = load(ids, dates[0], dates[-1])
    times = [loaded[pk] for pk in ids] or [DoctorAvailability()]
    return next((each for each in dates if any(time.works_on(each) for time in times)), day)


def working_day_after(day: dt.date) -> dt.date:
    """Return the first date after this one on which the clinic works. Four queries."""
    return first_working_day(Doctor.objects.active(), day + ONE_DAY)
