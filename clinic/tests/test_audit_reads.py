"""Who looks at what: every read, search, export and sign-in leaves its entry, in which nothing typed stands."""

import datetime as dt
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError

from appointments.impact import open_impact
from appointments.models import CalendarFeed, Hit
from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry, Event, ImportDraft
from clinic.tests.api_client import ApiClient
from clinic.tests.factories import UserFactory
from clinic.tests.trail import entries, only_entry, seen_in
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")


@pytest.fixture
def visit():
    return AppointmentFactory(patient=PatientFactory(first_name="Maria", last_name="Santos"))


@pytest.fixture
def own_visit(doctor_user):
    return AppointmentFactory(doctor=DoctorFactory(user=doctor_user))


def whole_trail():
    """Return everything that entries other than changes hold, as text."""
    told = AuditEntry.objects.exclude(event=Event.WRITE).values_list("additional_data", "object_repr", "changes")
    return json.dumps(list(told))


# Signing in and out


def test_signing_in_names_the_user_and_the_address(client, receptionist):
    client.post("/accounts/login/", {"username": "reception", "password": "demo-clinic-2026"}, REMOTE_ADDR="192.0.2.7")

    entry = only_entry(event=Event.SIGN_IN)
    assert (entry.actor, entry.object_id, entry.remote_addr) == (receptionist, receptionist.pk, "192.0.2.7")


def test_failing_to_sign_in_names_the_user_who_was_tried_and_not_as_the_actor(client, receptionist):
    client.post("/accounts/login/", {"username": "reception", "password": "secret-typed"}, REMOTE_ADDR="192.0.2.7")

    entry = only_entry(event=Event.SIGN_IN_FAILED)
    assert (entry.actor, entry.object_id, entry.remote_addr) == (None, receptionist.pk, "192.0.2.7")
    assert "secret-typed" not in whole_trail()


def test_failing_to_sign_in_as_nobody_does_not_keep_what_was_typed(client):
    client.post("/accounts/login/", {"username": "my-password-by-mistake", "password": "x"})

    entry = only_entry(event=Event.SIGN_IN_FAILED)
    assert entry.object_id is None
    assert "my-password" not in whole_trail()


def test_failing_takes_as_many_queries_whether_the_user_exists_or_not(
    client, receptionist, django_assert_num_queries, django_assert_max_num_queries
):
    client.post("/accounts/login/", {"username": "somebody", "password": "x"})  # warms what is cached
    counts = []
    for name in ("nobody", "reception"):
        with django_assert_max_num_queries(50) as captured:
            client.post("/accounts/login/", {"username": name, "password": "x"})
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_signing_out_names_the_user(at_desk, receptionist):
    at_desk.post("/accounts/logout/")

    assert only_entry(event=Event.SIGN_OUT).actor == receptionist


def test_nobody_signs_in_without_an_entry(client, receptionist, monkeypatch):
    client.raise_request_exception = False
    monkeypatch.setattr(AuditEntry, "save_base", lambda *args, **kwargs: 1 / 0)

    response = client.post("/accounts/login/", {"username": "reception", "password": "demo-clinic-2026"})

    assert response.status_code == 500
    assert client.get("/").status_code == 302


# Records


READS = {
    "patient": "/patients/{patient}/",
    "patient, edit": "/patients/{patient}/edit/",
    "appointment": "/appointments/{visit}/",
    "appointment, move": "/appointments/{visit}/move/",
    "appointment, cancel": "/appointments/{visit}/cancel/",
    "appointment, calendar": "/appointments/{visit}/calendar.ics",
    "book": "/appointments/book/?patient={patient}",
    "free times": "/appointments/free/?patient={patient}",
}
ADMIN_READS = {
    "admin, patient": "/admin/patients/patient/{patient}/change/",
    "admin, patient's history": "/admin/patients/patient/{patient}/history/",
    "admin, patient to be deleted": "/admin/patients/patient/{lonely}/delete/",
    "admin, appointment": "/admin/appointments/appointment/{visit}/change/",
    "admin, appointment's history": "/admin/appointments/appointment/{visit}/history/",
}
API_READS = {
    "API, patient": "/patients/{patient}",
    "API, appointment": "/appointments/{visit}",
    "FHIR, patient": "/fhir/Patient/{patient}",
    "FHIR, appointment": "/fhir/Appointment/{visit}",
}


def address_of(template, visit):
    lonely = PatientFactory().pk if "lonely" in template else 0
    return template.format(patient=visit.patient_id, visit=visit.pk, lonely=lonely), lonely or visit.patient_id


@pytest.mark.parametrize("name", READS)
def test_page_that_shows_a_record_leaves_one_entry(at_desk, receptionist, visit, name):
    address, patient_id = address_of(READS[name], visit)

    response = at_desk.get(address)

    assert response.status_code == 200
    entry = only_entry(event=Event.READ)
    assert (entry.actor, entry.patient_id) == (receptionist, patient_id)


