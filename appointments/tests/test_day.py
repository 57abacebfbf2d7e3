"""The day view: everything placed to the minute, and patients hidden from users who may not see them."""

import datetime as dt
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db.models import QuerySet

from appointments.availability.search import slot_query
from appointments.booking.forms import slot_initial
from appointments.models import Appointment
from appointments.schedule.blocks import PatientDetails
from appointments.schedule.columns import FreeTimeQuery
from appointments.schedule.day import DayFilters, day_view
from appointments.schedule.grid import Place
from appointments.schedule.lanes import WHOLE
from appointments.statuses import Status
from appointments.tests.factories import AppointmentFactory
from clinic.core import clinic_time
from clinic.tests.factories import UserFactory
from clinic.tests.kit import utc
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

DAY = dt.date(2026, 11, 24)
SPRING = dt.date(2026, 3, 29)
AUTUMN = dt.date(2026, 10, 25)
MORNING = dt.datetime(2026, 11, 24, 7, 0, tzinfo=dt.UTC)  # before the grid begins
LAST_YEAR = dt.date(2025, 11, 24)
LONG_AGO = dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def doctor():
    return DoctorFactory(full_name="Dr Okafor")


def create_appointment(doctor, hour, minute=0, minutes=30, **values):
    start_time = utc(2026, 11, 24, hour, minute)
    return AppointmentFactory(doctor=doctor, start_time=start_time, duration_minutes=minutes, **values)


def places(items):
    return [(item.place.minute, item.place.minutes) for item in items]


def marks(day):
    return [(mark.place.minute, mark.label) for mark in day.hours]


# The grid


def test_grid_without_appointments_shows_the_usual_hours(doctor, receptionist):
    day = day_view(DAY, user=receptionist)

    assert (day.date, day.grid.start) == (DAY, utc(2026, 11, 24, 8, 0))
    assert day.length.minutes == 600
    assert marks(day) == [(60 * (hour - 8), f"{hour:02}:00") for hour in range(8, 18)]


def test_grid_shows_the_usual_hours_of_clinic_time(settings, doctor, receptionist):
    settings.TIME_ZONE = "Asia/Kathmandu"

    day = day_view(DAY, user=receptionist)

    assert day.grid.start == utc(2026, 11, 24, 2, 15)
    assert (day.length.minutes, marks(day)[0], marks(day)[-1]) == (600, (0, "08:00"), (540, "17:00"))


def test_grid_extends_by_full_hours_to_fit_appointments(doctor, receptionist, isolated):
    cases = [
        (8, 0, 15, 8, 600),
        (7, 59, 15, 7, 660),
        (7, 0, 30, 7, 660),
        (0, 0, 15, 0, 1080),
        (17, 30, 30, 8, 600),
        (17, 30, 31, 8, 660),
        (18, 0, 60, 8, 660),
        (22, 0, 120, 8, 960),
        (23, 30, 60, 8, 1020),
    ]
    for hour, minute, minutes, first_hour, length in cases:
        with isolated(hour=hour, minute=minute, minutes=minutes, first_hour=first_hour, length=length):
            create_appointment(doctor, hour, minute, minutes)

            day = day_view(DAY, user=receptionist)

            assert (day.grid.start, day.length.minutes) == (utc(2026, 11, 24, first_hour, 0), length)


def test_blocks_are_placed_to_the_minute(doctor, receptionist):
    create_appointment(doctor, 8, 0, 15)
    create_appointment(doctor, 10, 7, 53)
    create_appointment(doctor, 17, 1, 59)

    (column,) = day_view(DAY, user=receptionist).columns

    assert places(column.blocks) == [(0, 15), (127, 53), (541, 59)]
    assert [(block.time, block.until) for block in column.blocks] == [
        ("08:00", "08:15"),
        ("10:07", "11:00"),
        ("17:01", "18:00"),
    ]


def test_position_sets_the_css_classes():
    assert Place(127, 53).css == "at-h2 at-m7 for-m53"
    assert Place(0, 30).css == ""
    assert Place(135, 60).css == "q9 for-h1 for-m0"
    assert Place(60, 90).css == "q4 for-h1"


# Over midnight


