"""Possible duplicates of a new patient, and registering anyway."""

import datetime as dt

import pytest
from django.http import QueryDict

from clinic.tests.kit import codes_at, elements, rolled_back, seen
from patients.forms import PatientForm
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

NEW = "/patients/new/"
BORN = dt.date(1980, 5, 17)
MAX_DUPLICATES = 5


@pytest.fixture
def maria():
    return PatientFactory(
        first_name="Maria",
        last_name="Weiß Santos",
        date_of_birth=BORN,
        email="maria@example.org",
        phone_number="+351 912 345 678",
    )


def duplicates(**data):
    """Return the possible duplicates of a person with these data; all other fields are unique."""
    defaults = {"first_name": "Ana", "last_name": "Costa", "date_of_birth": None, "phone_number": "", "email": ""}
    return Patient.objects.possible_duplicates(**defaults | data)


# Similar patients


@pytest.mark.both_databases
def test_same_name_and_birth_date_is_a_duplicate_in_any_spelling(maria):
    names = [
        ("Maria", "Weiß Santos"),
        ("MARIA", "weiss santos"),
        ("Mária", "Weiss-Santos"),
        ("  Maria ", "Weiß  Santos"),
        ("Weiß Santos", "Maria"),
    ]
    for first_name, last_name in names:
        found = duplicates(first_name=first_name, last_name=last_name, date_of_birth=BORN)

        assert found == [maria], (first_name, last_name)


def test_another_name_or_birth_date_is_no_duplicate(maria):
    same = {"first_name": "Maria", "last_name": "Weiß Santos", "date_of_birth": BORN}
    differences = [
        {"date_of_birth": None},
        {"date_of_birth": dt.date(1980, 5, 18)},
        {"first_name": "Mario"},
        {"last_name": "Weiß"},
        {"first_name": "", "last_name": ""},
    ]
    for changes in differences:
        assert duplicates(**same | changes) == [], changes


@pytest.mark.both_databases
def test_same_phone_is_a_duplicate_in_any_spelling():
    for stored in ("+351 912 345 678", "00351 912345678", "912 345 678", "(912) 345-678"):
        with rolled_back():
            other = PatientFactory(phone_number=stored)
            for number in ("+351912345678", "00351 912 345 678", "912345678", "912-345-678", "0912 345 678"):
                assert duplicates(phone_number=number) == [other], (stored, number)


def test_another_phone_is_no_duplicate(maria):
    for number in ("", "912 345 679", "912 345 67", "912 345 678 9", "+351 912 345 6780"):
        assert duplicates(phone_number=number) == [], number


def test_phone_is_compared_from_seven_digits_on():
    for number, is_alike in (("123 456", False), ("123 4567", True)):
        other = PatientFactory(phone_number=number)

        assert duplicates(phone_number=number) == ([other] if is_alike else []), number


def test_phone_that_begins_a_longer_one_is_no_duplicate():
    PatientFactory(phone_number="912 345 678")

    assert duplicates(phone_number="912 345 6") == []


@pytest.mark.both_databases
def test_patient_with_the_same_email_is_a_duplicate(maria):
    assert duplicates(email="maria@example.org") == [maria]
    assert duplicates(email=" MARIA@example.org") == [maria]


@pytest.mark.both_databases
def test_another_email_is_no_duplicate(maria):
    for email in ("", "maria@example.com", "mariá@example.org", "\ud800@example.org"):
        assert duplicates(email=email) == [], email


def test_at_most_five_duplicates_are_found_best_match_first(maria):
    family = [PatientFactory(last_name=f"Silva{number}", phone_number="912345678") for number in range(6)]
    holder = PatientFactory(last_name="Zola", email="family@example.org", phone_number="912345678")

    alike = duplicates(
        first_name="Maria",
        last_name="Weiß Santos",
        date_of_birth=BORN,
        phone_number="912 345 678",
        email="family@example.org",
    )

    assert alike == [holder, maria, *family[: MAX_DUPLICATES - 2]]


@pytest.mark.both_databases
def test_duplicates_cost_three_queries_and_none_for_empty_data(django_assert_num_queries, maria):
    with django_assert_num_queries(3):
        duplicates(
            first_name="Maria", last_name="Santos", date_of_birth=BORN, phone_number="912345678", email="a@example.org"
        )
    with django_assert_num_queries(0):
        duplicates()


# Registering


def typed(**changes):
    """Return the form of a patient without duplicates."""
    return {
        "first_name": "Inês",
        "last_name": "Ferreira",
        "date_of_birth": "1990-01-31",
        "phone_number": "+351 910 000 000",
        "email": "ines@example.org",
    } | changes


SAME_PERSON = {"first_name": "maria", "last_name": "Weiss Santos", "date_of_birth": "1980-05-17"}
SAME_PHONE = {"phone_number": "912345678"}


def sent_again(response, **changes):
    """Return the page's form data, as sent by one of its buttons."""
    form = response.context["form"]
    return {name: form[name].value() or "" for name in form.fields} | changes