@pytest.mark.parametrize("name", ADMIN_READS)
def test_admin_page_that_shows_a_record_leaves_one_entry(in_admin, administrator, visit, name):
    address, patient_id = address_of(ADMIN_READS[name], visit)

    response = in_admin.get(address)

    assert response.status_code == 200
    entry = only_entry(event=Event.READ)
    assert (entry.actor, entry.patient_id) == (administrator, patient_id)


@pytest.mark.parametrize("name", API_READS)
def test_call_that_answers_with_a_record_leaves_one_entry_with_the_token(api, receptionist, visit, name):
    address, patient_id = address_of(API_READS[name], visit)

    response = api.get(address)

    assert response.status_code == 200
    entry = only_entry(event=Event.READ)
    token = receptionist.api_tokens.get()
    assert (entry.actor, entry.patient_id, entry.token_id) == (receptionist, patient_id, token.pk)


@pytest.mark.parametrize("name", READS)
def test_record_is_not_shown_when_the_entry_cannot_be_written(at_desk, visit, name, monkeypatch):
    at_desk.raise_request_exception = False

    def down(*args, **kwargs):
        raise OperationalError(1205, "Lock wait timeout exceeded")

    monkeypatch.setattr(AuditEntry, "save_base", down)

    response = at_desk.get(address_of(READS[name], visit)[0])

    assert response.status_code == 503
    assert b"Maria" not in response.content


def test_form_that_is_refused_shows_the_record_again_and_notes_it(at_desk, visit):
    at_desk.post(f"/patients/{visit.patient_id}/edit/", {"first_name": ""})

    assert only_entry(event=Event.READ).patient_id == visit.patient_id


def test_change_that_is_saved_is_a_write_and_no_read(at_desk, visit):
    patient = visit.patient
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


def test_call_that_changes_nothing_is_a_read(api, visit):
    api.patch(f"/patients/{visit.patient_id}", {"first_name": "Maria"})

    assert only_entry(event=Event.READ).patient_id == visit.patient_id


def test_picked_patient_is_noted_where_the_form_is_shown_again(at_desk, visit):
    at_desk.post("/appointments/book/", {"patient": visit.patient_id, "look": "1"})

    assert only_entry(event=Event.READ).patient_id == visit.patient_id


# Lists


def test_day_by_the_api_is_one_entry_with_the_patients_in_it(api, visit):
    other = AppointmentFactory(start_time=visit.start_time + dt.timedelta(hours=1))

    api.get("/appointments?date=2026-11-24")

    entry = only_entry(event=Event.READ)
    assert seen_in(entry) == {visit.patient_id, other.patient_id}
    assert entry.additional_data["day"] == "2026-11-24"


def test_doctor_by_the_api_is_noted_with_the_own_patients_only(own_visit, doctor_user, visit):
    ApiClient(doctor_user).get("/appointments?date=2026-11-24")

    assert seen_in(only_entry(event=Event.READ)) == {own_visit.patient_id}


@pytest.mark.parametrize("page", ["", "print/"])
def test_list_of_those_who_are_hit_notes_whom_it_names(at_desk, visit, page):
    impact = open_impact([visit], cause="Leave", by=None)

    at_desk.get(f"/appointments/impacts/{impact.pk}/{page}")

    assert seen_in(only_entry(event=Event.READ)) == {visit.patient_id}


def test_admin_list_notes_whom_it_shows(in_admin, visit):
    in_admin.get("/admin/patients/patient/")

    assert seen_in(only_entry(event=Event.READ)) == {visit.patient_id}


def test_admin_list_of_appointments_notes_their_patients(in_admin, visit):
    in_admin.get("/admin/appointments/appointment/")

    assert seen_in(only_entry(event=Event.READ)) == {visit.patient_id}


@pytest.mark.parametrize("page", ["2026-11-24/print/", "next/print/", "pack/"])
def test_printed_schedule_notes_the_dates(at_desk, visit, page):
    at_desk.get(f"/schedule/{page}")

    entry = only_entry(event=Event.READ)
    assert set(entry.additional_data["printed"]) <= {"2026-11-24", "2026-11-25"}


def test_day_view_and_its_polling_leave_no_entry(at_desk, visit):
    at_desk.get("/schedule/2026-11-24/")
    at_desk.get("/schedule/2026-11-24/version/")
    at_desk.get("/schedule/2026-11-24/", headers={"HX-Request": "true"})

    assert not entries(event=Event.READ)


def test_calendar_feed_notes_who_fetched_new_visits_from_where(client, visit):
    token = CalendarFeed.make(visit.doctor, by=None)
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
    "FHIR, visits": lambda api: api.get("/fhir/Appointment?date=2026-11-24"),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_search_notes_whom_it_found_and_not_what_was_typed(at_desk, visit, name):
    SEARCHES[name](at_desk)

    entry = only_entry(event=Event.SEARCH)
    assert seen_in(entry) == {visit.patient_id}
    assert "santos" not in whole_trail().lower()


