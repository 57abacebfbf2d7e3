"""A patient registered on the booking page: together with the appointment, or not at all."""

import datetime as dt
import uuid

import pytest
from django.core.exceptions import ValidationError

from appointments.booking import actions, registration
from appointments.models import Appointment
from appointments.tests.booking_form import BOOK, KEY, at, form_values
from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry
from clinic.tests.kit import codes_at, codes_in, elements
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")


@pytest.fixture
def form_data(okafor):
    """The form data of a valid new patient and appointment."""
    return {
        "registers": "1",
        "new-first_name": "Ana",
        "new-last_name": "Silva",
        "new-date_of_birth": "1980-05-17",
        "new-phone_number": "+351 934 111 222",
        "new-email": "Ana@example.org",
        "doctor": str(okafor.pk),
        "date": "2026-11-25",
        "time": "10:00",
        "duration_minutes": "30",
        "reason": "Sore knee",
        "notes": "",
        "booking_key": KEY,
        "next": "",
    }


def new_patient_codes(response):
    """Return the error codes of the patient's part of the form, by field."""
    errors = response.context["patient_form"].errors.as_data()
    return {name: [error.code for error in at_field] for name, at_field in errors.items()}


def typed_in(response):
    """Return the page's form data, including the patient's part."""
    return {
        attrs["name"]: attrs.get("value", "")
        for tag, attrs in elements(response)
        if tag == "input" and attrs.get("name", "").startswith("new-")
    }


def assert_neither(response):
    assert response.status_code == 200
    assert not Appointment.objects.exists()
    assert not Patient.objects.filter(first_name="Ana").exists()
    assert not AuditEntry.objects.filter(action=AuditEntry.Action.CREATE, object_repr__startswith="Ana").exists()


# Opening the form


def test_form_for_a_new_patient_starts_with_the_search_text(at_desk, form_data, isolated):
    cases = [
        ("Ana Silva", {"new-first_name": "Ana", "new-last_name": "Silva"}),
        ("Silva, Ana", {"new-first_name": "Ana", "new-last_name": "Silva"}),
        (" Ana Maria Silva ", {"new-first_name": "Ana Maria", "new-last_name": "Silva"}),
        ("Silva", {"new-first_name": "", "new-last_name": "Silva"}),
        ("Silva,", {"new-first_name": "", "new-last_name": "Silva"}),
        ("934 111 222", {"new-phone_number": "934 111 222"}),
        ("+351934", {"new-phone_number": "+351934"}),
        ("ana1@example.org", {"new-email": "ana1@example.org"}),
        ("", {}),
        ("<b>", {"new-last_name": "<b>"}),
    ]
    for query, begins_with in cases:
        with isolated(query=query, begins_with=begins_with):
            blank = dict.fromkeys(
                ["new-first_name", "new-last_name", "new-date_of_birth", "new-phone_number", "new-email"], ""
            )
            appointment = {
                name: value for name, value in form_data.items() if not name.startswith("new-") and name != "registers"
            }

            response = at_desk.post(BOOK, appointment | {"patient": "", "patient_query": query, "register": "1"})

            assert typed_in(response).items() >= (blank | begins_with).items()
            assert form_values(response).items() >= appointment.items()
            assert not response.context["patient_form"].errors
            assert not Appointment.objects.exists()


def test_steps_keep_the_input_for_the_new_patient(at_desk, form_data):
    for step in ({"look": "1"}, {"take": "time=11%3A00"}, {"later": "2026-12-01"}):
        response = at_desk.post(BOOK, form_data | step)

        assert typed_in(response).items() >= {n: v for n, v in form_data.items() if n.startswith("new-")}.items()
        assert ("input", {"type": "hidden", "name": "registers", "value": "1"}) in elements(response)
        assert not Patient.objects.exists()


def test_search_instead_returns_to_the_search(at_desk, form_data):
    response = at_desk.post(BOOK, form_data | {"search_again": "1"})

    assert response.context["patient_form"] is None
    assert 'name="patient_query"' in response.content.decode()
    assert form_values(response)["reason"] == "Sore knee"


# Both


@pytest.mark.both_databases
def test_register_and_book_does_both(at_desk, receptionist, form_data, okafor):
    response = at_desk.post(BOOK, form_data)

    patient, appointment = Patient.objects.get(), Appointment.objects.get()
    assert response["Location"] == f"/schedule/2026-11-25/#v{appointment.pk}"
    assert (patient.full_name, patient.email, patient.phone_number, patient.date_of_birth) == (
        "Ana Silva",
        "ana@example.org",
        "+351 934 111 222",
        dt.date(1980, 5, 17),
    )
    assert list(Patient.objects.search("silva ana")) == [patient]
    assert (appointment.patient, appointment.doctor, appointment.start_time) == (patient, okafor, at(10))
    assert (appointment.booked_by, appointment.reason) == (receptionist, "Sore knee")


def test_register_and_book_adds_an_audit_entry_each(at_desk, receptionist, form_data):
    at_desk.post(BOOK, form_data)

    for record in (Patient.objects.get(), Appointment.objects.get()):
        entry = AuditEntry.objects.get_for_object(record).get()
        assert (entry.action, entry.actor) == (entry.Action.CREATE, receptionist)


