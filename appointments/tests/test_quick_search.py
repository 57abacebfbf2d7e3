"""The search that stops early, and finds starts without their intervals, agrees with the slow definition."""

import datetime as dt
from itertools import islice

import hypothesis
import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from hypothesis import strategies as st

from appointments.availability.roster import Roster
from appointments.availability.search import (
    Slot,
    SlotSearch,
    find_first_free,
    find_free,
    free_intervals,
    offered_starts,
    step_of,
    with_gap,
)
from appointments.models import Appointment
from appointments.statuses import BLOCKING
from appointments.tests.factories import AppointmentFactory
from clinic.core import clinic_time
from clinic.core.clinic_time import MINUTE, ONE_DAY
from clinic.tests.kit import at
from clinic.tests.properties import examples
from doctors.availability import usual_hours
from doctors.availability_loader import first_working_day, load_availability
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("without_triggers", "db", "now")

LISBON, LORD_HOWE = "Europe/Lisbon", "Australia/Lord_Howe"
TUESDAY = dt.date(2026, 11, 24)
# Four days before a change of the clocks by an hour, or by half an hour, that is within the first week looked at.
FIRST_DAYS = {
    LISBON: [TUESDAY, dt.date(2027, 3, 24), dt.date(2027, 10, 27)],
    LORD_HOWE: [TUESDAY, dt.date(2027, 3, 31), dt.date(2027, 9, 29)],
}
# Open while the clocks change, and over midnight.
NIGHTS = {day: [(dt.time(0), dt.time(3, 45)), (dt.time(9), dt.time(12)), (dt.time(22), dt.time(0))] for day in range(7)}


def slow_days(search, doctors, first_day):
    """Return all free times of 14 days as pairs of date and slots by doctor, by the words of `find_free`."""
    dates = [first_day + number * ONE_DAY for number in range(14)]
    times = load_availability([doctor.pk for doctor in doctors], dates[0], dates[-1])
    booked = [each for each in Appointment.objects.all() if each.status in BLOCKING and each != search.moving]
    days = []
    for day in filter(search.suits_day, dates):
        is_asked_for = day == first_day or search.weekday is not None
        asked = [each for each in doctors if search.suits_doctor(each)]
        asked = [each for each in asked if is_asked_for or times[each.pk].works_on(day)]
        free = [(each, slow_slots(search, each, times[each.pk].offered_on(day), booked)) for each in asked]
        if free := [each for each in free if each[1]]:
            days.append((day, sorted(free, key=lambda each: each[1][0].start)))
    return days


def slow_slots(search, doctor, hours, booked):
    taken = [with_gap((each.start_time, each.end_time), doctor.gap) for each in booked if each.doctor_id == doctor.pk]
    taken += [(each.start_time, each.end_time) for each in booked if each.patient_id == search.patient_id]
    minutes, at = search.minutes_with(doctor), dt.datetime.now(dt.UTC)
    found = free_intervals(hours, taken, minutes=minutes, at=at, step=step_of(doctor))
    slots = [Slot(doctor, each.start) for each in found]
    return [each for each in slots if search.suits_start(each.start) and not search.is_present_time(doctor, each.start)]


def as_pairs(days):
    return [(day.date, day.doctors) for day in days]


def cut(days, max_times):
    return [(date, [(doctor, slots[:max_times]) for doctor, slots in doctors]) for date, doctors in days]


AN_APPOINTMENT = st.tuples(
    st.integers(0, 3),  # the doctor
    st.integers(0, 1),  # the patient
    st.integers(0, 9),  # days after the first
    st.integers(0, 24 * 12 - 1).map(lambda number: 5 * number),  # the minute of the day
    st.sampled_from([15, 30, 100, 180]),
    st.sampled_from(["booked", "completed", "cancelled"]),
)


