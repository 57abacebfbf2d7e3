"""Closing out past appointments without an outcome: the page, and the count above the schedule."""

import datetime as dt

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext

from appointments.booking import actions
from appointments.close_out import pending
from appointments.close_out.pending import close_out_for, unrecorded_count
from appointments.models import Appointment
from appointments.statuses import Status
from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry
from clinic.tests.factories import UserFactory
from clinic.tests.kit import NOW, elements
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

HALF_HOUR = dt.timedelta(minutes=30)
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
URL = "/appointments/close-out/"


@pytest.fixture
def own_diary(doctor_user):
    """The doctor whose login `doctor_user` is."""
    return DoctorFactory(full_name="Dr Own", user=doctor_user)


def create_appointment(days_ago=1, hour=10, minute=0, **values):
    start_time = dt.datetime(2026, 11, 24, hour, minute, tzinfo=dt.UTC) - days_ago * DAY
    if values.get("status") == "cancelled":
        values |= {"cancelled_by": "patient", "cancel_reason": "Ill"}
    return AppointmentFactory(start_time=start_time, **values)


def listed_ids(response):
    """Return the keys of the appointments on the page, in order."""
    return [each.pk for date in response.context["close_out"].dates for each in date.appointments]


def buttons(response, appointment):
    """Return the addresses of an appointment's buttons by their keys."""
    return {
        attrs["data-own-key"]: attrs["formaction"]
        for tag, attrs in elements(response)
        if tag == "button"
        and f"/appointments/{appointment.pk}/" in attrs.get("formaction", "")
        and "data-own-key" in attrs
    }


# Which


@pytest.mark.both_databases
def test_appointment_without_an_outcome_is_still_open(isolated):
    for status in Status.values:
        with isolated(status=status):
            appointment = create_appointment(status=status)

            is_open = status in {"booked", "arrived", "in_consultation"}
            assert list(Appointment.objects.without_outcome()) == ([appointment] if is_open else [])


@pytest.mark.both_databases
def test_appointment_without_an_outcome_has_ended(isolated):
    for end_time, is_past in [(NOW - MINUTE, True), (NOW, True), (NOW + MINUTE, False), (NOW + DAY, False)]:
        with isolated(end_time=end_time, is_past=is_past):
            AppointmentFactory(start_time=end_time - HALF_HOUR)

            assert Appointment.objects.without_outcome(at=NOW).exists() is is_past


@pytest.mark.both_databases
def test_appointments_without_an_outcome_come_oldest_first():
    today, last_week, yesterday = create_appointment(0, 8), create_appointment(7), create_appointment(1)

    assert list(Appointment.objects.without_outcome()) == [last_week, yesterday, today]


def test_receptionist_and_administrator_close_out_all(receptionist, administrator, own_diary):
    create_appointment(doctor=own_diary)
    create_appointment()

    assert unrecorded_count(receptionist) == unrecorded_count(administrator) == 2


def test_doctor_closes_out_their_own_diary(client, doctor_user, own_diary):
    own = create_appointment(doctor=own_diary)
    create_appointment(patient=PatientFactory(last_name="Elsewhere"))
    client.force_login(doctor_user)

    response = client.get(URL)

    assert listed_ids(response) == [own.pk]
    assert response.context["close_out"].count == unrecorded_count(doctor_user) == 1
    assert "Elsewhere" not in response.content.decode()


def test_user_without_permission_gets_no_count_and_no_query(manager, django_assert_num_queries):
    create_appointment()
    manager.has_perm("appointments.arrive_appointment")  # read once a request

    with django_assert_num_queries(0):
        assert unrecorded_count(manager) == 0


# The count above the schedule


@pytest.mark.both_databases
def test_count_is_one_query(receptionist, django_assert_num_queries):
    for minute in (0, 30):
        create_appointment(minute=minute)
    receptionist.has_perm("appointments.arrive_appointment")

    with django_assert_num_queries(1):
        assert unrecorded_count(receptionist, NOW) == 2


