"""Anonymising a patient: no former value is found anywhere, and the other data stays."""

from importlib import import_module

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.test import Client

from appointments.detail.history import history_of
from appointments.models import Appointment, ScheduleChange
from appointments.personal_data import AppointmentData
from appointments.tests.factories import AppointmentFactory
from clinic.db.transactions import LostRace
from clinic.models import AuditEntry, ImportDraft, SavedForm, StoredResponse
from clinic.tests.api_client import ApiClient
from clinic.tests.kit import codes_in, markup
from clinic.tests.whole_database import places_of
from patients.models import NamePair, Patient, SearchKey
from patients.privacy import anonymise as anonymising
from patients.privacy import temporary_data
from patients.privacy.anonymise import anonymise
from patients.privacy.trail import trail_of
from patients.tests.a_patients_life import FORMER, NOW, day
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("lived", "db")


# Nothing is found


def test_each_former_value_is_found_before_anonymising(life):
    missing = [value for value in FORMER if not places_of(value) and value not in ("13/02/1961", "13 February 1961")]

    assert missing == []


@pytest.mark.both_databases
def test_no_former_value_remains_in_the_database(life):
    anonymise(life.patient, by=life.admin)

    assert places_of(*FORMER) == []


@pytest.mark.both_databases
def test_other_patients_data_stays(life):
    def remaining():
        # All messages of a session are deleted together.
        return [table for table, _column, _text in places_of("Brackwater") if table != "clinic_session"]

    before = remaining()

    anonymise(life.patient, by=life.admin)

    assert remaining() == before
    assert places_of("Ottoline's own")
    life.other.refresh_from_db()
    assert life.other.full_name == "Ottoline Brackwater"


@pytest.mark.both_databases
def test_former_values_remain_if_one_step_is_left_out(life, monkeypatch, isolated):
    cases = [
        (anonymising, "_anonymise_trail"),
        (AppointmentData, "erase"),
        (anonymising, "erase_temporary_data"),
        (temporary_data, "_erase_from_sessions"),
        (temporary_data, "_erase_from_drafts"),
        (temporary_data, "_erase_from_answers"),
    ]
    for module, left_out in cases:
        with isolated(left_out), monkeypatch.context() as patch:
            patch.setattr(module, left_out, lambda *_args, **_kwargs: None)

            anonymise(Patient.objects.get(pk=life.patient.pk), by=life.admin)

            assert places_of(*FORMER)


def test_own_session_contains_no_former_value(life):
    life.admin_client.post("/patients/", {"query": "Quillon"})

    response = life.admin_client.post(f"/patients/{life.patient.pk}/anonymise/", {"checked": "on"})

    assert response.status_code == 302
    assert places_of(*FORMER) == []
    assert life.admin_client.get("/patients/").context["searched"] is False


@pytest.mark.both_databases
def test_entries_without_a_patient_are_anonymised(life):
    QuerySet(AuditEntry).filter(patient_id=life.patient.pk).update(patient_id=None)

    anonymise(life.patient, by=life.admin)

    assert places_of(*FORMER) == []


def test_last_search_by_the_beginning_of_the_name_is_deleted(life):
    life.desk_client.post("/patients/", {"query": "quil"})

    anonymise(life.patient, by=life.admin)

    assert life.desk_client.get("/patients/").context["searched"] is False


@pytest.mark.both_databases
def test_session_continues_without_the_patients_data(life):
    anonymise(life.patient, by=life.admin)

    assert life.desk_client.get("/patients/").status_code == 200


def test_session_without_the_patient_stays_as_it_was(life):
    life.desk_client.post("/patients/", {"query": "brackwater"})
    before = session_of(life.desk_client)

    anonymise(life.patient, by=life.admin)

    assert session_of(life.desk_client)["patient_query"] == before["patient_query"] == "brackwater"


