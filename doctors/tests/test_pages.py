"""The pages of doctors."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.tests.kit import elements, utc
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


def test_list_without_doctors_shows_a_message(at_desk):
    response = at_desk.get("/doctors/")

    assert list(response.context["doctors"]) == []
    assert "<table" not in response.content.decode()


def test_list_offers_to_add_to_administrators_only(client, receptionist, manager, administrator):
    for user, is_offered in ((receptionist, False), (manager, False), (administrator, True)):
        client.force_login(user)

        page = client.get("/doctors/").content.decode()

        assert ("/admin/doctors/doctor/add/" in page) is is_offered, user


def test_list_says_who_has_no_hours_and_links_for_who_may(client, receptionist, administrator, okafor):
    with_hours = DoctorFactory(full_name="Dr Silva")
    TimetableFactory(doctor=with_hours, week={0: [(dt.time(8), dt.time(12))]})
    DoctorFactory(full_name="Dr Gone", is_active=False)
    for user, has_link in ((receptionist, False), (administrator, True)):
        client.force_login(user)

        html = client.get("/doctors/").content.decode()

        assert html.count("No hours yet: bookable at any time") == 1
        assert (f'href="/doctors/{okafor.pk}/hours/"' in html) == has_link


def test_list_of_a_large_clinic_has_pages(at_desk):
    doctors = DoctorFactory.create_batch(51, specialization="Cardiology")
    by_name = sorted(doctors, key=lambda doctor: (doctor.full_name, doctor.pk))

    first, second = at_desk.get("/doctors/"), at_desk.get("/doctors/?page=2")

    assert list(first.context["doctors"]) == by_name[:50]
    assert list(second.context["doctors"]) == by_name[50:]
    assert 'href="?page=2"' in first.content.decode()
    assert 'href="?page=1"' in second.content.decode()


def test_list_of_50_doctors_is_one_page_without_a_search_box(at_desk):
    DoctorFactory.create_batch(50)

    page = at_desk.get("/doctors/").content.decode()

    assert 'aria-label="Pages"' not in page
    assert 'aria-label="Find doctor"' not in page


def test_doctors_are_found_by_part_of_name_or_specialization(at_desk, okafor):
    DoctorFactory(full_name="Dr B", specialization="Dermatology")

    for query in ("oka", "CARDIO", " cardiology "):
        assert list(at_desk.get("/doctors/", {"q": query}).context["doctors"]) == [okafor], query
    assert list(at_desk.get("/doctors/", {"q": "nobody"}).context["doctors"]) == []


def test_pages_keep_what_was_looked_for(at_desk):
    DoctorFactory.create_batch(51, specialization="Cardiology")

    page = at_desk.get("/doctors/?q=cardio").content.decode()

    assert 'href="?q=cardio&amp;page=2"' in page


def test_invalid_page_shows_another_one(at_desk, okafor):
    for page in ("x", "0", "-1", "9" * 5000):
        assert list(at_desk.get("/doctors/", {"page": page}).context["doctors"]) == [okafor], page


def test_list_makes_the_same_queries_for_3_and_30_doctors(at_desk):
    DoctorFactory.create_batch(3)
    with CaptureQueriesContext(connection) as few:
        at_desk.get("/doctors/")
    DoctorFactory.create_batch(27)

    with CaptureQueriesContext(connection) as many:
        response = at_desk.get("/doctors/")

    assert len(response.context["doctors"]) == 30
    assert len(few) == len(many)


def test_page_shows_the_doctor_and_links_to_the_diary(at_desk, okafor):
    page = at_desk.get(f"/doctors/{okafor.pk}/").content.decode()

    assert "Dr Okafor" in page
    assert "Cardiology" in page
    assert f'href="/schedule/2026-11-24/?doctor={okafor.pk}"' in page


def test_page_offers_to_edit_to_administrators_only(client, receptionist, doctor_user, administrator, okafor):
    for user, is_offered in ((receptionist, False), (doctor_user, False), (administrator, True)):
        client.force_login(user)

        page = client.get(f"/doctors/{okafor.pk}/").content.decode()

        assert (f"/admin/doctors/doctor/{okafor.pk}/change/" in page) is is_offered, user


def test_pages_show_that_a_doctor_is_inactive(at_desk, okafor):
    Doctor.objects.update(is_active=False)

    for address in ("/doctors/", f"/doctors/{okafor.pk}/"):
        assert "inactive" in at_desk.get(address).content.decode()


def test_unknown_doctor_is_not_found(at_desk):
    statuses = {pk: at_desk.get(f"/doctors/{pk}/").status_code for pk in ("999", "9" * 23, "x", "-1")}

    assert statuses == dict.fromkeys(statuses, 404)


# Hours, leave and closures


def test_page_shows_present_and_future_hours_leave_and_closures(at_desk, okafor):
    TimetableFactory(doctor=okafor, valid_until=dt.date(2020, 12, 31), week={6: [(dt.time(6), dt.time(7))]})
    TimetableFactory(doctor=okafor, valid_from=dt.date(2026, 1, 1), valid_until=dt.date(2026, 12, 31))
    LeaveFactory(doctor=okafor)
    LeaveFactory(doctor=okafor, start_time=utc(2026, 10, 1), end_time=utc(2026, 10, 2), reason="Long ago")
    ClosureFactory()
    ClosureFactory(date=dt.date(2025, 12, 25), name="Last year")

    page = at_desk.get(f"/doctors/{okafor.pk}/").content.decode()

    assert "From 1 Jan 2026 until 31 Dec 2026" in page
    assert page.count("08:00–12:00, 13:00–17:00") == 5
    assert "Thu 10 Dec 2026" in page
    assert "Fri 25 Dec 2026: Christmas Day" in page
    assert not any(gone in page for gone in ("Sunday", "Long ago", "Last year"))


def test_page_explains_what_no_hours_mean(at_desk, okafor):
    address = f"/doctors/{okafor.pk}/"
    assert "at any time" in at_desk.get(address).content.decode()

    TimetableFactory(doctor=okafor, valid_until=dt.date(2020, 12, 31))

    assert "have ended" in at_desk.get(address).content.decode()


def test_page_offers_to_change_hours_to_administrators_only(client, receptionist, administrator, okafor):
    for user, is_offered in ((receptionist, False), (administrator, True)):
        client.force_login(user)

        response = client.get(f"/doctors/{okafor.pk}/")

        links = [
            attrs["href"]
            for tag, attrs in elements(response)
            if tag == "a" and attrs["href"].endswith(("/leave/", "/hours/"))
        ]
        assert bool(links) is is_offered, user
        assert all(client.get(link).status_code == 200 for link in links)