def test_appointment_over_midnight_is_drawn_on_both_days(doctor, receptionist):
    create_appointment(doctor, 23, 30, 60)

    first, second = (day_view(date, user=receptionist, at=LONG_AGO) for date in (DAY, DAY + dt.timedelta(days=1)))

    (begun,), (rest,) = (day.columns[0].blocks for day in (first, second))
    assert (begun.time, begun.until, begun.place.minutes, begun.is_continued) == ("23:30", "00:30", 60, False)
    assert (rest.time, rest.until, rest.place, rest.is_continued) == ("00:00", "00:30", Place(0, 30), True)
    assert (begun.remarks.exception, rest.remarks.exception) == ("", "since 23:30 (yesterday)")
    assert second.grid.start == utc(2026, 11, 25, 0, 0)


def test_appointment_over_midnight_counts_on_its_first_day(doctor, receptionist):
    create_appointment(doctor, 23, 30, 60)

    first, second = (day_view(date, user=receptionist, at=LONG_AGO) for date in (DAY, DAY + dt.timedelta(days=1)))

    assert [day.counts for day in (first, second)] == [[(Status.BOOKED, 1)], []]
    assert [day.columns[0].appointments for day in (first, second)] == [1, 0]
    assert [dict(day.tabs)["all"] for day in (first, second)] == [1, 0]


def test_rest_of_an_appointment_over_midnight_has_no_buttons(doctor, receptionist):
    """What may be done with it depends on the day it starts; its page has it all."""
    create_appointment(doctor, 23, 30, 60)
    after_midnight = utc(2026, 11, 25, 0, 10)

    days = [day_view(date, user=receptionist, at=after_midnight) for date in (DAY, DAY + dt.timedelta(days=1))]

    first, second = (day.listed[0].buttons for day in days)
    assert first.actions
    assert (second.actions, second.can_undo, second.can_change) == ((), False, False)


def test_appointment_that_ends_at_midnight_is_on_its_own_day_only(doctor, receptionist):
    create_appointment(doctor, 23, 30, 30)

    assert day_view(DAY + dt.timedelta(days=1), user=receptionist).listed == []


def test_cancelled_appointment_over_midnight_is_on_its_first_day_only(doctor, receptionist):
    create_appointment(doctor, 23, 30, 60, status=Status.CANCELLED)

    first, second = (day_view(date, user=receptionist) for date in (DAY, DAY + dt.timedelta(days=1)))

    assert (len(first.listed), second.listed) == (1, [])
    assert second.grid.start == utc(2026, 11, 25, 8, 0)


def test_appointment_over_the_midnight_of_a_clock_change_has_its_true_length(settings, doctor, receptionist, isolated):
    cases = {
        "skipped, Cairo": ("Africa/Cairo", dt.date(2026, 4, 24), utc(2026, 4, 23, 21, 30), "01:00", "01:30", 30),
        "repeated, Cairo": ("Africa/Cairo", dt.date(2026, 10, 30), utc(2026, 10, 29, 21, 30), "00:00", "00:30", 30),
        "after, Lisbon": ("Europe/Lisbon", SPRING, utc(2026, 3, 28, 23, 30), "00:00", "02:30", 90),
        "autumn, Lisbon": ("Europe/Lisbon", AUTUMN, utc(2026, 10, 24, 22, 0), "00:00", "01:00 WET", 120),
    }
    for case, (zone, date, start, begins, ends, minutes) in cases.items():
        with isolated(case):
            settings.TIME_ZONE = zone
            midnight, _ = clinic_time.day_bounds(date)
            length = (midnight - start) // MINUTE + minutes
            AppointmentFactory(doctor=doctor, start_time=start, duration_minutes=length)

            (block,) = day_view(date, user=receptionist, at=LONG_AGO).columns[0].blocks

            assert (block.time, block.until, block.place) == (begins, ends, Place(0, minutes))
            assert block.is_continued


# The clock changes


def test_day_of_23_hours_has_its_length_and_marks(doctor, receptionist):
    AppointmentFactory(doctor=doctor, start_time=utc(2026, 3, 29, 0, 30))  # 00:30 on the clock
    AppointmentFactory(doctor=doctor, start_time=utc(2026, 3, 29, 1, 0))  # 02:00
    AppointmentFactory(doctor=doctor, start_time=utc(2026, 3, 29, 22, 0), duration_minutes=60)  # 23:00

    day = day_view(SPRING, user=receptionist)

    assert (day.grid.start, day.length.minutes) == (utc(2026, 3, 29, 0, 0), 23 * 60)
    assert marks(day) == [(0, "00:00")] + [(60 * (hour - 1), f"{hour:02}:00") for hour in range(2, 24)]
    assert places(day.columns[0].blocks) == [(30, 30), (60, 30), (1320, 60)]
    assert [block.time for block in day.columns[0].blocks] == ["00:30", "02:00", "23:00"]