@pytest.mark.parametrize("name", ADMIN_SEARCHES)
def test_admin_search_notes_whom_it_found_and_not_what_was_typed(in_admin, visit, name):
    PatientFactory(last_name="Other", first_name="Else")

    if name == "trail":
        in_admin.post(ADMIN_SEARCHES[name], {"query": "santos"})
    else:
        in_admin.get(ADMIN_SEARCHES[name])

    entry = only_entry(event=Event.SEARCH)
    assert seen_in(entry) == {visit.patient_id}
    assert "santos" not in whole_trail().lower()


@pytest.mark.parametrize("name", API_SEARCHES)
def test_search_by_a_program_notes_whom_it_found(api, visit, name):
    response = API_SEARCHES[name](api)

    assert response.status_code == 200
    assert seen_in(only_entry(event=Event.SEARCH)) == {visit.patient_id}
    assert "santos" not in whole_trail().lower()


def test_search_in_vain_leaves_an_entry(at_desk):
    at_desk.post("/patients/", {"query": "nobody"}, follow=True)

    assert only_entry(event=Event.SEARCH).additional_data["found"] == 0


def test_page_without_a_search_leaves_none(at_desk):
    at_desk.get("/patients/")

    assert not entries(event=Event.SEARCH)


# Exports


EXPORTS = {
    "patients": "/patients/export/?as={}",
    "appointments": "/appointments/export/?first=2026-11-24&as={}",
}


@pytest.mark.parametrize("name", EXPORTS)
@pytest.mark.parametrize("as_format", ["csv", "xlsx"])
def test_export_is_noted_before_its_first_row_is_sent(in_admin, visit, name, as_format):
    response = in_admin.get(EXPORTS[name].format(as_format))  # nothing of the stream is read
    for close in response._resource_closers:  # not `close()`, which would end the test's connection, too
        close()

    entry = only_entry(event=Event.EXPORT)
    assert entry.additional_data["rows"] == 1
    assert entry.additional_data["format"] == as_format


def test_export_of_days_counts_what_it_sends(in_admin, visit):
    AppointmentFactory(start_time=visit.start_time + dt.timedelta(days=1))

    response = in_admin.get("/appointments/export/?first=2026-11-24&last=2026-11-25&as=csv")

    sent = b"".join(response.streaming_content).decode().strip().splitlines()
    entry = only_entry(event=Event.EXPORT)
    assert entry.additional_data["rows"] == len(sent) - 1 == 2
    assert (entry.additional_data["first"], entry.additional_data["last"]) == ("2026-11-24", "2026-11-25")


def test_nothing_is_exported_when_the_entry_cannot_be_written(in_admin, visit, monkeypatch):
    in_admin.raise_request_exception = False
    monkeypatch.setattr(AuditEntry, "save_base", lambda *args, **kwargs: 1 / 0)

    assert in_admin.get(EXPORTS["patients"].format("csv")).status_code == 500


# Whose data


def test_entry_of_a_hit_says_whose_visit_it_is(visit):
    open_impact([visit], cause="Leave", by=None)

    assert AuditEntry.objects.get_for_object(Hit.objects.get()).get().patient_id == visit.patient_id


def test_history_in_the_admin_tells_of_changes_only(in_admin, visit):
    in_admin.get(f"/patients/{visit.patient_id}/")

    response = in_admin.get(f"/admin/patients/patient/{visit.patient_id}/history/")

    assert [entry.event for entry in response.context_data["log_entries"]] == ["write"]


def test_preview_of_an_import_notes_who_is_registered_already(in_admin, visit, tmp_path):
    text = f"First name,Last name,E-mail\nMaria,Santos,{visit.patient.email}\n"
    in_admin.post("/patients/import/", {"file": SimpleUploadedFile("p.csv", text.encode()), "month_first": "day"})
    draft = ImportDraft.objects.get()

    in_admin.get(f"/patients/import/{draft.pk}/")

    assert seen_in(only_entry(event=Event.SEARCH)) == {visit.patient_id}


def test_list_that_names_many_holds_the_first_and_finds_all():
    patients = [PatientFactory() for _ in range(25)]

    entry = AuditEntry.objects.note(Event.SEARCH, Patient, patients=[patient.pk for patient in patients])

    assert len(entry.additional_data["patients"]) == 20
    assert entry.additional_data["found"] == len(seen_in(entry)) == 25


def test_user_without_a_role_leaves_no_read(client, visit):
    client.force_login(UserFactory())

    client.get(f"/patients/{visit.patient_id}/")

    assert not entries(event=Event.READ)
