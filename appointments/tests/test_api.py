"""Appointments in the JSON API."""

import datetime as dt

import pytest
import time_machine
from django.contrib.auth.models import Group

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.accounts.roles import DOCTOR, OUT_OF_HOURS
from clinic.models import AuditEntry
from clinic.tests.api_client import ApiClient, error_codes
from clinic.tests.factories import UserFactory
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

START = "2026-11-24T10:00:00+00:00"
TODAY_AT_8 = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)


@pytest.fixture
def wanted(patient, doctor):
    return {"patient_id": patient.pk, "doctor_id": doctor.pk, "start_time": START, "duration_minutes": 30}


@pytest.fixture
def appointment(patient, doctor):
    return AppointmentFactory(patient=patient, doctor=doctor)


# The status table of the design, by API action


def test_booking_answers_201_with_id_end_and_status(api, wanted, patient, doctor):
    response = api.post("/appointments", wanted)

    assert response.status_code == 201
    booked = response.json()
    assert {name: booked[name] for name in ("patient_id", "doctor_id", "duration_minutes", "end_time", "status")} == {
        "patient_id": patient.pk,
        "doctor_id": doctor.pk,
        "duration_minutes": 30,
        "end_time": "2026-11-24T10:30:00Z",
        "status": "booked",
    }
    assert response["Location"] == f"/api/appointments/{booked['id']}"


@pytest.mark.both_databases
@pytest.mark.both_databases
def test_booking_makes_few_queries(api, wanted, django_assert_max_num_queries):
    api.post("/appointments", wanted | {"start_time": "2026-11-24T15:00:00Z"})  # records the use of the token

    # Token and roles; patient and doctor; both locked, their diaries, the appointment and its audit entry in a
    # transaction, here a savepoint.
    with django_assert_max_num_queries(2 + 2 + 5 + 2):
        response = api.post("/appointments", wanted)

    assert response.status_code == 201


def test_booking_with_another_offset_is_the_same_instant(api, wanted):
    response = api.post("/appointments", wanted | {"start_time": "2026-11-24T15:30:00+05:30"})

    assert response.json()["start_time"] == "2026-11-24T10:00:00Z"


def test_booking_shows_whose_token_booked_it(api, wanted, receptionist):
    booked = Appointment.objects.get(pk=api.post("/appointments", wanted).json()["id"])

    assert booked.booked_by == receptionist
    entry = AuditEntry.objects.get_for_object(booked).get()
    assert (entry.actor, entry.remote_addr) == (receptionist, "127.0.0.1")


def test_booking_refused(api, wanted, isolated):
    cases = [
        ({"patient_id": 999_999}, 404, [("patient_id", "not_found")]),
        ({"doctor_id": 999_999}, 404, [("doctor_id", "not_found")]),
        ({"duration_minutes": 14}, 422, [("duration_minutes", "duration")]),
        ({"duration_minutes": 181}, 422, [("duration_minutes", "duration")]),
        ({"duration_minutes": 10**30}, 422, [("duration_minutes", "duration")]),
        ({"duration_minutes": "30"}, 422, [("duration_minutes", "int_type")]),
        ({"duration_minutes": 30.0}, 422, [("duration_minutes", "int_type")]),
        ({"duration_minutes": True}, 422, [("duration_minutes", "int_type")]),
        ({"duration_minutes": None}, 422, [("duration_minutes", "int_type")]),
        ({"start_time": "2026-11-24T10:00:00"}, 422, [("start_time", "naive")]),
        ({"start_time": "2026-11-24T08:59:00+00:00"}, 422, [("start_time", "past")]),
        ({"start_time": "2026-11-24T09:00:00+00:00"}, 422, [("start_time", "past")]),
        ({"start_time": "tomorrow"}, 422, [("start_time", "instant")]),
        ({"start_time": 1795600000}, 422, [("start_time", "instant")]),
        ({"start_time": ["2026-11-24"]}, 422, [("start_time", "instant")]),
        ({"start_time": "2026-02-30T10:00:00Z"}, 422, [("start_time", "instant")]),
        ({"start_time": "0001-01-01T00:00:00+14:00"}, 422, [("start_time", "date_range")]),
        ({"start_time": "9999-12-31T23:59:59-14:00"}, 422, [("start_time", "date_range")]),
        ({"patient_id": -1}, 422, [("patient_id", "greater_than_equal")]),
        ({"doctor_id": 2**63}, 422, [("doctor_id", "less_than_equal")]),
        ({"reason": "\ud800"}, 422, [("reason", "string_unicode")]),
        ({"reason": "a\x00b"}, 422, [("reason", "string_pattern_mismatch")]),
        ({"reason": "x" * 201}, 422, [("reason", "string_too_long")]),
        ({"duration": 30}, 422, [("duration", "extra_forbidden")]),
    ]
    for changes, status, expected in cases:
        with isolated(changes=changes, status=status, expected=expected):
            response = api.post("/appointments", wanted | changes)

            assert response.status_code == status
            assert error_codes(response) == expected
            assert not Appointment.objects.exists()


