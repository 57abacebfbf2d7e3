"""Appointments and the audit trail in the admin: the same rules and the same safety as at the front desk."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.booking import actions
from appointments.models import Appointment
from appointments.tests.booking_form import at
from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry, User
from clinic.tests.factories import UserFactory
from clinic.tests.kit import codes_at
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

LIST = "/admin/appointments/appointment/"
TRAIL = "/admin/clinic/auditentry/"


TODAY_AT_8 = at(8, day=24)


@pytest.fixture
def appointment():
    """Booked for 10:00 tomorrow."""
    return AppointmentFactory(
        start_time=at(10),
        doctor=DoctorFactory(full_name="Dr Okafor"),
        patient=PatientFactory(first_name="Maria", last_name="Santos", email="maria@example.org"),
        reason="Sore knee",
    )


def form_data(patient, doctor, **changes):
    """The data of the admin's add form."""
    return {
        "patient": patient.pk,
        "doctor": doctor.pk,
        "start_time_0": "2026-11-25",
        "start_time_1": "10:00",
        "duration_minutes": "30",
        "reason": "",
        "notes": "",
        "seen_version": "",
    } | changes


def change_of(appointment, **changes):
    """The data of the admin's change form."""
    return (
        form_data(appointment.patient, appointment.doctor, seen_version=appointment.version, reason=appointment.reason)
        | changes
    )


def row(appointment):
    return Appointment.objects.filter(pk=appointment.pk).values().get()


def listed(response):
    return list(response.context["cl"].result_list)


def entries(appointment):
    return AuditEntry.objects.get_for_object(appointment)


def act(client, action, *appointments):
    return client.post(LIST, {"action": action, "_selected_action": [each.pk for each in appointments]}, follow=True)


def levels(response):
    return [message.level_tag for message in response.context["messages"]]


# Pages


def test_list_shows_appointments_in_clinic_time(in_admin):
    summer = AppointmentFactory(start_time=dt.datetime(2027, 7, 1, 9, 30, tzinfo=dt.UTC))

    response = in_admin.get(LIST)

    assert listed(response) == [summer]
    assert "Thu 1 Jul 2027 10:30" in response.content.decode()


def test_page_opens(in_admin, appointment, isolated):
    for page in ["add/", "{pk}/change/", "{pk}/history/", "?start_time__year=2026"]:
        with isolated(page=page):
            assert in_admin.get(LIST + page.format(pk=appointment.pk)).status_code == 200


@pytest.mark.both_databases
def test_dates_narrow_the_list(in_admin, appointment):
    later = AppointmentFactory(start_time=dt.datetime(2027, 1, 5, 10, 0, tzinfo=dt.UTC))

    response = in_admin.get(LIST, {"start_time__year": 2027})

    assert listed(response) == [later]


@pytest.mark.both_databases
def test_search_finds_by_patient(in_admin, appointment, isolated):
    cases = [
        ("santos", True),
        ("SANTOS maria", True),
        ("maria@example.org", True),
        ("knee", False),
        ("ferreira", False),
        ("   ", True),
        ("%", False),
    ]
    for query, found in cases:
        with isolated(query=query, found=found):
            response = in_admin.get(LIST, {"q": query})

            assert listed(response) == ([appointment] if found else [])


@pytest.mark.both_databases
def test_search_for_a_nul_character_is_refused(in_admin, appointment):
    assert in_admin.get(LIST, {"q": "\0"}).status_code == 200


def test_receptionist_has_no_admin(at_desk, isolated):
    for address in [LIST, TRAIL, "/admin/clinic/user/", "/admin/patients/patient/", "/admin/"]:
        with isolated(address=address):
            assert at_desk.get(address).status_code == 403


def test_list_makes_the_same_queries_for_3_and_30_rows(in_admin):
    AppointmentFactory.create_batch(3)
    in_admin.get(LIST)
    with CaptureQueriesContext(connection) as few:
        in_admin.get(LIST)
    AppointmentFactory.create_batch(27)

    with CaptureQueriesContext(connection) as many:
        response = in_admin.get(LIST)

    assert len(listed(response)) == 30
    assert len(few) == len(many)


# Add