def test_register_and_book_without_birth_date_and_phone(at_desk, form_data):
    response = at_desk.post(BOOK, form_data | {"new-date_of_birth": "", "new-phone_number": ""})

    assert response.status_code == 302
    assert Patient.objects.get().date_of_birth is None


# Neither


@pytest.mark.both_databases
def test_refused_appointment_saves_no_patient(at_desk, form_data, isolated):
    cases = [
        ({"date": "2026-11-23"}, "time", "past"),
        ({"time": ""}, "time", "required"),
        ({"doctor": ""}, "doctor", "required"),
        ({"duration_minutes": "181"}, "duration_minutes", "duration"),
        ({"reason": "x" * 201}, "reason", "max_length"),
        ({"date": "2027-10-31", "time": "01:30"}, "which", "ambiguous_time"),
    ]
    for changes, field, code in cases:
        with isolated(changes=changes, field=field, code=code):
            response = at_desk.post(BOOK, form_data | changes)

            assert codes_at(response, field) == [code]
            assert new_patient_codes(response) == {}
            assert typed_in(response).items() >= {n: v for n, v in form_data.items() if n.startswith("new-")}.items()
            assert_neither(response)


@pytest.mark.both_databases
def test_taken_time_registers_no_patient_and_a_nearest_time_books_both(at_desk, form_data, okafor):
    conflicting = AppointmentFactory(doctor=okafor, start_time=at(10))

    refused = at_desk.post(BOOK, form_data)
    offered = refused.context["nearest"][0]

    assert codes_at(refused, "time") == ["doctor_overlap"]
    assert Appointment.objects.get() == conflicting
    assert not Patient.objects.filter(last_name="Silva").exists()
    assert at_desk.post(BOOK, form_data | {"at": offered.query}).status_code == 302
    booked = Appointment.objects.get(booking_key=KEY)
    assert (booked.patient.full_name, booked.start_time) == ("Ana Silva", offered.start)


@pytest.mark.both_databases
def test_refused_patient_saves_no_appointment(at_desk, form_data, isolated):
    cases = [
        ({"new-first_name": ""}, "first_name", "required"),
        ({"new-last_name": " "}, "last_name", "required"),
        ({"new-email": ""}, "email", "required"),
        ({"new-email": "ana"}, "email", "invalid"),
        ({"new-date_of_birth": "2026-02-30"}, "date_of_birth", "invalid"),
        ({"new-date_of_birth": "2026-11-25"}, "date_of_birth", "date_of_birth"),
        ({"new-first_name": "a\0b"}, "first_name", "null_characters_not_allowed"),
    ]
    for changes, field, code in cases:
        with isolated(changes=changes, field=field, code=code):
            response = at_desk.post(BOOK, form_data | changes)

            assert new_patient_codes(response) == {field: [code]}
            assert not response.context["form"].errors
            assert_neither(response)


def test_all_errors_of_both_are_shown_at_once(at_desk, form_data):
    response = at_desk.post(BOOK, form_data | {"new-email": "", "time": ""})

    assert codes_at(response, "time") == ["required"]
    assert new_patient_codes(response) == {"email": ["required"]}
    assert_neither(response)


def test_registered_email_is_refused_and_shows_its_patient(at_desk, form_data):
    holder = PatientFactory(email="ana@example.org", phone_number="")

    response = at_desk.post(BOOK, form_data)

    assert new_patient_codes(response) == {"email": ["email_taken"]}
    assert response.context["patient_form"].duplicates == [holder]
    assert "Registered already" in response.content.decode()
    assert_neither(response)


@pytest.mark.both_databases
def test_email_taken_between_check_and_write_is_refused_at_its_field(at_desk, form_data, monkeypatch):
    def lose_race(*args, **kwargs):
        PatientFactory(email="ana@example.org")
        return register_and_book(*args, **kwargs)

    register_and_book = registration.register_and_book
    monkeypatch.setattr(registration, "register_and_book", lose_race)

    response = at_desk.post(BOOK, form_data)

    assert new_patient_codes(response) == {"email": ["email_taken"]}
    assert_neither(response)


@pytest.mark.both_databases
def test_time_taken_between_check_and_write_saves_no_patient(at_desk, form_data, okafor, monkeypatch):
    def lose_race(*args, **kwargs):
        AppointmentFactory(doctor=okafor, start_time=at(10))
        return register_and_book(*args, **kwargs)

    register_and_book = registration.register_and_book
    monkeypatch.setattr(registration, "register_and_book", lose_race)

    response = at_desk.post(BOOK, form_data)

    assert codes_at(response, "time") == ["doctor_overlap"]
    assert not Patient.objects.filter(last_name="Silva").exists()


# Possible duplicates


