"""Search suggestions in the top bar, with each patient's next appointment."""

import datetime as dt

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.tests.factories import AppointmentFactory
from clinic.models import Session
from clinic.tests.factories import UserFactory
from clinic.tests.kit import at, elements, rolled_back
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

SEARCH = "/patients/"
HTMX = {"HX-Request": "true"}
MAX_FOUND = 20
# Session with user and roles, ids, patients, next appointments, and three for the audit trail: the user's last search,
# and the entry and its patients, or those of the last search and those it does not have.
MAX_QUERIES = 7


@pytest.fixture
def maria():
    return PatientFactory(
        first_name="Maria",
        last_name="Santos",
        date_of_birth=dt.date(1980, 5, 17),
        email="maria@example.org",
        phone_number="+351 912 345 678",
    )


@pytest.fixture
def okafor():
    return DoctorFactory(full_name="Dr Okafor")


def ask(client, query):
    """Type into the box."""
    return client.post(SEARCH, {"query": query}, headers=HTMX)


def links_in(response):
    return [attrs["href"] for tag, attrs in elements(response) if tag == "a"]


def next_appointment_of(patient, user):
    (found,) = Patient.objects.filter(pk=patient.pk).with_next_appointment(user)
    return found.next_appointments


# The box


def test_search_box_posts_while_typing_and_works_without_script(at_desk):
    page = elements(at_desk.get("/doctors/"))

    (box,) = [attrs for tag, attrs in page if tag == "input" and attrs.get("data-key") == "/"]
    assert box["hx-post"] == SEARCH
    assert box["name"] == "query"
    assert f"#{next(attrs['id'] for tag, attrs in page if attrs.get('class') == 'found')}" == box["hx-target"]
    forms = [attrs for tag, attrs in page if tag == "form" and attrs.get("class") == "find"]
    assert [(form["method"], form["action"]) for form in forms] == [("post", SEARCH)]


def test_search_box_is_only_for_users_who_may_see_patients(client, manager):
    client.force_login(manager)

    assert 'data-key="/"' not in client.get("/doctors/").content.decode()
    assert ask(client, "maria").status_code == 403


def test_typing_finds_patients_with_their_next_appointment_and_details(at_desk, maria, okafor):
    appointment = AppointmentFactory(patient=maria, doctor=okafor, start_time=at(14, 30, day=26))

    for query in ("san mar", "Santos, Maria", "MARIA@example", "+351 912-345", "(0)912 345"):
        response = ask(at_desk, query)

        assert "patients/_patient_found.html" in [template.name for template in response.templates], query
        assert "base.html" not in [template.name for template in response.templates], query
        assert links_in(response) == [
            f"/patients/{maria.pk}/",
            f"/appointments/{appointment.pk}/",
            f"/appointments/book/?patient={maria.pk}",
        ]
        page = response.content.decode()
        for shown in ("Maria Santos", "17 May 1980", "+351 912 345 678", "Thu 26 Nov 2026 14:30", "Dr Okafor"):
            assert shown in page, query


def test_typing_stores_nothing_in_the_session(at_desk, maria):
    before = Session.objects.get().session_data

    ask(at_desk, "santos")

    assert Session.objects.get().session_data == before
    assert at_desk.get(SEARCH).context["found"] is None


def test_search_sent_as_a_form_shows_the_next_appointment_on_the_page(at_desk, maria, okafor):
    appointment = AppointmentFactory(patient=maria, doctor=okafor, start_time=at(14, 30))

    response = at_desk.post(SEARCH, {"query": "santos"}, follow=True)

    assert response.redirect_chain == [(SEARCH, 302)]
    assert f"/appointments/{appointment.pk}/" in links_in(response)
    assert "Tue 24 Nov 2026 14:30" in response.content.decode()


def test_empty_box_clears_the_list_without_a_search(at_desk, maria):
    for query in ("", "   ", "\t"):
        with CaptureQueriesContext(connection) as captured:
            response = ask(at_desk, query)

        assert links_in(response) == [], query
        assert "No patients match" not in response.content.decode(), query
        assert len(captured) == MAX_QUERIES - 6, query


def test_typing_an_unknown_name_offers_to_register(at_desk, maria):
    response = ask(at_desk, "nobody")

    assert "No patients match" in response.content.decode()
    (button,) = [attrs for tag, attrs in elements(response) if tag == "button"]
    assert (button["form"], button["name"], button["value"]) == ("register", "query", "nobody")


