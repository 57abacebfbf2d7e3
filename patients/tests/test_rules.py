"""Each rule of a patient: one that passes and one that is refused, through `clean()`."""

import datetime as dt

import pytest

from clinic.tests.kit import codes_of
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def frozen(now):
    return now


def patient_with(**values):
    return Patient(**{"first_name": "Maria", "last_name": "Santos", "email": "maria@example.org"} | values)


def test_patient_with_the_least_is_accepted():
    assert codes_of(patient_with()) == {}


# Names


@pytest.mark.parametrize("field", ["first_name", "last_name"])
@pytest.mark.parametrize("name", ["X", "Ж" * 50, "O'Brien", "  Maria  ", "😀"])
def test_name_that_can_be_read_is_accepted(field, name):
    assert codes_of(patient_with(**{field: name})) == {}


@pytest.mark.parametrize("field", ["first_name", "last_name"])
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "blank"),
        (None, "blank"),
        ("   ", "blank"),
        ("\u200b", "blank_name"),
        ("\u3164", "blank_name"),
        ("Ma\x00ria", "bad_character"),
        ("Ma\ud800ria", "bad_character"),
        ("\u202eairaM", "bad_character"),
        ("x" * 51, "max_length"),
    ],
    ids=repr,
)
def test_name_that_cannot_be_read_is_refused(field, name, code):
    assert codes_of(patient_with(**{field: name})) == {field: [code]}


# E-mail


@pytest.mark.parametrize(
    "email", ["maria@example.org", "MARIA@Example.ORG", "  maria@example.org ", "o'brien+clinic@example.org"]
)
def test_email_that_is_free_is_accepted(email):
    PatientFactory(email="other@example.org")

    assert codes_of(patient_with(email=email)) == {}


@pytest.mark.parametrize(
    "email", ["taken@example.org", "TAKEN@Example.ORG", "  taken@example.org", "taken@example.org \t"]
)
def test_email_of_another_patient_is_refused_whatever_its_case_and_blanks(email):
    PatientFactory(email="taken@example.org")

    assert codes_of(patient_with(email=email)) == {"email": ["email_taken"]}


def test_email_stored_in_capitals_is_refused_for_another():
    PatientFactory(email="TAKEN@EXAMPLE.ORG")

    assert codes_of(patient_with(email="taken@example.org")) == {"email": ["email_taken"]}


def test_email_of_the_patient_itself_is_accepted():
    patient = PatientFactory(email="maria@example.org")

    patient.email = "Maria@Example.org"

    assert codes_of(patient) == {}


@pytest.mark.parametrize("email", ["jos\u00e9@example.org", "maria@ex\u00e4mple.org"])
def test_email_with_letters_beyond_ascii_is_refused(email):
    assert "email_characters" in codes_of(patient_with(email=email))["email"]


@pytest.mark.parametrize(
    ("email", "code"), [("", "blank"), ("   ", "blank"), ("maria", "invalid"), ("a" * 250 + "@b.org", "max_length")]
)
def test_email_that_is_none_is_refused(email, code):
    assert code in codes_of(patient_with(email=email))["email"]


# Phone number


@pytest.mark.parametrize(
    "phone_number",
    ["", "112", "+351 912 345 678", "(0044) 20/7946-0958", "21.794.60", "912345678 ext. 12", "  112  ", "9" * 32],
)
def test_phone_number_that_can_be_dialled_is_accepted(phone_number):
    assert codes_of(patient_with(phone_number=phone_number)) == {}


@pytest.mark.parametrize(
    "phone_number",
    ["11", "+--", "call me", "912 345 67a", "٩١٢٣٤٥", "912\x00345", "912345678<b>"],
    ids=repr,
)
def test_phone_number_that_cannot_be_dialled_is_refused(phone_number):
    assert codes_of(patient_with(phone_number=phone_number)) == {"phone_number": ["phone_number"]}


def test_phone_number_that_is_too_long_is_refused():
    assert codes_of(patient_with(phone_number="9" * 33)) == {"phone_number": ["max_length"]}


# Date of birth


@pytest.mark.parametrize(
    "date_of_birth",
    [None, dt.date(1980, 5, 17), dt.date(2026, 11, 24), dt.date(1896, 11, 24)],
    ids=["none", "usual", "today", "130 years ago"],
)
def test_date_of_birth_of_a_living_person_is_accepted(date_of_birth):
    assert codes_of(patient_with(date_of_birth=date_of_birth)) == {}


@pytest.mark.parametrize(
    "date_of_birth",
    [dt.date(2026, 11, 25), dt.date(1896, 11, 23), dt.date(1895, 12, 31), dt.date(1, 1, 1), dt.date.max],
    ids=["tomorrow", "130 years and a day ago", "131 years ago", "first", "last"],
)
def test_date_of_birth_in_the_future_or_too_long_ago_is_refused(date_of_birth):
    assert codes_of(patient_with(date_of_birth=date_of_birth)) == {"date_of_birth": ["date_of_birth"]}


def test_date_of_birth_today_is_the_clinics_today(frozen, settings):
    settings.TIME_ZONE = "Pacific/Auckland"
    frozen.move_to(dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC))

    assert codes_of(patient_with(date_of_birth=dt.date(2026, 11, 25))) == {}
    assert codes_of(patient_with(date_of_birth=dt.date(2026, 11, 26))) == {"date_of_birth": ["date_of_birth"]}


def test_all_that_is_wrong_is_said_at_once():
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


def test_date_of_birth_that_is_no_date_is_refused():
    assert codes_of(patient_with(date_of_birth="yesterday")) == {"date_of_birth": ["invalid"]}