def test_possible_duplicates_are_shown_first(at_desk, form_data):
    namesake = PatientFactory(
        first_name="Silva", last_name="Ana", date_of_birth=dt.date(1980, 5, 17), phone_number="112"
    )

    response = at_desk.post(BOOK, form_data)

    assert new_patient_codes(response) == {"__all__": ["possible_duplicate"]}
    assert response.context["patient_form"].duplicates == [namesake]
    buttons = [(attrs.get("name"), attrs.get("value")) for tag, attrs in elements(response) if tag == "button"]
    assert {("pick", str(namesake.pk)), ("new-anyway", "1")} <= set(buttons)
    assert_neither(response)


def test_possible_duplicate_is_picked_with_the_typed_appointment(at_desk, form_data, okafor):
    namesake = PatientFactory(phone_number="934111222")
    refused = at_desk.post(BOOK, form_data)

    taken = at_desk.post(BOOK, form_values(refused) | typed_in(refused) | {"registers": "1", "pick": namesake.pk})
    response = at_desk.post(BOOK, form_values(taken))

    assert taken.context["picked"] == namesake
    assert taken.context["patient_form"] is None
    assert response.status_code == 302
    appointment = Appointment.objects.get()
    assert (appointment.patient, appointment.doctor, appointment.start_time) == (namesake, okafor, at(10))
    assert Patient.objects.count() == 1


def test_register_anyway_registers_and_books(at_desk, form_data):
    PatientFactory(phone_number="934111222")
    refused = at_desk.post(BOOK, form_data)

    response = at_desk.post(BOOK, form_data | typed_in(refused) | {"new-anyway": "1"})

    assert response.status_code == 302
    assert Patient.objects.count() == 2
    assert Appointment.objects.get().patient.full_name == "Ana Silva"


# Sent twice


@pytest.mark.both_databases
def test_same_form_twice_saves_one_patient_and_appointment(at_desk, form_data):
    first, second = at_desk.post(BOOK, form_data), at_desk.post(BOOK, form_data)

    assert first["Location"] == second["Location"] == f"/schedule/2026-11-25/#v{Appointment.objects.get().pk}"
    assert Patient.objects.count() == 1
    assert AuditEntry.objects.get_for_object(Patient.objects.get()).count() == 1


@pytest.mark.both_databases
def test_form_resent_with_another_time_gets_a_new_key_and_the_same_patient(at_desk, form_data):
    at_desk.post(BOOK, form_data)

    refused = at_desk.post(BOOK, form_data | {"time": "11:00"})
    response = at_desk.post(BOOK, form_values(refused))

    assert codes_at(refused, "__all__") == ["booking_key_used"]
    assert refused.context["picked"] == Patient.objects.get()
    assert response.status_code == 302
    assert [appointment.start_time for appointment in Patient.objects.get().appointments.all()] == [at(10), at(11)]


@pytest.mark.both_databases
def test_same_key_with_another_email_is_refused(at_desk, form_data):
    at_desk.post(BOOK, form_data)

    response = at_desk.post(
        BOOK, form_data | {"new-email": "other@example.org", "new-phone_number": "", "new-date_of_birth": ""}
    )

    assert codes_at(response, "__all__") == ["booking_key_used"]
    assert Patient.objects.count() == Appointment.objects.count() == 1


def test_invalid_key_registers_no_patient(at_desk, form_data):
    response = at_desk.post(BOOK, form_data | {"booking_key": "x"})

    assert codes_at(response, "__all__") == ["incomplete"]
    assert_neither(response)


# The verb


def ana():
    return Patient(first_name="Ana", last_name="Silva", email="ana@example.org")


@pytest.mark.both_databases
def test_registration_is_rolled_back_when_the_appointment_fails(okafor):
    def fail(*, patient):
        assert Patient.objects.filter(pk=patient.pk).exists()
        raise ValidationError({"start_time": ValidationError("No.", code="no")})

    with pytest.raises(ValidationError) as refusal:
        registration.register_and_book(fail, new_patient=ana, booking_key=uuid.uuid4(), by=None)

    assert codes_in(refusal.value) == {"start_time": ["no"]}
    assert not Patient.objects.exists()
    assert not AuditEntry.objects.filter(object_repr="Ana Silva").exists()


@pytest.mark.both_databases
def test_register_and_book_returns_the_earlier_booking_of_the_key(okafor):
    def book(*, patient):
        return actions.book(
            patient=patient,
            doctor=okafor,
            start_time=at(10),
            duration_minutes=30,
            by=None,
            booking_key=uuid.UUID(KEY),
        )

    first, second = (
        registration.register_and_book(book, new_patient=ana, booking_key=uuid.UUID(KEY), by=None) for _send in range(2)
    )

    assert first == second
    assert Patient.objects.count() == 1


def test_registered_with_finds_the_patient_booked_with_a_key(isolated):
    for email in ["ana@example.org", " ANA@example.org "]:
        with isolated(email=email):
            appointment = AppointmentFactory(patient=PatientFactory(email="ana@example.org"))

            assert registration.registered_with(appointment.booking_key, email=email) == appointment.patient
            assert registration.registered_with(appointment.booking_key, email="other@example.org") is None
            assert registration.registered_with(uuid.uuid4(), email=email) is None
