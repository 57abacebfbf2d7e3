"""Patients in the JSON API."""

import pytest

from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry
from clinic.tests.api_client import ApiClient, error_codes
from clinic.tests.kit import fresh
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

ANA = {"first_name": "Ana", "last_name": "Lopes", "email": "Ana.Lopes@Example.com", "phone_number": "+351 912 345 678"}


def test_registering_answers_201_with_id_and_created_at(api, receptionist):
    response = api.post("/patients", ANA)

    assert response.status_code == 201
    ana = Patient.objects.get()
    assert response.json() == ANA | {
        "id": ana.pk,
        "email": "ana.lopes@example.com",
        "date_of_birth": None,
        "created_at": "2026-11-24T09:00:00Z",
        "updated_at": "2026-11-24T09:00:00Z",
    }
    assert response["Location"] == f"/api/patients/{ana.pk}"
    assert AuditEntry.objects.get_for_object(ana).get().actor == receptionist


@pytest.mark.both_databases
def test_registered_email_answers_400(api):
    api.post("/patients", ANA)

    for email in ("ana.lopes@example.com", " ANA.LOPES@EXAMPLE.COM"):
        response = api.post("/patients", ANA | {"email": email})

        assert (response.status_code, error_codes(response)) == (400, [("email", "email_taken")]), email
        assert Patient.objects.count() == 1, email


def test_registering_refused(api):
    refusals = [
        ({"first_name": 7}, [("first_name", "string_type")]),
        ({"first_name": ""}, [("first_name", "string_too_short")]),
        ({"first_name": "   "}, [("first_name", "blank")]),
        ({"last_name": ["Lopes"]}, [("last_name", "string_type")]),
        ({"last_name": "x" * 51}, [("last_name", "string_too_long")]),
        ({"email": "nobody"}, [("email", "string_pattern_mismatch")]),
        ({"email": "a@b"}, [("email", "invalid")]),
        ({"email": "josé@example.com"}, [("email", "invalid"), ("email", "email_characters")]),
        ({"phone_number": "call me"}, [("phone_number", "phone_number")]),
        ({"phone_number": None}, [("phone_number", "string_type")]),
        ({"date_of_birth": "2026-11-25"}, [("date_of_birth", "date_of_birth")]),
        ({"date_of_birth": "24/11/1990"}, [("date_of_birth", "date")]),
        ({"date_of_birth": 19901124}, [("date_of_birth", "date")]),
        ({"nickname": "Anita"}, [("nickname", "extra_forbidden")]),
    ]
    for changes, expected in refusals:
        response = api.post("/patients", ANA | changes)

        assert (response.status_code, error_codes(response)) == (422, expected), changes
        assert not Patient.objects.exists(), changes


def test_all_missing_fields_are_reported_at_once(api):
    response = api.post("/patients", {})

    assert response.status_code == 422
    assert error_codes(response) == [(name, "missing") for name in ("first_name", "last_name", "email")]


def test_reading_answers_200_or_404(api):
    patient = PatientFactory()

    assert api.get(f"/patients/{patient.pk}").json()["email"] == patient.email
    assert api.get("/patients/999999").status_code == 404
    assert api.get("/patients/abc").status_code == 422
    assert api.get("/patients/99999999999999999999").status_code == 422


def test_doctor_reads_own_patients_only(doctor_user):
    own = AppointmentFactory(doctor=DoctorFactory(user=doctor_user)).patient
    program = ApiClient(doctor_user)

    assert program.get(f"/patients/{own.pk}").status_code == 200
    assert program.get(f"/patients/{PatientFactory().pk}").status_code == 404


# Changing


def test_change_leaves_omitted_fields(api, receptionist):
    patient = PatientFactory(first_name="Ana", phone_number="912345678")

    response = api.patch(f"/patients/{patient.pk}", {"first_name": "Anna"})

    assert (response.status_code, response.json()["first_name"], response.json()["phone_number"]) == (
        200,
        "Anna",
        "912345678",
    )
    assert AuditEntry.objects.get_for_object(patient).order_by("-pk").first().actor == receptionist