def test_count_stops(monkeypatch, receptionist):
    monkeypatch.setattr(pending, "MAX_COUNTED", 2)
    for hour in (8, 9, 10):
        create_appointment(hour=hour)

    count = unrecorded_count(receptionist)

    assert (count, count.is_capped) == (2, True)
    assert "2+ without outcome" in link_to(count)


def link_to(count):
    return " ".join(render_to_string("appointments/schedule/_open_past.html", {"open_past": count}).split())


def test_count_is_a_link_to_the_page(subtests):
    for number, text in [(1, "1 without outcome"), (7, "7 without outcome")]:
        with subtests.test(number=number, text=text):
            page = link_to(pending.OpenCount(number))

            assert text in page
            assert f'href="{URL}"' in page


def test_count_is_absent_without_open_appointments():
    assert link_to(pending.OpenCount(0)) == ""


# The page


def test_page_groups_appointments_by_clinic_date_oldest_first(at_desk, settings):
    settings.TIME_ZONE = "Asia/Kathmandu"  # 5:45 ahead: 19:00 UTC is the next day there
    late, next_morning, last_week = create_appointment(2, 19), create_appointment(1, 4), create_appointment(7)

    dates = at_desk.get(URL).context["close_out"].dates

    assert [(date.date.day, [each.pk for each in date.appointments]) for date in dates] == [
        (17, [last_week.pk]),
        (23, [late.pk, next_morning.pk]),
    ]


def test_page_shows_patient_phone_doctor_and_time(at_desk):
    appointment = create_appointment(
        patient=PatientFactory(first_name="Maria", last_name="Santos", phone_number="+351 912 345 678"),
        doctor=DoctorFactory(full_name="Dr Okafor"),
        status="arrived",
    )

    page = at_desk.get(URL).content.decode()

    for text in ("Maria Santos", "+351 912 345 678", "Dr Okafor", "10:00–10:30", "Monday 23 November 2026", "Arrived"):
        assert text in page
    assert f'href="/appointments/{appointment.pk}/"' in page


def test_page_offers_only_allowed_outcomes(at_desk, isolated):
    for status, keys in [("booked", {"d", "n"}), ("arrived", {"d", "l"}), ("in_consultation", {"d"})]:
        with isolated(status=status, keys=keys):
            arrived_at = None if status == "booked" else NOW - DAY
            appointment = create_appointment(status=status, arrived_at=arrived_at)

            offered = buttons(at_desk.get(URL), appointment)

            assert offered.keys() == keys
            for address in offered.values():
                appointment.refresh_from_db()
                at_desk.post(address, {"version": appointment.version})
                assert not Appointment.objects.without_outcome().exists()
                actions.undo(appointment, by=None)


def test_page_changes_nothing(at_desk):
    appointment = create_appointment()

    at_desk.get(URL)

    appointment.refresh_from_db()
    assert (appointment.status, appointment.version) == ("booked", 1)


def test_page_shows_a_hundred_and_the_number_of_others(at_desk, monkeypatch):
    monkeypatch.setattr(pending, "MAX_SHOWN", 2)
    oldest, older, _newest = create_appointment(3), create_appointment(2), create_appointment(1)

    response = at_desk.get(URL)

    assert listed_ids(response) == [oldest.pk, older.pk]
    assert "And 1 more" in response.content.decode()


def test_page_that_shows_all_mentions_no_others(at_desk, monkeypatch):
    monkeypatch.setattr(pending, "MAX_SHOWN", 2)
    create_appointment(2)
    create_appointment(1)

    response = at_desk.get(URL)

    assert response.context["close_out"].more == 0
    assert "And " not in response.content.decode()


def test_page_escapes_names(at_desk):
    create_appointment(patient=PatientFactory(first_name="<b>Bold</b>"))

    assert "<b>Bold" not in at_desk.get(URL).content.decode()


# Acting


