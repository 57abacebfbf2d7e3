"""When anonymising is refused, what is refused for an anonymised patient, and one deleted instead."""

import datetime as dt
import json

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from appointments import locking
from appointments.booking import actions
from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.db.transactions import LostRace
from clinic.models import AuditEntry, SavedForm
from clinic.tests.kit import codes_in
from clinic.tests.whole_database import places_of
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.privacy.anonymise import anonymise
from patients.tests.a_patients_life import day
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db")


# Refusals to anonymise


def test_open_appointment_today_or_later_prevents_anonymising(frozen, patient, isolated):
    cases = [
        (day(26), "booked", True),
        (day(25, 15), "booked", True),
        (day(25, 8), "booked", True),
        (day(25, 8), "arrived", True),
        (day(25, 8), "in_consultation", True),
        (day(25, 8), "completed", False),
        (day(25, 8), "no_show", False),
        (day(26), "cancelled", False),
        (day(24, 23), "booked", False),
        (dt.datetime(2026, 11, 24, 23, 45, tzinfo=dt.UTC), "booked", True),
    ]
    for start_time, status, is_refused in cases:
        with isolated(start_time=start_time, status=status, is_refused=is_refused):
            cancelled = {"cancelled_by": "patient", "cancel_reason": "Ill"} if status == "cancelled" else {}
            AppointmentFactory(patient=patient, start_time=start_time, status=status, **cancelled)

            if not is_refused:
                anonymise(patient, by=None)
                continue
            with pytest.raises(ValidationError) as refusal:
                anonymise(patient, by=None)

            assert codes_in(refusal.value) == {"": ["open_appointments"]}
            patient.refresh_from_db()
            assert patient.anonymised_at is None


@pytest.mark.both_databases
def test_anonymising_again_is_refused_and_leaves_no_entry(frozen, patient):
    anonymise(patient, by=None)
    before = AuditEntry.objects.count()

    with pytest.raises(ValidationError) as refusal:
        anonymise(patient, by=None)

    assert codes_in(refusal.value) == {"patient": ["anonymised"]}
    assert AuditEntry.objects.count() == before


def test_appointment_booked_before_the_lock_is_taken_is_a_lost_race(frozen, patient, monkeypatch):
    lock_diaries = locking.lock_diaries

    def book_and_lock(**diaries):
        monkeypatch.setattr(locking, "lock_diaries", lock_diaries)
        AppointmentFactory(patient=patient, start_time=day(24))
        lock_diaries(**diaries)

    monkeypatch.setattr(locking, "lock_diaries", book_and_lock)

    with pytest.raises(LostRace):
        anonymise(patient, by=None)

    patient.refresh_from_db()
    assert patient.anonymised_at is None


# Actions refused for an anonymised patient


@pytest.fixture
def anonymised(frozen, patient):
    return anonymise(patient, by=None)


def test_anonymised_patient_is_not_found(anonymised, subtests):
    for query in ["Anonymised", "patient", "Santos", "anonymised.invalid", "+351 912 345 678"]:
        with subtests.test(query=query):
            assert not Patient.objects.search(query).exists()


def test_anonymised_patient_is_not_exported(anonymised, in_admin):
    PatientFactory(last_name="Stays")

    sent = b"".join(in_admin.get("/patients/export/?as=csv").streaming_content).decode()

    assert "Stays" in sent
    assert "Anonymised" not in sent


def test_anonymised_patient_cannot_be_cleaned(anonymised):
    with pytest.raises(ValidationError) as refusal:
        anonymised.full_clean()

    assert codes_in(refusal.value) == {"__all__": ["anonymised"]}


@pytest.mark.both_databases
def test_edit_of_a_record_read_before_is_refused(frozen, patient):
    read_before = Patient.objects.get(pk=patient.pk)
    anonymise(patient, by=None)
    read_before.last_name = "Santos again"

    with pytest.raises(LostRace) as refusal:
        read_before.save()

    assert codes_in(refusal.value) == {"": ["anonymised"]}
    assert not places_of("Santos again")


def test_form_refuses_to_edit(anonymised, at_desk):
    form = {"first_name": "Ana", "last_name": "Silva", "email": "ana@example.org"}

    response = at_desk.post(f"/patients/{anonymised.pk}/edit/", form | {"seen_at": anonymised.updated_at.isoformat()})

    assert response.context["form"].has_error("__all__", "anonymised")
    anonymised.refresh_from_db()
    assert anonymised.last_name == f"patient {anonymised.pk}"


def test_admin_refuses_to_edit(anonymised, in_admin):
    form = {"first_name": "Ana", "last_name": "Silva", "email": "ana@example.org", "phone_number": ""}

    response = in_admin.post(
        f"/admin/patients/patient/{anonymised.pk}/change/", form | {"seen_at": anonymised.updated_at.isoformat()}
    )

    assert response.context["adminform"].form.has_error("__all__", "anonymised")


def test_api_refuses_to_edit(anonymised, api):
    answer = api.call("PATCH", f"/patients/{anonymised.pk}", {"last_name": "Silva"})

    assert answer.status_code == 409
    assert [error["code"] for error in answer.json()["errors"]] == ["anonymised"]


