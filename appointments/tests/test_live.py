"""Refreshing the open day view: it polls a version, and fetches the day only when that changes."""

import datetime as dt

import pytest
from django.conf import settings
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.booking import actions
from appointments.models import Appointment
from appointments.schedule.day import day_version
from appointments.tests.booking_form import BOOK
from appointments.tests.factories import AppointmentFactory
from clinic.models import Session
from clinic.tests.kit import at, elements
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

TODAY, TOMORROW = dt.date(2026, 11, 24), dt.date(2026, 11, 25)
DAY, VERSION = "/schedule/2026-11-24/", "/schedule/2026-11-24/version/"
SECOND = dt.timedelta(seconds=1)
HTMX = {"HX-Request": "true"}


@pytest.fixture
def appointment(okafor, maria):
    return AppointmentFactory(doctor=okafor, patient=maria)


def poll(client, seen, url=VERSION):
    return client.get(url, headers={"If-None-Match": seen})


# Changes of the version

CHANGES = {
    "book": lambda appointment: actions.book(
        patient=PatientFactory(), doctor=appointment.doctor, start_time=at(14), duration_minutes=30, by=None
    ),
    "move": lambda appointment: actions.move(
        appointment, doctor=appointment.doctor, start_time=at(11), duration_minutes=30, by=None
    ),
    "move to another doctor": lambda appointment: actions.move(
        appointment, doctor=DoctorFactory(), start_time=appointment.start_time, duration_minutes=30, by=None
    ),
    "arrive": lambda appointment: actions.mark_arrived(appointment, by=None),
    "start": lambda appointment: actions.start(appointment, by=None),
    "undo": lambda appointment: actions.undo(actions.mark_arrived(appointment, by=None), by=None),
    "cancel": lambda appointment: actions.cancel(appointment, reason="Ill", cancelled_by="patient", by=None),
    "delete": lambda appointment: appointment.delete(),
    "new doctor": lambda appointment: DoctorFactory(),
    "deactivate": lambda appointment: Doctor.objects.filter(pk=appointment.doctor_id).update(is_active=False),
}


@pytest.mark.both_databases
def test_change_changes_the_version(at_desk, appointment, isolated):
    for change in CHANGES:
        with isolated(change=change):
            seen = at_desk.get(VERSION)["ETag"]
            assert poll(at_desk, seen).status_code == 304

            CHANGES[change](appointment)

            changed = poll(at_desk, seen)
            assert changed.status_code == 200
            assert changed["ETag"] != seen
            assert poll(at_desk, changed["ETag"]).status_code == 304


def test_version_matches_the_day_view(at_desk, appointment):
    page = at_desk.get(DAY)

    (day,) = [attrs for _tag, attrs in elements(page) if attrs.get("id") == "day"]
    assert day["data-version-url"] == VERSION
    assert poll(at_desk, f'"{day["data-version"]}"').status_code == 304


def test_version_reveals_nothing(at_desk, appointment):
    response = at_desk.get(VERSION)

    assert response.content == b""
    assert "no-store" in response["Cache-Control"]


@pytest.mark.both_databases
def test_change_between_reading_doctors_and_appointments_shows_as_one(receptionist, appointment, monkeypatch):
    """The version is read before the appointments, so that a booking in between is never missed."""
    from appointments.schedule import day as day_module

    def read_then_lose_race(date, **values):
        actions.mark_arrived(appointment, by=None)
        return read(date, **values)

    read = day_module._read
    monkeypatch.setattr(day_module, "_read", read_then_lose_race)

    assert day_module.day_view(TODAY, user=receptionist).version != day_version(TODAY)


def test_version_of_today_changes_every_five_minutes(at_desk, appointment, now):
    """Free times pass, and appointments become late and no-shows, without any action."""
    seen = at_desk.get(VERSION)["ETag"]

    now.move_to(at(9, 4) + 59 * SECOND)
    assert poll(at_desk, seen).status_code == 304
    now.move_to(at(9, 5))
    assert poll(at_desk, seen).status_code == 200


def test_version_of_another_day_does_not_follow_the_clock(at_desk, appointment, now, settings, isolated):
    for url in ["/schedule/2026-11-25/version/", "/schedule/2026-11-23/version/"]:
        with isolated(url=url):
            settings.SESSION_IDLE_MINUTES = 11 * 60
            seen = at_desk.get(url)["ETag"]

            now.move_to(at(19))

            assert poll(at_desk, seen, url).status_code == 304


def test_version_changes_at_midnight(appointment):
    for day in (TODAY, TOMORROW):
        assert day_version(day, at=at(23, 59)) != day_version(day, at=at(0, 0, day=25))