def test_possible_duplicate_is_refused_and_shown(at_desk, maria):
    for like in (SAME_PERSON, SAME_PHONE):
        sent = typed(**like)

        response = at_desk.post(NEW, sent)

        assert codes_at(response, "__all__") == ["possible_duplicate"], like
        form = response.context["form"]
        assert form.duplicates == [maria], like
        assert {name: form[name].value() for name in sent} == sent
        page = response.content.decode()
        for shown in ("Maria Weiß Santos", "17 May 1980", "+351 912 345 678", "maria@example.org"):
            assert shown in page, like
        links = [attrs["href"] for tag, attrs in elements(response) if tag == "a"]
        assert {f"/patients/{maria.pk}/", f"/appointments/book/?patient={maria.pk}"} <= set(links), like
        assert Patient.objects.count() == 1, like


def test_patient_without_duplicates_is_registered(at_desk, maria):
    response = at_desk.post(NEW, typed(email="nobody"))

    assert response.context["form"].duplicates == []
    assert "Registered already" not in response.content.decode()


def test_register_anyway_registers(at_desk, maria):
    shown = at_desk.post(NEW, typed(**SAME_PERSON))
    (button,) = [attrs for tag, attrs in elements(shown) if tag == "button" and attrs.get("name") == "anyway"]

    response = at_desk.post(NEW, sent_again(shown, anyway=button["value"]))

    patient = Patient.objects.get(email="ines@example.org")
    assert response["Location"] == f"/patients/{patient.pk}/"
    assert patient.full_name == "maria Weiss Santos"


def test_form_sent_again_by_another_button_is_refused_again(at_desk, maria):
    shown = at_desk.post(NEW, typed(**SAME_PERSON))

    response = at_desk.post(NEW, sent_again(shown))

    assert codes_at(response, "__all__") == ["possible_duplicate"]
    assert Patient.objects.count() == 1


def test_first_button_of_the_form_is_not_the_one_that_registers_anyway(at_desk, maria):
    page = elements(at_desk.post(NEW, typed(**SAME_PERSON)))

    start = page.index(("form", {"class": "panel", "method": "post"}))
    first = next(attrs for tag, attrs in page[start:] if tag == "button")
    assert "name" not in first


def test_anyway_does_not_apply_to_a_duplicate_not_shown(at_desk, maria):
    shown = at_desk.post(NEW, typed(**SAME_PERSON))
    since = PatientFactory(phone_number="+351 910 000 000")

    response = at_desk.post(NEW, sent_again(shown, anyway="1"))

    assert codes_at(response, "__all__") == ["possible_duplicate"]
    assert response.context["form"].duplicates == [maria, since]
    assert Patient.objects.count() == 2
    assert at_desk.post(NEW, sent_again(response, anyway="1")).status_code == 302


def test_anyway_without_duplicates_shown_is_refused(at_desk, maria):
    response = at_desk.post(NEW, typed(**SAME_PERSON, anyway="1"))

    assert codes_at(response, "__all__") == ["possible_duplicate"]


def test_same_email_is_refused_at_its_field_and_shows_the_patient(at_desk, maria):
    for email in ("maria@example.org", " MARIA@example.ORG"):
        response = at_desk.post(NEW, typed(email=email))

        assert codes_at(response, "email") == ["email_taken"], email
        assert list(response.context["form"].errors) == ["email"], email
        assert response.context["form"].duplicates == [maria], email
        assert "Maria Weiß Santos" in response.content.decode()
        assert 'name="anyway"' not in response.content.decode()


def test_same_email_is_refused_even_anyway(at_desk, maria):
    other = PatientFactory(phone_number="+351 910 000 000")
    shown = at_desk.post(NEW, typed(email="maria@example.org"))
    assert sorted(shown.context["form"].errors) == ["__all__", "email"]

    response = at_desk.post(NEW, sent_again(shown, anyway="1"))

    assert list(response.context["form"].errors) == ["email"]
    assert response.context["form"].duplicates == [maria, other]
    assert Patient.objects.count() == 2


def test_possible_duplicates_are_shown_beside_other_refusals(at_desk, maria):
    response = at_desk.post(NEW, typed(**SAME_PERSON, email="nobody"))

    assert sorted(response.context["form"].errors) == ["__all__", "email"]
    assert response.context["form"].duplicates == [maria]


def test_edit_does_not_check_duplicates(at_desk, maria):
    other = PatientFactory()

    response = at_desk.post(f"/patients/{other.pk}/edit/", seen(other) | typed(**SAME_PERSON, **SAME_PHONE))

    assert response.status_code == 302
    other.refresh_from_db()
    assert other.full_name == "maria Weiss Santos"


# Inside another form


def inside(**data):
    """Return the data of an enclosing form with its own fields."""
    sent = QueryDict(mutable=True)
    sent.update({f"new-{name}": value for name, value in data.items()} | {"first_name": "of the other form"})
    return sent


def test_form_with_a_prefix_works_the_same(maria):
    form = PatientForm(inside(**typed(**SAME_PERSON)), prefix="new")
    assert not form.is_valid()
    assert (form.duplicates, form.can_register_anyway) == ([maria], True)
    assert form.anyway_name == "new-anyway"
    again = {name: form[name].value() or "" for name in form.fields} | {"anyway": "1"}

    form = PatientForm(inside(**again), prefix="new")

    assert form.is_valid()
    assert form.save().full_name == "maria Weiss Santos"


def test_form_with_a_prefix_ignores_anyway_of_the_form_around_it(maria):
    sent = inside(**typed(**SAME_PERSON), duplicates_shown=str(maria.pk))
    sent["anyway"] = "1"

    form = PatientForm(sent, prefix="new")

    assert not form.is_valid()
    assert form.can_register_anyway