def test_add_books_for_the_administrator(in_admin, administrator):
    patient, doctor = PatientFactory(), DoctorFactory()

    response = in_admin.post(f"{LIST}add/", form_data(patient, doctor))

    assert response["Location"] == LIST
    appointment = Appointment.objects.get()
    assert (appointment.patient, appointment.doctor, appointment.booked_by) == (patient, doctor, administrator)
    assert (appointment.start_time, appointment.end_time) == (at(10), at(10, 30))
    assert [(entry.action, entry.actor) for entry in entries(appointment)] == [
        (AuditEntry.Action.CREATE, administrator)
    ]


def test_add_cuts_seconds(in_admin):
    in_admin.post(f"{LIST}add/", form_data(PatientFactory(), DoctorFactory(), start_time_1="10:00:59"))

    assert Appointment.objects.get().start_time == at(10)


def test_add_reads_times_in_clinic_time(in_admin):
    in_admin.post(f"{LIST}add/", form_data(PatientFactory(), DoctorFactory(), start_time_0="2027-07-01"))

    assert Appointment.objects.get().start_time == dt.datetime(2027, 7, 1, 9, 0, tzinfo=dt.UTC)


def test_add_form_has_no_status_field(in_admin):
    in_admin.post(
        f"{LIST}add/", form_data(PatientFactory(), DoctorFactory(), status="completed", arrived_at_0="2026-11-24")
    )

    appointment = Appointment.objects.get()
    assert (appointment.status, appointment.arrived_at) == ("booked", None)


def test_add_is_refused_at_its_field(in_admin, isolated):
    cases = [
        ({"start_time_0": "2026-11-24", "start_time_1": "09:00"}, "start_time", "past"),
        ({"start_time_0": "2026-11-23"}, "start_time", "past"),
        ({"duration_minutes": "14"}, "duration_minutes", "duration"),
        ({"duration_minutes": "181"}, "duration_minutes", "duration"),
        ({"start_time_0": "1899-12-31"}, "start_time", "date_range"),
        ({"start_time_0": "9998-12-31"}, "start_time", "date_range"),
        ({"start_time_0": "2026-02-30"}, "start_time", "invalid"),
        ({"start_time_0": ""}, "start_time", "required"),
        ({"start_time_0": "2027-03-28", "start_time_1": "01:30"}, "start_time", "no_such_time"),
        ({"start_time_0": "2027-10-31", "start_time_1": "01:30"}, "start_time", "ambiguous_time"),
        ({"patient": "999"}, "patient", "invalid_choice"),
        ({"doctor": ""}, "doctor", "required"),
        ({"reason": "x" * 201}, "reason", "max_length"),
        ({"reason": "a\0b"}, "reason", "null_characters_not_allowed"),
        ({"notes": "x" * 2001}, "notes", "max_length"),
    ]
    for changes, field, code in cases:
        with isolated(changes=changes, field=field, code=code):
            response = in_admin.post(f"{LIST}add/", form_data(PatientFactory(), DoctorFactory()) | changes)

            assert codes_at(response, field) == [code]
            assert not Appointment.objects.exists()


def test_add_at_the_end_of_time_is_refused(in_admin, isolated):
    for date in ["0001-01-01", "9999-12-31"]:
        with isolated(date=date):
            response = in_admin.post(
                f"{LIST}add/", form_data(PatientFactory(), DoctorFactory(), start_time_0=date, start_time_1="23:59")
            )

            assert codes_at(response, "start_time")
            assert not Appointment.objects.exists()


def test_add_with_an_inactive_doctor_is_refused(in_admin):
    response = in_admin.post(f"{LIST}add/", form_data(PatientFactory(), DoctorFactory(is_active=False)))

    assert codes_at(response, "doctor") == ["inactive"]
    assert not Appointment.objects.exists()


@pytest.mark.both_databases
def test_add_overlapping_another_of_the_doctor_is_refused(in_admin, appointment, isolated):
    for start, minutes in [("10:00", 30), ("10:15", 15), ("09:00", 180), ("10:29", 30)]:
        with isolated(start=start, minutes=minutes):
            response = in_admin.post(
                f"{LIST}add/",
                form_data(PatientFactory(), appointment.doctor, start_time_1=start, duration_minutes=minutes),
            )

            assert codes_at(response, "start_time") == ["doctor_overlap"]
            assert Appointment.objects.count() == 1