def test_day_of_25_hours_has_its_length_and_labels_repeated_hours(doctor, receptionist):
    AppointmentFactory(doctor=doctor, start_time=utc(2026, 10, 24, 23, 0))  # 00:00 on the clock
    AppointmentFactory(doctor=doctor, start_time=utc(2026, 10, 25, 0, 30))  # 01:30, the first
    AppointmentFactory(doctor=doctor, start_time=utc(2026, 10, 25, 1, 30))  # 01:30, the second
    AppointmentFactory(doctor=doctor, start_time=utc(2026, 10, 25, 23, 0), duration_minutes=60)  # 23:00

    day = day_view(AUTUMN, user=receptionist)

    assert (day.grid.start, day.length.minutes) == (utc(2026, 10, 24, 23, 0), 25 * 60)
    assert marks(day)[:4] == [(0, "00:00"), (60, "01:00 WEST"), (120, "01:00 WET"), (180, "02:00")]
    assert marks(day)[4:] == [(60 * (hour + 1), f"{hour:02}:00") for hour in range(3, 24)]
    assert places(day.columns[0].blocks) == [(0, 30), (90, 30), (150, 30), (1440, 60)]


def test_day_of_a_clock_change_shows_the_usual_hours(doctor, receptionist, subtests):
    cases = {
        "spring": (SPRING, utc(2026, 3, 29, 7, 0)),
        "autumn": (AUTUMN, utc(2026, 10, 25, 8, 0)),
    }
    for case, (date, first) in cases.items():
        with subtests.test(case):
            day = day_view(date, user=receptionist)

            assert (day.grid.start, day.length.minutes) == (first, 600)
            assert (marks(day)[0], marks(day)[-1]) == ((0, "08:00"), (540, "17:00"))


def test_day_of_a_half_hour_change_marks_full_hours_of_the_clock(settings, doctor, receptionist):
    settings.TIME_ZONE = "Australia/Lord_Howe"
    AppointmentFactory(doctor=doctor, start_time=utc(2026, 10, 3, 13, 30))  # midnight there

    day = day_view(dt.date(2026, 10, 4), user=receptionist)

    assert marks(day)[:5] == [(0, "00:00"), (60, "01:00"), (150, "03:00"), (210, "04:00"), (270, "05:00")]


# Patients shown by role


def test_columns_come_in_order_of_the_doctors_names(receptionist):
    for full_name in ("Dr Zola", "Dr Abel"):
        DoctorFactory(full_name=full_name)

    columns = day_view(DAY, user=receptionist).columns

    assert [column.doctor.full_name for column in columns] == ["Dr Abel", "Dr Zola"]


def test_inactive_doctors_have_a_column_only_with_appointments(receptionist):
    DoctorFactory(full_name="Dr Gone", is_active=False)
    leaving = DoctorFactory(full_name="Dr Leaving")
    create_appointment(leaving, 10)
    leaving.is_active = False
    leaving.save()

    (column,) = day_view(DAY, user=receptionist).columns

    assert (column.doctor, column.free) == (leaving, [])


def test_columns_show_only_that_day(doctor, receptionist):
    AppointmentFactory(doctor=doctor, start_time=utc(2026, 11, 23, 23, 45), duration_minutes=15)
    AppointmentFactory(doctor=doctor, start_time=utc(2026, 11, 25, 0, 0))

    (column,) = day_view(DAY, user=receptionist).columns

    assert column.blocks == []


def test_day_of_one_doctor_shows_and_counts_that_doctor(doctor, receptionist):
    create_appointment(doctor, 10)
    create_appointment(DoctorFactory(full_name="Dr Silva"), 7)

    day = day_view(DAY, user=receptionist, filters=DayFilters(doctor_ids=(doctor.pk,)))

    assert [column.doctor for column in day.columns] == [doctor]
    assert day.counts == [(Status.BOOKED, 1)]
    assert [each.full_name for each in day.doctors] == ["Dr Okafor", "Dr Silva"]


