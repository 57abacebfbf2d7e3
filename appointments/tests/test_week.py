"""The week of one doctor, with a column for each date as in the day view."""

import datetime as dt
from operator import attrgetter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.availability.search import slot_query
from appointments.schedule.day import day_view
from appointments.schedule.week import week_view
from appointments.statuses import Status
from appointments.tests.factories import AppointmentFactory
from clinic.core import clinic_time
from clinic.tests.kit import at, elements, utc
from doctors.models import Doctor
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

TUESDAY = dt.date(2026, 11, 24)
LONG_AGO = dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
HTMX = {"HX-Request": "true"}
MONDAY_TO_FRIDAY = range(5)
MAX_QUERIES = 8


def hours(*opens_closes, days=MONDAY_TO_FRIDAY):
    return {day: [(dt.time(opens), dt.time(closes)) for opens, closes in opens_closes] for day in days}


def address(doctor, date="2026-11-24"):
    return f"/doctors/{doctor.pk}/week/{date}/"


def days_of(week):
    return [column.date.day for column in week.columns]


def column_on(week, day):
    return next(column for column in week.columns if column.date.day == day)


def unavailable_in(column):
    return [(each.text, each.span) for each in column.unavailable]


def marks(items):
    return [(mark.place.minute, mark.label) for mark in items]


def hrefs(response):
    return [attrs["href"] for tag, attrs in elements(response) if tag == "a" and "href" in attrs]


def labelled(response):
    return {attrs["aria-label"]: attrs.get("href") for _tag, attrs in elements(response) if "aria-label" in attrs}


def with_class(response, name):
    return [attrs for _tag, attrs in elements(response) if name in attrs.get("class", "").split()]


# Which dates


def test_week_contains_the_date(at_desk, okafor, isolated):
    for date in ["2026-11-23", "2026-11-24", "2026-11-28", "2026-11-29"]:
        with isolated(date=date):
            week = at_desk.get(address(okafor, date)).context["week"]

            assert (week.dates[0], week.dates[-1]) == (dt.date(2026, 11, 23), dt.date(2026, 11, 29))
            assert days_of(week) == [23, 24, 25, 26, 27]


def test_week_is_in_clinic_time(settings, okafor, receptionist):
    settings.TIME_ZONE = "Pacific/Auckland"
    AppointmentFactory(doctor=okafor, start_time=at(20, day=22))  # Monday 09:00 there
    AppointmentFactory(doctor=okafor, start_time=at(20, day=29))  # the Monday after

    week = week_view(okafor, TUESDAY, user=receptionist)

    assert [(column.date.day, block.time) for column in week.columns for block in column.blocks] == [(23, "09:00")]


def test_weekend_has_a_column_only_if_it_is_used(okafor, receptionist, isolated):
    cases = {
        "can be booked": (
            lambda doctor: TimetableFactory(doctor=doctor, week=hours((9, 12), days=[5])),
            [23, 24, 25, 26, 27, 28],
        ),
        "booked": (
            lambda doctor: AppointmentFactory(doctor=doctor, start_time=at(10, day=29)),
            [23, 24, 25, 26, 27, 29],
        ),
        "no-show": (
            lambda doctor: AppointmentFactory(doctor=doctor, start_time=at(10, day=29), status="no_show"),
            [23, 24, 25, 26, 27, 29],
        ),
        "cancelled": (
            lambda doctor: AppointmentFactory(doctor=doctor, start_time=at(10, day=29), status="cancelled"),
            [23, 24, 25, 26, 27],
        ),
        "weekdays": (lambda doctor: TimetableFactory(doctor=doctor), [23, 24, 25, 26, 27]),
        "one weekday": (
            lambda doctor: TimetableFactory(doctor=doctor, week=hours((9, 12), days=[1])),
            [23, 24, 25, 26, 27],
        ),
    }
    for case, (arrange, shown) in cases.items():
        with isolated(case):
            arrange(okafor)

            assert days_of(week_view(okafor, TUESDAY, user=receptionist)) == shown