@pytest.mark.both_databases
def test_version_does_not_depend_on_the_order_of_reading(appointment):
    DoctorFactory(full_name="Dr Abel")
    before = day_version(TODAY)

    Doctor.objects.filter(full_name="Dr Abel").update(full_name="Dr Zola")

    assert day_version(TODAY) == before


# What it costs


def test_polling_makes_two_queries_and_renders_nothing(at_desk, isolated):
    """The session with its user, and the doctors' diary versions."""
    for doctors in [3, 30]:
        for is_known in [True, False]:
            with isolated(doctors=doctors, is_known=is_known):
                for doctor in DoctorFactory.create_batch(doctors):
                    AppointmentFactory(doctor=doctor)
                seen = at_desk.get(VERSION)["ETag"] if is_known else '"another"'

                with CaptureQueriesContext(connection) as queries:
                    response = poll(at_desk, seen)

                assert response.status_code == (304 if is_known else 200)
                assert len(queries) == 2
                assert response.templates == []


def test_polling_does_not_extend_an_idle_session(at_desk, appointment, now):
    """Otherwise an open day view would keep the user logged in for ever."""
    before = Session.objects.values().get()

    for _poll in range(3):
        now.shift(60)
        response = at_desk.get(VERSION)
        at_desk.get(DAY, headers=HTMX | {"X-Background": "1"})
        assert settings.SESSION_COOKIE_NAME not in response.cookies

    assert Session.objects.values().get() == before


def test_polling_after_the_session_has_ended_redirects_to_login(at_desk, appointment, now):
    now.shift(12 * 3600 + 1)

    response = at_desk.get(VERSION)

    assert response["Location"].startswith("/accounts/login/")


def test_version_of_an_invalid_date_is_not_found(at_desk, isolated):
    for url in ["/schedule/2026-02-30/version/", "/schedule/0001-01-01/version/"]:
        with isolated(url=url):
            assert at_desk.get(url).status_code == 404


def test_version_at_the_calendars_ends(at_desk, isolated):
    for url in ["/schedule/1900-01-01/version/", "/schedule/2199-12-31/version/"]:
        with isolated(url=url):
            assert at_desk.get(url).status_code == 200


# Refreshing the day


def test_htmx_request_gets_only_the_day(at_desk, appointment, isolated):
    for query in ["", "?layout=list", "?layout=list&tab=all"]:
        with isolated(query=query):
            whole = at_desk.get(DAY + query).content.decode()

            response = at_desk.get(DAY + query, headers=HTMX)

            part = response.content.decode()
            assert response.templates[0].name == "appointments/schedule/_day.html"
            assert "base.html" not in [template.name for template in response.templates]
            assert part.strip().startswith('<div id="day"')
            assert part.strip() in whole
            assert "Maria Santos" in part or query == "?layout=list"


def test_pressed_button_gets_the_page_with_its_messages(at_desk, appointment):
    response = at_desk.get(DAY, headers=HTMX | {"HX-Trigger": "answers"})

    assert "base.html" in [template.name for template in response.templates]


def test_refreshed_day_leaves_the_messages_to_the_page(at_desk, appointment, form_data):
    at_desk.post(BOOK, form_data | {"date": "2026-11-24", "time": "14:00"})

    part = at_desk.get(DAY, headers=HTMX)

    assert "Booked:" not in part.content.decode()
    page = at_desk.get(DAY)
    assert [str(message) for message in get_messages(page.wsgi_request)] == [
        "Booked: Maria Santos, Tue 24 Nov 2026 14:00, Dr Okafor."
    ]
    assert "Booked: Maria Santos" in page.content.decode()


def test_refreshed_day_keeps_filters_and_the_appointment_to_move(at_desk, appointment, okafor):
    DoctorFactory(full_name="Dr Zola")

    part = at_desk.get(DAY, {"doctor": okafor.pk, "move": appointment.pk}, headers=HTMX)

    assert [column.doctor for column in part.context["day"].columns] == [okafor]
    assert 'form="move"' in part.content.decode()


def test_refreshed_day_makes_the_same_queries_for_3_and_30_doctors(at_desk):
    def doctors_with_appointments(count):
        for doctor in DoctorFactory.create_batch(count):
            AppointmentFactory(doctor=doctor)

    doctors_with_appointments(3)
    with CaptureQueriesContext(connection) as few:
        at_desk.get(DAY, headers=HTMX)
    doctors_with_appointments(27)

    with CaptureQueriesContext(connection) as many:
        at_desk.get(DAY, headers=HTMX)

    assert Appointment.objects.count() == 30
    assert len(few) == len(many) <= 9
