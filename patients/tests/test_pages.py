"""Finding, registering and correcting patients, and their record."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.booking import actions
from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry
from clinic.tests.kit import at, codes_at, rolled_back, seen, utc
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

SEARCH, NEW = "/patients/", "/patients/new/"
MAX_QUERIES = 4 + 3  # the user's last search in the audit trail, and its patients or a new entry
MAX_FOUND = 20
PAGE = 20
ZERO_WIDTH = "\u200b\u200b"


@pytest.fixture
def maria():
    return PatientFactory(
        first_name="Maria", last_name="Santos", email="maria@example.org", phone_number="+351 912 345 678"
    )


def typed(**changes):
    """The form data of a valid patient."""
    return {
        "first_name": "Inês",
        "last_name": "Ferreira",
        "date_of_birth": "1980-02-29",
        "phone_number": "+351 910 000 000",
        "email": "ines@example.org",
    } | changes


# Search


def test_search_finds(at_desk, maria):
    PatientFactory(first_name="Ana", last_name="Costa", email="ana@example.org", phone_number="")

    for query in ("santos", "SANT mar", "maria@example", "912 345", "+351912345678", "  santos  "):
        response = at_desk.post(SEARCH, {"query": query}, follow=True)

        assert response.context["found"] == [maria], query
        assert f'href="/patients/{maria.pk}/"' in response.content.decode(), query
        assert response.context["query"] == query.strip()


def test_search_without_results_shows_a_message(at_desk, maria):
    for query in ("nobody", "%", "_", "\0", "'", "🙂", ZERO_WIDTH, "x" * 5000):
        response = at_desk.post(SEARCH, {"query": query}, follow=True)

        assert response.context["searched"], query
        assert response.context["found"] == [], query


def test_search_for_nothing_searches_nothing(at_desk, maria):
    for query in ("", "   "):
        response = at_desk.post(SEARCH, {"query": query}, follow=True)

        assert not response.context["searched"], query
        assert response.context["found"] is None, query


def test_search_text_in_the_url_is_ignored(at_desk, maria):
    response = at_desk.get(SEARCH, {"query": "santos"})

    assert response.context["found"] is None
    assert f'href="/patients/{maria.pk}/"' not in response.content.decode()


def test_search_shows_twenty_and_says_that_there_are_more(at_desk):
    PatientFactory.create_batch(MAX_FOUND, last_name="Silva")
    for more in (False, True):
        response = at_desk.post(SEARCH, {"query": "silva"}, follow=True)

        assert len(response.context["found"]) == MAX_FOUND
        assert response.context["more"] is more
        PatientFactory(last_name="Silva")


@pytest.mark.both_databases
def test_search_makes_few_queries_for_any_number_of_rows(at_desk):
    PatientFactory.create_batch(3, last_name="Silva")
    at_desk.post(SEARCH, {"query": "silva"})
    with CaptureQueriesContext(connection) as few:
        at_desk.get(SEARCH)
    PatientFactory.create_batch(27, last_name="Silva")

    with CaptureQueriesContext(connection) as many:
        at_desk.get(SEARCH)
    with CaptureQueriesContext(connection) as asking:
        at_desk.post(SEARCH, {"query": "silva again"})

    assert len(asking) <= MAX_QUERIES + 1  # the session is written, in a savepoint while a test runs
    assert len(few) == len(many) <= MAX_QUERIES


# Register and edit


def test_register_saves_and_goes_to_the_record(at_desk, receptionist):
    response = at_desk.post(NEW, typed(email=" Ines@Example.ORG ", first_name="  Inês   Maria "))

    patient = Patient.objects.get()
    assert response["Location"] == f"/patients/{patient.pk}/"
    assert (patient.full_name, patient.email) == ("Inês Maria Ferreira", "ines@example.org")
    assert (patient.date_of_birth, patient.phone_number) == (dt.date(1980, 2, 29), "+351 910 000 000")
    assert AuditEntry.objects.get_for_object(patient).get().actor == receptionist


def test_register_needs_neither_phone_nor_date_of_birth(at_desk):
    at_desk.post(NEW, typed(phone_number="", date_of_birth=""))

    assert Patient.objects.get().date_of_birth is None


@pytest.mark.both_databases
def test_register_accepts_a_name_in_any_script(at_desk):
    names = ["x" * 50, "é" * 50, "王" * 50, "ع" * 50, "🙂" * 49 + "x", "O’Brien-Ñandú", "李", "Ⅻ", "ﷺ" * 50]

    for name in names:
        with rolled_back():
            response = at_desk.post(NEW, typed(first_name=name, last_name=name))

            patient = Patient.objects.get()
            assert response["Location"] == f"/patients/{patient.pk}/", name
            assert (patient.first_name, patient.last_name) == (name, name)
            assert at_desk.get(f"/patients/{patient.pk}/").status_code == 200, name


REFUSALS = [
    ({"email": "maria@example.org"}, "email", "email_taken"),
    ({"email": "MARIA@Example.Org"}, "email", "email_taken"),
    ({"email": "  maria@example.org "}, "email", "email_taken"),
    ({"email": ""}, "email", "required"),
    ({"email": "nobody"}, "email", "invalid"),
    ({"email": "ines@exämple.org"}, "email", "email_characters"),
    ({"email": "a\0b@example.org"}, "email", "null_characters_not_allowed"),
    ({"email": "x" * 250 + "@example.org"}, "email", "max_length"),
    ({"first_name": ""}, "first_name", "required"),
    ({"first_name": "   "}, "first_name", "required"),
    ({"first_name": ZERO_WIDTH}, "first_name", "blank_name"),
    ({"last_name": ZERO_WIDTH}, "last_name", "blank_name"),
    ({"last_name": "\u3164"}, "last_name", "blank_name"),
    ({"last_name": "a\u202eb"}, "last_name", "bad_character"),
    ({"first_name": "x" * 51}, "first_name", "max_length"),
    ({"last_name": "🙂" * 51}, "last_name", "max_length"),
    ({"last_name": "a\0b"}, "last_name", "null_characters_not_allowed"),
    ({"phone_number": "call me"}, "phone_number", "phone_number"),
    ({"phone_number": "12"}, "phone_number", "phone_number"),
    ({"phone_number": "1" * 33}, "phone_number", "max_length"),
    ({"date_of_birth": "2026-11-25"}, "date_of_birth", "date_of_birth"),
    ({"date_of_birth": "1895-01-01"}, "date_of_birth", "date_of_birth"),
    ({"date_of_birth": "0001-01-01"}, "date_of_birth", "date_of_birth"),
    ({"date_of_birth": "2026-02-30"}, "date_of_birth", "invalid"),
]


@pytest.mark.both_databases
def test_register_is_refused_at_its_field(at_desk, maria):
    for changes, field, code in REFUSALS:
        sent = typed(**changes)

        response = at_desk.post(NEW, sent)

        assert code in codes_at(response, field), changes
        form = response.context["form"]
        assert list(form.errors) == [field], changes
        assert {name: form[name].value() for name in sent} == sent
        assert list(Patient.objects.all()) == [maria], changes


def test_edit_is_refused_at_its_field(at_desk, maria):
    costa = PatientFactory(first_name="Ana", last_name="Costa", email="ana@example.org")

    for changes, field, code in REFUSALS:
        response = at_desk.post(f"/patients/{costa.pk}/edit/", seen(costa) | typed(**changes))

        assert code in codes_at(response, field), changes
        assert list(response.context["form"].errors) == [field], changes
        costa.refresh_from_db()
        assert (costa.full_name, costa.email) == ("Ana Costa", "ana@example.org"), changes


def test_edit_shows_the_stored_values(at_desk, maria):
    form = at_desk.get(f"/patients/{maria.pk}/edit/").context["form"]

    assert [form[name].value() for name in ("first_name", "last_name", "email", "phone_number")] == [
        "Maria",
        "Santos",
        "maria@example.org",
        "+351 912 345 678",
    ]


def test_edit_saves_with_its_user_and_goes_to_the_record(at_desk, receptionist, maria):
    response = at_desk.post(f"/patients/{maria.pk}/edit/", seen(maria) | typed())

    assert response["Location"] == f"/patients/{maria.pk}/"
    maria.refresh_from_db()
    assert (maria.full_name, maria.email) == ("Inês Ferreira", "ines@example.org")
    assert AuditEntry.objects.get_for_object(maria).latest("pk").actor == receptionist
    assert list(Patient.objects.search("ferreira")) == [maria]


@pytest.mark.both_databases
def test_edit_of_a_patient_changed_meanwhile_is_refused_until_sent_again(at_desk, maria, now):
    shown = seen(maria)
    now.shift(60)
    Patient.objects.get(pk=maria.pk).save()

    response = at_desk.post(f"/patients/{maria.pk}/edit/", shown | typed())

    assert codes_at(response, "__all__") == ["stale"]
    assert Patient.objects.get().full_name == "Maria Santos"
    again = {name: response.context["form"][name].value() or "" for name in response.context["form"].fields}
    assert at_desk.post(f"/patients/{maria.pk}/edit/", again).status_code == 302
    assert Patient.objects.get().full_name == "Inês Ferreira"


@pytest.mark.both_databases
def test_edit_keeps_the_own_email_in_another_case(at_desk, maria):
    response = at_desk.post(f"/patients/{maria.pk}/edit/", seen(maria) | typed(email="MARIA@example.org"))

    assert response.status_code == 302
    maria.refresh_from_db()
    assert maria.email == "maria@example.org"


def test_edit_that_is_refused_keeps_the_old_name_in_its_heading(at_desk, maria):
    response = at_desk.post(f"/patients/{maria.pk}/edit/", seen(maria) | typed(last_name=ZERO_WIDTH))

    assert "<h1>Edit Maria Santos</h1>" in response.content.decode()


def test_opening_a_form_changes_nothing(at_desk, maria):
    before = AuditEntry.objects.writes().count()

    for address in (NEW, f"/patients/{maria.pk}/edit/"):
        at_desk.get(address, typed())

        assert list(Patient.objects.all()) == [maria], address
        assert AuditEntry.objects.writes().count() == before, address


def test_unknown_patient_is_not_found(at_desk, maria):
    addresses = [f"/patients/{pk}/{page}" for pk in ("999", "9" * 23, "x") for page in ("", "edit/")]

    statuses = {address: at_desk.get(address).status_code for address in addresses}

    assert statuses == dict.fromkeys(addresses, 404)


def test_edit_of_an_unknown_patient_is_not_found(at_desk):
    assert at_desk.post("/patients/999/edit/", typed()).status_code == 404
    assert not Patient.objects.exists()


# Record


def test_record_shows_the_patient(at_desk):
    patient = PatientFactory(date_of_birth=dt.date(1980, 11, 25), email="maria@example.org")

    response = at_desk.get(f"/patients/{patient.pk}/")

    page = response.content.decode()
    assert "maria@example.org" in page
    assert "25 November 1980 · 45 years" in page
    assert f'href="/appointments/book/?patient={patient.pk}"' in page
    assert f'href="/patients/{patient.pk}/edit/"' in page


def test_record_separates_upcoming_from_past_appointments(at_desk, maria):
    yesterday, just_over, going_on, tomorrow = (
        AppointmentFactory(patient=maria, start_time=start)
        for start in (at(10, day=23), at(8, 30), at(9), at(10, day=25))
    )
    AppointmentFactory()

    response = at_desk.get(f"/patients/{maria.pk}/")

    assert list(response.context["past"]) == [just_over, yesterday]
    assert list(response.context["coming"]) == [going_on, tomorrow]
    for appointment in (yesterday, just_over, going_on, tomorrow):
        assert f'href="/appointments/{appointment.pk}/"' in response.content.decode()


@pytest.fixture
def many_appointments(maria):
    """One past appointment more than a page shows."""
    doctor = DoctorFactory()
    return [
        AppointmentFactory(patient=maria, doctor=doctor, start_time=utc(2026, 10, 1 + number, 10, 0))
        for number in range(PAGE + 1)
    ]


def test_record_turns_pages_of_past_appointments(at_desk, maria, many_appointments):
    for page, is_last in {"1": False, "2": True, "0": True, "99": True, "x": False, "": False}.items():
        response = at_desk.get(f"/patients/{maria.pk}/", {"page": page})

        assert list(response.context["past"]) == (many_appointments[:1] if is_last else many_appointments[:0:-1])
        text = response.content.decode()
        assert ('href="?page=2"' in text) is not is_last, page
        assert ('href="?page=1"' in text) is is_last, page


def test_record_makes_the_same_queries_for_3_and_30_appointments(at_desk, maria, many_appointments):
    other = PatientFactory()
    for number in range(3):
        AppointmentFactory(patient=other, start_time=utc(2026, 10, 1 + number, 12, 0))

    with CaptureQueriesContext(connection) as few:
        at_desk.get(f"/patients/{other.pk}/")
    with CaptureQueriesContext(connection) as many:
        at_desk.get(f"/patients/{maria.pk}/")

    assert len(few) == len(many)


def test_first_page_of_past_appointments_is_not_counted(at_desk, maria, many_appointments):
    with CaptureQueriesContext(connection) as queries:
        response = at_desk.get(f"/patients/{maria.pk}/")

    assert list(response.context["past"]) == many_appointments[:0:-1]
    assert 'href="?page=2"' in response.content.decode()
    assert not [query for query in queries if "COUNT(" in query["sql"]]


def test_record_shows_moves_of_upcoming_and_past_appointments(at_desk, maria, receptionist, now):
    okafor = DoctorFactory(full_name="Dr Okafor")
    for hour in (16, 9):
        appointment = AppointmentFactory(patient=maria, doctor=okafor, start_time=at(hour, 10))
        actions.move(appointment, doctor=okafor, start_time=at(hour, 5), duration_minutes=15, by=None)
    now.move_to(at(9, 21))
    at_desk.force_login(receptionist)

    text = at_desk.get(f"/patients/{maria.pk}/").content.decode()

    assert text.count("Moved from Tue 24 Nov 2026 ") == 2
    upcoming, _past = text.split("Past appointments", 1)
    assert "Moved from Tue 24 Nov 2026 16:10 to Tue 24 Nov 2026 16:05" in upcoming


def test_record_escapes_what_it_draws(at_desk, maria, receptionist):
    special = """<i>"Dr" & 'Co'"""
    doctor, other = DoctorFactory(full_name=special), DoctorFactory(full_name=special)
    appointment = AppointmentFactory(patient=maria, doctor=doctor, start_time=at(16), reason=special)
    receptionist.first_name, receptionist.last_name = "<i>", special
    receptionist.save()
    actions.move(appointment, doctor=other, start_time=at(15), duration_minutes=30, reason=special, by=receptionist)

    text = at_desk.get(f"/patients/{maria.pk}/").content.decode()

    assert "<i>" not in text
    assert text.count("&lt;i&gt;&#34;Dr&#34; &amp; &#39;Co&#39;") >= 4  # doctor, reason, move and its reason