def test_session_keeps_user_address_and_expiry(frozen, receptionist):
    client = Client(headers={"user-agent": "Mozilla/5.0 (Macintosh) Chrome/1 Safari/1"})
    client.post("/accounts/login/", {"username": "reception", "password": "demo-clinic-2026"})
    session = client.session
    session["kept_forms"] = ["/doctors/2/leave/"]
    session["second_step"] = {"user": receptionist.pk, "at": 0, "password": "", "next": "/doctors/"}
    session.save()
    before = dict(session_of(client).items())
    patient = PatientFactory(first_name="Mac", last_name="Doctors")
    AppointmentFactory(patient=patient, start_time=day(20), status="completed", notes="11")  # the month of the end

    anonymise(patient, by=None)

    assert "Mac" in before["sign_in"]["browser"]
    assert "-11-" in before["_session_expiry"]
    assert dict(session_of(client).items()) == before


def session_of(client):
    return import_module(settings.SESSION_ENGINE).SessionStore(client.cookies[settings.SESSION_COOKIE_NAME].value)


@pytest.mark.both_databases
def test_name_in_the_admin_log_is_removed(life):
    LogEntry.objects.create(
        user=life.admin,
        content_type=ContentType.objects.get_for_model(Patient),
        object_id=str(life.patient.pk),
        object_repr="Quillon Featherby",
        action_flag=2,
    )

    anonymise(life.patient, by=life.admin)

    assert LogEntry.objects.get().object_repr == "anonymised"


def test_repeated_request_does_not_register_the_patient_again(life):
    anonymise(life.patient, by=life.admin)
    body = {"first_name": "Quillon", "last_name": "Featherby", "email": "quillon.old@example.org"}
    body |= {"phone_number": "0044 20 7946 9999", "date_of_birth": "1961-02-13"}

    answer = ApiClient(life.desk).call("POST", "/patients", body, Idempotency_Key=life.key)

    assert answer.json()["id"] == life.patient.pk
    assert answer.json()["last_name"] == "anonymised"
    assert Patient.objects.count() == 2


def test_draft_with_another_person_stays(life):
    ImportDraft.objects.all().delete()
    draft = ImportDraft.objects.create(owner=life.admin, kind="patients", details={"sample": "Nora New"})
    cells = {"first_name": "Quillon", "last_name": "Other", "email": "other@example.org", "phone_number": ""}
    draft.rows.create(number=1, cells=cells, verdict=6)

    anonymise(life.patient, by=life.admin)

    assert draft.rows.count() == 1


HALF_FILLED = {
    "/appointments/book/": "patient={patient}&reason=Test+result&notes=Told+by+the+husband",
    "/portal/appointments/book/": "patient_query=07946+0123&notes=Told+by+the+husband",
    "/appointments/{appointment}/cancel/": "cancelled_by=patient&cancel_reason=Too+ill",
    "/appointments/{appointment}/move/": "move_reason=Too+ill",
    "/appointments/impacts/1/": "cancel_reason=Too+ill",
    "/patients/new/": "first_name=Qilon&phone_number=2079460123",
    "/patients/{patient}/edit/": "first_name=Quentin&last_name=Newname&email=new%40example.org",
    "/admin/appointments/appointment/{appointment}/change/": "notes=Told+by+the+husband",
    "/admin/patients/patient/{patient}/change/": "first_name=Quentin",
    "/doctors/2/leave/": "reason=Stands+in+for+Quillon",
}


@pytest.mark.both_databases
def test_saved_form_about_the_patient_is_deleted(life, isolated):
    for path in HALF_FILLED:
        with isolated(path=path):
            ids = {"patient": life.patient.pk, "appointment": life.appointment.pk}
            data = HALF_FILLED[path].format(**ids)
            SavedForm.objects.store(user_id=life.desk.pk, path=path.format(**ids), data=data)

            anonymise(life.patient, by=life.admin)

            assert not SavedForm.objects.exists()


def test_half_filled_availability_form_stays(life):
    SavedForm.objects.store(user_id=life.manager.pk, path="/doctors/2/leave/", data="reason=Skiing")

    anonymise(life.patient, by=life.admin)

    assert SavedForm.objects.get().data == "reason=Skiing"


# What stays


def test_record_no_longer_identifies_the_patient(life):
    anonymised = anonymise(life.patient, by=life.admin)

    assert anonymised.full_name == str(anonymised) == f"Anonymised patient {life.patient.pk}"
    assert anonymised.anonymised_at == NOW
    assert (anonymised.phone_number, anonymised.date_of_birth) == ("", None)
    assert anonymised.email.endswith(".invalid")
    assert not SearchKey.objects.filter(patient=life.patient).exists()
    assert not NamePair.objects.filter(patient=life.patient).exists()


