"""Search for patients: finds all matches and no others, in few queries, by index."""

from itertools import combinations, permutations, product

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.core.names import fold
from clinic.tests.factories import UserFactory
from clinic.tests.kit import rolled_back
from clinic.tests.plans import analyze, steps_of_sql
from patients.models import NamePair, Patient
from patients.search import FEW
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


# All texts


def begins_words(name, text):
    """The plain definition: each term begins one of the words."""
    words, terms = fold(name).split(), fold(text).split()
    return all(any(word.startswith(term) for word in words) for term in terms)


def test_search_finds_what_the_plain_definition_finds():
    words = ["Ana", "Anabela", "An", "Bo", "Bela", "Čapek", "Ng", "Silva"]
    names = [*product(words, words), *((f"{one} {two}", three) for one, two, three in permutations(words[:6], 3))]
    Patient.objects.bulk_create(
        Patient(first_name=first, last_name=last, email=f"{number}@example.org")
        for number, (first, last) in enumerate(names)
    )
    beginnings = ["a", "an", "ana", "anab", "b", "be", "bo", "c", "n", "ng", "s", "silva", "x"]
    texts = [" ".join(terms) for count in (1, 2, 3) for terms in combinations(beginnings, count)]

    different = {
        text: missed
        for text in texts
        if (missed := set(found(text)) ^ {" ".join(name) for name in names if begins_words(" ".join(name), text)})
    }

    assert different == {}


def test_search_for_words_in_any_order_finds_the_same():
    PatientFactory(first_name="Maria João", last_name="Silva Santos")
    PatientFactory(first_name="Maria", last_name="Silva")

    for text in ("ma jo si", "santos silva joao maria", "si sa", "j m", "ma mari maria s sa"):
        results = {tuple(found(" ".join(terms))) for terms in permutations(text.split())}

        assert results == {("Maria João Silva Santos",)}, text


def test_search_for_a_common_and_a_rare_term_finds_the_only_match():
    Patient.objects.bulk_create(
        Patient(first_name="Maria", last_name=f"Silva{number}", email=f"{number}@example.org")
        for number in range(FEW + 50)
    )
    PatientFactory(first_name="Sofia Marta", last_name="Silvestre")

    for text in ("silves mart", "marta silv", "mart s", "sil m so"):
        assert found(text) == ["Sofia Marta Silvestre"], text


def test_phone_number_may_follow_the_name(jose):
    PatientFactory(first_name="José", last_name="Lima", phone_number="+351 912 999 999")

    for text in ("luis 912345678", "jose weiss 912 345", "luis +351 912 345 678", "lui 9123"):
        assert found(text) == [str(jose)], text
    for text in ("maria 912345678", "luis 9129", "luis 345678", "luis 912"):
        assert found(text) == [], text


def test_search_takes_the_nearest_words_if_too_many_match():
    for first_name, last_name in [("Zoe", "Ng"), ("Ana", "Nguyen"), ("Ana", "Ngata"), ("Zoe", "Ngo")]:
        PatientFactory(first_name=first_name, last_name=last_name)

    for text in ("ng", "n"):
        for limit, expected in (
            (1, ["Zoe Ng"]),
            (2, ["Ana Ngata", "Zoe Ng"]),
            (4, ["Ana Ngata", "Ana Nguyen", "Zoe Ng", "Zoe Ngo"]),
        ):
            assert sorted(str(each) for each in Patient.objects.search(text, limit=limit)) == sorted(expected)


def test_search_reads_on_if_patients_have_many_matching_words():
    many = [f"a{letter}" for letter in "bcdfghijklmnopqr"]
    names = [(" ".join(many), "Silva")] * 5 + [("Az", "Silvestre")] * 25
    Patient.objects.bulk_create(
        Patient(first_name=first_name, last_name=last_name, email=f"{number}@example.org")
        for number, (first_name, last_name) in enumerate(names)
    )

    for text in ("a", "a s", "s a"):
        assert Patient.objects.search(text, limit=28).count() == 28, text
        assert Patient.objects.search(text).count() == 30, text


def test_name_of_very_many_words_has_a_pair_each_and_is_found():
    words = [f"{one}{two}" for one in "abcde" for two in "fghij"]
    name = {"first_name": " ".join(words[:16]), "last_name": " ".join(words[16:])}

    PatientFactory(**name)

    assert NamePair.objects.count() == len(words)
    assert len(found(words[-1])) == len(found(f"{words[0]} {words[-1]}")) == len(found(" ".join(words[-4:]))) == 1
    assert found(f"{words[0]} x") == []


# Queries


def queries_of(text, **options):
    with CaptureQueriesContext(connection) as captured:
        list(Patient.objects.search(text, **options))
    return [query["sql"] for query in captured]


def test_search_makes_few_queries_however_many_are_found():
    most = {"maria": 2, "m s": 4, "m x": 3, "maria santos": 5, "p@example.org": 2, "+351 912 345 678": 5, "x": 1}
    for count in (3, 30):
        while Patient.objects.count() < count:
            PatientFactory(first_name="Maria", last_name="Santos", email=f"p@example.org{Patient.objects.count()}")

        assert {text: made for text in most if (made := len(queries_of(text))) > most[text]} == {}


def test_search_combines_with_other_conditions(jose):
    assert list(Patient.objects.exclude(pk=jose.pk).search("jose")) == []
    assert Patient.objects.search("jose").count() == 1


@pytest.mark.django_db(transaction=True)  # MariaDB commits at ANALYZE
def test_search_reads_keys_by_their_index_and_sorts_none():
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
    analyze("patients_searchkey", "patients_namepair", "patients_patient")
    texts = ("sobrenome123", "s", "maria sobrenome120", "n s", "nome sobre x", "p123@example.org", "912 000 123")

    for text in texts:
        of_keys = [sql for sql in queries_of(text, limit=21) if "FROM" in sql and "`key`" in sql.replace('"', "`")]
        assert of_keys, text
        for sql in of_keys:
            steps = steps_of_sql(sql.replace("%", "%%"))
            assert any("patient_search_key" in step.text or "patient_name_pair" in step.text for step in steps), text
            assert [step.text for step in steps if not step.is_bounded or "filesort" in step.text] == [], text


# Permissions


def test_user_without_a_role_sees_no_patient(jose):
    assert list(Patient.objects.visible_to(UserFactory())) == []


def test_receptionist_sees_all_patients(jose, receptionist):
    assert Patient.objects.visible_to(receptionist).count() == 2