def test_booking_with_an_inactive_doctor_answers_409(api, wanted, doctor):
    doctor.is_active = False
    doctor.save()

    response = api.post("/appointments", wanted)

    assert (response.status_code, error_codes(response)) == (409, [("doctor_id", "inactive")])


@pytest.mark.both_databases
def test_overlap_answers_409_with_the_conflict_and_alternatives(api, wanted, doctor, appointment):
    response = api.post("/appointments", wanted | {"patient_id": PatientFactory().pk})

    assert (response.status_code, error_codes(response)) == (409, [("start_time", "doctor_overlap")])
    body = response.json()
    conflicting = body["errors"][0]
    assert (conflicting["start_time"], conflicting["end_time"]) == ("2026-11-24T10:00:00Z", "2026-11-24T10:30:00Z")
    assert appointment.patient.last_name not in response.content.decode()
    assert {each["doctor_id"] for each in body["alternatives"]} == {doctor.pk}
    assert [each["start_time"] for each in body["alternatives"]] == [
        "2026-11-24T09:05:00Z",
        "2026-11-24T09:30:00Z",
        "2026-11-24T10:30:00Z",
    ]


def test_every_alternative_can_be_booked(api, wanted, appointment):
    DoctorFactory(specialization=appointment.doctor.specialization)
    alternatives = api.post("/appointments", wanted).json()["alternatives"]

    for each in alternatives:
        sent = wanted | {name: each[name] for name in ("doctor_id", "start_time")}
        booked = api.post("/appointments", sent)
        assert (booked.status_code, booked.json()["end_time"]) == (201, each["end_time"])
        api.post(f"/appointments/{booked.json()['id']}/cancel", {"reason": "Again", "cancelled_by": "clinic"})

    assert len({each["doctor_id"] for each in alternatives}) == 2


def test_patient_elsewhere_answers_409(api, wanted, patient):
    AppointmentFactory(patient=patient)

    response = api.post("/appointments", wanted)

    assert (response.status_code, error_codes(response)) == (409, [("start_time", "patient_overlap")])


def test_time_outside_hours_answers_409(api, wanted, doctor, isolated):
    for code in ["closed", "leave", "hours", "gap"]:
        with isolated(code=code):
            conflicting(doctor, code)

            response = api.post("/appointments", wanted)

            assert (response.status_code, error_codes(response)) == (409, [("start_time", code)])


def conflicting(doctor, code):
    if code == "closed":
        ClosureFactory(date=dt.date(2026, 11, 24))
    if code == "leave":
        LeaveFactory(doctor=doctor, start_time=TODAY_AT_8, end_time=TODAY_AT_8 + dt.timedelta(hours=4))
    if code == "hours":
        TimetableFactory(doctor=doctor, week={1: [(dt.time(14), dt.time(18))]})
    if code == "gap":
        doctor.gap_minutes = 10
        doctor.save()
        AppointmentFactory(doctor=doctor, start_time=dt.datetime(2026, 11, 24, 10, 35, tzinfo=dt.UTC))


def test_permitted_user_books_outside_hours_with_a_reason(wanted, doctor, receptionist):
    conflicting(doctor, "closed")
    nevertheless = wanted | {"outside_hours_reason": "Emergency"}

    refused = ApiClient(receptionist).post("/appointments", nevertheless)
    receptionist.groups.add(Group.objects.get(name=OUT_OF_HOURS))
    allowed = ApiClient(receptionist).post("/appointments", nevertheless)

    assert (refused.status_code, error_codes(refused)) == (403, [("outside_hours_reason", "outside_hours_denied")])
    assert allowed.status_code == 201
    assert allowed.json()["outside_hours_reason"] == "Emergency"


def test_omitted_length_is_the_doctors_usual_one(api, wanted, doctor):
    doctor.usual_minutes = 45
    doctor.save()
    del wanted["duration_minutes"]

    assert api.post("/appointments", wanted).json()["duration_minutes"] == 45


