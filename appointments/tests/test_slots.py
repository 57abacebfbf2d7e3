"""Free times: every offered time can be booked, and every suitable time is offered."""

import datetime as dt
from dataclasses import replace
from itertools import pairwise
from urllib.parse import parse_qs

import hypothesis
import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import strategies as st

from appointments.availability.search import (
    FreeInterval,
    Slot,
    SlotSearch,
    find_free,
    free_intervals,
    nearest,
    slot_query,
)
from appointments.booking import actions
from appointments.booking.forms import slot_initial
from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.core import clinic_time
from clinic.core.appointment_length import SHORTEST
from clinic.tests.kit import at
from clinic.tests.properties import examples
from doctors.availability import usual_hours
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

MINUTE = dt.timedelta(minutes=1)
OPENS = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)
OPENING = (OPENS, OPENS + 10 * 60 * MINUTE)
BEFORE = OPENS - 60 * MINUTE
TUESDAY = dt.date(2026, 11, 24)
LISBON, KATHMANDU, LORD_HOWE = "Europe/Lisbon", "Asia/Kathmandu", "Australia/Lord_Howe"


def spans(*minutes):
    """Return busy intervals from pairs of minutes after opening."""
    return [(OPENS + start * MINUTE, OPENS + end * MINUTE) for start, end in minutes]


