"""Every read, search, export and login leaves an entry, without typed text."""

import datetime as dt
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError

from appointments.displaced.finder import open_schedule_change
from appointments.models import Appointment, CalendarFeed, DisplacedAppointment
from appointments.tests.factories import AppointmentFactory
from clinic.audit.models import AuditQuerySet
from clinic.models import AuditEntry, Event, ImportDraft
from clinic.tests.api_client import ApiClient
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases
from clinic.tests.trail import entries, only_entry, seen_in
from doctors.tests.factories import DoctorFactory, TimetableFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")


@pytest.fixture
def appointment():
    return AppointmentFactory(patient=PatientFactory(first_name="Maria", last_name="Santos"))


@pytest.fixture
def own_appointment(doctor_user):
    return AppointmentFactory(doctor=DoctorFactory(user=doctor_user))


def whole_trail():
    """Return all entries but changes, as text."""
    stored = AuditEntry.objects.exclude(event=Event.WRITE).values_list("additional_data", "object_repr", "changes")
    return json.dumps(list(stored))


# Logging in and out


def test_login_entry_has_the_user_and_the_address(client, receptionist):
    client.post("/accounts/login/", {"username": "reception", "password": "demo-clinic-2026"}, REMOTE_ADDR="192.0.2.7")

    entry = only_entry(event=Event.SIGN_IN)
    assert (entry.actor, entry.object_id, entry.remote_addr) == (receptionist, receptionist.pk, "192.0.2.7")


def test_failed_login_names_the_user_but_not_as_actor(client, receptionist):
    client.post("/accounts/login/", {"username": "reception", "password": "secret-typed"}, REMOTE_ADDR="192.0.2.7")

    entry = only_entry(event=Event.SIGN_IN_FAILED)
    assert (entry.actor, entry.object_id, entry.remote_addr) == (None, receptionist.pk, "192.0.2.7")
    assert "secret-typed" not in whole_trail()


def test_failed_login_of_unknown_user_does_not_store_the_name(client):
    client.post("/accounts/login/", {"username": "my-password-by-mistake", "password": "x"})

    entry = only_entry(event=Event.SIGN_IN_FAILED)
    assert entry.object_id is None
    assert "my-password" not in whole_trail()


@pytest.mark.both_databases
def test_failed_login_takes_equal_queries_for_known_and_unknown_users(
    client, receptionist, django_assert_num_queries, django_assert_max_num_queries
):
    client.post("/accounts/login/", {"username": "unknown", "password": "x"})  # fills caches
    counts = []
    for name in ("unknown too", "reception"):
        with django_assert_max_num_queries(50) as captured:
            client.post("/accounts/login/", {"username": name, "password": "x"})
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_logout_entry_has_the_user(at_desk, receptionist):
    at_desk.post("/accounts/logout/")

    assert only_entry(event=Event.SIGN_OUT).actor == receptionist


@pytest.mark.both_databases
def test_login_fails_when_the_entry_cannot_be_written(client, receptionist, monkeypatch):
    client.raise_request_exception = False
    monkeypatch.setattr(AuditEntry, "save_base", lambda *args, **kwargs: 1 / 0)

    response = client.post("/accounts/login/", {"username": "reception", "password": "demo-clinic-2026"})

    assert response.status_code == 500
    assert client.get("/").status_code == 302


# Records


READS = {
    "patient": "/patients/{patient}/",
    "patient, edit": "/patients/{patient}/edit/",
    "appointment": "/appointments/{appointment}/",
    "appointment, move": "/appointments/{appointment}/move/",
    "appointment, cancel": "/appointments/{appointment}/cancel/",
    "appointment, calendar": "/appointments/{appointment}/calendar.ics",
    "book": "/appointments/book/?patient={patient}",
    "free times": "/appointments/free/?patient={patient}",
}
ADMIN_READS = {
    "admin, patient": "/admin/patients/patient/{patient}/change/",
    "admin, patient's history": "/admin/patients/patient/{patient}/history/",
    "admin, patient to be deleted": "/admin/patients/patient/{lonely}/delete/",
    "admin, appointment": "/admin/appointments/appointment/{appointment}/change/",
    "admin, appointment's history": "/admin/appointments/appointment/{appointment}/history/",
    "admin, patient chosen for a new appointment": "/admin/appointments/appointment/add/?patient={patient}",
    "patient's data": "/patients/{patient}/data/",
    "patient to be anonymised": "/patients/{lonely}/anonymise/",
}
API_READS = {
    "API, patient": "/patients/{patient}",
    "API, appointment": "/appointments/{appointment}",
    "FHIR, patient": "/fhir/Patient/{patient}",
    "FHIR, appointment": "/fhir/Appointment/{appointment}",
}