def test_day_of_a_specialization_shows_its_doctors(doctor, receptionist):
    cardiologist = DoctorFactory(specialization="Cardiology")

    day = day_view(DAY, user=receptionist, filters=DayFilters(specialization="Cardiology"))

    assert [column.doctor for column in day.columns] == [cardiologist]
    assert [each.specialization for each in day.doctors] == ["General practice", "Cardiology"]


def test_receptionist_sees_the_patient(doctor, receptionist):
    appointment = create_appointment(
        doctor, 10, reason="Knee", patient=PatientFactory(first_name="Maria", last_name="Santos", phone_number="112")
    )

    (block,) = day_view(DAY, user=receptionist).columns[0].blocks

    assert (block.patient.name, block.patient.phone, block.patient.reason) == ("Maria Santos", "112", "Knee")
    assert (block.url, block.doctor_name) == (f"/appointments/{appointment.pk}/", "Dr Okafor")


def test_manager_sees_initials(doctor, manager):
    create_appointment(doctor, 10, reason="Knee", patient=PatientFactory(first_name="Maria", last_name="Santos"))

    day = day_view(DAY, user=manager)

    (block,) = day.columns[0].blocks
    assert (block.patient, block.url) == (PatientDetails("M. S."), "")
    assert day.listed == [block]


def test_doctor_sees_only_their_own_patients(doctor_user):
    own, other = DoctorFactory(full_name="Dr Abel", user=doctor_user), DoctorFactory(full_name="Dr Zola")
    for doctor in (own, other):
        create_appointment(doctor, 10, reason="Knee", patient=PatientFactory(first_name="Maria", last_name="Santos"))

    day = day_view(DAY, user=doctor_user)

    (own_block,), (other_block,) = (column.blocks for column in day.columns)
    assert (own_block.patient.name, own_block.patient.reason, bool(own_block.url)) == ("Maria Santos", "Knee", True)
    assert (other_block.patient, other_block.url) == (PatientDetails("M. S."), "")


def test_user_without_a_role_sees_initials(doctor):
    create_appointment(doctor, 10, patient=PatientFactory(first_name="Maria", last_name="Santos"))

    (block,) = day_view(DAY, user=UserFactory()).columns[0].blocks

    assert (block.patient.name, block.url) == ("M. S.", "")


# Statuses


def test_cancelled_appointments_are_ghosts_side_by_side(doctor, receptionist):
    for _number in range(2):
        create_appointment(doctor, 10, status=Status.CANCELLED)
    create_appointment(doctor, 10)
    create_appointment(doctor, 11)

    (column,) = day_view(DAY, user=receptionist).columns

    assert [ghost.lane.number for ghost in column.ghosts] == [0, 1]
    assert [block.ghosts for block in column.blocks] == [2, 0]
    assert [block.lane for block in column.blocks] == [WHOLE, WHOLE]


def lanes(day):
    return [(block.status.value, block.lane.number, block.lane.of) for block in day.columns[0].blocks]


def test_no_show_whose_time_is_booked_again_is_drawn_beside(doctor, receptionist):
    create_appointment(doctor, 10, status=Status.NO_SHOW)
    create_appointment(doctor, 10, 15)

    assert lanes(day_view(DAY, user=receptionist)) == [("no_show", 0, 2), ("booked", 1, 2)]


def test_no_show_whose_time_is_free_leaves_room_for_the_free_time(doctor, receptionist, isolated):
    for minute in [0, 30]:
        with isolated(minute=minute):
            create_appointment(doctor, 10, status=Status.NO_SHOW)
            create_appointment(doctor, 10 if minute else 11, minute)

            (column,) = day_view(DAY, user=receptionist).columns

            assert [block.lane for block in column.blocks] == [WHOLE, WHOLE]
            assert [free.time for free in column.free if free.is_beside] == ["10:00"]


def test_no_shows_at_the_same_time_leave_room_for_the_free_time(doctor, receptionist):
    create_appointment(doctor, 10, status=Status.NO_SHOW)
    create_appointment(doctor, 10, status=Status.NO_SHOW)

    assert lanes(day_view(DAY, user=receptionist)) == [("no_show", 0, 3), ("no_show", 1, 3)]