def test_saturday_on_leave_has_a_column_with_the_reason(okafor, administrator):
    TimetableFactory(doctor=okafor, week=hours((9, 12), days=[4, 5]))
    LeaveFactory(doctor=okafor, start_time=at(0, day=28), end_time=at(0, day=29))

    week = week_view(okafor, TUESDAY, user=administrator)

    assert days_of(week) == [23, 24, 25, 26, 27, 28]
    assert unavailable_in(column_on(week, 28)) == [("Leave: Training", "")]


# What a column shows


def test_column_matches_the_day_view(okafor, receptionist):
    TimetableFactory(doctor=okafor)
    appointment = AppointmentFactory(doctor=okafor, start_time=at(9, day=25), reason="Knee")
    AppointmentFactory(doctor=okafor, start_time=at(9, day=26))

    in_week = column_on(week_view(okafor, TUESDAY, user=receptionist), 25)

    (in_day,) = day_view(dt.date(2026, 11, 25), user=receptionist).columns
    assert [block.pk for block in in_week.blocks] == [appointment.pk]
    shown = attrgetter("doctor", "date", "grid", "listed", "opening", "free_time", "load")
    assert shown(in_week) == shown(in_day)


def test_week_shows_only_the_doctor_and_the_week(okafor, receptionist):
    AppointmentFactory(start_time=at(9))  # with another doctor
    AppointmentFactory(doctor=okafor, start_time=at(23, 45, day=22), duration_minutes=15)
    AppointmentFactory(doctor=okafor, start_time=at(0, day=30))
    AppointmentFactory(doctor=okafor, start_time=at(0, day=23))
    AppointmentFactory(doctor=okafor, start_time=at(23, 30, day=29))

    week = week_view(okafor, TUESDAY, user=receptionist)

    assert [(column.date.day, block.time) for column in week.columns for block in column.listed] == [
        (23, "00:00"),
        (29, "23:30"),
    ]


def test_appointment_over_midnight_is_on_both_days_and_counted_once(okafor, receptionist):
    TimetableFactory(doctor=okafor, week={2: [(dt.time(22), dt.time.min)], 3: [(dt.time.min, dt.time(2))]})
    AppointmentFactory(doctor=okafor, start_time=at(23, 30, day=25), duration_minutes=60)

    week = week_view(okafor, TUESDAY, user=receptionist)

    (begun,), (rest,) = (column_on(week, day).blocks for day in (25, 26))
    assert (begun.time, begun.until, begun.is_continued) == ("23:30", "00:30", False)
    assert (rest.time, rest.until, rest.is_continued) == ("00:00", "00:30", True)
    assert [column_on(week, day).appointments for day in (25, 26)] == [1, 0]
    assert week.counts == [(Status.BOOKED, 1)]
    assert column_on(week, 26).next_free.time == "00:30"
    assert week.length.minutes == 25 * 60
    assert column_on(week, 25).blocks[0].place.minute == 23 * 60 + 30


def test_gap_extends_from_the_previous_week(okafor, receptionist):
    Doctor.objects.filter(pk=okafor.pk).update(gap_minutes=30)
    okafor.refresh_from_db()
    TimetableFactory(doctor=okafor, week={0: [(dt.time.min, dt.time(4))]})
    AppointmentFactory(doctor=okafor, start_time=at(23, 30, day=29), duration_minutes=30, outside_hours_reason="Urgent")

    week = week_view(okafor, dt.date(2026, 11, 30), user=receptionist)

    assert week.columns[0].next_free.time == "00:30"


def test_columns_show_why_the_doctor_is_unavailable(okafor, administrator):
    TimetableFactory(doctor=okafor, week=hours((8, 12), (13, 17), days=[0, 2, 3, 4]) | hours((10, 16), days=[1]))
    LeaveFactory(doctor=okafor, start_time=at(14, day=25), end_time=at(0, day=27))
    ClosureFactory(date=dt.date(2026, 11, 27), name="Stocktaking")

    week = week_view(okafor, TUESDAY, user=administrator, at=LONG_AGO)

    assert {column.date.day: unavailable_in(column) for column in week.columns} == {
        23: [("Break", "12:00–13:00")],
        24: [("Before hours", "until 10:00"), ("After hours", "from 16:00")],
        25: [("Break", "12:00–13:00"), ("Leave: Training", "from 14:00")],
        26: [("Leave: Training", "")],
        27: [("Closed: Stocktaking", "")],
    }
    assert [column.load and column.load.percent for column in week.columns] == [0, 0, 0, None, None]


