"""Access to records named in a body, a hidden field or the admin. URLs with an id are in the crawl."""

import datetime as dt

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.files.uploadedfile import SimpleUploadedFile

from appointments.displaced.finder import open_schedule_change
from appointments.models import Appointment, CalendarFeed, ScheduleChange
from appointments.tests.factories import AppointmentFactory
from clinic.models import ApiToken, AuditEntry, ImportDraft, ImportRow, StoredResponse, User
from clinic.spreadsheets.drafts import open_draft
from clinic.tests.api_client import ApiClient
from clinic.tests.crawl import ADMINISTRATOR, DOCTOR, MANAGER, NO_ROLE, RECEPTIONIST
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases
from doctors.models import Closure, Leave, Timetable
from doctors.tests.factories import DoctorFactory
from patients.imports import PatientImporter
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")


def state():
    """All records that a refused request could change."""
    models = (Appointment, Patient, User, CalendarFeed, Leave, Closure, Timetable, ScheduleChange)
    rows = [list(model.objects.order_by("pk").values()) for model in models]
    # Any call may record the use of its token.
    tokens = list(ApiToken.objects.order_by("pk").values("pk", "name", "user", "expires_at", "revoked_at"))
    return rows, tokens, AuditEntry.objects.writes().count()


# Ids in bodies and in hidden fields


def test_import_draft_of_another_user_is_not_found(in_admin):
    owner = UserFactory(role=ADMINISTRATOR)
    file = SimpleUploadedFile("people.csv", b"First name,Last name,E-mail\nZenobia,Quixwort,z@example.org\n")
    draft = open_draft(PatientImporter(), file, by=owner, month_first=False)

    for data in (None, {}, {"cancel": "1"}, {"dismiss": "1"}, {"look": "show=6"}):
        address = f"/patients/import/{draft.pk}/"
        response = in_admin.get(address) if data is None else in_admin.post(address, data, follow=True)

        assert b"Quixwort" not in response.content
    assert ImportDraft.objects.get().registered is None
    assert ImportRow.objects.count() == 1
    assert not Patient.objects.filter(email="z@example.org").exists()


@pytest.mark.both_databases
def test_stored_response_of_another_user_is_not_returned(receptionist, admin_api):
    other = ApiClient(UserFactory(role=RECEPTIONIST))
    key = "6f1c1a3e-0000-4000-8000-000000000001"
    ana = {"first_name": "Zenobia", "last_name": "Quixwort", "email": "z@example.org"}
    other.post("/patients", ana, Idempotency_Key=key)

    response = admin_api.post("/patients", ana | {"first_name": "Ana"}, Idempotency_Key=key)

    assert response.status_code == 400
    assert b"Zenobia" not in response.content
    assert StoredResponse.objects.count() == 1


def test_booking_page_without_permission_is_refused(client, patient, doctor):
    with Cases(client=client) as case:
        for role in [MANAGER, DOCTOR, NO_ROLE]:
            with case(role):
                client.force_login(UserFactory(role=None if role == NO_ROLE else role))
                sent = {
                    "patient": patient.pk,
                    "doctor": doctor.pk,
                    "date": "2026-11-25",
                    "time": "10:00",
                    "duration_minutes": 30,
                }

                response = client.post("/appointments/book/", sent)

                assert response.status_code == 403
                assert not doctor.appointments.exists()


def test_api_booking_without_permission_is_refused(patient, doctor):
    with Cases() as case:
        for role in [MANAGER, DOCTOR, NO_ROLE]:
            with case(role):
                program = ApiClient(UserFactory(role=None if role == NO_ROLE else role))
                sent = {"patient_id": patient.pk, "doctor_id": doctor.pk, "start_time": "2026-11-25T10:00:00+00:00"}

                assert program.post("/appointments", sent).status_code == 403
                assert not doctor.appointments.exists()


def test_booking_for_an_unknown_patient_is_refused(at_desk, doctor):
    with Cases(client=at_desk) as case:
        for patient_id in ["987654", "0", "-1", "x", "1 OR 1=1", ""]:
            with case(patient_id):
                sent = {
                    "patient": patient_id,
                    "doctor": doctor.pk,
                    "date": "2026-11-25",
                    "time": "10:00",
                    "duration_minutes": 30,
                }

                response = at_desk.post("/appointments/book/", sent)

                assert response.status_code == 200
                assert not doctor.appointments.exists()


@pytest.mark.both_databases
def test_key_of_another_users_booking_changes_nothing(at_desk, doctor, patient):
    booked = AppointmentFactory()
    sent = {"patient": patient.pk, "doctor": doctor.pk, "date": "2026-11-25", "time": "10:00", "duration_minutes": 30}
    before = state()

    response = at_desk.post("/appointments/book/", sent | {"booking_key": str(booked.booking_key)})

    assert response.status_code == 200
    assert state() == before