def test_email_can_be_used_for_another_patient(life):
    anonymise(life.patient, by=life.admin)

    other = Patient(first_name="Ana", last_name="Silva", email="q.featherby@example.org")
    other.full_clean()
    other.save()

    assert other.pk


def test_times_doctors_and_statuses_of_appointments_stay(life):
    columns = ("pk", "patient_id", "doctor_id", "start_time", "end_time", "status", "arrived_at", "completed_at")
    before = list(Appointment.objects.order_by("pk").values_list(*columns))

    anonymise(life.patient, by=life.admin)

    assert list(Appointment.objects.order_by("pk").values_list(*columns)) == before


def test_texts_of_appointments_are_replaced_by_marks(life):
    anonymise(life.patient, by=life.admin)

    life.appointment.refresh_from_db()
    life.cancelled.refresh_from_db()
    assert (life.appointment.reason, life.appointment.notes, life.appointment.cancel_reason) == ("", "", "")
    assert life.appointment.outside_hours_reason == "anonymised"
    assert life.cancelled.cancel_reason == "anonymised"


def test_trail_keeps_events_times_users_and_fields(life):
    def audit_entries():
        entries = AuditEntry.objects.exclude(changes__has_key="anonymised_at").order_by("pk")
        return [
            (each.pk, each.event, each.action, each.timestamp, each.actor_id, each.remote_addr, each.object_id,
             each.patient_id, sorted(each.changes or {}))
            for each in entries
        ]  # fmt: skip

    before = audit_entries()

    anonymise(life.patient, by=life.admin)

    assert audit_entries() == before


def test_trail_of_the_record_shows_anonymised(life):
    anonymise(life.patient, by=life.admin)

    entries = AuditEntry.objects.get_for_object(life.patient).order_by("pk")
    edit = entries[1]
    assert edit.changes["last_name"] == ["anonymised", "anonymised"]
    assert edit.object_repr == "anonymised"


def test_anonymising_adds_one_audit_entry(life):
    before = AuditEntry.objects.count()

    anonymise(life.patient, by=life.admin)

    assert AuditEntry.objects.count() == before + 1
    entry = AuditEntry.objects.order_by("pk").last()
    assert (entry.actor, entry.patient_id, list(entry.changes)) == (life.admin, life.patient.pk, ["anonymised_at"])
    assert entry.object_repr == f"Anonymised patient {life.patient.pk}"


def test_transferred_appointment_keeps_the_other_patients_data(life):
    anonymise(life.patient, by=life.admin)

    swap = AuditEntry.objects.get_for_object(life.given).filter(changes__has_key="patient").order_by("pk")[1]
    assert swap.changes["patient"] == ["anonymised", str(life.other.pk)]
    assert swap.changes["reason"] == ["anonymised", "Ottoline's own"]
    life.given.refresh_from_db()
    assert life.given.reason == "Ottoline's own"


def test_other_patient_of_the_swap_can_be_anonymised_too(life):
    anonymise(life.patient, by=life.admin)

    anonymise(life.other, by=life.admin)

    assert places_of("Ottoline", "Brackwater", "555 000 111") == []


def test_history_of_an_anonymised_patients_appointment_can_be_read(life):
    anonymise(life.patient, by=life.admin)

    for appointment in (life.appointment, life.given, life.cancelled):
        appointment.refresh_from_db()
        assert history_of(appointment, user=life.desk)
        assert life.desk_client.get(f"/appointments/{appointment.pk}/").status_code == 200
    assert life.desk_client.get(f"/patients/{life.patient.pk}/").status_code == 200