@pytest.mark.both_databases
def test_add_overlapping_another_of_the_patient_is_refused(in_admin, appointment):
    response = in_admin.post(f"{LIST}add/", form_data(appointment.patient, DoctorFactory()))

    assert codes_at(response, "start_time") == ["patient_overlap"]
    assert Appointment.objects.count() == 1


def test_add_next_to_another_is_accepted(in_admin, appointment):
    in_admin.post(f"{LIST}add/", form_data(appointment.patient, appointment.doctor, start_time_1="10:30"))

    assert Appointment.objects.count() == 2


# Change


def test_change_saves_with_its_user(in_admin, administrator, appointment):
    response = in_admin.post(
        f"{LIST}{appointment.pk}/change/", change_of(appointment, start_time_1="11:00", reason="Both knees")
    )

    assert response["Location"] == LIST
    appointment.refresh_from_db()
    assert (appointment.start_time, appointment.end_time, appointment.reason) == (at(11), at(11, 30), "Both knees")
    entry = entries(appointment).latest("pk")
    assert entry.actor == administrator
    assert set(entry.changes_dict) == {"start_time", "reason"}


def test_notes_of_a_past_appointment_can_be_changed(in_admin):
    appointment = AppointmentFactory(start_time=at(10, day=23), status="completed")

    in_admin.post(
        f"{LIST}{appointment.pk}/change/", change_of(appointment, start_time_0="2026-11-23", notes="Came late")
    )

    assert row(appointment)["notes"] == "Came late"


def test_change_is_refused_at_its_field(in_admin, appointment, isolated):
    cases = [
        ({"start_time_0": "2026-11-24", "start_time_1": "08:59"}, "start_time", "past"),
        ({"duration_minutes": "14"}, "duration_minutes", "duration"),
        ({"duration_minutes": "181"}, "duration_minutes", "duration"),
        ({"start_time_1": "24:00"}, "start_time", "invalid"),
    ]
    for changes, field, code in cases:
        with isolated(changes=changes, field=field, code=code):
            before = row(appointment)

            response = in_admin.post(f"{LIST}{appointment.pk}/change/", change_of(appointment, **changes))

            assert codes_at(response, field) == [code]
            assert row(appointment) == before


@pytest.mark.both_databases
def test_change_overlapping_another_is_refused(in_admin, appointment, isolated):
    for other, minutes in [(at(11), 30), (at(11, 10), 15), (at(9, 0, day=25), 60)]:
        with isolated(other=other, minutes=minutes):
            AppointmentFactory(doctor=appointment.doctor, start_time=other, duration_minutes=minutes)
            start = "11:00" if other.hour == 11 else "09:15"

            response = in_admin.post(f"{LIST}{appointment.pk}/change/", change_of(appointment, start_time_1=start))

            assert codes_at(response, "start_time") == ["doctor_overlap"]
            assert row(appointment)["start_time"] == at(10)


def test_change_to_an_inactive_doctor_is_refused(in_admin, appointment):
    away = DoctorFactory(is_active=False)

    response = in_admin.post(f"{LIST}{appointment.pk}/change/", change_of(appointment, doctor=away.pk))

    assert codes_at(response, "doctor") == ["inactive"]
    assert row(appointment)["doctor_id"] == appointment.doctor_id


@pytest.mark.both_databases
def test_change_of_an_outdated_appointment_is_refused(in_admin, appointment):
    seen = appointment.version
    actions.move(appointment, doctor=appointment.doctor, start_time=at(12), duration_minutes=30, by=None)
    before = row(appointment)

    response = in_admin.post(
        f"{LIST}{appointment.pk}/change/",
        change_of(appointment, seen_version=seen, start_time_1="12:00", reason="Overwritten"),
    )

    assert codes_at(response, "__all__") == ["stale"]
    assert row(appointment) == before


def test_change_form_carries_the_version_and_no_status_field(in_admin, appointment):
    response = in_admin.get(f"{LIST}{appointment.pk}/change/")

    form = response.context["adminform"].form
    assert form["seen_version"].value() == appointment.version
    assert set(form.fields) == {
        "patient",
        "doctor",
        "start_time",
        "duration_minutes",
        "reason",
        "notes",
        "outside_hours",
        "outside_hours_reason",
        "seen_version",
    }


