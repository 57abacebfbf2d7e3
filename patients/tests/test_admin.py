"""Patients in the admin: the search and the rules of the front desk; no deletion while there are appointments."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry
from clinic.tests.kit import codes_at, seen
from patients import rules
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

LIST = "/admin/patients/patient/"
ZERO_WIDTH = "\u200b\u200b"


@pytest.fixture
def maria():
    return PatientFactory(first_name="Maria", last_name="Santos", email="maria@example.org")


def typed(**changes):
    return {
        "first_name": "Inês",
        "last_name": "Ferreira",
        "date_of_birth": "1980-02-29",
        "phone_number": "+351 912 000 000",
        "email": "ines@example.org",
    } | changes


REFUSALS = [
    ({"email": "MARIA@Example.org"}, "email", "email_taken"),
    ({"email": " maria@example.org "}, "email", "email_taken"),
    ({"email": "x"}, "email", "invalid"),
    ({"email": ""}, "email", "required"),
    ({"first_name": ZERO_WIDTH}, "first_name", "blank_name"),
    ({"last_name": ZERO_WIDTH}, "last_name", "blank_name"),
    ({"last_name": "   "}, "last_name", "required"),
    ({"last_name": "x" * 51}, "last_name", "max_length"),
    ({"last_name": "a\0b"}, "last_name", "null_characters_not_allowed"),
    ({"phone_number": "call me"}, "phone_number", "phone_number"),
    ({"date_of_birth": "2026-11-25"}, "date_of_birth", "date_of_birth"),
    ({"date_of_birth": "2026-02-30"}, "date_of_birth", "invalid"),
]


def listed(response):
    return list(response.context["cl"].result_list)


def statuses_of_pages(client, patient):
    pages = ["", "add/", f"{patient.pk}/change/", f"{patient.pk}/history/", f"{patient.pk}/delete/"]
    return {page: client.get(LIST + page).status_code for page in pages}


def test_pages_open(in_admin, maria):
    statuses = statuses_of_pages(in_admin, maria)

    assert statuses == dict.fromkeys(statuses, 200)


@pytest.mark.both_databases
def test_search_finds_as_at_the_desk(in_admin, maria):
    for query, is_found in {"santos mar": True, "MARIA@": True, "912345": True, "antos": False, "  ": True}.items():
        assert listed(in_admin.get(LIST, {"q": query})) == ([maria] if is_found else []), query


def test_add_registers_with_its_user(in_admin, administrator):
    response = in_admin.post(f"{LIST}add/", typed())

    assert response["Location"] == LIST
    patient = Patient.objects.get()
    assert (patient.full_name, patient.email) == ("Inês Ferreira", "ines@example.org")
    assert AuditEntry.objects.get_for_object(patient).get().actor == administrator


def test_add_is_refused_at_its_field(in_admin, maria):
    for changes, field, code in REFUSALS:
        response = in_admin.post(f"{LIST}add/", typed(**changes))

        assert codes_at(response, field) == [code], changes
        assert list(Patient.objects.all()) == [maria], changes


def test_change_is_refused_at_its_field(in_admin, maria):
    ines = PatientFactory(first_name="Ines", last_name="Costa", email="costa@example.org")

    for changes, field, code in REFUSALS:
        response = in_admin.post(f"{LIST}{ines.pk}/change/", seen(ines) | typed(**changes))

        assert codes_at(response, field) == [code], changes
        ines.refresh_from_db()
        assert (ines.full_name, ines.email) == ("Ines Costa", "costa@example.org"), changes


def test_change_saves_and_the_new_name_is_found(in_admin, maria):
    in_admin.post(f"{LIST}{maria.pk}/change/", seen(maria) | typed(email="Maria@example.org"))

    assert list(Patient.objects.search("ines fer")) == [maria]
    assert not Patient.objects.search("santos").exists()


def test_change_of_a_patient_changed_meanwhile_is_refused(in_admin, maria):
    for shown in ({}, {"seen_at": "2026-11-24T08:00:00+00:00"}):
        response = in_admin.post(f"{LIST}{maria.pk}/change/", shown | typed())

        assert codes_at(response, "__all__") == ["stale"], shown
        maria.refresh_from_db()
        assert maria.full_name == "Maria Santos", shown


# Delete


def test_delete_removes_a_patient_without_appointments(in_admin, maria):
    in_admin.post(f"{LIST}{maria.pk}/delete/", {"post": "yes"})

    assert not Patient.objects.exists()


def test_delete_of_a_patient_with_appointments_is_refused_with_advice(in_admin, maria):
    AppointmentFactory(patient=maria)

    response = in_admin.post(f"{LIST}{maria.pk}/delete/", {"post": "yes"})

    assert response.context["protected"][0] == rules.LINKED
    assert str(rules.LINKED) in response.content.decode()
    assert Patient.objects.filter(pk=maria.pk).exists()


@pytest.mark.both_databases
def test_bulk_delete_with_one_protected_patient_deletes_none(in_admin, maria):
    AppointmentFactory(patient=maria)
    free = PatientFactory()

    response = in_admin.post(
        LIST, {"action": "delete_selected", "_selected_action": [maria.pk, free.pk], "post": "yes"}
    )

    assert response.context["protected"][0] == rules.LINKED
    assert Patient.objects.count() == 2


def test_bulk_delete_removes_patients_without_appointments(in_admin, maria):
    remaining = PatientFactory()

    in_admin.post(LIST, {"action": "delete_selected", "_selected_action": [maria.pk], "post": "yes"})

    assert list(Patient.objects.all()) == [remaining]


# Permissions and queries


def test_receptionist_is_refused(at_desk, maria):
    statuses = statuses_of_pages(at_desk, maria)

    assert statuses == dict.fromkeys(statuses, 403)


def test_list_makes_the_same_queries_for_3_and_30_rows(in_admin):
    PatientFactory.create_batch(3)
    in_admin.get(LIST)
    with CaptureQueriesContext(connection) as few:
        in_admin.get(LIST)
    PatientFactory.create_batch(27)

    with CaptureQueriesContext(connection) as many:
        response = in_admin.get(LIST)

    assert len(listed(response)) == 30
    assert len(few) == len(many)