def test_every_page_about_the_patient_is_served_without_a_former_value(life):
    appointments = (life.appointment, life.given, life.taken, life.cancelled, life.displaced_appointment)
    anonymise(life.patient, by=life.admin)

    pages = [
        f"/patients/{life.patient.pk}/",
        f"/patients/{life.patient.pk}/data/",
        f"/patients/{life.patient.pk}/data/?format=json",
        f"/admin/patients/patient/{life.patient.pk}/change/",
        f"/admin/patients/patient/{life.patient.pk}/history/",
        f"/patients/{life.other.pk}/",
        "/admin/patients/patient/",
        "/admin/appointments/appointment/",
        "/audit/",
        f"/audit/?patient={life.patient.pk}",
        f"/appointments/impacts/{ScheduleChange.objects.get().pk}/",
        *(f"/appointments/{appointment.pk}/" for appointment in appointments),
        *(f"/admin/appointments/appointment/{appointment.pk}/change/" for appointment in appointments),
        *(f"/admin/appointments/appointment/{appointment.pk}/history/" for appointment in appointments),
        *(f"/schedule/2026-11-{number:02}/" for number in (3, 4, 5, 6, 9, 10)),
        *(f"/admin/clinic/auditentry/{pk}/change/" for pk in AuditEntry.objects.values_list("pk", flat=True)),
    ]
    for page in pages:
        response = life.admin_client.get(page)
        assert response.status_code == 200, page
        text = response.getvalue().decode()
        assert [value for value in FORMER if value in text] == [], page


def test_edit_and_booking_pages_redirect_to_the_record(life, isolated):
    for page in ["/patients/{pk}/edit/", "/appointments/book/?patient={pk}"]:
        with isolated(page=page):
            anonymise(life.patient, by=life.admin)

            response = life.desk_client.get(page.format(pk=life.patient.pk), follow=True)

            assert response.redirect_chain[-1][0] == f"/patients/{life.patient.pk}/"
            assert "cannot be changed or booked" in response.content.decode()


def test_page_distinguishes_namesakes(life):
    text = markup(life.admin_client.get(f"/patients/{life.patient.pk}/anonymise/"))

    assert "13 February 1961" in text
    assert "+44 20 7946 0123" in text
    assert "<dd>4</dd>" in text  # appointments


def test_schedule_of_the_past_still_counts_the_appointments(life):
    anonymise(life.patient, by=life.admin)

    response = life.desk_client.get("/schedule/2026-11-04/?layout=list")

    assert [block.patient.name for block in response.context["day"].listed] == [f"Anonymised patient {life.patient.pk}"]


@pytest.mark.both_databases
def test_trail_itself_still_refuses_every_other_change(life):
    with pytest.raises(TypeError):
        AuditEntry.objects.all().update(object_repr="x")
    with pytest.raises(TypeError):
        AuditEntry.objects.first().save()


def test_trail_makes_the_same_queries_for_any_amount_of_data(
    life, django_assert_num_queries, django_assert_max_num_queries
):
    with django_assert_max_num_queries(14) as few:
        trail_of(life.patient)
    for hour in range(8, 18):
        AppointmentFactory(patient=life.patient, doctor=life.doctor, start_time=day(12, hour), status="completed")

    with django_assert_num_queries(len(few)):
        trail_of(life.patient)


@pytest.mark.both_databases
def test_error_half_way_changes_nothing(life, monkeypatch):
    before = places_of(*FORMER)
    monkeypatch.setattr(AuditEntry, "save", lambda *_args, **_kwargs: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        anonymise(life.patient, by=life.admin)

    assert places_of(*FORMER) == before


@pytest.mark.both_databases
def test_form_opened_before_cannot_restore_notes(life):
    read_before = Appointment.objects.get(pk=life.appointment.pk)
    anonymise(life.patient, by=life.admin)

    with pytest.raises(LostRace):
        read_before.save()

    assert places_of(*FORMER) == []


def test_texts_about_an_anonymised_patients_appointment_are_refused(life, isolated):
    for name in ["reason", "notes"]:
        with isolated(name=name):
            anonymise(life.patient, by=life.admin)
            appointment = Appointment.objects.get(pk=life.appointment.pk)
            setattr(appointment, name, "Back again")

            with pytest.raises(ValidationError) as refusal:
                appointment.full_clean()

            assert codes_in(refusal.value) == {name: ["anonymised"]}


def test_answers_to_other_requests_stay(life):
    body = {"first_name": "Nora", "last_name": "New", "email": "nora@example.org"}
    ApiClient(life.desk).call("POST", "/patients", body, Idempotency_Key="8c4f1f0e-9f7c-4a3e-8f52-5d4b4a3d5c11")

    anonymise(life.patient, by=life.admin)

    assert StoredResponse.objects.filter(body__contains="nora@example.org").count() == 1