def test_grid_covers_the_earliest_to_the_latest_hours(okafor, receptionist):
    TimetableFactory(doctor=okafor, week=hours((9, 12)) | {3: [(dt.time(6, 30), dt.time(8))]})
    AppointmentFactory(doctor=okafor, start_time=at(18, 15, day=23), duration_minutes=50, outside_hours_reason="Urgent")

    week = week_view(okafor, TUESDAY, user=receptionist)

    assert (week.hours[0].label, week.hours[-1].label) == ("06:00", "19:00")
    for column in week.columns:
        assert (column.grid.start, column.grid.end) == (at(6, day=column.date.day), at(20, day=column.date.day))
        assert column.marks == []


def test_week_without_working_hours_shows_the_usual_hours(okafor, receptionist):
    TimetableFactory(doctor=okafor, valid_until=dt.date(2026, 1, 1))

    week = week_view(okafor, TUESDAY, user=receptionist)

    assert (week.hours[0].label, week.hours[-1].label) == ("08:00", "17:00")
    assert {each for column in week.columns for each in unavailable_in(column)} == {("Not working", "")}


def test_head_shows_the_number_of_appointments_and_the_booked_share(at_desk, okafor):
    TimetableFactory(doctor=okafor)
    for hour in (8, 9):
        AppointmentFactory(doctor=okafor, start_time=at(hour, day=25), duration_minutes=60)

    response = at_desk.get(address(okafor))

    column = column_on(response.context["week"], 25)
    assert (column.appointments, column.load) == (2, (120, 480))
    assert 'title="120 of 480 minutes, 2 appointments">25 %<' in response.content.decode()
    assert 'class="meta load5"' in response.content.decode()


def test_counts_are_by_status(okafor, receptionist):
    AppointmentFactory(doctor=okafor, start_time=at(8, day=23), status="completed")
    AppointmentFactory(doctor=okafor, start_time=at(8, day=26))
    AppointmentFactory(doctor=okafor, start_time=at(8, day=27))

    assert week_view(okafor, TUESDAY, user=receptionist).counts == [(Status.BOOKED, 2), (Status.COMPLETED, 1)]


def test_today_is_marked_and_shows_the_present_time(at_desk, okafor):
    response = at_desk.get(address(okafor))

    assert [column.now and column.now.label for column in response.context["week"].columns] == [
        None,
        "09:00",
        None,
        None,
        None,
    ]
    today = [attrs["id"] for _tag, attrs in elements(response) if attrs.get("aria-current") == "date"]
    assert today == ["to-date-2026-11-24", "day-2026-11-24"]
    assert [attrs["data-minute"] for attrs in with_class(response, "now-line")] == ["60", "60"]  # hours and column


def test_another_week_has_no_today(at_desk, okafor):
    response = at_desk.get(address(okafor, "2026-12-01"))

    assert with_class(response, "now-line") == []
    assert [attrs for _tag, attrs in elements(response) if attrs.get("aria-current") == "date"] == []


def test_future_free_times_link_to_the_booking_form(at_desk, okafor):
    response = at_desk.get(address(okafor))

    week = response.context["week"]
    assert [column.next_free and column.next_free.time for column in week.columns] == [
        None,
        "09:05",
        "08:00",
        "08:00",
        "08:00",
    ]
    assert f"/appointments/book/?{slot_query(okafor.pk, at(8, day=26))}" in hrefs(response)


def test_inactive_doctor_is_shown_without_free_times(at_desk, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(10, day=25))
    Doctor.objects.update(is_active=False)

    response = at_desk.get(address(okafor))

    assert len(with_class(response, "block")) == 1
    assert with_class(response, "free") == []
    assert "inactive" in response.content.decode()


# The clock changes


