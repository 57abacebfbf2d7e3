"""Refusals in the audit trail: who was denied which record, without input."""

import datetime as dt
import uuid

import pytest
from django.test import Client

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry, Event, ImportDraft, User
from clinic.tests.api_client import ApiClient
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases
from clinic.tests.trail import entries, only_entry
from doctors.tests.factories import DoctorFactory
from patients.models import Patient

pytestmark = pytest.mark.usefixtures("db", "now")


@pytest.fixture
def foreign():
    """An appointment in another doctor's diary."""
    return AppointmentFactory(doctor=DoctorFactory())


@pytest.fixture
def at_doctor(client, doctor_user):
    client.force_login(doctor_user)
    return client


def refusal():
    """Return the only refusal: model, id, patient id and additional data."""
    entry = only_entry(event=Event.REFUSAL)
    return entry.content_type.model_class(), entry.object_id, entry.patient_id, entry.additional_data


def test_refused_appointment_is_recorded_with_its_patient(at_doctor, doctor_user, foreign):
    with Cases() as case:
        for page, status in [("", 404), ("move/", 403), ("cancel/", 403), ("calendar.ics", 404)]:
            with case(page):
                response = at_doctor.get(f"/appointments/{foreign.pk}/{page}", REMOTE_ADDR="192.0.2.7")

                assert response.status_code == status
                kind, pk, patient_id, data = refusal()
                assert (kind, pk, patient_id) == (Appointment, foreign.pk, foreign.patient_id)
                assert (data["status"], data["method"]) == (status, "GET")
                entry = only_entry(event=Event.REFUSAL)
                assert (entry.actor, entry.remote_addr) == (doctor_user, "192.0.2.7")


def test_denied_patient_is_recorded_although_the_answer_is_404(at_doctor, foreign):
    response = at_doctor.get(f"/patients/{foreign.patient_id}/")

    assert response.status_code == 404
    kind, pk, patient_id, data = refusal()
    assert (kind, pk, patient_id) == (Patient, foreign.patient_id, foreign.patient_id)
    assert (data["status"], data["view"]) == (404, "patients:patient_detail")


@pytest.mark.parametrize("path", ["/patients/{patient}", "/fhir/Patient/{patient}"])
def test_patient_refused_to_a_program_is_recorded_with_its_token(doctor_user, foreign, path):
    ApiClient(doctor_user).get(path.format(patient=foreign.patient_id))

    assert refusal()[:3] == (Patient, foreign.patient_id, foreign.patient_id)
    assert only_entry(event=Event.REFUSAL).token_id == doctor_user.api_tokens.get().pk


def test_unknown_id_is_recorded(at_desk):
    at_desk.get("/patients/999999/")

    assert refusal()[:3] == (Patient, 999999, None)


def test_page_of_another_role_is_recorded(client, manager):
    client.force_login(manager)

    client.get("/patients/")

    kind, pk, patient_id, data = refusal()
    assert (kind, pk, patient_id) == (User, None, None)
    assert data["view"] == "patients:patient_search"


def test_form_without_its_token_is_recorded(receptionist, foreign):
    client = Client(enforce_csrf_checks=True)
    client.force_login(receptionist)

    response = client.post(f"/appointments/{foreign.pk}/arrive/")

    assert response.status_code == 403
    assert refusal()[:3] == (Appointment, foreign.pk, foreign.patient_id)


def test_ids_in_the_body_of_an_api_call_are_recorded(api, doctor):
    sent = {"patient_id": 999999, "doctor_id": doctor.pk, "start_time": "2026-11-24T10:00:00Z"}

    response = api.post("/appointments", sent)

    assert response.status_code == 404
    assert refusal()[3]["patient_id_named"] == 999999


def test_unknown_patient_in_the_booking_form_is_recorded(at_desk, doctor):
    with Cases(client=at_desk) as case:
        for send in ["get", "step", "whole"]:
            with case(send):
                if send == "get":
                    at_desk.get("/appointments/book/?patient=999999")
                elif send == "step":
                    at_desk.post("/appointments/book/", {"patient": "999999", "look": "1"})
                else:
                    sent = {"doctor": doctor.pk, "date": "2026-11-24", "time": "11:00", "duration_minutes": "30"}
                    at_desk.post("/appointments/book/", sent | {"patient": "999999", "booking_key": str(uuid.uuid4())})

                assert refusal()[:3] == (Patient, 999999, None)