def address_of(template, appointment):
    lonely = PatientFactory().pk if "lonely" in template else 0
    return template.format(
        patient=appointment.patient_id, appointment=appointment.pk, lonely=lonely
    ), lonely or appointment.patient_id


def test_page_with_a_record_leaves_one_entry(at_desk, receptionist, appointment):
    with Cases(client=at_desk) as case:
        for name in READS:
            with case(name):
                address, patient_id = address_of(READS[name], appointment)

                response = at_desk.get(address)

                assert response.status_code == 200
                entry = only_entry(event=Event.READ)
                assert (entry.actor, entry.patient_id) == (receptionist, patient_id)


def test_admin_page_with_a_record_leaves_one_entry(in_admin, administrator, appointment):
    with Cases(client=in_admin) as case:
        for name in ADMIN_READS:
            with case(name):
                address, patient_id = address_of(ADMIN_READS[name], appointment)

                response = in_admin.get(address)

                assert response.status_code == 200
                entry = only_entry(event=Event.READ)
                assert (entry.actor, entry.patient_id) == (administrator, patient_id)


def test_api_response_with_a_record_leaves_one_entry_with_the_token(api, receptionist, appointment):
    with Cases() as case:
        for name in API_READS:
            with case(name):
                address, patient_id = address_of(API_READS[name], appointment)

                response = api.get(address)

                assert response.status_code == 200
                entry = only_entry(event=Event.READ)
                token = receptionist.api_tokens.get()
                assert (entry.actor, entry.patient_id, entry.token_id) == (receptionist, patient_id, token.pk)


@pytest.mark.both_databases
def test_record_is_not_shown_when_the_entry_cannot_be_written(at_desk, appointment, monkeypatch):
    with Cases(client=at_desk) as case:
        for name in READS:
            with case(name):
                at_desk.raise_request_exception = False

                def down(*args, **kwargs):
                    raise OperationalError(1205, "Lock wait timeout exceeded")

                monkeypatch.setattr(AuditEntry, "save_base", down)

                response = at_desk.get(address_of(READS[name], appointment)[0])

                assert response.status_code == 503
                assert b"Maria" not in response.content


def test_refused_form_records_that_it_shows_the_patient_again(at_desk, appointment):
    at_desk.post(f"/patients/{appointment.patient_id}/edit/", {"first_name": ""})

    assert only_entry(event=Event.READ).patient_id == appointment.patient_id


def test_refused_anonymising_records_that_it_shows_the_patient_again(in_admin, appointment):
    in_admin.post(f"/patients/{appointment.patient_id}/anonymise/", {})

    assert only_entry(event=Event.READ).patient_id == appointment.patient_id


def test_anonymising_is_recorded_as_write_only(in_admin, patient):
    in_admin.post(f"/patients/{patient.pk}/anonymise/", {"checked": "on"})

    assert not entries(event=Event.READ)


APPOINTMENTS_IN_ADMIN = "/admin/appointments/appointment"


def test_patient_chosen_in_a_refused_admin_form_is_recorded(in_admin, patient):
    response = in_admin.post(f"{APPOINTMENTS_IN_ADMIN}/add/", {"patient": patient.pk})

    assert patient.option_text in response.content.decode()
    assert only_entry(event=Event.READ).patient_id == patient.pk


def test_refused_change_of_patient_records_both_patients(in_admin, appointment, patient):
    typed = {"patient": patient.pk, "doctor": appointment.doctor_id, "seen_version": appointment.version}

    response = in_admin.post(f"{APPOINTMENTS_IN_ADMIN}/{appointment.pk}/change/", typed)

    assert patient.option_text in response.content.decode()
    read = [(entry.content_type.model_class(), entry.patient_id) for entry in entries(event=Event.READ)]
    assert read == [(Appointment, appointment.patient_id), (Patient, patient.pk)]