# The list of a day


@pytest.mark.both_databases
def test_list_is_by_start_and_of_one_clinic_day(api, doctor):
    late, early = (
        AppointmentFactory(doctor=doctor, start_time=dt.datetime(2026, 7, 1, *time, tzinfo=dt.UTC))
        for time in ((22, 30), (8, 0))
    )
    AppointmentFactory(doctor=doctor, start_time=dt.datetime(2026, 7, 1, 23, 0, tzinfo=dt.UTC))  # midnight in Lisbon

    response = api.get("/appointments?date=2026-07-01")

    assert response.status_code == 200
    assert [each["id"] for each in response.json()] == [early.pk, late.pk]


@pytest.mark.both_databases
def test_list_of_a_day_on_which_the_clocks_change(api, isolated):
    for date, first, last in [("2026-03-29", (0, 0), (22, 59)), ("2026-10-25", (23, 0), (23, 59))]:
        with isolated(date=date, first=first, last=last):
            day = dt.date.fromisoformat(date)
            before = day - dt.timedelta(days=1) if first == (23, 0) else day
            inside = [
                AppointmentFactory(
                    start_time=dt.datetime(before.year, before.month, before.day, *first, tzinfo=dt.UTC)
                ),
                AppointmentFactory(start_time=dt.datetime(day.year, day.month, day.day, *last, tzinfo=dt.UTC)),
            ]
            for instant in (inside[0].start_time, inside[1].start_time):
                step = dt.timedelta(minutes=-1 if instant == inside[0].start_time else 1)
                AppointmentFactory(start_time=instant + step)

            assert [each["id"] for each in api.get(f"/appointments?date={date}").json()] == [
                appointment.pk for appointment in inside
            ]


def test_list_of_one_doctor(api, appointment):
    AppointmentFactory()

    response = api.get(f"/appointments?date=2026-11-24&doctor_id={appointment.doctor.pk}")

    assert [each["id"] for each in response.json()] == [appointment.pk]


def test_list_refused(api, isolated):
    cases = [
        ("", [("date", "missing")]),
        ("date=not-a-date", [("date", "date")]),
        ("date=2026-02-30", [("date", "date")]),
        ("date=20261124", [("date", "date")]),
        ("date=1899-12-31", [("date", "date_range")]),
        ("date=2026-11-24&doctor_id=-1", [("doctor_id", "int_type")]),
        ("date=2026-11-24&doctor_id=0", [("doctor_id", "greater_than_equal")]),
        ("date=2026-11-24&doctor_id=1_0", [("doctor_id", "int_type")]),
        ("date=2026-11-24&limit=5001", [("limit", "less_than_equal")]),
        ("date=2026-11-24&limit=0", [("limit", "greater_than_equal")]),
        ("date=2026-11-24&cursor=nonsense", [("cursor", "cursor")]),
        ("date=2026-11-24&cursor=WzFd", [("cursor", "cursor")]),
    ]
    for query, expected in cases:
        with isolated(query=query, expected=expected):
            response = api.get(f"/appointments?{query}")

            assert (response.status_code, error_codes(response)) == (422, expected)


@pytest.mark.both_databases
def test_pages_list_each_appointment_once_despite_changes(api, doctor):
    appointments = [
        AppointmentFactory(start_time=TODAY_AT_8 + dt.timedelta(minutes=15 * number), duration_minutes=15)
        for number in range(7)
    ]
    seen, cursor = [], ""

    while cursor is not None:
        response = api.get(f"/appointments?date=2026-11-24&limit=2&cursor={cursor}")
        seen += [each["id"] for each in response.json()]
        cursor = response.headers.get("Next-Cursor")
        AppointmentFactory(start_time=TODAY_AT_8 - dt.timedelta(minutes=15))  # before all future appointments

    assert seen == [appointment.pk for appointment in appointments]


def test_page_with_the_last_appointment_is_the_last(api):
    AppointmentFactory.create_batch(4)

    first = api.get("/appointments?date=2026-11-24&limit=2")
    rest = api.get(f"/appointments?date=2026-11-24&limit=2&cursor={first['Next-Cursor']}")

    assert (len(first.json()), len(rest.json())) == (2, 2)
    assert "Next-Cursor" not in rest