def test_refused_patient_in_the_free_time_search_is_recorded(at_doctor, foreign):
    response = at_doctor.get(f"/appointments/free/?patient={foreign.patient_id}")

    assert response.status_code == 200
    assert refusal()[:3] == (Patient, foreign.patient_id, foreign.patient_id)


def test_appointment_to_move_in_the_url_is_recorded(at_doctor, foreign):
    at_doctor.get(f"/schedule/2026-11-24/?move={foreign.pk}")

    assert refusal()[3]["move_named"] == foreign.pk


def test_import_draft_of_another_user_is_recorded(in_admin):
    theirs = ImportDraft.objects.create(owner=UserFactory(), kind="patients", is_ready=True)

    in_admin.get(f"/patients/import/{theirs.pk}/")

    assert refusal()[:2] == (ImportDraft, theirs.pk)


def test_unknown_record_in_the_admin_is_recorded(in_admin):
    in_admin.get("/admin/patients/patient/999999/change/")

    assert refusal()[:3] == (Patient, 999999, None)


def test_draft_is_not_recorded_as_a_patient(at_desk, patient):
    at_desk.get(f"/patients/import/{patient.pk}/")

    assert refusal()[:3] == (ImportDraft, patient.pk, None)


def test_refusal_in_the_admin_records_the_record(in_admin, foreign):
    in_admin.post(f"/admin/appointments/appointment/{foreign.pk}/delete/")

    assert refusal()[:3] == (Appointment, foreign.pk, foreign.patient_id)


@pytest.mark.both_databases
def test_refusal_is_recorded_despite_a_rollback(at_desk, receptionist, foreign, monkeypatch):
    """The view writes, and is refused inside its transaction."""
    from django.core.exceptions import PermissionDenied
    from django.db import transaction

    from patients import views

    def writes_and_refuses(*args, **kwargs):
        with transaction.atomic():
            foreign.patient.save()
            raise PermissionDenied

    monkeypatch.setattr(views, "get_object_or_404", writes_and_refuses)

    response = at_desk.get(f"/patients/{foreign.patient_id}/")

    assert response.status_code == 403
    assert refusal()[:2] == (Patient, foreign.patient_id)


def test_anonymous_users_add_no_entry(client):
    with Cases(client=client) as case:
        for address in ["/patients/7/", "/admin/", "/api/patients/7", "/api/7", "/nowhere/7/"]:
            with case(address):
                client.get(address)

                assert not AuditEntry.objects.exists()


def test_anonymous_form_without_token_adds_no_entry():
    response = Client(enforce_csrf_checks=True).post("/accounts/login/", {"username": "x", "password": "x"})

    assert response.status_code == 403
    assert not AuditEntry.objects.exists()


def test_unknown_url_adds_no_entry(at_desk):
    at_desk.get("/maria-santos/")

    assert not entries(event=Event.REFUSAL)


def test_input_is_not_in_a_refusal(api, at_desk, foreign):
    typed = "Maria-Santos"
    at_desk.get(f"/admin/patients/patient/{typed}/change/?patient={typed}")
    at_desk.generic(typed, f"/patients/{foreign.patient_id}/")
    api.get(f"/fhir/Patient/{typed}")
    api.post("/appointments", {"patient_id": typed, "reason": typed})

    data = str([(entry.additional_data, entry.object_pk, entry.object_repr) for entry in entries(event=Event.REFUSAL)])
    assert typed not in data


@pytest.mark.both_databases
def test_denied_request_fails_if_it_cannot_be_recorded(at_desk, monkeypatch):
    at_desk.raise_request_exception = False
    monkeypatch.setattr(AuditEntry, "save_base", lambda *args, **kwargs: 1 / 0)

    assert at_desk.get("/patients/999999/").status_code == 500


@pytest.mark.both_databases
def test_time_of_the_refusal_is_recorded(at_desk):
    at_desk.get("/patients/999999/")

    assert only_entry(event=Event.REFUSAL).timestamp == dt.datetime(2026, 11, 24, 9, 0, tzinfo=dt.UTC)
