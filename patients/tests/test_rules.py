"""Each rule of a patient: a valid and an invalid value, through `clean()`."""

import datetime as dt

import pytest

from clinic.tests.kit import codes_of, codes_text, utc
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def frozen(now):
    return now


def patient_with(**values):
    return Patient(**{"first_name": "Maria", "last_name": "Santos", "email": "maria@example.org"} | values)


def codes_by_value(field, values):
    """Return the error codes of a patient by the value of a field, "" if it is valid."""
    return {value: codes_text(patient_with(**{field: value})) for value in values}


def test_patient_with_required_fields_only_is_accepted():
    assert codes_of(patient_with()) == {}


# Names


def test_readable_name_is_accepted():
    names = ["X", "Ж" * 50, "O'Brien", "  Maria  ", "😀"]

    for field in ("first_name", "last_name"):
        assert codes_by_value(field, names) == dict.fromkeys(names, "")


def test_unreadable_name_is_refused():
    codes = {
        "": "blank",
        None: "blank",
        "   ": "blank",
        "\u200b": "blank_name",
        "\u3164": "blank_name",
        "Ma\x00ria": "bad_character",
        "Ma\ud800ria": "bad_character",
        "\u202eairaM": "bad_character",
        "x" * 51: "max_length",
    }
    for field in ("first_name", "last_name"):
        assert codes_by_value(field, codes) == {name: f"{field}: {code}" for name, code in codes.items()}


# E-mail


def test_unregistered_email_is_accepted():
    PatientFactory(email="other@example.org")
    emails = ["maria@example.org", "MARIA@Example.ORG", "  maria@example.org ", "o'brien+clinic@example.org"]

    assert codes_by_value("email", emails) == dict.fromkeys(emails, "")


@pytest.mark.both_databases
def test_email_of_another_patient_is_refused_in_any_case():
    PatientFactory(email="taken@example.org")
    emails = ["taken@example.org", "TAKEN@Example.ORG", "  taken@example.org", "taken@example.org \t"]

    assert codes_by_value("email", emails) == dict.fromkeys(emails, "email: email_taken")


@pytest.mark.both_databases
def test_email_stored_in_capitals_is_refused_for_another():
    PatientFactory(email="TAKEN@EXAMPLE.ORG")

    assert codes_of(patient_with(email="taken@example.org")) == {"email": ["email_taken"]}


@pytest.mark.both_databases
def test_email_of_the_patient_itself_is_accepted():
    patient = PatientFactory(email="maria@example.org")

    patient.email = "Maria@Example.org"

    assert codes_of(patient) == {}


def test_email_with_letters_beyond_ascii_is_refused():
    for email in ("jos\u00e9@example.org", "maria@ex\u00e4mple.org"):
        assert "email_characters" in codes_of(patient_with(email=email))["email"], email


def test_invalid_email_is_refused():
    codes = {"": "blank", "   ": "blank", "maria": "invalid", "a" * 250 + "@b.org": "max_length"}

    for email, code in codes.items():
        assert code in codes_of(patient_with(email=email))["email"], email


# Phone number


def test_phone_number_that_can_be_dialled_is_accepted():
    numbers = [
        *("", "112", "  112  ", "9" * 32, "21.794.60"),
        *("+351 912 345 678", "(0044) 20/7946-0958", "912345678 ext. 12"),
    ]

    assert codes_by_value("phone_number", numbers) == dict.fromkeys(numbers, "")


def test_phone_number_that_cannot_be_dialled_is_refused():
    numbers = ["11", "+--", "call me", "912 345 67a", "٩١٢٣٤٥", "912\x00345", "912345678<b>"]

    assert codes_by_value("phone_number", numbers) == dict.fromkeys(numbers, "phone_number: phone_number")


def test_phone_number_that_is_too_long_is_refused():
    assert codes_of(patient_with(phone_number="9" * 33)) == {"phone_number": ["max_length"]}


# Date of birth


def test_date_of_birth_of_a_living_person_is_accepted():
    today, before_130_years = dt.date(2026, 11, 24), dt.date(1896, 11, 24)
    dates = [None, dt.date(1980, 5, 17), today, before_130_years]

    assert codes_by_value("date_of_birth", dates) == dict.fromkeys(dates, "")


def test_date_of_birth_in_the_future_or_too_long_ago_is_refused():
    tomorrow, before_130_years_and_a_day = dt.date(2026, 11, 25), dt.date(1896, 11, 23)
    dates = [tomorrow, before_130_years_and_a_day, dt.date(1895, 12, 31), dt.date.min, dt.date.max]

    assert codes_by_value("date_of_birth", dates) == dict.fromkeys(dates, "date_of_birth: date_of_birth")


def test_date_of_birth_today_is_the_clinics_today(frozen, settings):
    settings.TIME_ZONE = "Pacific/Auckland"
    frozen.move_to(utc(2026, 11, 24, 12, 0))

    assert codes_of(patient_with(date_of_birth=dt.date(2026, 11, 25))) == {}
    assert codes_of(patient_with(date_of_birth=dt.date(2026, 11, 26))) == {"date_of_birth": ["date_of_birth"]}


def test_all_errors_are_reported_at_once():
    PatientFactory(email="taken@example.org")
    patient = patient_with(
        first_name="", email="taken@example.org", phone_number="11", date_of_birth=dt.date(2026, 11, 25)
    )

    assert codes_of(patient) == {
        "first_name": ["blank"],
        "email": ["email_taken"],
        "phone_number": ["phone_number"],
        "date_of_birth": ["date_of_birth"],
    }


def test_invalid_date_of_birth_is_refused():
    assert codes_of(patient_with(date_of_birth="yesterday")) == {"date_of_birth": ["invalid"]}