def test_import_does_not_change_the_record(anonymised, in_admin):
    rows = f"First name,Last name,E-mail\nAnonymised,patient {anonymised.pk},{anonymised.email}\n"
    file = SimpleUploadedFile("p.csv", rows.encode(), content_type="text/csv")

    page = in_admin.post("/patients/import/", {"file": file, "month_first": "day"})
    in_admin.post(page["Location"], {"confirm": "1"})

    assert Patient.objects.count() == 1
    anonymised.refresh_from_db()
    assert anonymised.full_name == f"Anonymised patient {anonymised.pk}"


def test_booking_is_refused(anonymised):
    with pytest.raises(ValidationError) as refusal:
        actions.book(patient=anonymised, doctor=DoctorFactory(), start_time=day(26), duration_minutes=30, by=None)

    assert codes_in(refusal.value) == {"patient": ["anonymised"]}


@pytest.mark.both_databases
def test_save_refuses_to_book_for_a_patient_read_before(frozen, patient):
    read_before = Patient.objects.get(pk=patient.pk)
    anonymise(patient, by=None)

    with pytest.raises(LostRace) as refusal:
        AppointmentFactory(patient=read_before, start_time=day(26))

    assert codes_in(refusal.value) == {"patient": ["anonymised"]}


def test_form_refuses_to_book(anonymised, at_desk):
    form = {"patient": anonymised.pk, "doctor": DoctorFactory().pk, "date": "2026-11-26", "time": "10:00"}

    at_desk.post("/appointments/book/", form | {"duration_minutes": 30})

    assert not Appointment.objects.exists()


def test_api_refuses_to_book(anonymised, api):
    body = {"patient_id": anonymised.pk, "doctor_id": DoctorFactory().pk, "duration_minutes": 30}

    answer = api.call("POST", "/appointments", body | {"start_time": "2026-11-26T10:00:00Z"})

    assert answer.status_code == 409
    assert [error["code"] for error in answer.json()["errors"]] == ["anonymised"]


def test_appointment_cannot_be_transferred_to_an_anonymised_patient(anonymised):
    appointment = AppointmentFactory(start_time=day(26))
    appointment.patient = anonymised

    with pytest.raises(ValidationError) as refusal:
        appointment.full_clean()
    with pytest.raises(LostRace):
        appointment.save()

    assert codes_in(refusal.value) == {"patient": ["anonymised"]}


def test_past_appointment_of_an_anonymised_patient_can_be_closed_out(frozen, patient):
    appointment = AppointmentFactory(patient=patient, start_time=day(20))
    anonymise(patient, by=None)

    actions.mark_no_show(appointment, by=None)

    appointment.refresh_from_db()
    assert appointment.status == "no_show"


def test_fhir_patient_is_inactive(anonymised, api):
    resource = json.loads(api.call("GET", f"/fhir/Patient/{anonymised.pk}").content)

    assert resource["active"] is False


# The page


def test_page_requires_the_tick(frozen, in_admin, patient):
    response = in_admin.post(f"/patients/{patient.pk}/anonymise/", {})

    assert response.context["form"].has_error("checked", "required")
    patient.refresh_from_db()
    assert patient.anonymised_at is None


def test_opening_the_page_changes_nothing(frozen, in_admin, patient):
    response = in_admin.get(f"/patients/{patient.pk}/anonymise/")

    assert response.status_code == 200
    patient.refresh_from_db()
    assert patient.anonymised_at is None


def test_page_explains_why_it_is_refused(frozen, in_admin, patient):
    AppointmentFactory(patient=patient, start_time=day(26))

    for response in (
        in_admin.get(f"/patients/{patient.pk}/anonymise/"),
        in_admin.post(f"/patients/{patient.pk}/anonymise/", {"checked": "on"}),
    ):
        assert response.context["refusal"]
    patient.refresh_from_db()
    assert patient.anonymised_at is None


def test_page_of_an_unknown_patient_is_not_found(in_admin):
    assert in_admin.post("/patients/999999/anonymise/", {"checked": "on"}).status_code == 404


def test_record_has_no_buttons_that_would_be_refused(anonymised, in_admin):
    page = in_admin.get(f"/patients/{anonymised.pk}/").content.decode()

    assert f"/patients/{anonymised.pk}/edit/" not in page
    assert f"/patients/{anonymised.pk}/anonymise/" not in page
    assert f"/patients/{anonymised.pk}/data/" in page
    assert anonymised.email not in page


def test_receptionist_sees_neither_button(at_desk, patient):
    page = at_desk.get(f"/patients/{patient.pk}/").content.decode()

    assert f"/patients/{patient.pk}/anonymise/" not in page
    assert f"/patients/{patient.pk}/data/" not in page


# Deleted instead


def test_patient_deleted_in_the_admin_stays_only_in_the_audit_trail(frozen, in_admin, receptionist, isolated):
    for way in ["page", "selection"]:
        with isolated(way=way):
            patient = PatientFactory(first_name="Quillon", last_name="Featherby", email="quillon.old@example.org")
            desk = Client()
            desk.force_login(receptionist)
            for client in (desk, in_admin):
                client.post("/patients/", {"query": "quillon"})
            SavedForm.objects.create(user=receptionist, path="/patients/new/", data="last_name=Featherby")

            if way == "page":
                in_admin.post(f"/admin/patients/patient/{patient.pk}/delete/", {"post": "yes"}, follow=True)
            else:
                selected = {"action": "delete_selected", "_selected_action": [patient.pk]}
                in_admin.post("/admin/patients/patient/", selected | {"post": "yes"}, follow=True)

            assert not Patient.objects.exists()
            assert {table for table, _column, _text in places_of("quillon", "featherby")} == {"clinic_auditentry"}
