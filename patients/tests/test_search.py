"""Search for patients: finds all matches and no others, in one query, by index."""

import pytest

from clinic.tests.factories import UserFactory
from clinic.tests.kit import rolled_back
from clinic.tests.plans import analyze, steps_of
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def found(text):
    return [str(patient) for patient in Patient.objects.search(text)]


@pytest.fixture
def jose():
    PatientFactory(first_name="Ana", last_name="Silva", email="ana@example.com", phone_number="21 000 00 00")
    return PatientFactory(
        first_name="José Luís", last_name="Weiß-Sørensen", email="jose.w@example.org", phone_number="+351 912 345 678"
    )


# Names


def test_search_by_words_of_the_name_finds_in_any_order(jose):
    texts = [
        *("José", "jose", "JOSE", "jo", "j", "luis", "Jose\u0301"),
        *("Weiß", "weiss", "WEISS", "Sørensen", "sorensen"),
        *("Weiß-Sørensen", "weiss sorensen", "sorensen weiss"),
        *("jose weiss", "weiss jose", "weiss, jose", "  luis   jose  ", "Weiß-Sørensen, José"),
        *("sor we lu jo", "lu wei", "WEI, JO"),
    ]

    assert {text: found(text) for text in texts if found(text) != [str(jose)]} == {}


def test_search_by_the_middle_of_a_word_finds_no_patient(jose):
    texts = ["ose", "eiss", "jose silva", "josef", "jose x", "example", "%", "_ose"]

    assert {text: found(text) for text in texts if found(text)} == {}


def test_search_treats_symbols_as_spaces(jose):
    texts = ["j%", "jose\\", "jose*", "jose; --"]

    assert {text: found(text) for text in texts if found(text) != [str(jose)]} == {}


def test_empty_search_finds_no_patient_without_a_query(jose, django_assert_num_queries):
    texts = ["", "   ", "-", "'", "\u200b", "+", "()", "\x00", "\ud800", "😀"]

    with django_assert_num_queries(0):
        assert {text: found(text) for text in texts if found(text)} == {}


def test_search_orders_by_name():
    for first_name, last_name in [("Zoe", "Santos"), ("Maria", "Ávila"), ("Maria", "Zola"), ("Ana", "Santos")]:
        PatientFactory(first_name=first_name, last_name=last_name)

    assert found("santos") == ["Ana Santos", "Zoe Santos"]
    assert found("maria") == ["Maria Ávila", "Maria Zola"]


def test_search_finds_a_patient_once_though_several_keys_match():
    PatientFactory(first_name="Ana Anabela", last_name="Anacleto", email="ana@example.org")

    assert found("ana") == ["Ana Anabela Anacleto"]


def test_search_by_a_name_with_an_apostrophe_finds_it_without():
    for apostrophe in ("'", "’", "`"):
        with rolled_back():
            PatientFactory(first_name="Sean", last_name=f"O{apostrophe}Brien")

            assert found("obrien") == found("o'brien") == found("O’Bri") == [f"Sean O{apostrophe}Brien"]


def test_search_finds_names_of_any_script():
    names = [
        ("Ольга", "Иванова", "иванова оль"),
        ("Χρήστος", "Παππάς", "παππας"),
        ("किरण", "शर्मा", "शर्मा"),
        ("伟", "李", "李"),
        ("민준", "김", "김"),
        ("太郎", "𠮷田", "𠮷"),
        ("太郎", "𠮷田", "𠮷田"),
        ("محمد", "الأحمد", "الأحمد"),
    ]
    PatientFactory(first_name="Ana", last_name="Silva")

    for first_name, last_name, text in names:
        with rolled_back():
            PatientFactory(first_name=first_name, last_name=last_name)

            assert found(text) == [f"{first_name} {last_name}"], text


def test_search_by_a_long_name_finds_it():
    PatientFactory(first_name="x" * 50, last_name="y" * 50)

    assert len(found(f"{'y' * 50} {'x' * 50}")) == 1


# E-mail


def test_search_by_the_beginning_of_an_email_finds(jose):
    texts = ["jose.w@example.org", "JOSE.W@Example.ORG", "  jose.w@example.org ", "jose.w@ex", "jose.w@"]

    assert {text: found(text) for text in texts if found(text) != [str(jose)]} == {}


def test_search_by_another_email_finds_no_patient(jose):
    texts = ["w@example.org", "@example.org", "ose.w@example.org", "jose.w@example.org.pt"]

    assert {text: found(text) for text in texts if found(text)} == {}