@pytest.mark.both_databases
def test_change_to_anothers_email_answers_400(api):
    taken, patient = PatientFactory(), PatientFactory()

    response = api.patch(f"/patients/{patient.pk}", {"email": taken.email.upper()})

    assert (response.status_code, error_codes(response)) == (400, [("email", "email_taken")])


def test_change_refused(api, patient):
    for changes in ({"first_name": None}, {"email": ""}, {"id": 7}, {"created_at": "2026-01-01"}):
        assert api.patch(f"/patients/{patient.pk}", changes).status_code == 422, changes


@pytest.mark.both_databases
def test_change_that_changes_nothing_leaves_the_record(api, now):
    patient = PatientFactory(first_name="Ana")
    etag = api.get(f"/patients/{patient.pk}")["ETag"]
    now.shift(60)

    for changes in ({}, {"first_name": "Ana"}):
        response = api.patch(f"/patients/{patient.pk}", changes)

        assert (response.status_code, response["ETag"]) == (200, etag), changes
        assert AuditEntry.objects.get_for_object(patient).writes().count() == 1, changes


def test_date_of_birth_can_be_removed(api):
    patient = PatientFactory(date_of_birth="1990-01-01")

    assert api.patch(f"/patients/{patient.pk}", {"date_of_birth": None}).json()["date_of_birth"] is None


def test_change_of_an_outdated_version_answers_412(api):
    patient = PatientFactory(first_name="Ana")

    for if_match in ('"another"', "no-etag", '"a", "b"', ""):
        response = api.patch(f"/patients/{patient.pk}", {"first_name": "Anna"}, If_Match=if_match)

        assert (response.status_code, error_codes(response)) == (412, [(None, "stale")]), if_match
        assert fresh(patient).first_name == "Ana", if_match


def test_change_of_the_current_version_is_saved(api):
    for if_match in ("{}", "W/{}", '"older", {}', "*"):
        patient = PatientFactory()
        etag = api.get(f"/patients/{patient.pk}")["ETag"]

        response = api.patch(f"/patients/{patient.pk}", {"first_name": "Anna"}, If_Match=if_match.format(etag))

        assert response.status_code == 200, if_match
        assert response["ETag"] not in ("", etag), if_match
        assert response["ETag"] == api.get(f"/patients/{patient.pk}")["ETag"], if_match


# Searching


def test_search_finds_by_beginnings_in_any_order(api):
    ana = PatientFactory(first_name="Ana", last_name="Lopes")
    PatientFactory(first_name="Anton", last_name="Berg")

    assert [each["id"] for each in api.post("/patients/search", {"q": "lop an"}).json()] == [ana.pk]


@pytest.mark.both_databases
def test_search_in_pages_finds_each_once_by_name(api):
    names = ["Ålund", "Berg", "Costa", "Díaz", "Évora"]
    for name in reversed(names):
        PatientFactory(first_name="Ana", last_name=name)
    seen, cursor = [], ""

    while cursor is not None:
        response = api.post("/patients/search", {"q": "ana", "limit": 2, "cursor": cursor})
        seen += [each["last_name"] for each in response.json()]
        cursor = response.headers.get("Next-Cursor")

    assert seen == names


def test_search_refused(api):
    refused = [{}, {"q": ""}, {"q": 7}, {"q": "ana", "limit": 0}, {"q": "ana", "limit": "2"}, {"q": "a", "cursor": "?"}]

    for body in refused:
        assert api.post("/patients/search", body).status_code == 422, body


def test_search_puts_no_personal_data_in_addresses(api):
    assert api.get("/patients?q=ana").status_code == 405


@pytest.mark.both_databases
def test_search_makes_the_same_queries_for_any_number(api, django_assert_num_queries):
    api.get("/patients/999999")  # the use of the token is recorded once a minute

    for more, total in ((3, 3), (27, 30)):
        PatientFactory.create_batch(more, first_name="Ana")
        with django_assert_num_queries(3 + 3):  # the user's last search, and its patients or a new entry
            found = api.post("/patients/search", {"q": "ana"}).json()

        assert len(found) == total