@pytest.mark.both_databases
def test_cursor_distinguishes_appointments_with_the_same_start(api):
    appointments = [AppointmentFactory() for _ in range(3)]

    first = api.get("/appointments?date=2026-11-24&limit=2")
    rest = api.get(f"/appointments?date=2026-11-24&limit=2&cursor={first['Next-Cursor']}")

    assert [each["id"] for each in first.json() + rest.json()] == [appointment.pk for appointment in appointments]
    assert "Next-Cursor" not in rest


def test_list_makes_the_same_queries_for_any_number(api, django_assert_max_num_queries, isolated):
    for appointments in [3, 30]:
        with isolated(appointments=appointments):
            for _ in range(appointments):
                AppointmentFactory(start_time=TODAY_AT_8)  # each with a doctor and a patient of its own
            api.get("/appointments?date=2026-11-24")  # its use is recorded once a minute

            with django_assert_max_num_queries(2 + 2) as made:
                response = api.get("/appointments?date=2026-11-24")

            assert len(response.json()) == appointments
            assert len(made) == 2 + 2  # the audit entry, and its patients


# One appointment and its actions


def test_reading_returns_the_same_as_booking(api, wanted):
    booked = api.post("/appointments", wanted)

    read = api.get(f"/appointments/{booked.json()['id']}")

    assert (read.status_code, read.json(), read["ETag"]) == (200, booked.json(), booked["ETag"])


def test_unknown_appointment_answers_404(api, subtests):
    for method in ["GET", "POST"]:
        with subtests.test(method=method):
            path = "/appointments/999999" + ("/arrive" if method == "POST" else "")

            assert api.call(method, path).status_code == 404


def test_move_keeps_omitted_fields(api, appointment):
    response = api.post(f"/appointments/{appointment.pk}/move", {"start_time": "2026-11-25T11:00:00+00:00"})

    assert response.status_code == 200
    moved = response.json()
    assert (moved["id"], moved["start_time"], moved["doctor_id"], moved["duration_minutes"]) == (
        appointment.pk,
        "2026-11-25T11:00:00Z",
        appointment.doctor.pk,
        30,
    )


def test_move_to_a_taken_time_answers_409_with_alternatives(api, appointment, doctor):
    taken = AppointmentFactory(doctor=doctor, start_time=dt.datetime(2026, 11, 24, 11, 0, tzinfo=dt.UTC))

    response = api.post(f"/appointments/{appointment.pk}/move", {"start_time": taken.start_time.isoformat()})

    assert (response.status_code, error_codes(response)) == (409, [("start_time", "doctor_overlap")])
    assert response.json()["alternatives"]


def test_moving_a_cancelled_appointment_offers_no_alternatives(api, appointment):
    api.post(f"/appointments/{appointment.pk}/cancel", {"reason": "Ill", "cancelled_by": "patient"})

    response = api.post(f"/appointments/{appointment.pk}/move", {"start_time": "2026-11-25T11:00:00+00:00"})

    assert (response.status_code, error_codes(response)) == (409, [("start_time", "not_movable")])
    assert "alternatives" not in response.json()


def test_moving_a_cancelled_appointment_to_its_own_time_is_refused(api, appointment):
    api.post(f"/appointments/{appointment.pk}/cancel", {"reason": "Ill", "cancelled_by": "patient"})

    assert error_codes(api.post(f"/appointments/{appointment.pk}/move", {})) == [("start_time", "not_movable")]


@pytest.mark.both_databases
def test_move_that_lost_a_race_offers_no_other_time(api, appointment, monkeypatch):
    saves = Appointment._save

    def change_first(self):
        monkeypatch.setattr(Appointment, "_save", saves)
        other = Appointment.objects.get()
        other.notes = "Call first"
        other.save()  # between the read and the save of the call
        self._save()

    monkeypatch.setattr(Appointment, "_save", change_first)

    response = api.post(f"/appointments/{appointment.pk}/move", {"start_time": "2026-11-25T11:00:00+00:00"})

    assert (response.status_code, error_codes(response)) == (412, [(None, "stale")])
    assert "alternatives" not in response.json()


def test_move_to_its_current_time_changes_nothing(api, appointment):
    etag = api.get(f"/appointments/{appointment.pk}")["ETag"]

    response = api.post(f"/appointments/{appointment.pk}/move", {"start_time": START, "reason": "Typing error"})

    assert (response.status_code, response["ETag"]) == (200, etag)