def test_change_ignores_a_sent_status(in_admin, appointment):
    in_admin.post(
        f"{LIST}{appointment.pk}/change/", change_of(appointment, status="completed", booked_by="1", notes="Saved")
    )

    assert (row(appointment)["status"], row(appointment)["booked_by_id"], row(appointment)["notes"]) == (
        "booked",
        None,
        "Saved",
    )


# Actions


def test_action_changes_selected_rows_with_an_audit_entry_each(in_admin, administrator, isolated):
    cases = [
        ("mark_arrived", "booked", "arrived"),
        ("start_consultation", "arrived", "in_consultation"),
        ("complete", "in_consultation", "completed"),
        ("mark_no_show", "booked", "no_show"),
        ("mark_left", "arrived", "left"),
        ("undo", "arrived", "booked"),
        ("undo", "no_show", "booked"),
    ]
    for action, status, becomes in cases:
        with isolated(action=action, status=status, becomes=becomes):
            selected = [AppointmentFactory(start_time=TODAY_AT_8, status=status) for _number in range(2)]
            other = AppointmentFactory(start_time=TODAY_AT_8, status=status)

            response = act(in_admin, action, *selected)

            assert levels(response) == ["success"]
            assert [row(each)["status"] for each in (*selected, other)] == [becomes, becomes, status]
            for each in selected:
                entry = entries(each).latest("pk")
                assert (entry.actor, entry.changes_dict["status"]) == (administrator, [status, becomes])
                assert entries(each).count() == 2


def test_action_lists_refused_rows_and_changes_the_others(in_admin):
    today, tomorrow = AppointmentFactory(start_time=TODAY_AT_8), AppointmentFactory(start_time=at(10))

    response = act(in_admin, "mark_arrived", today, tomorrow)

    assert sorted(levels(response)) == ["error", "success"]
    refused = next(str(message) for message in response.context["messages"] if message.level_tag == "error")
    assert str(tomorrow) in refused
    assert [row(today)["status"], row(tomorrow)["status"]] == ["arrived", "booked"]
    assert entries(tomorrow).count() == 1


def test_action_that_does_not_follow_the_status_changes_nothing(in_admin, isolated):
    cases = [
        ("mark_arrived", "arrived"),
        ("mark_arrived", "in_consultation"),
        ("start_consultation", "in_consultation"),
        ("start_consultation", "completed"),
        ("complete", "completed"),
        ("complete", "booked"),
        ("mark_no_show", "arrived"),
        ("mark_no_show", "no_show"),
        ("mark_left", "booked"),
        ("mark_left", "left"),
        ("undo", "booked"),
    ]
    for action, status in cases:
        with isolated(action=action, status=status):
            appointment = AppointmentFactory(start_time=TODAY_AT_8, status=status, arrived_at=TODAY_AT_8)
            before = row(appointment)

            act(in_admin, action, appointment)

            assert row(appointment) == before
            assert entries(appointment).count() == 1


def test_delete_is_refused(in_admin, appointment):
    response = in_admin.post(f"{LIST}{appointment.pk}/delete/", {"post": "yes"})

    assert response.status_code == 403
    assert Appointment.objects.get() == appointment


def test_change_of_an_appointment_in_a_repeated_hour_keeps_its_instant(in_admin, administrator):
    appointment = AppointmentFactory(start_time=dt.datetime(2027, 10, 31, 1, 30, tzinfo=dt.UTC))

    response = in_admin.post(
        f"{LIST}{appointment.pk}/change/",
        {
            "patient": appointment.patient_id,
            "doctor": appointment.doctor_id,
            "start_time_0": "2027-10-31",
            "start_time_1": "01:30",
            "duration_minutes": "30",
            "reason": "Corrected",
            "seen_version": appointment.version,
        },
    )

    assert response.status_code == 302
    stored = Appointment.objects.get()
    assert (stored.reason, stored.start_time) == ("Corrected", appointment.start_time)


def test_invalid_address_is_no_error(in_admin, isolated):
    cases = [
        f"{LIST}?start_time__year=9999",
        f"{LIST}?doctor__id__exact=x",
        f"{LIST}add/?start_time=2026-11-24",
        f"{LIST}add/?start_time=x&patient={'9' * 40}",
    ]
    for address in cases:
        with isolated(address=address):
            assert in_admin.get(address, follow=True).status_code == 200


