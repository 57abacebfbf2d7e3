"""Waiting times in words, and the page of the patients who are waiting now."""

import datetime as dt

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.booking import actions
from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from appointments.waiting_room.patients import waiting_room
from appointments.waiting_time import waiting_of
from clinic.models import Session
from clinic.tests.kit import NOW, at, elements, markup
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

URL = "/waiting/"
BACKGROUND = {"X-Background": "1"}
MINUTE = dt.timedelta(minutes=1)


def arrived(start_time, arrived_at, **values):
    return AppointmentFactory(start_time=start_time, status="arrived", arrived_at=arrived_at, **values)


def names(user):
    return [patient.name for patient in waiting_room(user).patients]


def root(response):
    return next(attrs for _tag, attrs in elements(response) if attrs.get("id") == "waiting")


# Words


def test_wait_is_worded_by_its_length(subtests):
    cases = [
        (0, "waiting 0 min", "since"),
        (14, "waiting 14 min", "since"),
        (15, "long wait: 15 min", "since is-long"),
        (29, "long wait: 29 min", "since is-long"),
        (30, "very long: 30 min", "since is-very-long"),
        (95, "very long: 95 min", "since is-very-long"),
    ]
    for minutes, text, css in cases:
        with subtests.test(minutes=minutes):
            waiting = waiting_of(NOW - minutes * MINUTE, NOW - minutes * MINUTE, at=NOW)

            assert (waiting.minutes, waiting.text, waiting.css) == (minutes, text, css)


def test_wait_counts_from_the_later_of_arrival_and_appointed_time(subtests):
    cases = [
        ("came early", at(8, 20), at(8, 50), "waiting 10 min"),
        ("came late", at(8, 50), at(8, 20), "waiting 10 min"),
        ("is early", at(8, 20), at(9, 1), "here since 08:20"),
        ("is early by seconds", at(8, 20), NOW + dt.timedelta(seconds=1), "here since 08:20"),
        ("at the appointed time", at(8, 20), NOW, "waiting 0 min"),
        ("arrival unknown", None, at(8, 40), "long wait: 20 min"),
        ("arrival unknown, early", None, at(9, 1), "here early"),
    ]
    for name, arrived_at, start_time, text in cases:
        with subtests.test(name):
            assert waiting_of(arrived_at, start_time, at=NOW).text == text


# Who is listed


@pytest.mark.both_databases
def test_patients_of_today_who_have_arrived_are_listed_longest_first(receptionist):
    for name, start_time, arrived_at in [
        ("Early", at(9, 30), at(8)),
        ("Short", at(8, 30), at(8, 55)),
        ("Long", at(8, 20), at(8, 5)),
        ("Longest", at(8, 10), at(8, 15)),
    ]:
        arrived(start_time, arrived_at, patient=PatientFactory(first_name=name, last_name="Silva"))
    arrived(at(8, day=23), at(8, day=23))
    for status in ["booked", "in_consultation", "completed", "no_show", "left"]:
        AppointmentFactory(start_time=at(8), status=status)

    assert names(receptionist) == ["Longest Silva", "Long Silva", "Short Silva", "Early Silva"]


def test_page_shows_who_waits_and_for_how_long(at_desk, okafor, maria):
    appointment = arrived(at(8, 40), at(8, 25), doctor=okafor, patient=maria)

    page = markup(at_desk.get(URL))

    assert '<span class="since is-long" data-waiting="20">long wait: 20 min</span>' in page
    assert f'<a class="open" href="/appointments/{appointment.pk}/"><bdi>Maria Santos</bdi></a>' in page
    for text in ("08:40", "08:25", "Dr Okafor", maria.phone_number):
        assert text in page


def test_page_without_waiting_patients_says_so(at_desk):
    page = markup(at_desk.get(URL))

    assert "Nobody is waiting." in page
    assert "<table" not in page