@pytest.fixture
def crowd():
    """Doctors without hours, with hours at night, with a gap and a leave, and with hours on Wednesdays only."""
    free, nights, gap, wednesdays = (DoctorFactory(specialization=name) for name in ("A", "A", "B", "B"))
    gap.usual_minutes, gap.gap_minutes = 20, 10
    gap.save()
    TimetableFactory(doctor=nights, week=NIGHTS)
    TimetableFactory(doctor=gap)
    TimetableFactory(doctor=wednesdays, week={2: [(dt.time(8), dt.time(10))]})
    LeaveFactory(doctor=gap, start_time=at(9, day=26), end_time=at(15, day=27))
    ClosureFactory(date=dt.date(2026, 11, 30))
    return [free, nights, gap, wednesdays], PatientFactory.create_batch(2)


def book(appointments, crowd, first_day):
    """Write them without the rules: an overlap and a time outside hours take time, too."""
    doctors, patients = crowd
    midnight, _next = clinic_time.day_bounds(first_day)
    rows = []
    for doctor, patient, days, minute, minutes, status in appointments:
        start = midnight + days * ONE_DAY + minute * MINUTE
        row = Appointment(doctor=doctors[doctor], patient=patients[patient], start_time=start, status=status)
        row.duration_minutes, row.end_time = minutes, start + minutes * MINUTE
        rows.append(row)
    return QuerySet(Appointment).bulk_create(rows)


SEARCHES = st.fixed_dictionaries(
    {
        "minutes": st.sampled_from([None, 15, 45, 180]),
        "specialization": st.sampled_from(["", "B"]),
        "part_of_day": st.sampled_from(["", "morning", "evening"]),
        "weekday": st.sampled_from([None, 2, 6]),
    }
)


@examples(25, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(
    zone=st.sampled_from([LISBON, LORD_HOWE]),
    which=st.integers(0, 2),
    appointments=st.lists(AN_APPOINTMENT, max_size=12),
    asked=SEARCHES,
    is_for_patient=st.booleans(),
    is_move=st.booleans(),
)
def test_quick_search_agrees_with_the_slow_definition(
    crowd, settings, zone, which, appointments, asked, is_for_patient, is_move
):
    settings.TIME_ZONE = zone
    first_day = FIRST_DAYS[zone][which]
    doctors, patients = crowd
    with transaction.atomic():
        booked = book(appointments, crowd, first_day)
        search = SlotSearch(
            **asked,
            patient_id=patients[0].pk if is_for_patient else None,
            moving=Appointment.objects.first() if booked and is_move else None,
        )

        days = slow_days(search, doctors, first_day)

        found = find_free(search, doctors, first_day=first_day)
        assert as_pairs(found.days) == days
        for max_days, max_times in [(2, 1), (5, 6), (5, None)]:
            first = find_first_free(search, doctors, first_day=first_day, max_days=max_days, max_times=max_times)
            assert as_pairs(first.days) == cut(days, max_times)[:max_days]
            assert first.later == (days[max_days][0] if len(days) > max_days else found.later)
            assert first.last_day == found.last_day
        transaction.set_rollback(True)


OPENS = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)
A_SPAN = st.tuples(st.integers(-90, 690), st.integers(1, 180)).map(lambda it: (it[0], it[0] + it[1]))


@examples(300)
@hypothesis.given(
    taken=st.lists(A_SPAN, max_size=12),
    openings=st.sampled_from([[(0, 600)], [(0, 240), (300, 600)], [(7, 20), (33, 34)], []]),
    minutes=st.integers(1, 180),
    step=st.integers(5, 40),
    now=st.floats(-120, 660, allow_nan=False, width=32),
)
def test_offered_starts_are_those_of_the_free_intervals(taken, openings, minutes, step, now):
    hours, taken = ([(OPENS + a * MINUTE, OPENS + b * MINUTE) for a, b in spans] for spans in (openings, taken))
    known = {"minutes": minutes, "at": OPENS + now * MINUTE, "step": step * MINUTE}

    starts = list(offered_starts(hours, taken, **known))

    assert starts == [each.start for each in free_intervals(hours, taken, **known)]


def test_offered_starts_can_be_asked_for_one_by_one():
    starts = offered_starts([usual_hours(TUESDAY)], [], minutes=30, at=at(0), step=30 * MINUTE)

    assert list(islice(starts, 2)) == [at(8), at(8, 30)]