def test_action_on_an_invalid_id_is_no_error(in_admin, appointment, isolated):
    for selected in ["abc", "9" * 40]:
        with isolated(selected=selected):
            response = in_admin.post(LIST, {"action": "mark_arrived", "_selected_action": [selected]}, follow=True)

            assert response.status_code == 200
            assert Appointment.objects.get().status == "booked"


def test_forged_doctor_is_refused_at_its_field(in_admin, appointment, isolated):
    for doctor in ["x", "9" * 40]:
        with isolated(doctor=doctor):
            response = in_admin.post(f"{LIST}add/", {"patient": appointment.patient_id, "doctor": doctor})

            assert codes_at(response, "doctor") == ["invalid_choice"]


def test_history_shows_the_audit_trail(in_admin, administrator, appointment):
    actions.cancel(appointment, reason="Feels better", cancelled_by="patient", by=administrator)

    page = in_admin.get(f"{LIST}{appointment.pk}/history/").content.decode()

    assert "<style" not in page
    assert "Feels better" in page
    assert "admin" in page


# Autocomplete


MARIA = "Maria Santos · +351 912 345 678"  # what tells namesakes apart


def complete(client, field, term):
    response = client.get(
        "/admin/autocomplete/",
        {"app_label": "appointments", "model_name": "appointment", "field_name": field, "term": term},
    )
    return [each["text"] for each in response.json()["results"]]


@pytest.mark.both_databases
def test_autocomplete_finds_patients_as_at_the_desk(in_admin, appointment, isolated):
    for term, found in [("sant", [MARIA]), ("maria san", [MARIA]), ("x", [])]:
        with isolated(term=term, found=found):
            assert complete(in_admin, "patient", term) == found


@pytest.mark.both_databases
def test_autocomplete_finds_doctors(in_admin, appointment):
    assert complete(in_admin, "doctor", "okaf") == ["Dr Okafor"]


# The audit trail


@pytest.fixture
def entry(appointment):
    return entries(appointment).get()


def test_trail_is_listed_only_on_the_portals_page(in_admin, entry, subtests):
    for method in ["get", "post"]:
        for asked in ["", "?q=santos", "?timestamp__year=9999", "?actor__password__startswith=pbkdf2"]:
            with subtests.test(method=method, asked=asked):
                assert getattr(in_admin, method)(TRAIL + asked)["Location"] == "/audit/"


def test_entry_of_the_trail_can_be_read(in_admin, entry):
    assert in_admin.get(f"{TRAIL}{entry.pk}/change/").status_code == 200


def test_history_says_that_its_times_are_in_utc(in_admin, appointment):
    assert "are in UTC" in in_admin.get(f"{LIST}{appointment.pk}/history/").content.decode()


@pytest.mark.both_databases
def test_trail_cannot_be_written(in_admin, entry, isolated):
    for page in ["add/", "{pk}/change/", "{pk}/delete/"]:
        with isolated(page=page):
            before = list(AuditEntry.objects.order_by("pk").values())

            response = in_admin.post(
                TRAIL + page.format(pk=entry.pk), {"post": "yes", "object_repr": "x", "action": "0"}
            )

            assert response.status_code == 403
            *as_they_were, refusal = AuditEntry.objects.order_by("pk").values()
            assert as_they_were == before
            assert refusal["event"] == "refusal"


@pytest.mark.both_databases
def test_trail_cannot_be_deleted_in_bulk(in_admin, entry):
    in_admin.post(TRAIL, {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"})

    assert AuditEntry.objects.filter(pk=entry.pk).exists()


def test_user_is_made_inactive_and_not_deleted(in_admin):
    leaves = UserFactory(username="leaves")

    response = in_admin.post(f"/admin/clinic/user/{leaves.pk}/delete/", {"post": "yes"})

    assert response.status_code == 403
    assert User.objects.filter(username="leaves").exists()


def test_list_of_users_makes_the_same_queries_for_3_and_30_rows(in_admin):
    address = "/admin/clinic/user/"
    UserFactory.create_batch(3, role="Receptionist")
    in_admin.get(address)
    with CaptureQueriesContext(connection) as few:
        in_admin.get(address)
    UserFactory.create_batch(27, role="Receptionist")

    with CaptureQueriesContext(connection) as many:
        response = in_admin.get(address)

    assert len(listed(response)) >= 30
    assert len(few) == len(many)