NIGHT = {
    "Lisbon, 23 hours": ("Europe/Lisbon", dt.date(2026, 3, 29), 23 * 60),
    "Lisbon, 25 hours": ("Europe/Lisbon", dt.date(2026, 10, 25), 25 * 60),
    "Lord Howe, 24.5 hours": ("Australia/Lord_Howe", dt.date(2026, 4, 5), 24 * 60 + 30),
    "Lord Howe, 23.5 hours": ("Australia/Lord_Howe", dt.date(2026, 10, 4), 23 * 60 + 30),
    "Cairo, midnight skipped": ("Africa/Cairo", dt.date(2026, 4, 24), 23 * 60),
}


def test_week_of_a_clock_change_by_day_is_like_any_other(settings, okafor, receptionist, isolated):
    for case, (zone, change, _minutes) in NIGHT.items():
        with isolated(case):
            settings.TIME_ZONE = zone
            TimetableFactory(doctor=okafor, week=hours((8, 18), days=range(7)))

            week = week_view(okafor, change, user=receptionist)

            assert len(week.columns) == 7
            for column in week.columns:
                assert (column.length.minutes, column.marks) == (600, [])
                assert clinic_time.time_text(column.grid.start) == "08:00"


def test_day_of_a_clock_change_has_its_length_and_hours_of_its_own(settings, okafor, receptionist, isolated):
    for case, (zone, change, minutes) in NIGHT.items():
        with isolated(case):
            settings.TIME_ZONE = zone
            TimetableFactory(doctor=okafor, week={day: [(dt.time.min, dt.time.min)] for day in range(7)})

            week = week_view(okafor, change, user=receptionist)

            assert marks(week.hours) == [(60 * hour, f"{hour:02}:00") for hour in range(24)]
            assert week.length.minutes == max(minutes, 24 * 60)
            for column in week.columns:
                is_changing = column.date == change
                midnight, next_midnight = clinic_time.day_bounds(column.date)
                assert (column.grid.start, column.grid.end) == (midnight, next_midnight)
                assert column.length.minutes == (minutes if is_changing else 24 * 60)
                assert bool(column.marks) == is_changing
                assert column.marks in ([], list(column.grid.hour_marks()))


def test_free_times_and_appointments_are_placed_at_their_instants(settings, okafor, receptionist, isolated):
    for case, (zone, change, _minutes) in NIGHT.items():
        with isolated(case):
            settings.TIME_ZONE = zone
            TimetableFactory(doctor=okafor, week={day: [(dt.time.min, dt.time.min)] for day in range(7)})
            midnight, _next = clinic_time.day_bounds(change)
            appointments = [
                AppointmentFactory(doctor=okafor, start_time=midnight + number * 60 * MINUTE, duration_minutes=20)
                for number in range(5)
            ]

            week = week_view(okafor, change, user=receptionist, at=LONG_AGO)

            column = next(column for column in week.columns if column.date == change)
            starts = [column.grid.instant_at(block.place.minute) for block in column.blocks]
            assert starts == [appointment.start_time for appointment in appointments]
            for each in week.columns:
                for free in each.free:
                    assert free.time == clinic_time.time_text(each.grid.instant_at(free.place.minute))


def test_hours_of_a_column_follow_the_clock_change(okafor, receptionist):
    spring, autumn = dt.date(2026, 3, 29), dt.date(2026, 10, 25)
    AppointmentFactory(doctor=okafor, start_time=utc(2026, 3, 29, 0, 30))  # 00:30 on the clock
    AppointmentFactory(doctor=okafor, start_time=utc(2026, 10, 25, 1, 30))  # 01:30, the second

    short = week_view(okafor, spring, user=receptionist).columns[-1]
    long = week_view(okafor, autumn, user=receptionist).columns[-1]

    assert marks(short.marks)[:3] == [(0, "00:00"), (60, "02:00"), (120, "03:00")]
    assert marks(long.marks)[:3] == [(0, "01:00 WEST"), (60, "01:00 WET"), (120, "02:00")]


def test_appointment_that_ends_when_the_hour_comes_again_is_drawn_whole(okafor, receptionist):
    """Its end is 01:00, the same as an hour before."""
    TimetableFactory(doctor=okafor, week={6: [(dt.time.min, dt.time(1))]})
    AppointmentFactory(doctor=okafor, start_time=utc(2026, 10, 25, 0, 30), outside_hours_reason="Urgent")

    column = week_view(okafor, dt.date(2026, 10, 25), user=receptionist).columns[-1]

    (block,) = column.blocks
    assert block.place.minute + block.place.minutes <= column.length.minutes