def test_move_to_its_current_time_keeps_the_override_reason(admin_api, wanted, doctor, isolated):
    for sent in [{}, {"reason": "Typing error"}, {"duration_minutes": 15}]:
        with isolated(sent=sent):
            conflicting(doctor, "closed")
            booked = admin_api.post("/appointments", wanted | {"outside_hours_reason": "Emergency"}).json()

            response = admin_api.post(f"/appointments/{booked['id']}/move", sent)

            assert (response.status_code, response.json()["outside_hours_reason"]) == (200, "Emergency")


def test_cancel_frees_the_time(api, wanted, appointment):
    response = api.post(f"/appointments/{appointment.pk}/cancel", {"reason": "Ill", "cancelled_by": "patient"})

    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert (response.json()["cancel_reason"], response.json()["cancelled_by"]) == ("Ill", "patient")
    assert api.post("/appointments", wanted).status_code == 201


def test_cancelling_without_reason_or_cancelled_by_answers_422(api, appointment, isolated):
    cases = [{}, {"reason": "Ill"}, {"reason": "", "cancelled_by": "patient"}, {"reason": "Ill", "cancelled_by": "me"}]
    for sent in cases:
        with isolated(sent=sent):
            assert api.post(f"/appointments/{appointment.pk}/cancel", sent).status_code == 422


def test_actions_advance_the_status(admin_api, isolated):
    cases = [
        ("arrive", "booked", "arrived"),
        ("start", "arrived", "in_consultation"),
        ("complete", "in_consultation", "completed"),
        ("no-show", "booked", "no_show"),
        ("left", "arrived", "left"),
    ]
    for action, status, becomes in cases:
        with isolated(action=action, status=status, becomes=becomes):
            appointment = AppointmentFactory(start_time=TODAY_AT_8, status=status)

            response = admin_api.post(f"/appointments/{appointment.pk}/{action}")

            assert (response.status_code, response.json()["status"]) == (200, becomes)
            again = admin_api.post(f"/appointments/{appointment.pk}/{action}")
            assert (again.status_code, error_codes(again)) == (409, [("status", "transition")])


def test_actions_too_early_answer_409(api, isolated):
    for action, code in [("arrive", "not_today"), ("no-show", "not_started")]:
        with isolated(action=action, code=code):
            appointment = AppointmentFactory(start_time=dt.datetime(2026, 11, 25, 10, 0, tzinfo=dt.UTC))

            response = api.post(f"/appointments/{appointment.pk}/{action}")

            assert (response.status_code, error_codes(response)) == (409, [("status", code)])


@pytest.mark.both_databases
def test_action_on_a_changed_appointment_answers_412(api, appointment):
    etag = api.get(f"/appointments/{appointment.pk}")["ETag"]
    appointment.notes = "Call first"
    appointment.save()

    refused = api.post(
        f"/appointments/{appointment.pk}/cancel", {"reason": "Ill", "cancelled_by": "clinic"}, If_Match=etag
    )
    now = api.get(f"/appointments/{appointment.pk}")["ETag"]
    done = api.post(f"/appointments/{appointment.pk}/cancel", {"reason": "Ill", "cancelled_by": "clinic"}, If_Match=now)

    assert (refused.status_code, error_codes(refused)) == (412, [(None, "stale")])
    assert now != etag
    assert done.status_code == 200


def test_change_between_if_match_and_the_lock_answers_412(api, appointment, monkeypatch):
    def change(_if_match, _record):
        changed = Appointment.objects.get(pk=appointment.pk)
        changed.notes = "Call first"
        changed.save()

    monkeypatch.setattr("appointments.api.appointments.check_if_match", change)

    refused = api.post(f"/appointments/{appointment.pk}/cancel", {"reason": "Ill", "cancelled_by": "clinic"})

    assert (refused.status_code, error_codes(refused)) == (412, [(None, "stale")])
    assert Appointment.objects.get().status == "booked"


# Reason and notes


@pytest.mark.both_databases
def test_reason_and_notes_are_changed_in_any_status(api, isolated):
    for status in ["booked", "completed", "cancelled"]:
        with isolated(status=status):
            off = {"cancelled_by": "patient", "cancel_reason": "Ill"} if status == "cancelled" else {}
            appointment = AppointmentFactory(start_time=TODAY_AT_8, status=status, reason="Knee", **off)
            etag = api.get(f"/appointments/{appointment.pk}")["ETag"]

            changed = api.patch(f"/appointments/{appointment.pk}", {"notes": "Call first"}, If_Match=etag)

            assert changed.status_code == 200
            assert changed["ETag"] != etag
            shown = {name: changed.json()[name] for name in ("reason", "notes", "status")}
            assert shown == {"reason": "Knee", "notes": "Call first", "status": status}
            again = api.patch(f"/appointments/{appointment.pk}", {"notes": "Late"}, If_Match=etag)
            assert (again.status_code, error_codes(again)) == (412, [(None, "stale")])