def test_appointment_of_another_worklist_is_not_changed(at_desk):
    ours, theirs = AppointmentFactory(), AppointmentFactory()
    worklist, other = (open_schedule_change([appointment], cause="Leave", by=None) for appointment in (ours, theirs))
    before = state()

    for data in (
        {"reached": other.displaced.get().pk},
        {"cancel": str(theirs.pk), "cancel_reason": "x", "row": "1:1:1"},
    ):
        at_desk.post(worklist.get_absolute_url(), data)

    assert state() == before


@pytest.mark.both_databases
def test_form_with_an_old_version_changes_nothing(at_desk):
    appointment = AppointmentFactory(start_time=dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC))

    for version in ("0", "99", "-1", "x", ""):
        at_desk.post(f"/appointments/{appointment.pk}/arrive/", {"version": version})

    appointment.refresh_from_db()
    assert appointment.status == "booked"


# What the admin tells


def test_list_cannot_be_filtered_by_hidden_fields(in_admin):
    table = [
        "/admin/appointments/appointment/?patient__email__startswith=a",
        "/admin/appointments/appointment/?patient__phone_number__contains=912",
        "/admin/appointments/appointment/?booked_by__password__startswith=pbkdf2",
        "/admin/doctors/doctor/?user__password__startswith=pbkdf2",
        "/admin/clinic/user/?password__startswith=pbkdf2",
        "/admin/clinic/apitoken/?digest__startswith=a",
        "/admin/clinic/apitoken/?user__password__startswith=pbkdf2",
    ]
    with Cases(client=in_admin) as case:
        for address in table:
            with case(address):
                assert in_admin.get(address).status_code == 400


def test_autocomplete_answers_only_for_fields_that_have_it(in_admin):
    table = [
        ("appointments", "appointment", "status"),
        ("auth", "user", "groups"),
        ("sessions", "session", "session_key"),
        ("nowhere", "nothing", "x"),
        ("clinic", "user", "password"),
    ]
    with Cases(client=in_admin) as case:
        for app, model, field in table:
            with case(app, model, field):
                address = f"/admin/autocomplete/?app_label={app}&model_name={model}&field_name={field}&term=a"

                assert in_admin.get(address).status_code == 403


def test_view_on_site_only_redirects_to_the_record(in_admin, patient, receptionist):
    kinds = {model: ContentType.objects.get_for_model(model).pk for model in (Patient, User)}

    to_patient = in_admin.get(f"/admin/r/{kinds[Patient]}/{patient.pk}/")
    to_user = in_admin.get(f"/admin/r/{kinds[User]}/{receptionist.pk}/")

    assert to_patient["Location"] == f"http://testserver/patients/{patient.pk}/"
    assert to_user.status_code == 404


# Two doctors


@pytest.mark.both_databases
def test_doctor_learns_nothing_of_appointments_with_other_doctors(client, doctor_user):
    here, there = DoctorFactory(user=doctor_user), DoctorFactory(full_name="Dr Elsewhere")
    at_eight = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)
    missed = AppointmentFactory(doctor=here, start_time=at_eight, status="no_show")
    AppointmentFactory(doctor=there, patient=missed.patient, start_time=at_eight + dt.timedelta(minutes=15))
    client.force_login(doctor_user)

    page = client.post(f"/appointments/{missed.pk}/undo/", {"version": missed.version}, follow=True)
    program = ApiClient(doctor_user).post(f"/appointments/{missed.pk}/arrive")

    missed.refresh_from_db()
    assert missed.status == "no_show"
    assert program.status_code == 409
    assert program.json()["errors"][0]["code"] == "patient_overlap"
    for response in (page, program):
        assert b"Elsewhere" not in response.content
        assert b"08:15" not in response.content


def test_receptionist_sees_the_conflicting_appointment(at_desk):
    at_eight = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)
    missed = AppointmentFactory(start_time=at_eight, status="no_show")
    there = DoctorFactory(full_name="Dr Elsewhere")
    AppointmentFactory(doctor=there, patient=missed.patient, start_time=at_eight + dt.timedelta(minutes=15))

    page = at_desk.post(f"/appointments/{missed.pk}/undo/", {"version": missed.version}, follow=True)

    assert b"Dr Elsewhere" in page.content


def test_namesakes_of_own_patients_are_not_visible(client, doctor_user):
    own = AppointmentFactory(doctor=DoctorFactory(user=doctor_user), patient=PatientFactory(last_name="Same"))
    namesake = PatientFactory(last_name="Same", email="other@example.org")
    client.force_login(doctor_user)

    assert client.get(f"/patients/{own.patient_id}/").status_code == 200
    assert client.get(f"/patients/{namesake.pk}/").status_code == 404
