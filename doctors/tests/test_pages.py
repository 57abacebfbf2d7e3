"""The pages of doctors."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.tests.kit import elements
from doctors.models import Doctor
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory

pytestmark = pytest.mark.usefixtures("db", "now")


@pytest.fixture
def okafor():
    return DoctorFactory(full_name="Dr Okafor", specialization="Cardiology")


def test_list_shows_active_doctors_first_by_specialization_and_name(at_desk):
    away = DoctorFactory(full_name="Dr A", specialization="Anaesthesia", is_active=False)
    skin = DoctorFactory(full_name="Dr B", specialization="Dermatology")
    second = DoctorFactory(full_name="Dr D", specialization="Cardiology")
    first = DoctorFactory(full_name="Dr C", specialization="Cardiology")

    response = at_desk.get("/doctors/")

    assert list(response.context["doctors"]) == [first, second, skin, away]
    assert f'href="/doctors/{first.pk}/"' in response.content.decode()


def test_list_without_doctors_says_so(at_desk):
    response = at_desk.get("/doctors/")

    assert list(response.context["doctors"]) == []
    assert "<table" not in response.content.decode()


@pytest.mark.parametrize(("person", "offered"), [("receptionist", False), ("manager", False), ("administrator", True)])
def test_list_offers_to_add_to_who_may(client, request, person, offered):
    client.force_login(request.getfixturevalue(person))

    page = client.get("/doctors/").content.decode()

    assert ("/admin/doctors/doctor/add/" in page) is offered


def test_list_makes_the_same_queries_for_3_and_30_doctors(at_desk):
    DoctorFactory.create_batch(3)
    with CaptureQueriesContext(connection) as few:
        at_desk.get("/doctors/")
    DoctorFactory.create_batch(27)

    with CaptureQueriesContext(connection) as many:
        response = at_desk.get("/doctors/")

    assert len(response.context["doctors"]) == 30
    assert len(few) == len(many)


def test_page_shows_the_doctor_and_leads_to_the_diary(at_desk, okafor):
    page = at_desk.get(f"/doctors/{okafor.pk}/").content.decode()

    assert "Dr Okafor" in page
    assert "Cardiology" in page
    assert f'href="/schedule/2026-11-24/?doctor={okafor.pk}"' in page


@pytest.mark.parametrize(
    ("person", "offered"), [("receptionist", False), ("doctor_user", False), ("administrator", True)]
)
def test_page_offers_to_edit_to_who_may(client, request, okafor, person, offered):
    client.force_login(request.getfixturevalue(person))

    page = client.get(f"/doctors/{okafor.pk}/").content.decode()

    assert (f"/admin/doctors/doctor/{okafor.pk}/change/" in page) is offered


def test_pages_say_that_a_doctor_is_inactive(at_desk, okafor):
    Doctor.objects.update(is_active=False)

    for address in ("/doctors/", f"/doctors/{okafor.pk}/"):
        assert "inactive" in at_desk.get(address).content.decode()


@pytest.mark.parametrize("pk", ["999", "99999999999999999999999", "x", "-1"])
def test_unknown_doctor_is_not_found(at_desk, pk):
    assert at_desk.get(f"/doctors/{pk}/").status_code == 404


# Hours, leave and closures


def test_page_shows_hours_leave_and_closures_that_are_to_come(at_desk, okafor):
    TimetableFactory(doctor=okafor, valid_until=dt.date(2020, 12, 31), week={6: [(dt.time(6), dt.time(7))]})
    TimetableFactory(doctor=okafor, valid_from=dt.date(2026, 1, 1), valid_until=dt.date(2026, 12, 31))
    LeaveFactory(doctor=okafor)
    past = dt.datetime(2026, 10, 1, tzinfo=dt.UTC), dt.datetime(2026, 10, 2, tzinfo=dt.UTC)
    LeaveFactory(doctor=okafor, start_time=past[0], end_time=past[1], reason="Long ago")
    ClosureFactory()
    ClosureFactory(date=dt.date(2025, 12, 25), name="Last year")

    page = at_desk.get(f"/doctors/{okafor.pk}/").content.decode()

    assert "From 1 Jan 2026 until 31 Dec 2026" in page
    assert page.count("08:00–12:00, 13:00–17:00") == 5
    assert "Thu 10 Dec 2026" in page
    assert "Fri 25 Dec 2026: Christmas Day" in page
    assert not any(gone in page for gone in ("Sunday", "Long ago", "Last year"))


@pytest.mark.parametrize(("has_ended", "says"), [(False, "at any time"), (True, "have ended")])
def test_page_says_what_no_hours_mean(at_desk, okafor, has_ended, says):
    if has_ended:
        TimetableFactory(doctor=okafor, valid_until=dt.date(2020, 12, 31))

    assert says in at_desk.get(f"/doctors/{okafor.pk}/").content.decode()


@pytest.mark.parametrize(("person", "offered"), [("receptionist", False), ("administrator", True)])
def test_page_offers_to_change_them_to_who_may(client, request, okafor, person, offered):
    client.force_login(request.getfixturevalue(person))

    response = client.get(f"/doctors/{okafor.pk}/")

    links = [
        attrs["href"]
        for tag, attrs in elements(response)
        if tag == "a" and attrs["href"].endswith(("/leave/", "/hours/"))
    ]
    assert bool(links) is offered
    assert all(client.get(link).status_code == 200 for link in links)