def test_unknown_patient_in_the_admin_is_recorded_as_refusal(in_admin):
    in_admin.get(f"{APPOINTMENTS_IN_ADMIN}/add/?patient=999999")

    assert only_entry(event=Event.REFUSAL).object_id == 999999
    assert not entries(event=Event.READ)


def test_saved_change_is_recorded_as_write_only(at_desk, appointment):
    patient = appointment.patient
    sent = {
        "first_name": "Maria",
        "last_name": "Silva",
        "email": patient.email,
        "seen_at": patient.updated_at.isoformat(),
    }

    at_desk.post(f"/patients/{patient.pk}/edit/", sent)

    assert not entries(event=Event.READ)
    assert AuditEntry.objects.get_for_object(patient).writes().latest("pk").changes_dict["last_name"] == [
        "Santos",
        "Silva",
    ]


def test_api_call_that_changes_nothing_is_recorded_as_read(api, appointment):
    api.patch(f"/patients/{appointment.patient_id}", {"first_name": "Maria"})

    assert only_entry(event=Event.READ).patient_id == appointment.patient_id


def test_picked_patient_is_recorded_when_the_form_is_shown_again(at_desk, appointment):
    at_desk.post("/appointments/book/", {"patient": appointment.patient_id, "look": "1"})

    assert only_entry(event=Event.READ).patient_id == appointment.patient_id


# Lists


def test_api_day_list_is_one_entry_with_its_patients(api, appointment):
    other = AppointmentFactory(start_time=appointment.start_time + dt.timedelta(hours=1))

    api.get("/appointments?date=2026-11-24")

    entry = only_entry(event=Event.READ)
    assert seen_in(entry) == {appointment.patient_id, other.patient_id}
    assert entry.additional_data["day"] == "2026-11-24"


def test_api_list_for_a_doctor_records_own_patients_only(own_appointment, doctor_user, appointment):
    ApiClient(doctor_user).get("/appointments?date=2026-11-24")

    assert seen_in(only_entry(event=Event.READ)) == {own_appointment.patient_id}


@pytest.mark.parametrize("page", ["", "print/"])
def test_list_of_displaced_appointments_records_its_patients(at_desk, appointment, page):
    worklist = open_schedule_change([appointment], cause="Leave", by=None)

    at_desk.get(f"/appointments/impacts/{worklist.pk}/{page}")

    assert seen_in(only_entry(event=Event.READ)) == {appointment.patient_id}


@pytest.fixture
def displaced(now):
    """An appointment on Thursday; the doctor has other hours from Tuesday on."""
    doctor = DoctorFactory()
    TimetableFactory(doctor=doctor, valid_until=dt.date(2026, 11, 30))
    TimetableFactory(doctor=doctor, valid_from=dt.date(2026, 12, 1))
    return AppointmentFactory(
        doctor=doctor,
        start_time=dt.datetime(2026, 11, 26, 10, tzinfo=dt.UTC),
        patient=PatientFactory(first_name="Maria", last_name="Santos"),
    )


THURSDAY, FRIDAY = "2026-11-26", "2026-11-27"
DOCTOR = {"full_name": "Dr Okafor", "specialization": "Cardiology", "usual_minutes": "30", "gap_minutes": "0"}
HOURS = {"valid_from": "", "valid_until": "2026-11-30", "monday": "8-12", "seen_version": "1"}
LEAVE = {
    "start_time_0": THURSDAY,
    "start_time_1": "00:00",
    "end_time_0": FRIDAY,
    "end_time_1": "00:00",
    "reason": "Ill",
}
HOLIDAYS = {"country": "US", "region": "", "year": "2026", "shown": "US//2026", "date": [THURSDAY]}
DISPLACING_FORMS = {
    "leave": ("/doctors/{doctor}/leave/", {"first_day": THURSDAY, "last_day": THURSDAY, "reason": "Ill"}),
    "closure": ("/doctors/closures/new/", {"date": THURSDAY, "name": "Power cut"}),
    "shorter hours": ("/doctors/hours/{hours}/", HOURS),
    "hours to be deleted": ("/doctors/hours/{hours}/", {"delete": "1", "seen_version": "1"}),
    "holidays": ("/doctors/closures/holidays/", HOLIDAYS),
    "admin, leave": ("/admin/doctors/leave/add/", LEAVE),
    "admin, closure": ("/admin/doctors/closure/add/", {"date": THURSDAY, "name": "Power cut"}),
    "admin, shorter hours": ("/admin/doctors/timetable/{hours}/change/", HOURS),
    "admin, deactivation": ("/admin/doctors/doctor/{doctor}/change/", DOCTOR),
}