def test_search_that_stops_early_reads_only_the_appointments_it_needs():
    doctors = DoctorFactory.create_batch(2)
    searches = {5: 4, 6: 5}  # queries by days shown: after the sixth working day, more days have to be read

    for max_days, expected in searches.items():
        with CaptureQueriesContext(connection) as queries:
            found = find_first_free(SlotSearch(), doctors, first_day=TUESDAY, max_days=max_days, max_times=6)

        assert len(found.days) == max_days
        assert len(queries) == expected


# The roster


def test_roster_reads_doctors_and_availability_once():
    doctors = DoctorFactory.create_batch(2)
    DoctorFactory(is_active=False)
    TimetableFactory(doctor=doctors[0], week={0: [(dt.time(9), dt.time(10))]})
    roster = Roster()

    with CaptureQueriesContext(connection) as queries:
        first_day = first_working_day(roster.doctors[:1], TUESDAY, load=roster.load)
        found = find_free(SlotSearch(), roster.doctors, first_day=first_day, load=roster.load)

    assert len(queries) == 1 + 3 + 1
    assert roster.doctors == doctors
    assert found == find_free(SlotSearch(), doctors, first_day=first_day)


def test_first_working_day_looks_only_at_the_doctors_asked_for():
    wednesdays, _every_day = DoctorFactory(), DoctorFactory()
    TimetableFactory(doctor=wednesdays, week={2: [(dt.time(8), dt.time(10))]})

    assert first_working_day([wednesdays], TUESDAY, load=Roster().load) == TUESDAY + ONE_DAY


def test_roster_reads_dates_that_it_has_not_read(isolated):
    doctor = DoctorFactory()
    LeaveFactory(doctor=doctor, start_time=at(0, day=2), end_time=at(0, day=3))
    LeaveFactory(doctor=doctor, start_time=at(0, day=29) + 60 * ONE_DAY, end_time=at(0, day=30) + 60 * ONE_DAY)
    roster = Roster()
    for first_day in [TUESDAY, dt.date(2026, 11, 1), dt.date(2027, 1, 20), clinic_time.LAST_DATE]:
        with isolated(first_day=first_day):
            last_day = min(first_day + 14 * ONE_DAY, clinic_time.LAST_DATE)

            loaded = roster.load([doctor.pk], first_day, last_day)[doctor.pk]

            asked = load_availability([doctor.pk], first_day, last_day)[doctor.pk]
            assert set(asked.absences) <= set(loaded.absences)


def test_roster_reads_inactive_doctors_apart():
    inactive = DoctorFactory(is_active=False)
    TimetableFactory(doctor=inactive)
    roster = Roster()
    roster.load([], TUESDAY, TUESDAY)

    assert roster.load([inactive.pk], TUESDAY, TUESDAY)[inactive.pk].has_hours


def test_roster_of_a_clinic_without_doctors_is_empty():
    assert Roster().load([], TUESDAY, TUESDAY) == {}
    assert first_working_day([], dt.date(2026, 11, 28), load=Roster().load) == dt.date(2026, 11, 30)


@pytest.mark.both_databases
def test_times_read_as_text_are_exact(settings):
    settings.TIME_ZONE = "Asia/Kathmandu"
    doctor = DoctorFactory()
    times = (dt.time(9, 0, 30), dt.time(11, 30, 0, 250))
    TimetableFactory(doctor=doctor, week={1: [times]})
    AppointmentFactory(doctor=doctor, start_time=at(4, day=24), duration_minutes=15)

    availability = load_availability([doctor.pk], TUESDAY, TUESDAY)[doctor.pk]
    found = find_free(SlotSearch(minutes=15), [doctor], first_day=TUESDAY, days=1, at=at(0))

    assert availability.weeks[0].week == {1: [times]}
    assert found.days[0].doctors[0][1][0].start == clinic_time.first_instant_from(TUESDAY, times[0])
    assert {at(4), at(4, 15)} & {slot.start for slot in found.slots()} == {at(4, 15)}