def test_imported_appointments_that_overlap_are_side_by_side_and_marked(doctor, receptionist, isolated):
    cases = {
        "same time": ([(10, 0, 30), (10, 0, 30)], [(0, 2), (1, 2)]),
        "one minute": ([(10, 0, 30), (10, 29, 30)], [(0, 2), (1, 2)]),
        "one contains the others": ([(10, 0, 90), (10, 15, 15), (11, 0, 15)], [(0, 2), (1, 2), (1, 2)]),
        "three": ([(10, 0, 60), (10, 10, 60), (10, 20, 60)], [(0, 3), (1, 3), (2, 3)]),
        "a chain": ([(10, 0, 30), (10, 20, 30), (10, 40, 30)], [(0, 2), (1, 2), (0, 2)]),
    }
    for case, (times, expected) in cases.items():
        with isolated(case):
            for hour, minute, minutes in times:
                create_imported(doctor, hour, minute, minutes)
            create_imported(doctor, 15, 0, 30)

            (column,) = day_view(LAST_YEAR, user=receptionist).columns

            assert [tuple(block.lane) for block in column.blocks] == [*expected, (0, 1)]
            marked = [block.remarks.exception for block in column.blocks]
            assert marked == ["overlaps"] * len(times) + [""]


def test_touching_and_freed_appointments_do_not_count_as_overlapping(doctor, receptionist):
    create_appointment(doctor, 10)
    create_appointment(doctor, 10, 30)
    create_appointment(doctor, 10, 30, status=Status.NO_SHOW)

    assert {block.remarks.exception for block in day_view(DAY, user=receptionist).listed} == {""}


def create_imported(doctor, hour, minute, minutes):
    """Write a past appointment past the rules, as an import of old records does."""
    start = utc(2025, 11, 24, hour, minute)
    end = start + minutes * MINUTE
    details = {"doctor": doctor, "patient": PatientFactory(), "status": Status.COMPLETED, "is_imported": True}
    made = Appointment(start_time=start, end_time=end, duration_minutes=minutes, **details)
    QuerySet(Appointment).bulk_create([made])


def test_count_includes_only_appointments_that_block_time(doctor, receptionist):
    create_appointment(doctor, 10, status=Status.CANCELLED)
    create_appointment(doctor, 10, status=Status.NO_SHOW)
    create_appointment(doctor, 10, status=Status.COMPLETED)
    create_appointment(doctor, 11)

    (column,) = day_view(DAY, user=receptionist).columns

    assert column.appointments == 2


def test_counts_are_in_order_of_the_statuses_without_zeros(doctor, receptionist):
    for hour, status in [(9, "cancelled"), (10, "completed"), (11, "booked"), (12, "arrived"), (13, "booked")]:
        create_appointment(doctor, hour, status=status)

    day = day_view(DAY, user=receptionist)

    assert day.counts == [(Status.BOOKED, 2), (Status.ARRIVED, 1), (Status.COMPLETED, 1), (Status.CANCELLED, 1)]


def test_list_is_in_order_of_time_across_doctors(receptionist):
    abel, zola = DoctorFactory(full_name="Dr Abel"), DoctorFactory(full_name="Dr Zola")
    for doctor, hour in [(abel, 11), (zola, 10), (abel, 9)]:
        create_appointment(doctor, hour)

    day = day_view(DAY, user=receptionist)

    assert [(block.time, block.doctor_name) for block in day.listed] == [
        ("09:00", "Dr Abel"),
        ("10:00", "Dr Zola"),
        ("11:00", "Dr Abel"),
    ]


# Now


def test_now_line_is_at_the_current_minute(doctor, receptionist, isolated):
    cases = [
        (utc(2026, 11, 24, 8, 0), 0, "08:00"),
        (utc(2026, 11, 24, 12, 34, 56), 274, "12:34"),
        (utc(2026, 11, 24, 17, 59, 59), 599, "17:59"),
    ]
    for at, minute, label in cases:
        with isolated(at=at, minute=minute, label=label):
            day = day_view(DAY, user=receptionist, at=at)

            assert (day.now.place.minute, day.now.label) == (minute, label)


def test_now_line_is_missing_outside_the_grid(doctor, receptionist, subtests):
    cases = [utc(2026, 11, 23, 12, 0), utc(2026, 11, 24, 7, 59), utc(2026, 11, 24, 18, 0), utc(2026, 11, 25, 12, 0)]
    for at in cases:
        with subtests.test(at=at):
            assert day_view(DAY, user=receptionist, at=at).now is None


def test_now_line_uses_the_clock(doctor, receptionist):
    assert day_view(DAY, user=receptionist).now.label == "09:00"


# Free time


