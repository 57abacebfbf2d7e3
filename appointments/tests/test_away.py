"""Doctors who are not in on a day, a day without any doctor, hours that have passed, and doctors without hours."""

import datetime as dt

import pytest
from django.utils.html import strip_tags

from appointments.schedule.day import day_view
from appointments.statuses import Status
from appointments.tests.factories import AppointmentFactory
from clinic.tests.kit import at, elements
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory

pytestmark = pytest.mark.usefixtures("db", "now")

TUESDAY = "/schedule/2026-11-24/"
MORNINGS = [(dt.time(8), dt.time(12))]


@pytest.fixture
def okafor():
    """In on Tuesdays."""
    doctor = DoctorFactory(full_name="Dr Okafor")
    TimetableFactory(doctor=doctor, week={1: MORNINGS})
    return doctor


@pytest.fixture
def haddad():
    """In on Wednesdays."""
    doctor = DoctorFactory(full_name="Dr Haddad", specialization="Psychiatry")
    TimetableFactory(doctor=doctor, week={2: MORNINGS})
    return doctor


def columns(response):
    return [attrs["aria-label"] for tag, attrs in elements(response) if tag == "section" and "data-version" in attrs]


def words(response):
    return " ".join(strip_tags(response.content.decode()).split())


def hrefs(response):
    return [attrs["href"] for tag, attrs in elements(response) if tag == "a" and "href" in attrs]


# Doctors who are not in


def test_doctor_who_is_not_in_is_named_in_place_of_the_column(at_desk, okafor, haddad):
    response = at_desk.get(TUESDAY)

    assert columns(response) == ["Dr Okafor"]
    assert "Not in today: Dr Haddad (not on Tuesdays) Show their columns" in words(response)


def test_doctor_on_leave_is_named_without_the_reason(at_desk, okafor):
    LeaveFactory(doctor=okafor, start_time=at(0), end_time=at(0, day=25), reason="Ill")
    DoctorFactory()

    response = at_desk.get(TUESDAY)

    assert "Dr Okafor (leave)" in words(response)
    assert "Ill" not in words(response)


def test_doctor_on_leave_for_part_of_the_day_is_in(at_desk, okafor):
    LeaveFactory(doctor=okafor, start_time=at(8), end_time=at(11))

    assert columns(at_desk.get(TUESDAY)) == ["Dr Okafor"]


def test_doctor_with_an_appointment_has_a_column(at_desk, okafor, haddad, isolated):
    for status in Status:
        with isolated(status=status):
            AppointmentFactory(doctor=haddad, start_time=at(10), status=status, outside_hours_reason="Urgent")

            assert columns(at_desk.get(TUESDAY)) == ["Dr Haddad", "Dr Okafor"]


def test_columns_of_doctors_who_are_not_in_can_be_shown(at_desk, okafor, haddad):
    (show,) = [url for url in hrefs(at_desk.get(TUESDAY)) if "away=" in url]

    response = at_desk.get(show)

    assert columns(response) == ["Dr Haddad", "Dr Okafor"]
    assert "Hide their columns" in words(response)
    assert {url.partition("?")[0] for url in hrefs(response) if "away=" in url} <= {TUESDAY}  # not of other days


def test_doctor_asked_for_has_a_column(at_desk, okafor, haddad):
    response = at_desk.get(f"{TUESDAY}?doctor={haddad.pk}")

    assert columns(response) == ["Dr Haddad"]
    assert "Not in" not in words(response)


def test_doctor_who_is_not_in_has_a_sheet_on_paper(at_desk, okafor, haddad):
    assert len(at_desk.get(f"{TUESDAY}print/").context["sheets"]) == 2


# A day without doctors


def test_day_on_which_nobody_works_leads_to_the_next_that_is_open(at_desk, okafor, haddad):
    response = at_desk.get("/schedule/2026-11-26/")

    assert columns(response) == []
    assert "Nobody works on Thursday 26 November There are no appointments on this day." in words(response)
    assert "Next open day: Tue 1 Dec" in words(response)
    assert "/schedule/2026-12-01/" in hrefs(response)
    assert "/schedule/2026-11-26/?away=show" in hrefs(response)
    assert "Not in: all 2 doctors" in words(response)


def test_closed_day_is_named_and_leads_past_other_closed_days(at_desk, okafor):
    ClosureFactory(date=dt.date(2026, 11, 24), name="Stocktaking")
    ClosureFactory(date=dt.date(2026, 12, 1), name="Restoration Day")

    response = at_desk.get(TUESDAY)

    assert "Closed: Stocktaking Nobody works on Tuesday 24 November." in words(response)
    assert "/schedule/2026-12-08/" in hrefs(response)
    assert "/doctors/closures/" in hrefs(response)


def test_day_off_keeps_the_filters(at_desk, okafor, haddad):
    response = at_desk.get(f"{TUESDAY}?specialization=Psychiatry")

    assert "/schedule/2026-11-25/?specialization=Psychiatry" in hrefs(response)


def test_closed_day_with_an_appointment_shows_it(at_desk, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(10))
    ClosureFactory(date=dt.date(2026, 11, 24))

    assert columns(at_desk.get(TUESDAY)) == ["Dr Okafor"]


def test_last_day_of_the_calendar_has_no_next_open_day(at_desk, okafor):
    response = at_desk.get("/schedule/2199-12-31/")  # a Tuesday

    assert columns(response) == ["Dr Okafor"]
    ClosureFactory(date=dt.date(2199, 12, 31), name="The end")
    assert "Next open day" not in words(at_desk.get("/schedule/2199-12-31/"))


# Hours that have passed


def past(day, user, now):
    return [(place.minute, place.end) for place in day_view(day, user=user, at=now).columns[0].past]


def test_past_hours_without_appointments_are_marked(okafor, receptionist):
    AppointmentFactory(doctor=okafor, start_time=at(8, 30))
    AppointmentFactory(doctor=okafor, start_time=at(9, 30), status="no_show")
    day = dt.date(2026, 11, 24)

    assert past(day, receptionist, at(8) - dt.timedelta(minutes=5)) == []
    assert past(day, receptionist, at(8, 28)) == [(0, 30)]
    assert past(day, receptionist, at(10, 1)) == [(0, 30), (60, 125)]
    assert past(day, receptionist, at(18)) == [(0, 30), (60, 240)]
    assert past(day, receptionist, at(0, day=20)) == []


def test_past_hours_are_said_in_words(at_desk, okafor, now):
    now.move_to(at(9))

    response = at_desk.get(TUESDAY)

    assert [attrs["class"] for _tag, attrs in elements(response) if attrs.get("class", "").startswith("past")] == [
        "past for-h1 for-m5"
    ]


# Doctors without hours


def test_head_says_that_a_doctor_has_no_hours_and_links_for_who_may(client, receptionist, administrator, okafor):
    doctor = DoctorFactory(full_name="Dr New")
    for user, has_link in ((receptionist, False), (administrator, True)):
        client.force_login(user)

        response = client.get(TUESDAY)

        assert words(response).count("No hours yet: bookable at any time") == 1
        assert (f"/doctors/{doctor.pk}/hours/" in hrefs(response)) == has_link


def test_head_of_a_doctor_with_hours_says_nothing_of_them(at_desk, okafor):
    assert "No hours yet" not in words(at_desk.get(TUESDAY))