def test_manager_sees_initials_and_no_phone(client, manager, maria):
    appointment = arrived(at(8, 40), at(8, 25), patient=maria)
    client.force_login(manager)

    page = client.get(URL).content.decode()

    assert "M. S." in page
    for secret in ("Maria", "Santos", maria.phone_number, f"/appointments/{appointment.pk}/"):
        assert secret not in page


def test_doctor_sees_own_patients_by_name_and_acts_on_those_only(client, doctor_user, maria):
    own = arrived(at(8, 40), at(8, 25), doctor=DoctorFactory(user=doctor_user), patient=maria)
    arrived(at(8, 40), at(8, 25), patient=PatientFactory(first_name="Bento", last_name="Dias"))
    client.force_login(doctor_user)

    response = client.get(URL)

    page = response.content.decode()
    assert "Maria Santos" in page
    assert "Bento" not in page
    addresses = [attrs["formaction"] for tag, attrs in elements(response) if "formaction" in attrs and tag == "button"]
    assert addresses == [f"/appointments/{own.pk}/{action}/" for action in ("start", "left", "undo")]


def test_buttons_are_those_of_the_users_rights(at_desk, maria):
    appointment = arrived(at(8), at(8), patient=maria)

    response = at_desk.get(URL)

    offered = {attrs["formaction"]: attrs["value"] for _tag, attrs in elements(response) if "formaction" in attrs}
    base = f"/appointments/{appointment.pk}/"
    assert offered == {f"{base}left/": "1", f"{base}undo/": "1"}
    for url, status in [(f"{base}undo/", "booked"), (f"{base}arrive/", "arrived"), (f"{base}left/", "left")]:
        version = Appointment.objects.get().version
        assert at_desk.post(url, {"version": version, "next": URL})["Location"] == URL
        assert Appointment.objects.get().status == status


# Cost


@pytest.mark.both_databases
def test_list_takes_one_query_for_any_number_of_patients(receptionist):
    for number in range(6):
        arrived(at(8), at(8, number))
    receptionist.get_all_permissions()

    with CaptureQueriesContext(connection) as queries:
        waiting_room(receptionist)

    assert len(queries) == 1


# The refresh


def test_refresh_gets_the_list_alone_only_if_it_has_changed(at_desk, maria):
    appointment = arrived(at(8), at(8), patient=maria)
    etag = root(at_desk.get(URL))["data-etag"]

    same = at_desk.get(URL, headers=BACKGROUND | {"If-None-Match": etag})
    actions.mark_left(appointment, by=None)
    changed = at_desk.get(URL, headers=BACKGROUND | {"If-None-Match": etag})

    assert (same.status_code, same.content) == (304, b"")
    assert changed.status_code == 200
    assert "<html" not in changed.content.decode()
    assert root(changed)["data-etag"] != etag


def test_minutes_alone_do_not_change_the_list(at_desk, now):
    arrived(at(8), at(8))
    etag = root(at_desk.get(URL))["data-etag"]
    now.move_to(NOW + 10 * MINUTE)

    assert at_desk.get(URL, headers=BACKGROUND | {"If-None-Match": etag}).status_code == 304


def test_corrected_name_and_other_rights_change_the_list(at_desk, receptionist, maria, isolated):
    arrived(at(8), at(8), patient=maria)
    etag = root(at_desk.get(URL))["data-etag"]

    def correct_name():
        maria.last_name = "Costa"
        maria.save()

    def take_rights():
        receptionist.groups.get().permissions.remove(Permission.objects.get(codename="arrive_appointment"))

    for change in (correct_name, take_rights):
        with isolated(change=change.__name__):
            change()

            assert at_desk.get(URL, headers=BACKGROUND | {"If-None-Match": etag}).status_code == 200


def test_refresh_does_not_keep_the_session_alive(at_desk, now):
    at_desk.get(URL)
    before = Session.objects.values().get()
    now.move_to(NOW + 10 * MINUTE)

    at_desk.get(URL, headers=BACKGROUND)

    assert Session.objects.values().get() == before