def test_free_time_of_an_empty_diary_is_the_whole_grid_in_half_hours(doctor, receptionist):
    (column,) = day_view(DAY, user=receptionist, at=MORNING).columns

    assert places(column.free) == [(minute, 30) for minute in range(0, 600, 30)]
    assert column.next_free.time == "08:00"


def test_free_time_excludes_taken_time(doctor, receptionist):
    create_appointment(doctor, 9, 0, 60)
    create_appointment(doctor, 10, 30, 180)

    (column,) = day_view(DAY, user=receptionist, at=MORNING).columns

    assert places(column.free) == [
        (0, 30),
        (30, 30),
        (120, 30),
        *[(minute, 30) for minute in range(330, 600, 30)],
    ]


def test_free_time_between_two_appointments_is_split_where_one_fits(doctor, receptionist, isolated):
    cases = [
        (0, 14, []),
        (0, 15, [(0, 15)]),
        (0, 30, [(0, 30)]),
        (0, 44, [(0, 44)]),
        (0, 45, [(0, 30), (30, 15)]),
        (10, 60, [(10, 20), (30, 30)]),
        (20, 60, [(20, 40)]),
        (15, 60, [(15, 15), (30, 30)]),
        (16, 60, [(16, 44)]),
        (7, 40, [(7, 33)]),
    ]
    for begin, end, pieces in cases:
        with isolated(begin=begin, end=end, pieces=pieces):
            first = utc(2026, 11, 24, 12, 0)
            AppointmentFactory(doctor=doctor, start_time=first - (120 - begin) * MINUTE, duration_minutes=120)
            AppointmentFactory(doctor=doctor, start_time=first + end * MINUTE, duration_minutes=120)

            (column,) = day_view(DAY, user=receptionist, at=MORNING).columns

            between = [(minute - 240, minutes) for minute, minutes in places(column.free) if 240 <= minute < 240 + end]
            assert between == pieces


def test_free_time_includes_cancelled_and_no_show_times(doctor, receptionist, isolated):
    for status in ["cancelled", "no_show"]:
        with isolated(status=status):
            create_appointment(doctor, 8, 0, 180, status=status)

            (column,) = day_view(DAY, user=receptionist, at=MORNING).columns

            assert places(column.free)[0] == (0, 30)


def test_free_time_today_begins_at_the_next_full_five_minutes(doctor, receptionist, subtests):
    cases = [
        (utc(2026, 11, 24, 9, 0), ("09:05", 65, 25)),
        (utc(2026, 11, 24, 9, 4), ("09:05", 65, 25)),
        (utc(2026, 11, 24, 9, 4, 59), ("09:05", 65, 25)),
        (utc(2026, 11, 24, 9, 5), ("09:10", 70, 20)),
        (utc(2026, 11, 24, 9, 29), ("09:30", 90, 30)),
    ]
    for at, first in cases:
        with subtests.test(at=at, first=first):
            (column,) = day_view(DAY, user=receptionist, at=at).columns

            free = column.next_free
            assert (free.time, free.place.minute, free.place.minutes) == first


def test_free_time_ends_when_no_appointment_fits(doctor, receptionist, subtests):
    for at in [utc(2026, 11, 24, 17, 46), utc(2026, 11, 24, 18, 0), utc(2026, 11, 25, 9, 0)]:
        with subtests.test(at=at):
            (column,) = day_view(DAY, user=receptionist, at=at).columns

            assert (column.free, column.next_free) == ([], None)


def test_free_time_is_only_shown_to_users_who_may_book(doctor, manager, doctor_user):
    for user in (manager, doctor_user):
        assert day_view(DAY, user=user, at=MORNING).columns[0].free == []


def test_free_time_has_room_for_the_length_asked_for(doctor, receptionist):
    create_appointment(doctor, 9, 0, 180)
    create_appointment(doctor, 13, 0, 180)

    (column,) = day_view(DAY, user=receptionist, at=MORNING, free_time=FreeTimeQuery(60)).columns

    assert [free.time for free in column.free] == ["08:00", "12:00", "16:00", "16:30", "17:00"]


def test_free_time_opens_the_booking_form_filled_in(doctor, receptionist):
    create_appointment(doctor, 8, 20, 180)

    free = day_view(DAY, user=receptionist, at=MORNING).columns[0].next_free

    address = urlsplit(free.url)
    assert address.path == "/appointments/book/"
    assert address.query == f"{slot_query(doctor.pk, utc(2026, 11, 24, 8, 0))}&minutes=20"