def send_displacing_form(client, name, appointment):
    """Send a form that would displace an appointment. It shows the appointment and saves nothing."""
    address, typed = DISPLACING_FORMS[name]
    doctor = appointment.doctor
    hours = doctor.timetables.order_by("pk").first()
    return client.post(address.format(doctor=doctor.pk, hours=hours.pk), {"doctor": doctor.pk} | typed)


def test_form_with_affected_appointments_records_their_patients(in_admin, administrator, displaced):
    with Cases(client=in_admin) as case:
        for name in DISPLACING_FORMS:
            with case(name):
                response = send_displacing_form(in_admin, name, displaced)

                assert "Maria Santos" in response.content.decode()
                entry = only_entry(event=Event.READ)
                assert (entry.actor, seen_in(entry)) == (administrator, {displaced.patient_id})


@pytest.mark.both_databases
def test_affected_appointments_are_not_shown_without_an_entry(in_admin, displaced, monkeypatch):
    with Cases(client=in_admin) as case:
        for name in DISPLACING_FORMS:
            with case(name):
                in_admin.raise_request_exception = False
                monkeypatch.setattr(AuditQuerySet, "record_by_id", lambda *args, **kwargs: 1 / 0)

                response = send_displacing_form(in_admin, name, displaced)

                assert response.status_code == 500
                assert b"Maria" not in response.content


def test_long_list_of_affected_appointments_records_only_those_shown(in_admin, displaced, monkeypatch):
    with Cases(client=in_admin) as case:
        for name in DISPLACING_FORMS:
            with case(name):
                monkeypatch.setattr("doctors.displacement.MAX_NAMED", 1)
                later = AppointmentFactory(
                    doctor=displaced.doctor, start_time=displaced.start_time + dt.timedelta(hours=1)
                )

                response = send_displacing_form(in_admin, name, displaced)

                assert later.patient.full_name not in response.content.decode()
                assert "the first 1" in response.content.decode()
                assert seen_in(only_entry(event=Event.READ)) == {displaced.patient_id}


@pytest.mark.both_databases
@pytest.mark.parametrize("name", ["leave", "admin, leave"])
def test_recording_10_affected_appointments_takes_as_many_queries_as_1(
    in_admin, displaced, name, django_assert_num_queries, django_assert_max_num_queries
):
    send_displacing_form(in_admin, name, displaced)
    with django_assert_max_num_queries(100) as few:
        send_displacing_form(in_admin, name, displaced)
    for number in (-4, -3, -2, -1, 1, 2, 3, 6, 7):  # around the lunch
        AppointmentFactory(doctor=displaced.doctor, start_time=displaced.start_time + number * dt.timedelta(minutes=30))

    with django_assert_num_queries(len(few)):
        send_displacing_form(in_admin, name, displaced)

    assert len(seen_in(entries(event=Event.READ)[-1])) == 10


def test_api_response_with_affected_appointments_leaves_an_entry(admin_api, administrator, displaced):
    response = admin_api.patch(f"/doctors/{displaced.doctor_id}", {"is_active": False})

    assert [each["patient_id"] for each in response.json()["hits"]] == [displaced.patient_id]
    entry = only_entry(event=Event.READ)
    assert (entry.actor, seen_in(entry)) == (administrator, {displaced.patient_id})
    assert entry.token_id == administrator.api_tokens.get().pk


def test_accepted_displacement_is_recorded_as_write_only(admin_api, displaced):
    admin_api.patch(f"/doctors/{displaced.doctor_id}", {"is_active": False, "accept_hits": True})

    assert not entries(event=Event.READ)


def test_retention_list_records_its_patients(in_admin, patient):
    long_ago = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
    Patient.objects.filter(pk=patient.pk).update(created_at=long_ago, last_contact=long_ago)
    PatientFactory()

    in_admin.get("/patients/retention/")

    assert seen_in(only_entry(event=Event.READ)) == {patient.pk}