def test_attended_returns_to_the_page_without_the_appointment(at_desk, receptionist):
    done, left = create_appointment(2), create_appointment(1)

    response = at_desk.post(f"/appointments/{done.pk}/attended/", {"version": done.version, "next": URL}, follow=True)

    assert response.redirect_chain == [(URL, 302)]
    assert listed_ids(response) == [left.pk]
    assert f"/appointments/{done.pk}/undo/" in response.content.decode()
    assert AuditEntry.objects.get_for_object(done).latest("pk").actor == receptionist


@pytest.mark.both_databases
def test_attended_of_another_version_is_refused(at_desk):
    appointment = create_appointment()
    actions.mark_no_show(appointment, by=None)
    actions.undo(appointment, by=None)

    response = at_desk.post(f"/appointments/{appointment.pk}/attended/", {"version": 1, "next": URL}, follow=True)

    assert [message.level_tag for message in response.context["messages"]] == ["error"]
    assert listed_ids(response) == [appointment.pk]


def test_receptionist_undoes_an_outcome_days_later(at_desk, receptionist, now, isolated):
    for status in ["booked", "arrived", "in_consultation"]:
        with isolated(status=status):
            appointment = create_appointment(
                status=status,
                arrived_at=None if status == "booked" else NOW - DAY,
                started_at=NOW - DAY if status == "in_consultation" else None,
            )
            at_desk.post(f"/appointments/{appointment.pk}/attended/", {"version": 1})
            now.shift(3 * DAY)
            at_desk.force_login(receptionist)

            page = at_desk.get(f"/appointments/{appointment.pk}/")
            at_desk.post(f"/appointments/{appointment.pk}/undo/", {"version": 2})

            assert page.context["buttons"].can_undo
            appointment.refresh_from_db()
            assert appointment.status == status


def test_doctor_does_not_close_out_another_diary(client, doctor_user, own_diary):
    theirs = create_appointment()
    client.force_login(doctor_user)

    response = client.post(f"/appointments/{theirs.pk}/attended/")

    assert response.status_code == 404
    theirs.refresh_from_db()
    assert theirs.status == "booked"


# Nothing left


def closed(response):
    return " ".join(response.content.decode().split())


def test_page_without_open_appointments_shows_the_day_closed_with_counts(at_desk):
    for hour, status in ((6, "completed"), (7, "completed"), (8, "no_show"), (9, "left"), (15, "cancelled")):
        create_appointment(0, hour, status=status)
    create_appointment(1, status="no_show")

    page = closed(at_desk.get(URL))

    assert "Every past appointment has an outcome" in page
    assert "Day closed: 2 completed, 1 no-show, 1 left unseen, 1 cancelled." in page


def test_page_without_open_appointments_shows_the_number_to_come(at_desk):
    create_appointment(0, 8, status="completed")
    create_appointment(0, 8, 45)  # under way
    create_appointment(0, 15)

    page = closed(at_desk.get(URL))

    assert "Today so far: 1 completed; 2 still to come." in page
    assert "Day closed" not in page


def test_page_of_an_empty_day_shows_no_appointments(at_desk):
    assert "Day closed: no appointments." in closed(at_desk.get(URL))


def test_page_counts_a_doctors_own_outcomes_only(client, doctor_user, own_diary):
    create_appointment(0, 8, status="completed", doctor=own_diary)
    create_appointment(0, 8, status="completed")
    client.force_login(doctor_user)

    assert "Day closed: 1 completed." in closed(client.get(URL))


# Queries


def test_page_makes_as_many_queries_for_3_rows_as_for_50(at_desk):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            at_desk.get(URL)
        return len(captured)

    for day in range(3):
        create_appointment(day + 1)
    few = queries()
    for day in range(47):
        create_appointment(day + 4)

    assert queries() == few
    assert len(listed_ids(at_desk.get(URL))) == 50


def test_rows_take_five_queries(receptionist, django_assert_num_queries):
    create_appointment()
    receptionist.has_perm("appointments.arrive_appointment")

    with django_assert_num_queries(5):
        close_out_for(receptionist, at=NOW)


def test_user_without_a_role_is_refused(client):
    client.force_login(UserFactory())

    assert client.get(URL).status_code == 403