def test_search_by_a_very_long_email_finds_it():
    email = f"{'a' * 60}@{'b' * 60}.example.org"
    PatientFactory(first_name="Ana", last_name="Silva", email=email)

    assert found(email) == ["Ana Silva"]


# Phone number


def missed(stored, texts):
    """Return the texts that do not find Maria if her phone number is stored like this."""
    with rolled_back():
        PatientFactory(first_name="Maria", last_name="Santos", phone_number=stored)
        return [(stored, text) for text in texts if found(text) != ["Maria Santos"]]


def test_search_by_phone_number_in_any_format_finds():
    texts = [
        *("+351 912 345 678", "+351912345678", "00351 912 345 678", "351912345678", "+351 912-345"),
        *("912345678", "912 345 678", "912-345-678", "(912) 345.678", "0912345678", "(0)912 345"),
        *("91234", "912"),
    ]
    PatientFactory(first_name="Ana", last_name="Silva", phone_number="+351 960 000 000")

    for stored in ("+351 912 345 678", "00351912345678", "+351912345678", "(+351) 912-345-678"):
        assert missed(stored, texts) == []


def test_search_by_phone_number_finds_one_stored_without_country_code():
    for stored in ("912 345 678", "912345678", "912.345.678"):
        assert missed(stored, ["912345678", "912 345 678", "+351 912345678", "00351912345678"]) == []


def test_search_by_phone_number_copes_with_trunk_digits_and_extensions():
    texts_by_number = {
        "+44 (0)20 7946 0958": ["+44 20 7946 0958", "020 7946 0958", "20 7946 0958", "+44 (0)20 7946 0958"],
        "+353 (0)1 234 5678": ["+353 1 234 5678", "01 234 5678", "+353 (0)1 234 5678"],
        "020 7946 0958": ["+44 20 7946 0958", "020 7946 0958", "20 7946 0958"],
        "+39 06 1234 5678": ["+39 06 1234 5678", "06 1234 5678"],
        "+1 212 555 0123": ["+1 212 555 0123", "1 212 555 0123", "212-555-0123", "(212) 555-0123"],
        "912 345 678 ext. 12": ["912 345 678", "912 345 678 ext. 12"],
        "912345678#12": ["912345678", "912345678#12"],
        "112": ["112"],
    }

    assert [miss for stored, texts in texts_by_number.items() for miss in missed(stored, texts)] == []


def test_search_by_another_phone_number_finds_no_patient(jose):
    texts = ["912345679", "345678", "+351 912 345 6789", "+34 912 345 679"]

    assert {text: found(text) for text in texts if found(text)} == {}


# Queries


def test_search_makes_one_query_however_many_are_found(django_assert_num_queries):
    for count in (3, 30):
        while Patient.objects.count() < count:
            PatientFactory(
                first_name="Maria", last_name="Santos", email=f"patient@example.org{Patient.objects.count()}"
            )
        for text in ("maria", "maria santos", "patient@example.org", "+351 912 345 678"):
            with django_assert_num_queries(1):
                assert len(found(text)) == count, text


def test_search_combines_with_other_conditions(jose):
    assert list(Patient.objects.exclude(pk=jose.pk).search("jose")) == []
    assert Patient.objects.search("jose").count() == 1


@pytest.mark.django_db(transaction=True)  # MariaDB commits at ANALYZE
def test_search_reads_keys_by_their_index():
    Patient.objects.bulk_create(
        [
            Patient(
                first_name="Maria" if number % 10 == 0 else f"Nome{number}",
                last_name=f"Sobrenome{number}",
                email=f"p{number}@example.org",
                phone_number=f"+351 912 {number:06}",
            )
            for number in range(2000)
        ]
    )
    analyze("patients_searchkey", "patients_patient")

    plans = {
        text: steps_of(Patient.objects.search(text))
        for text in ("sobrenome123", "maria sobrenome120", "p123@example.org", "912 000 123")
    }

    for text, steps in plans.items():
        assert any("patient_search_key" in step.text for step in steps), text
        assert [step.text for step in steps if not step.is_bounded] == [], text


# Permissions


def test_user_without_a_role_sees_no_patient(jose):
    assert list(Patient.objects.visible_to(UserFactory())) == []


def test_receptionist_sees_all_patients(jose, receptionist):
    assert Patient.objects.visible_to(receptionist).count() == 2