def test_admin_delete_confirmation_records_the_selected_patients(in_admin, patient):
    PatientFactory()

    response = in_admin.post(
        "/admin/patients/patient/", {"action": "delete_selected", "_selected_action": [patient.pk]}
    )

    assert patient.full_name in response.content.decode()
    assert seen_in(only_entry(event=Event.READ)) == {patient.pk}


def test_admin_list_records_its_patients(in_admin, appointment):
    in_admin.get("/admin/patients/patient/")

    assert seen_in(only_entry(event=Event.READ)) == {appointment.patient_id}


def test_admin_list_of_appointments_records_their_patients(in_admin, appointment):
    in_admin.get("/admin/appointments/appointment/")

    assert seen_in(only_entry(event=Event.READ)) == {appointment.patient_id}


def test_printed_schedule_records_the_dates(at_desk, appointment):
    with Cases(client=at_desk) as case:
        for page in ["2026-11-24/print/", "next/print/", "pack/"]:
            with case(page):
                at_desk.get(f"/schedule/{page}")

                entry = only_entry(event=Event.READ)
                assert set(entry.additional_data["printed"]) <= {"2026-11-24", "2026-11-25"}


def test_day_view_and_its_polling_leave_no_entry(at_desk, appointment):
    at_desk.get("/schedule/2026-11-24/")
    at_desk.get("/schedule/2026-11-24/version/")
    at_desk.get("/schedule/2026-11-24/", headers={"HX-Request": "true"})

    assert not entries(event=Event.READ)


def test_calendar_feed_records_the_address_of_a_fetch(client, appointment):
    token = CalendarFeed.make(appointment.doctor, by=None)
    first = client.get(f"/calendar/{token}.ics", REMOTE_ADDR="192.0.2.7")
    client.get(f"/calendar/{token}.ics", headers={"If-None-Match": first["ETag"]})

    entry = only_entry(event=Event.READ)
    assert (entry.actor, entry.remote_addr, entry.object_id) == (None, "192.0.2.7", CalendarFeed.objects.get().pk)
    assert token not in whole_trail()


# Searches


SEARCHES = {
    "page": lambda client: client.post("/patients/", {"query": "santos"}, follow=True),
    "while typing": lambda client: client.post("/patients/", {"query": "santos"}, headers={"HX-Request": "true"}),
    "booking": lambda client: client.post("/appointments/book/", {"patient_query": "santos", "find": "1"}),
    "register": lambda client: client.post(
        "/patients/new/",
        {"first_name": "Maria", "last_name": "Santos", "email": "new@example.org", "phone_number": "+351 912 345 678"},
    ),
}
ADMIN_SEARCHES = {
    "patients": "/admin/patients/patient/?q=santos",
    "appointments": "/admin/appointments/appointment/?q=santos",
    "autocomplete": "/admin/autocomplete/?app_label=appointments&model_name=appointment&field_name=patient&term=santos",
    "trail": "/audit/",
}
API_SEARCHES = {
    "API": lambda api: api.post("/patients/search", {"q": "santos"}),
    "FHIR, patients": lambda api: api.call(
        "POST", "/fhir/Patient/_search", raw="name=santos", content_type="application/x-www-form-urlencoded"
    ),
    "FHIR, appointments": lambda api: api.get("/fhir/Appointment?date=2026-11-24"),
}


@pytest.mark.both_databases
def test_search_records_the_patients_found_but_not_the_text(at_desk, appointment):
    with Cases(client=at_desk) as case:
        for name in SEARCHES:
            with case(name):
                SEARCHES[name](at_desk)

                entry = only_entry(event=Event.SEARCH)
                assert seen_in(entry) == {appointment.patient_id}
                assert "santos" not in whole_trail().lower()


def test_admin_search_records_the_patients_found_but_not_the_text(in_admin, appointment):
    with Cases(client=in_admin) as case:
        for name in ADMIN_SEARCHES:
            with case(name):
                PatientFactory(last_name="Other", first_name="Else")

                if name == "trail":
                    in_admin.post(ADMIN_SEARCHES[name], {"query": "santos"})
                else:
                    in_admin.get(ADMIN_SEARCHES[name])

                entry = only_entry(event=Event.SEARCH)
                assert seen_in(entry) == {appointment.patient_id}
                assert "santos" not in whole_trail().lower()