def test_patch_with_the_present_values_changes_nothing(api, appointment):
    version = appointment.version

    response = api.patch(f"/appointments/{appointment.pk}", {"reason": appointment.reason})

    assert response.status_code == 200
    assert Appointment.objects.get().version == version


def test_patch_takes_reason_and_notes_only(api, appointment, isolated):
    for body in [{"status": "arrived"}, {"start_time": START}, {"reason": None}, {"notes": "x" * 2001}, {"reason": 1}]:
        with isolated(body=body):
            assert api.patch(f"/appointments/{appointment.pk}", body).status_code == 422


# Appointments by doctor


def test_doctor_can_only_access_their_own_diary(doctor_user):
    program = ApiClient(doctor_user)
    own = AppointmentFactory(doctor=DoctorFactory(user=doctor_user), start_time=TODAY_AT_8)
    other = AppointmentFactory(start_time=TODAY_AT_8)

    assert [each["id"] for each in program.get("/appointments?date=2026-11-24").json()] == [own.pk]
    assert program.get(f"/appointments/{own.pk}").status_code == 200
    assert program.get(f"/appointments/{other.pk}").status_code == 404
    assert program.post(f"/appointments/{own.pk}/arrive").status_code == 200
    assert program.post(f"/appointments/{other.pk}/arrive").status_code == 404
    assert program.post(f"/appointments/{own.pk}/cancel", {"reason": "x", "cancelled_by": "clinic"}).status_code == 403


# Free times


def test_free_times_are_the_same_as_in_the_portal(api, doctor, appointment):
    TimetableFactory(doctor=doctor, week={1: [(dt.time(9, 30), dt.time(11, 30))]})

    response = api.get(f"/doctors/{doctor.pk}/free?from=2026-11-24&days=1&minutes=30")

    assert response.status_code == 200
    assert [each["start_time"] for each in response.json()] == [
        "2026-11-24T09:30:00Z",
        "2026-11-24T10:30:00Z",
        "2026-11-24T11:00:00Z",
    ]


def test_inactive_doctor_has_no_free_times(api):
    assert api.get(f"/doctors/{DoctorFactory(is_active=False).pk}/free").json() == []


def test_free_times_refused(api, doctor, isolated):
    for query in ["from=x", "days=0", "days=32", "minutes=14", "minutes=181", "from=1800-01-01"]:
        with isolated(query=query):
            assert api.get(f"/doctors/{doctor.pk}/free?{query}").status_code == 422


# Deactivating a doctor


def test_deactivating_a_doctor_with_appointments_shows_them_first(admin_api, appointment, doctor):
    refused = admin_api.patch(f"/doctors/{doctor.pk}", {"is_active": False})

    assert (refused.status_code, error_codes(refused)) == (409, [("is_active", "hits")])
    assert [displaced["id"] for displaced in refused.json()["hits"]] == [appointment.pk]
    doctor.refresh_from_db()
    assert doctor.is_active


def test_deactivating_a_doctor_anyway_lists_who_is_affected(admin_api, appointment, doctor):
    response = admin_api.patch(f"/doctors/{doctor.pk}", {"is_active": False, "accept_hits": True})

    assert (response.status_code, response.json()["is_active"]) == (200, False)
    assert [displaced.appointment for displaced in appointment.displacements.all()] == [appointment]


def test_deactivating_a_doctor_without_appointments_needs_no_consent(admin_api, doctor):
    assert admin_api.patch(f"/doctors/{doctor.pk}", {"is_active": False}).json()["is_active"] is False


@pytest.mark.both_databases
def test_seconds_are_cut_off(api, wanted):
    assert (
        api.post("/appointments", wanted | {"start_time": "2026-11-24T10:00:59.9+00:00"}).json()["start_time"]
        == "2026-11-24T10:00:00Z"
    )


def test_doctors_token_cannot_book(wanted):
    with time_machine.travel(TODAY_AT_8, tick=False):
        response = ApiClient(UserFactory(role=DOCTOR)).post("/appointments", wanted)

    assert response.status_code == 403
    assert not Appointment.objects.exists()
