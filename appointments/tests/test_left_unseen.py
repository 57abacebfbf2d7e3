"""Patients who arrived and went away without being seen."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from appointments.booking import actions
from appointments.detail.history import history_of
from appointments.models import Appointment
from appointments.schedule.day import day_view
from appointments.schedule.sheets import sheets
from appointments.tests.factories import AppointmentFactory
from appointments.tests.fhir_answers import BASE, ids, read
from clinic.models import AuditEntry
from clinic.tests.api_client import ApiClient, error_codes
from clinic.tests.kit import NOW, at, codes_in, fresh
from doctors.tests.factories import DoctorFactory, LeaveFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

DAY = dt.timedelta(days=1)
TODAY = NOW.date()


@pytest.fixture
def waiting(okafor, maria):
    """Arrived for half past eight today; it is nine."""
    return AppointmentFactory(
        doctor=okafor, patient=maria, start_time=at(8, 30), status="arrived", arrived_at=at(8, 20)
    )


def left(appointment):
    return actions.mark_left(appointment, by=None)


def refusal_of(action, appointment):
    with pytest.raises(ValidationError) as refusal:
        action(appointment, by=None)
    return codes_in(refusal.value)


def post(client, appointment, action, **sent):
    url = reverse(f"appointments:appointment_{action}", args=[appointment.pk])
    return client.post(url, {"version": fresh(appointment).version} | sent)


# The action


@pytest.mark.both_databases
def test_waiting_patient_leaves_and_the_time_is_stamped(waiting, receptionist):
    changed = actions.mark_left(waiting, by=receptionist)

    assert (changed.status, changed.left_at, changed.arrived_at) == ("left", NOW, at(8, 20))
    assert [entry.what for entry in history_of(waiting, user=receptionist)] == [["Arrived → Left unseen"], ["Booked"]]
    assert AuditEntry.objects.get_for_object(waiting).latest("pk").actor == receptionist


def test_only_who_has_arrived_can_leave_unseen(isolated):
    for status in ["booked", "in_consultation", "completed", "no_show", "left", "cancelled"]:
        with isolated(status=status):
            off = {"cancelled_by": "patient", "cancel_reason": "Ill"} if status == "cancelled" else {}
            appointment = AppointmentFactory(start_time=at(8), status=status, **off)

            assert refusal_of(actions.mark_left, appointment) == {"status": ["transition"]}


def test_nothing_but_undo_follows(waiting, isolated):
    left(waiting)
    for action in [actions.mark_arrived, actions.start, actions.complete, actions.record_attended]:
        with isolated(action=action.__name__):
            assert refusal_of(action, waiting) == {"status": ["transition"]}
    with pytest.raises(ValidationError) as refusal:
        actions.cancel(waiting, reason="Ill", cancelled_by="patient", by=None)
    assert codes_in(refusal.value) == {"status": ["transition"]}


def test_appointment_that_was_left_cannot_be_moved(waiting):
    left(waiting)

    with pytest.raises(ValidationError) as refusal:
        actions.move(waiting, doctor=waiting.doctor, start_time=at(15), duration_minutes=30, by=None)

    assert codes_in(refusal.value) == {"start_time": ["not_movable"]}


def test_button_says_what_was_done_and_offers_undo(at_desk, waiting):
    response = at_desk.get(post(at_desk, waiting, "left")["Location"])

    (message,) = response.context["messages"]
    assert str(message).startswith("Maria Santos: left unseen. <button")
    assert fresh(waiting).status == "left"


def test_doctor_marks_own_patients_only(client, doctor_user, waiting):
    own = AppointmentFactory(doctor=DoctorFactory(user=doctor_user), start_time=at(8), status="arrived")
    client.force_login(doctor_user)

    assert post(client, own, "left").status_code == 302
    assert post(client, waiting, "left").status_code == 404
    assert [fresh(own).status, fresh(waiting).status] == ["left", "arrived"]


# Undo


@pytest.mark.both_databases
def test_undo_brings_the_patient_back_to_the_waiting_room(at_desk, waiting):
    left(waiting)

    post(at_desk, waiting, "undo")

    back = fresh(waiting)
    assert (back.status, back.left_at, back.arrived_at) == ("arrived", None, at(8, 20))


def test_undo_is_possible_on_the_day_only(waiting, now, isolated):
    left(waiting)
    for instant, codes in [(at(23, 59), None), (at(0, day=25), {"status": ["not_today"]})]:
        with isolated(instant=instant):
            now.move_to(instant)

            if codes is None:
                assert actions.undo(waiting, by=None).status == "arrived"
            else:
                assert refusal_of(actions.undo, waiting) == codes


def test_patient_recorded_as_left_on_a_later_day_has_no_time_and_can_be_undone(waiting, now):
    now.move_to(NOW + 2 * DAY)

    changed = left(waiting)

    assert (changed.status, changed.left_at) == ("left", None)
    assert actions.undo(waiting, by=None).status == "arrived"


@pytest.mark.both_databases
def test_undo_is_refused_if_the_time_has_gone_to_somebody_else(waiting, okafor, maria, isolated):
    left(waiting)
    for field, others in [("doctor", {"doctor": okafor}), ("patient", {"patient": maria})]:
        with isolated(field=field):
            AppointmentFactory(start_time=at(8, 45), **others)

            assert refusal_of(actions.undo, waiting) == {"start_time": [f"{field}_overlap"]}
            assert fresh(waiting).status == "left"


def test_undo_does_not_ask_again_for_the_doctors_hours(waiting, okafor):
    left(waiting)
    LeaveFactory(doctor=okafor, start_time=at(8), end_time=at(18))

    assert actions.undo(waiting, by=None).status == "arrived"


# What it frees, and where it counts


@pytest.mark.both_databases
def test_time_of_doctor_and_patient_is_free(waiting, okafor, maria):
    left(waiting)

    same_doctor = AppointmentFactory(doctor=okafor, start_time=at(8, 30))
    same_patient = AppointmentFactory(patient=maria, start_time=at(8, 30))

    assert Appointment.objects.blocking().count() == 2
    assert {same_doctor.status, same_patient.status} == {"booked"}


def test_day_counts_it_apart_and_draws_it_beside_who_got_the_time(receptionist, waiting, okafor):
    left(waiting)
    AppointmentFactory(doctor=okafor, start_time=at(8, 30))
    AppointmentFactory(start_time=at(8), status="no_show")

    day = day_view(TODAY, user=receptionist)

    assert day.counts == [("booked", 1), ("no_show", 1), ("left", 1)]
    assert [block.status for block in day.tab("done")] == ["no_show", "left"]
    (column,) = [column for column in day.columns if column.doctor == okafor]
    assert [(block.status, block.is_beside) for block in column.blocks] == [("left", True), ("booked", False)]
    assert column.appointments == 1


def test_sheet_to_print_names_it_and_shows_the_time_as_free(receptionist, waiting, okafor):
    left(waiting)

    (sheet,) = [sheet for sheet in sheets(day_view(TODAY, user=receptionist)) if sheet.doctor == okafor]

    assert [line.block.status.label for line in sheet.lines if line.block] == ["Left unseen"]
    assert any(line.block is None and line.start <= at(8, 30) < line.end for line in sheet.lines)


def test_close_out_page_does_not_ask_for_it(at_desk, waiting):
    left(waiting)

    page = at_desk.get("/appointments/close-out/").content.decode()

    assert f"appointment-{waiting.pk}" not in page
    assert "1 left unseen" in page


# The APIs


def test_api_marks_it_and_says_when(receptionist, waiting):
    api = ApiClient(receptionist)

    response = api.post(f"/appointments/{waiting.pk}/left")

    assert response.status_code == 200
    assert (response.json()["status"], response.json()["left_at"]) == ("left", "2026-11-24T09:00:00Z")
    again = api.post(f"/appointments/{waiting.pk}/left")
    assert (again.status_code, error_codes(again)) == (409, [("status", "transition")])


@pytest.mark.both_databases
def test_fhir_says_cancelled_by_the_patient_and_never_noshow(fhir, waiting):
    left(waiting)
    missed = AppointmentFactory(start_time=at(8), status="no_show")
    cancelled = AppointmentFactory(start_time=at(10), status="cancelled", cancelled_by="clinic", cancel_reason="Ill")

    resource = read(fhir.get(f"{BASE}/Appointment/{waiting.pk}"))

    assert resource["status"] == "cancelled"
    assert resource["cancelationReason"]["text"] == "Left unseen"
    assert resource["cancelationReason"]["coding"][0]["code"] == "pat"
    assert "slot" not in resource
    assert ids(fhir.get(f"{BASE}/Appointment?date=2026-11-24&status=noshow")) == [missed.pk]
    assert ids(fhir.get(f"{BASE}/Appointment?date=2026-11-24&status=cancelled")) == [waiting.pk, cancelled.pk]


def test_fhir_has_the_type_of_a_walk_in(fhir):
    walk_in, booked = AppointmentFactory(is_walk_in=True), AppointmentFactory(patient=PatientFactory())

    resource = read(fhir.get(f"{BASE}/Appointment/{walk_in.pk}"))

    (coding,) = resource["appointmentType"]["coding"]
    assert coding == {"system": "http://terminology.hl7.org/CodeSystem/v2-0276", "code": "WALKIN"}
    assert "appointmentType" not in read(fhir.get(f"{BASE}/Appointment/{booked.pk}"))


def test_api_tells_walk_ins(receptionist):
    walk_in, booked = AppointmentFactory(is_walk_in=True), AppointmentFactory()
    api = ApiClient(receptionist)

    assert [api.get(f"/appointments/{each.pk}").json()["is_walk_in"] for each in (walk_in, booked)] == [True, False]


def test_admin_shows_the_mark_and_cannot_change_it(in_admin):
    walk_in = AppointmentFactory(is_walk_in=True)

    response = in_admin.get(f"/admin/appointments/appointment/{walk_in.pk}/change/")

    assert "Walk-in" in response.content.decode()
    assert "is_walk_in" not in response.context["adminform"].form.fields