def test_api_search_records_the_patients_found(api, appointment):
    with Cases() as case:
        for name in API_SEARCHES:
            with case(name):
                response = API_SEARCHES[name](api)

                assert response.status_code == 200
                assert seen_in(only_entry(event=Event.SEARCH)) == {appointment.patient_id}
                assert "santos" not in whole_trail().lower()


def test_search_without_matches_leaves_an_entry(at_desk):
    at_desk.post("/patients/", {"query": "unknown"}, follow=True)

    assert seen_in(only_entry(event=Event.SEARCH)) == set()


def test_search_page_without_a_search_leaves_no_entry(at_desk):
    at_desk.get("/patients/")

    assert not entries(event=Event.SEARCH)


# Exports


EXPORTS = {
    "patients": "/patients/export/?as={}",
    "appointments": "/appointments/export/?first=2026-11-24&as={}",
}


def test_export_is_recorded_before_its_first_row_is_sent(in_admin, appointment):
    with Cases(client=in_admin) as case:
        for name in EXPORTS:
            for as_format in ["csv", "xlsx"]:
                with case(name, as_format):
                    response = in_admin.get(EXPORTS[name].format(as_format))  # the stream is not read
                    # Not `response.close()`, which would also close the test's connection.
                    for close in response._resource_closers:
                        close()

                    entry = only_entry(event=Event.EXPORT)
                    assert entry.additional_data["rows"] == 1
                    assert entry.additional_data["format"] == as_format


@pytest.mark.both_databases
def test_export_entry_counts_the_rows_sent(in_admin, appointment):
    AppointmentFactory(start_time=appointment.start_time + dt.timedelta(days=1))

    response = in_admin.get("/appointments/export/?first=2026-11-24&last=2026-11-25&as=csv")

    sent = b"".join(response.streaming_content).decode().strip().splitlines()
    entry = only_entry(event=Event.EXPORT)
    assert entry.additional_data["rows"] == len(sent) - 1 == 2
    assert (entry.additional_data["first"], entry.additional_data["last"]) == ("2026-11-24", "2026-11-25")


@pytest.mark.both_databases
def test_nothing_is_exported_when_the_entry_cannot_be_written(in_admin, appointment, monkeypatch):
    in_admin.raise_request_exception = False
    monkeypatch.setattr(AuditEntry, "save_base", lambda *args, **kwargs: 1 / 0)

    assert in_admin.get(EXPORTS["patients"].format("csv")).status_code == 500


# Patients of entries


def test_entry_of_a_displaced_appointment_has_its_patient(appointment):
    open_schedule_change([appointment], cause="Leave", by=None)

    assert (
        AuditEntry.objects.get_for_object(DisplacedAppointment.objects.get()).get().patient_id == appointment.patient_id
    )


def test_admin_history_lists_changes_only(in_admin, appointment):
    in_admin.get(f"/patients/{appointment.patient_id}/")

    response = in_admin.get(f"/admin/patients/patient/{appointment.patient_id}/history/")

    assert [entry.event for entry in response.context_data["log_entries"]] == ["write"]


def test_import_preview_records_the_patients_already_registered(in_admin, appointment, tmp_path):
    text = f"First name,Last name,E-mail\nMaria,Santos,{appointment.patient.email}\n"
    in_admin.post("/patients/import/", {"file": SimpleUploadedFile("p.csv", text.encode()), "month_first": "day"})
    draft = ImportDraft.objects.get()

    in_admin.get(f"/patients/import/{draft.pk}/")

    assert seen_in(only_entry(event=Event.SEARCH)) == {appointment.patient_id}


@pytest.mark.both_databases
def test_long_list_is_one_entry_with_all_patients():
    patients = {PatientFactory().pk for _ in range(25)}

    entry = AuditEntry.objects.record(Event.READ, Patient, patients=patients)

    assert entry.additional_data == {"found": 25}
    assert seen_in(entry) == patients


def test_user_without_a_role_leaves_no_read_entry(client, appointment):
    client.force_login(UserFactory())

    client.get(f"/patients/{appointment.patient_id}/")

    assert not entries(event=Event.READ)