def test_registering_starts_with_the_query(at_desk):
    filled_in = {
        "Zora Neale Hurston": {"first_name": "Zora Neale", "last_name": "Hurston"},
        "Hurston, Zora": {"first_name": "Zora", "last_name": "Hurston"},
        "zora@example.org": {"email": "zora@example.org"},
        "912 345 600": {"phone_number": "912 345 600"},
    }
    for query, values in filled_in.items():
        form = at_desk.post("/patients/new/", {"query": query}).context["form"]

        assert {name: form[name].value() for name in form.fields if form[name].value()} == values, query
        assert not form.is_bound, query
    assert not Patient.objects.exists()


@pytest.fixture
def watcher(client):
    """A client of a user who may only search patients."""
    group = Group.objects.create(name="Watcher")
    group.permissions.add(Permission.objects.get(codename="view_patient"))
    user = UserFactory()
    user.groups.add(group)
    client.force_login(user)
    return client


def test_user_who_may_only_see_patients_has_no_other_buttons(watcher, maria):
    AppointmentFactory(patient=maria)

    found, nothing = ask(watcher, "santos"), ask(watcher, "nobody")

    assert links_in(found) == [f"/patients/{maria.pk}/"]
    assert "No appointment booked" not in found.content.decode()
    assert links_in(nothing) == []


def test_typing_shows_twenty_and_says_that_there_are_more(at_desk):
    PatientFactory.create_batch(MAX_FOUND, last_name="Silva")
    for more in (False, True):
        response = ask(at_desk, "silva")

        assert len([tag for tag, _attrs in elements(response) if tag == "li"]) == MAX_FOUND
        assert ("There are more matches." in response.content.decode()) is more
        PatientFactory(last_name="Silva")


def test_long_text_is_cut_like_the_forms(at_desk, maria):
    assert ask(at_desk, "santos " + "x" * 5000).status_code == 200


@pytest.mark.both_databases
def test_typing_makes_the_same_queries_for_any_result(at_desk, okafor):
    numbers = iter(range(30))
    for more in (3, 27):
        for _patient in range(more):
            patient, later = PatientFactory(last_name="Silva"), next(numbers) * dt.timedelta(hours=0.5)
            for day in (25, 26):
                AppointmentFactory(patient=patient, doctor=okafor, start_time=at(0, day=day) + later)

        with CaptureQueriesContext(connection) as captured:
            ask(at_desk, "silva")

        assert len(captured) == MAX_QUERIES


# The next appointment


def test_next_appointment_is_the_first_in_the_future(receptionist, maria):
    AppointmentFactory(patient=maria, start_time=at(10, day=27))
    sooner = AppointmentFactory(patient=maria, start_time=at(10, day=26))

    assert next_appointment_of(maria, receptionist) == [sooner]


@pytest.mark.both_databases
def test_next_appointment_is_one_that_is_not_over(receptionist, maria):
    for start, is_next in ((at(8, 30), False), (at(8, 31), True), (at(9), True)):
        with rolled_back():
            appointment = AppointmentFactory(patient=maria, start_time=start)

            assert next_appointment_of(maria, receptionist) == ([appointment] if is_next else []), start


def test_next_appointment_is_never_cancelled_or_a_no_show(receptionist, maria):
    booked = AppointmentFactory(patient=maria, start_time=at(10, day=25))

    for status in ("cancelled", "no_show"):
        AppointmentFactory(patient=maria, start_time=at(10), status=status)

        assert next_appointment_of(maria, receptionist) == [booked], status


@pytest.mark.both_databases
def test_next_appointments_are_read_in_one_more_query(django_assert_num_queries, receptionist, okafor):
    patients = PatientFactory.create_batch(3, last_name="Silva")
    appointments = [
        AppointmentFactory(patient=patient, doctor=okafor, start_time=at(10 + place, day=day))
        for day in (26, 27)
        for place, patient in enumerate(patients[:2])
    ]
    receptionist.has_perm("appointments.view_appointment")

    with django_assert_num_queries(3):
        found = list(Patient.objects.search("silva").with_next_appointment(receptionist))
        doctors = [appointment.doctor.full_name for patient in found for appointment in patient.next_appointments]

    assert {patient: patient.next_appointments for patient in found} == dict(
        zip(patients, [[appointments[0]], [appointments[1]], []], strict=True)
    )
    assert doctors == ["Dr Okafor", "Dr Okafor"]


def test_next_appointment_is_only_what_the_user_may_see(doctor_user, manager, maria):
    own = DoctorFactory(user=doctor_user)
    AppointmentFactory(patient=maria, start_time=at(10))
    mine = AppointmentFactory(patient=maria, doctor=own, start_time=at(12))

    assert next_appointment_of(maria, doctor_user) == [mine]
    assert next_appointment_of(maria, manager) == []