def test_free_time_with_room_for_the_default_length_omits_the_length(doctor, receptionist):
    free = day_view(DAY, user=receptionist, at=MORNING).columns[0].next_free

    assert "minutes" not in parse_qs(urlsplit(free.url).query)


def test_link_of_a_free_time_opens_the_form_at_its_instant(settings, doctor, receptionist, isolated):
    cases = [
        ("Europe/Lisbon", DAY, utc(2026, 11, 24, 0, 0)),
        ("Europe/Lisbon", SPRING, utc(2026, 3, 29, 0, 0)),
        ("Europe/Lisbon", AUTUMN, utc(2026, 10, 24, 23, 0)),
        ("Australia/Lord_Howe", dt.date(2026, 4, 5), utc(2026, 4, 4, 13, 0)),
        ("Africa/Cairo", dt.date(2026, 4, 24), utc(2026, 4, 23, 22, 0)),
        ("Asia/Kathmandu", DAY, utc(2026, 11, 23, 18, 15)),
    ]
    for zone, date, first in cases:
        with isolated(zone=zone, date=date, first=first):
            settings.TIME_ZONE = zone
            AppointmentFactory(doctor=doctor, start_time=first)  # extends the grid into the night

            day = day_view(date, user=receptionist, at=LONG_AGO)

            for free in day.columns[0].free:
                slot = slot_initial({name: value for name, (value,) in parse_qs(free.take).items()})
                instant = clinic_time.instant_at(slot["date"], slot["time"], which=slot.get("which"))
                assert instant == day.grid.start + free.place.minute * MINUTE


def test_appointment_outside_usual_hours_offers_no_free_time_there(doctor, receptionist, isolated):
    for start in [utc(2026, 11, 24, 3, 0), utc(2026, 11, 24, 23, 30)]:
        with isolated(start=start):
            AppointmentFactory(doctor=doctor, start_time=start, duration_minutes=60)

            (column,) = day_view(DAY, user=receptionist, at=LONG_AGO).columns

            assert (column.free[0].time, column.free[-1].time) == ("08:00", "17:30")


def test_free_time_excludes_the_patients_other_appointments(doctor, receptionist):
    elsewhere = AppointmentFactory(start_time=utc(2026, 11, 24, 10, 0), duration_minutes=60)

    day = day_view(DAY, user=receptionist, at=LONG_AGO, free_time=FreeTimeQuery(patient=elsewhere.patient))

    column = next(column for column in day.columns if column.doctor == doctor)
    assert {"10:00", "10:30"}.isdisjoint(free.time for free in column.free)
    assert "11:00" in {free.time for free in column.free}


def test_moving_appointment_frees_its_time_but_is_not_offered_its_own(doctor, receptionist):
    for hour, minute, minutes in ((8, 0, 120), (10, 45, 60)):
        create_appointment(doctor, hour, minute, minutes)
    moving = create_appointment(doctor, 10, 15)

    (column,) = day_view(DAY, user=receptionist, at=LONG_AGO, free_time=FreeTimeQuery.for_moving(moving)).columns

    assert column.free[0].time == "10:00"
    moving.start_time = moving.start_time.replace(minute=0)
    moving.save()
    (column,) = day_view(DAY, user=receptionist, at=LONG_AGO, free_time=FreeTimeQuery.for_moving(moving)).columns
    assert column.free[0].time == "11:45"


# Queries


def test_day_makes_five_queries_however_many_appointments(django_assert_num_queries, receptionist, isolated):
    for count in [3, 300]:
        with isolated(count=count):
            doctors, patients = DoctorFactory.create_batch(count // 3), PatientFactory.create_batch(count // 3)
            starts = [utc(2026, 11, 24, hour, 0) for hour in (9, 10, 11)]
            QuerySet(Appointment).bulk_create(
                [
                    Appointment(
                        doctor=doctor,
                        patient=patient,
                        start_time=start,
                        duration_minutes=30,
                        end_time=start + 30 * MINUTE,
                    )
                    for doctor, patient in zip(doctors, patients, strict=True)
                    for start in starts
                ]
            )
            receptionist.get_all_permissions()  # the user's own query, once a request

            with django_assert_num_queries(5):
                day = day_view(DAY, user=receptionist)

            assert len(day.listed) == count