def pieces(*taken, minutes=15, at=BEFORE, closes=120):
    """Return the free intervals of a short day as pairs of minutes after opening."""
    opening = (OPENS, OPENS + closes * MINUTE)
    found = free_intervals([opening], spans(*taken), minutes=minutes, at=at)
    return [((piece.start - OPENS) // MINUTE, (piece.end - OPENS) // MINUTE) for piece in found]


# Pieces of free time


def test_empty_day_is_split_at_half_hours():
    assert pieces() == [(0, 30), (30, 60), (60, 90), (90, 120)]


def test_taken_time_is_not_free(subtests):
    cases = {
        "all day": ([(0, 120)], []),
        "beyond the day": ([(-60, 180)], []),
        "over both ends": ([(-60, 30), (90, 180)], [(30, 60), (60, 90)]),
        "touching": ([(30, 60), (60, 90)], [(0, 30), (90, 120)]),
        "unsorted": ([(60, 90), (30, 60)], [(0, 30), (90, 120)]),
        "containing": ([(30, 90), (45, 60)], [(0, 30), (90, 120)]),
        "contained first": ([(45, 60), (30, 90)], [(0, 30), (90, 120)]),
        "overlapping": ([(30, 75), (60, 90)], [(0, 30), (90, 120)]),
        "the same twice": ([(30, 60), (30, 60)], [(0, 30), (60, 90), (90, 120)]),
        "outside": ([(-120, -60), (180, 240)], [(0, 30), (30, 60), (60, 90), (90, 120)]),
        "touching the ends": ([(-30, 0), (120, 150)], [(0, 30), (30, 60), (60, 90), (90, 120)]),
    }
    for case, (taken, expected) in cases.items():
        with subtests.test(case):
            assert pieces(*taken) == expected


def test_interval_too_short_for_an_appointment_joins_its_neighbour(subtests):
    cases = [
        (0, 14, []),
        (0, 15, [(0, 15)]),
        (0, 44, [(0, 44)]),
        (0, 45, [(0, 30), (30, 45)]),
        (10, 60, [(10, 30), (30, 60)]),
        (16, 60, [(16, 60)]),
        (15, 60, [(15, 30), (30, 60)]),
        (20, 74, [(20, 74)]),
        (20, 75, [(20, 60), (60, 75)]),
    ]
    for begin, end, expected in cases:
        with subtests.test(begin=begin, end=end, expected=expected):
            assert pieces((-60, begin), (end, 120)) == expected


def test_appointment_fits_from_the_start_of_its_interval(subtests):
    cases = [
        (15, [(0, 30), (30, 60), (90, 120)]),
        (30, [(0, 30), (30, 60), (90, 120)]),
        (31, [(0, 30)]),
        (60, [(0, 30)]),
        (61, []),
        (180, []),
    ]
    for minutes, expected in cases:
        with subtests.test(minutes=minutes, expected=expected):
            assert pieces((60, 90), minutes=minutes) == expected


def test_interval_shows_how_much_time_is_free():
    found = free_intervals([OPENING], spans((75, 600)), minutes=15, at=BEFORE)

    assert [(piece.free_until, piece.max_minutes) for piece in found] == [
        (OPENS + 75 * MINUTE, 75),
        (OPENS + 75 * MINUTE, 45),
        (OPENS + 75 * MINUTE, 15),
    ]
    assert FreeInterval(OPENS, OPENS, OPENS + 59.9 * MINUTE).max_minutes == 59


def test_free_time_starts_at_the_next_full_five_minutes(subtests):
    cases = [(-5, 0), (-0.1, 0), (0, 5), (0.1, 5), (4.9, 5), (5, 10), (12, 15), (29, 30), (100, 105), (104.9, 105)]
    for minute, first in cases:
        with subtests.test(minute=minute, first=first):
            assert pieces(at=OPENS + minute * MINUTE)[0][0] == first


def test_free_time_ends_when_no_appointment_fits(subtests):
    for minute in [105, 106, 120, 500]:
        with subtests.test(minute=minute):
            assert pieces(at=OPENS + minute * MINUTE) == []


def test_free_time_starts_after_a_current_appointment():
    assert pieces((0, 40), at=OPENS + 20 * MINUTE)[0] == (40, 60)


A_SPAN = st.tuples(st.integers(-90, 690), st.integers(1, 180)).map(lambda it: (it[0], it[0] + it[1]))


@examples(300)
@hypothesis.given(st.lists(A_SPAN, max_size=12), st.integers(15, 180), st.floats(-120, 660, allow_nan=False, width=32))
def test_intervals_are_free_ordered_in_range_and_in_the_future(taken, minutes, now):
    taken, now = spans(*taken), OPENS + now * MINUTE

    found = list(free_intervals([OPENING], taken, minutes=minutes, at=now))

    for piece in found:
        assert OPENING[0] <= piece.start < piece.end <= piece.free_until <= OPENING[1]
        assert piece.start > now
        assert piece.end - piece.start >= SHORTEST
        assert piece.free_until - piece.start >= minutes * MINUTE
        assert all(end <= piece.start or start >= piece.free_until for start, end in taken)
    assert all(one.end <= next_one.start for one, next_one in pairwise(found))


@examples(300)
@hypothesis.given(st.lists(A_SPAN, max_size=12), st.integers(15, 180))
def test_every_free_half_hour_is_included(taken, minutes):
    """Every half hour with enough time is the start of an interval, or inside one with enough time."""
    taken = spans(*taken)
    found = list(free_intervals([OPENING], taken, minutes=minutes, at=BEFORE))

    for half_hour in range(20):
        start = OPENS + 30 * half_hour * MINUTE
        end = start + minutes * MINUTE
        if end <= OPENING[1] and all(taken_end <= start or taken_start >= end for taken_start, taken_end in taken):
            assert any(piece.start <= start < piece.end for piece in found)


# In the clinic's zone


def test_times_of_a_day_are_on_the_clinics_half_hours(db, settings, isolated):
    cases = [
        (LISBON, TUESDAY, dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)),
        (LISBON, dt.date(2026, 3, 29), dt.datetime(2026, 3, 29, 7, 0, tzinfo=dt.UTC)),
        (LISBON, dt.date(2026, 10, 25), dt.datetime(2026, 10, 25, 8, 0, tzinfo=dt.UTC)),
        (KATHMANDU, TUESDAY, dt.datetime(2026, 11, 24, 2, 15, tzinfo=dt.UTC)),
        (LORD_HOWE, dt.date(2026, 4, 5), dt.datetime(2026, 4, 4, 21, 30, tzinfo=dt.UTC)),
        (LORD_HOWE, dt.date(2026, 10, 4), dt.datetime(2026, 10, 3, 21, 0, tzinfo=dt.UTC)),
    ]
    for zone, day, opens in cases:
        with isolated(zone=zone, day=day, opens=opens):
            settings.TIME_ZONE = zone
            doctor = DoctorFactory()

            found = find_free(SlotSearch(), [doctor], first_day=day, days=1, at=opens - 600 * MINUTE)

            slots = list(found.slots())
            assert slots[0].start == opens
            assert [slot.time for slot in slots] == [
                f"{hour:02}:{minute:02}" for hour in range(8, 18) for minute in (0, 30)
            ]


def test_slot_can_be_parsed_by_the_booking_form(settings, isolated):
    for zone in [LISBON, KATHMANDU, LORD_HOWE]:
        with isolated(zone=zone):
            settings.TIME_ZONE = zone
            for hours in range(0, 24 * 365, 7):
                start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + hours * 60 * MINUTE

                slot = Slot(Doctor(pk=7), start)

                taken = slot_initial({name: values[0] for name, values in parse_qs(slot.query).items()})
                assert taken["doctor"] == 7
                assert clinic_time.instant_at(taken["date"], taken["time"], which=taken.get("which")) == start


def test_slot_that_cannot_exist_fills_in_nothing(subtests):
    too_late = slot_query(7, dt.datetime(2200, 1, 1, tzinfo=dt.UTC)).removeprefix("slot=")
    keys = ["", "-", "7", "7-", "-7", "x-29741690", "7-x", "7--1", "7-29741690-30", "\0", too_late, "7-" + 30 * "9"]
    for key in keys:
        with subtests.test(key=key):
            assert slot_initial({"slot": key}) == {}


def test_slot_goes_before_doctor_and_time_and_keeps_the_length():
    start = dt.datetime(2026, 11, 24, 10, 0, tzinfo=dt.UTC)
    query = {
        "slot": slot_query(7, start).removeprefix("slot="),
        "doctor": "8",
        "date": "2026-12-01",
        "time": "09:00",
        "minutes": "45",
    }

    assert slot_initial(query) == {
        "doctor": 7,
        "date": TUESDAY,
        "time": dt.time(10),
        "duration_minutes": 45,
    }


# Search criteria


@pytest.fixture
def okafor(db, now):
    return DoctorFactory(full_name="Dr Okafor")


@pytest.fixture
def lindgren(db, now):
    return DoctorFactory(full_name="Dr Lindgren", specialization="Dermatology")


def find(search=None, *, first_day=TUESDAY, days=1, **values):
    return find_free(search or SlotSearch(), list(Doctor.objects.active()), first_day=first_day, days=days, **values)


def names(found):
    return [doctor.full_name for day in found.days for doctor, _slots in day.doctors]


def times(found):
    return sorted(slot.time for slot in found.slots())


def test_search_lists_active_doctors_by_their_first_free_time(okafor, lindgren):
    DoctorFactory(full_name="Dr Gone", is_active=False)
    AppointmentFactory(doctor=lindgren, start_time=at(9), duration_minutes=60)

    (day,) = find().days

    assert (day.date, [doctor for doctor, _slots in day.doctors]) == (TUESDAY, [okafor, lindgren])
    assert [slots[0].time for _doctor, slots in day.doctors] == ["09:05", "10:00"]


def test_doctors_free_at_the_same_time_are_in_order_of_name(okafor, lindgren):
    assert names(find()) == ["Dr Lindgren", "Dr Okafor"]


def test_search_for_one_doctor(okafor, lindgren):
    assert names(find(SlotSearch(doctor_id=okafor.pk))) == ["Dr Okafor"]
    assert names(find(SlotSearch(doctor_id=999))) == []


def test_search_for_one_specialization(okafor, lindgren):
    assert names(find(SlotSearch(specialization="Dermatology"))) == ["Dr Lindgren"]
    assert names(find(SlotSearch(specialization="Dermatology", doctor_id=okafor.pk))) == []


def test_search_by_part_of_day(okafor, subtests):
    cases = [
        ("", "08:00", "17:30"),
        ("morning", "08:00", "11:30"),
        ("afternoon", "12:00", "16:30"),
        ("evening", "17:00", "17:30"),
    ]
    for part, first, last in cases:
        with subtests.test(part=part, first=first, last=last):
            found = times(find(SlotSearch(part_of_day=part), first_day=dt.date(2026, 11, 25)))

            assert (found[0], found[-1]) == (first, last)


def test_part_of_day_is_in_clinic_time(settings, subtests):
    cases = [
        ("11:59", "morning"),
        ("12:00", "afternoon"),
        ("16:59", "afternoon"),
        ("17:00", "evening"),
        ("00:00", "morning"),
    ]
    for clock, part in cases:
        with subtests.test(clock=clock, part=part):
            settings.TIME_ZONE = KATHMANDU
            start = clinic_time.instant_at(TUESDAY, dt.time.fromisoformat(clock))

            suited = [
                name for name in ("morning", "afternoon", "evening") if SlotSearch(part_of_day=name).suits_start(start)
            ]

            assert suited == [part]


def test_search_by_weekday(okafor, subtests):
    for weekday in range(7):
        with subtests.test(weekday=weekday):
            found = find(SlotSearch(weekday=weekday), days=14)

            assert [day.date.weekday() for day in found.days] == [weekday, weekday]


def test_weekends_are_excluded_unless_requested(okafor):
    dates = [day.date.day for day in find(days=14).days]

    assert dates == [24, 25, 26, 27, 30, 1, 2, 3, 4, 7]


def test_first_day_is_included_on_any_weekday(okafor):
    dates = [day.date.day for day in find(first_day=dt.date(2026, 11, 28), days=4).days]

    assert dates == [28, 30, 1]


def test_first_day_is_excluded_by_a_weekday_filter(okafor):
    dates = [day.date.day for day in find(SlotSearch(weekday=2), first_day=dt.date(2026, 11, 28), days=7).days]

    assert dates == [2]


def test_day_without_free_time_is_omitted(okafor):
    for hour in (9, 12, 15):
        AppointmentFactory(doctor=okafor, start_time=at(hour), duration_minutes=180)

    assert [day.date.day for day in find(days=2).days] == [25]


def test_patients_appointments_block_time_with_every_doctor(okafor, lindgren):
    patient = AppointmentFactory(doctor=lindgren, start_time=at(10), duration_minutes=60).patient

    of_okafor = SlotSearch(doctor_id=okafor.pk, patient_id=patient.pk)

    assert {"10:00", "10:30"}.isdisjoint(times(find(of_okafor)))
    assert "11:00" in times(find(of_okafor))
    assert "10:00" in times(find(SlotSearch(doctor_id=okafor.pk)))


def test_moving_appointment_does_not_block_its_own_time(okafor):
    moving = AppointmentFactory(doctor=okafor, start_time=at(10))
    AppointmentFactory(doctor=okafor, start_time=at(9), duration_minutes=60)
    AppointmentFactory(doctor=okafor, start_time=at(11), duration_minutes=60)
    own = SlotSearch(doctor_id=okafor.pk, patient_id=moving.patient_id, moving=moving)

    assert "10:30" in times(find(own))
    assert "10:00" not in times(find(own))  # where it is already
    assert "10:00" in times(find(replace(own, minutes=60)))
    assert {"10:00", "10:30"}.isdisjoint(times(find(replace(own, moving=None, minutes=60))))


def test_moving_appointment_is_offered_its_time_with_another_doctor(okafor):
    moving = AppointmentFactory(doctor=okafor, start_time=at(10))
    other = DoctorFactory()

    assert "10:00" in times(find(SlotSearch(doctor_id=other.pk, patient_id=moving.patient_id, moving=moving)))


def test_appointment_blocks_time_depending_on_its_status(okafor, isolated):
    cases = [
        ("booked", False),
        ("arrived", False),
        ("in_consultation", False),
        ("completed", False),
        ("no_show", True),
        ("cancelled", True),
    ]
    for status, is_free in cases:
        with isolated(status=status, is_free=is_free):
            AppointmentFactory(doctor=okafor, start_time=at(10), status=status)

            assert ("10:00" in times(find())) is is_free


def test_appointment_begun_before_opening_blocks_the_morning(okafor):
    AppointmentFactory(doctor=okafor, start_time=at(6, day=25), duration_minutes=180)

    assert times(find(first_day=dt.date(2026, 11, 25)))[0] == "09:00"


def test_appointment_over_midnight_blocks_time_on_both_days(settings, okafor):
    settings.TIME_ZONE = "Pacific/Kiritimati"  # where the usual hours, 18:00 to 04:00 in UTC, hold a UTC midnight
    AppointmentFactory(doctor=okafor, start_time=at(23, 30, day=25), duration_minutes=60)

    found = find(first_day=dt.date(2026, 11, 26))

    assert "13:00" in times(found)
    assert {"13:30", "14:00"}.isdisjoint(times(found))


def test_past_times_and_days_are_excluded(okafor):
    assert find(first_day=dt.date(2026, 11, 20), days=4).days == []
    assert times(find())[0] == "09:05"
    assert times(find(at=at(17, 40))) == []


def test_search_stops_at_the_calendars_end(okafor):
    last = clinic_time.LAST_DATE

    found = find(first_day=last - dt.timedelta(days=2), days=14)

    assert found.last_day == last
    assert max(day.date for day in found.days) <= last


def test_search_without_doctors_finds_nothing(db, now):
    assert find(days=14).days == []


def test_find_makes_four_queries_however_many_doctors_and_days(now, isolated):
    searches = [
        SlotSearch(),
        SlotSearch(specialization="General practice"),
        SlotSearch(weekday=2, part_of_day="morning"),
        SlotSearch(patient_id=1),
    ]
    doctors = DoctorFactory.create_batch(30)
    for doctor in doctors[:3]:
        AppointmentFactory(doctor=doctor)

    for search in searches:
        for asked in [doctors[:3], doctors]:
            with isolated(search=search, doctors=len(asked)):
                with CaptureQueriesContext(connection) as queries:
                    found = find_free(search, asked, first_day=TUESDAY, days=60)
                    slots = list(found.slots())

                assert len(queries) == 4
                assert {slot.doctor for slot in slots} == set(asked)


# Offered times can be booked

AN_APPOINTMENT = st.tuples(
    st.integers(0, 1),  # the doctor
    st.integers(0, 2),  # the patient
    st.integers(7 * 60, 18 * 60),  # the minute of the day
    st.sampled_from([15, 20, 30, 45, 60, 100, 180]),
    st.sampled_from(["booked", "arrived", "completed", "no_show", "cancelled"]),
)


def book_first_free(appointments, doctors, patients):
    midnight, _ = clinic_time.day_bounds(TUESDAY)
    for doctor, patient, minute, minutes, status in appointments:
        try:
            with transaction.atomic():
                AppointmentFactory(
                    doctor=doctors[doctor],
                    patient=patients[patient],
                    start_time=midnight + minute * MINUTE,
                    duration_minutes=minutes,
                    status=status,
                )
        except ValidationError:
            continue  # it would overlap


@pytest.fixture
def crowd(db, now):
    return DoctorFactory.create_batch(2), PatientFactory.create_batch(3)


@examples(12, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(
    zone=st.sampled_from([LISBON, KATHMANDU]),
    appointments=st.lists(AN_APPOINTMENT, max_size=10),
    minutes=st.sampled_from([15, 25, 30, 60, 180]),
)
def test_every_offered_time_can_be_booked(crowd, settings, zone, appointments, minutes):
    settings.TIME_ZONE = zone
    doctors, patients = crowd
    with transaction.atomic():
        book_first_free(appointments, doctors, patients)
        now = dt.datetime.now(dt.UTC)
        opens, closes = usual_hours(TUESDAY)

        found = find(SlotSearch(minutes=minutes, patient_id=patients[0].pk))

        for slot in found.slots():
            with transaction.atomic():
                booked = actions.book(
                    patient=patients[0],
                    doctor=slot.doctor,
                    start_time=slot.start,
                    duration_minutes=minutes,
                    by=None,
                )
                assert now < booked.start_time
                assert opens <= booked.start_time < booked.end_time <= closes
                transaction.set_rollback(True)
        transaction.set_rollback(True)
    assert not Appointment.objects.exists()


# The nearest


def slots_at(*hours):
    doctor = Doctor(pk=7)
    return [Slot(doctor, at(0) + hour * 60 * MINUTE) for hour in hours]


def test_nearest_times_are_in_order_and_prefer_the_earlier(subtests):
    cases = [
        ([8, 9, 10, 11, 12], 3, [9, 10, 11]),
        ([12, 11, 10, 9, 8], 3, [9, 10, 11]),
        ([8, 9, 11, 12], 3, [8, 9, 11]),
        ([8, 9, 11, 12], 1, [9]),
        ([10.5, 30, 9], 5, [9, 10.5, 30]),
        ([], 3, []),
    ]
    for hours, limit, expected in cases:
        with subtests.test(hours=hours, limit=limit, expected=expected):
            assert nearest(iter(slots_at(*hours)), at(10), limit=limit) == slots_at(*expected)