def test_day_of_a_clock_change_shows_its_hours_on_the_page(at_desk, okafor):
    AppointmentFactory(doctor=okafor, start_time=utc(2026, 10, 25, 1, 30))

    response = at_desk.get(address(okafor, "2026-10-25"))

    assert [attrs["id"] for attrs in with_class(response, "has-marks")] == ["date-2026-10-25"]
    assert "01:00 WEST" in response.content.decode()


# Permissions


@pytest.fixture
def maria(db):
    return PatientFactory(first_name="Maria", last_name="Santos", phone_number="912 345 678")


def test_receptionist_sees_names(at_desk, okafor, maria):
    appointment = AppointmentFactory(doctor=okafor, patient=maria, reason="Sore knee")

    response = at_desk.get(address(okafor))

    assert "Maria Santos" in response.content.decode()
    assert f"/appointments/{appointment.pk}/" in hrefs(response)


def test_manager_sees_initials_without_link_reason_and_free_times(client, manager, okafor, maria):
    appointment = AppointmentFactory(doctor=okafor, patient=maria, reason="Sore knee", start_time=at(10, day=26))
    client.force_login(manager)

    response = client.get(address(okafor))

    text = response.content.decode()
    assert "M. S." in text
    for private in ("Maria", "Santos", "Sore knee", "912 345 678"):
        assert private not in text
    assert f"/appointments/{appointment.pk}/" not in hrefs(response)
    assert with_class(response, "free") == []


def test_doctor_sees_names_in_their_own_week_only(client, doctor_user, okafor, maria):
    own = DoctorFactory(full_name="Dr Own", user=doctor_user)
    for doctor, hour in ((own, 10), (okafor, 11)):
        AppointmentFactory(doctor=doctor, patient=maria, start_time=at(hour, day=25))
    client.force_login(doctor_user)

    assert "Maria Santos" in client.get(address(own)).content.decode()
    theirs = client.get(address(okafor)).content.decode()
    assert "M. S." in theirs
    assert "Santos" not in theirs


# The way around


def test_head_of_a_date_links_to_the_doctors_day(at_desk, okafor):
    response = at_desk.get(address(okafor))

    for day in range(23, 28):
        assert f"/schedule/2026-11-{day}/?doctor={okafor.pk}" in hrefs(response)


def test_week_links_to_other_weeks_and_to_the_doctor(at_desk, okafor):
    response = at_desk.get(address(okafor, "2026-12-02"))

    assert labelled(response)["Previous week"] == address(okafor, "2026-11-23")
    assert labelled(response)["Next week"] == address(okafor, "2026-12-07")
    assert {f"/doctors/{okafor.pk}/week/", f"/doctors/{okafor.pk}/"} <= set(hrefs(response))


def test_calendar_ends_with_its_first_and_last_week(at_desk, okafor, isolated):
    cases = [
        ("1900-01-01", [1, 2, 3, 4, 5], None, "1900-01-08"),
        ("1900-01-07", [1, 2, 3, 4, 5], None, "1900-01-08"),
        ("1900-01-10", [8, 9, 10, 11, 12], "1900-01-01", "1900-01-15"),
        ("2199-12-29", [23, 24, 25, 26, 27], "2199-12-16", "2199-12-30"),
        ("2199-12-31", [30, 31], "2199-12-23", None),
    ]
    for date, shown, before, after in cases:
        with isolated(date=date, shown=shown, before=before, after=after):
            response = at_desk.get(address(okafor, date))

            assert days_of(response.context["week"]) == shown
            neighbours = labelled(response)
            assert neighbours.get("Previous week") == (before and address(okafor, before))
            assert neighbours.get("Next week") == (after and address(okafor, after))


def test_week_without_a_date_redirects_to_the_current_week(at_desk, okafor):
    response = at_desk.get(f"/doctors/{okafor.pk}/week/")

    assert (response.status_code, response["Location"]) == (302, address(okafor))


def test_another_doctor_and_date_can_be_picked(at_desk, okafor):
    abel, gone = DoctorFactory(full_name="Dr Abel"), DoctorFactory(full_name="Dr Gone", is_active=False)

    page = at_desk.get(address(okafor))
    response = at_desk.get(f"/doctors/{okafor.pk}/week/", {"date": "2026-12-01", "doctor": abel.pk})

    offered = [(attrs["value"], "selected" in attrs) for tag, attrs in elements(page) if tag == "option"]
    assert offered == [(str(abel.pk), False), (str(okafor.pk), True)]
    assert gone.pk not in offered
    assert response["Location"] == address(abel, "2026-12-01")


def test_invalid_picked_date_shows_this_week_with_a_message(at_desk, okafor, isolated):
    for date in ["2026-02-30", "2200-01-01", "", "x"]:
        with isolated(date=date):
            response = at_desk.get(f"/doctors/{okafor.pk}/week/", {"date": date}, follow=True)

            assert response.redirect_chain == [(address(okafor), 302)]
            assert [message.level_tag for message in response.context["messages"]] == ["error"]


def test_unknown_picked_doctor_is_not_found(at_desk, okafor, isolated):
    for doctor in ["999999", "x", "-1", "", "99999999999999999999999"]:
        with isolated(doctor=doctor):
            response = at_desk.get(f"/doctors/{okafor.pk}/week/", {"date": "2026-12-01", "doctor": doctor})

            assert response.status_code == 404


def test_unknown_doctor_is_not_found(at_desk, okafor, isolated):
    for path in ["999999/week/", "999999/week/2026-11-24/", "99999999999999999999999/week/2026-11-24/"]:
        with isolated(path=path):
            assert at_desk.get(f"/doctors/{path}").status_code == 404


def test_invalid_date_is_not_found(at_desk, okafor, isolated):
    for date in ["2026-02-30", "1899-12-31", "2200-01-01", "2026-1-1", "x"]:
        with isolated(date=date):
            assert at_desk.get(address(okafor, date)).status_code == 404


def test_doctors_page_and_day_view_link_to_the_week(at_desk, okafor):
    assert f"/doctors/{okafor.pk}/week/" in hrefs(at_desk.get(f"/doctors/{okafor.pk}/"))
    assert address(okafor, "2026-12-01") in hrefs(at_desk.get("/schedule/2026-12-01/"))


def test_button_of_an_appointment_returns_to_the_week(at_desk, okafor):
    appointment = AppointmentFactory(doctor=okafor, start_time=at(9))
    page = at_desk.get(address(okafor))
    sent = {"version": appointment.version}
    sent |= {attrs["name"]: attrs["value"] for _tag, attrs in elements(page) if attrs.get("name") == "next"}

    response = at_desk.post(f"/appointments/{appointment.pk}/arrive/", sent)

    assert response["Location"].partition("#")[0] == address(okafor)


# Cost


def test_week_makes_the_same_queries_for_3_and_for_30_appointments(client, request, okafor, isolated):
    for person in ["receptionist", "manager", "doctor_user"]:
        with isolated(person=person):
            client.force_login(request.getfixturevalue(person))

            def fill(count):
                for number in range(count):
                    start_time = at(8 + number % 6, day=23 + number // 6)
                    AppointmentFactory(doctor=okafor, start_time=start_time)
                    LeaveFactory(doctor=okafor, start_time=start_time + 40 * MINUTE, end_time=start_time + 50 * MINUTE)

            fill(3)
            with CaptureQueriesContext(connection) as few:
                client.get(address(okafor))
            okafor.appointments.all().delete()
            okafor.leaves.all().delete()
            DoctorFactory.create_batch(20)
            fill(30)

            with CaptureQueriesContext(connection) as many:
                response = client.get(address(okafor))

            assert sum(len(column.listed) for column in response.context["week"].columns) == 30
            assert len(few) == len(many) <= MAX_QUERIES


def test_week_is_read_in_six_queries(django_assert_num_queries, okafor, receptionist):
    AppointmentFactory(doctor=okafor)
    receptionist.get_all_permissions()  # the user's own query, once a request

    with django_assert_num_queries(6):
        week_view(okafor, TUESDAY, user=receptionist)
