"""An appointment's history as sentences."""

import datetime as dt
from types import SimpleNamespace

import pytest

from appointments.booking import actions
from appointments.detail.history import history_of, moves_of
from appointments.tests.factories import AppointmentFactory
from clinic.audit.actor import acting
from clinic.tests.factories import UserFactory
from clinic.tests.kit import START, fresh
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

MINUTE = dt.timedelta(minutes=1)

SEES_ALL = SimpleNamespace(has_perm=lambda permission: True)


@pytest.fixture
def user():
    return UserFactory(first_name="Rita", last_name="Reis")


@pytest.fixture
def appointment(now, user):
    """An appointment booked by Rita, a minute before what follows."""
    with acting(user):
        appointment = AppointmentFactory(doctor=DoctorFactory(full_name="Dr Okafor"))
    now.shift(MINUTE)
    return appointment


def history_texts(appointment):
    return [entry.what for entry in history_of(appointment, user=SEES_ALL)]


def test_history_begins_with_the_booking(appointment):
    (entry,) = history_of(appointment, user=SEES_ALL)

    assert (entry.what, entry.who, entry.at) == (
        ["Booked"],
        "Rita Reis",
        dt.datetime(2026, 11, 24, 9, 0, tzinfo=dt.UTC),
    )


def test_history_without_an_actor_names_the_system():
    appointment = AppointmentFactory()

    assert [entry.who for entry in history_of(appointment, user=SEES_ALL)] == ["The system"]


def test_history_of_a_user_without_a_name_shows_the_login():
    with acting(UserFactory(username="reception")):
        appointment = AppointmentFactory()

    assert [entry.who for entry in history_of(appointment, user=SEES_ALL)] == ["reception"]


@pytest.mark.both_databases
def test_history_is_latest_first(now, appointment, user):
    actions.mark_arrived(appointment, by=user)
    now.shift(MINUTE)
    actions.start(appointment, by=user)

    assert history_texts(appointment) == [["Arrived → In consultation"], ["Booked → Arrived"], ["Booked"]]


@pytest.mark.both_databases
def test_history_within_one_instant_is_latest_first(appointment, user):
    actions.mark_arrived(appointment, by=user)
    actions.start(appointment, by=user)
    actions.complete(appointment, by=user)

    assert history_texts(appointment) == [
        ["In consultation → Completed"],
        ["Arrived → In consultation"],
        ["Booked → Arrived"],
        ["Booked"],
    ]


def test_history_of_a_move_names_doctors_and_clinic_times(settings, appointment, user):
    settings.TIME_ZONE = "Asia/Kathmandu"
    other = DoctorFactory(full_name="Dr Silva")

    actions.move(appointment, doctor=other, start_time=START + 60 * MINUTE, duration_minutes=45, by=user)

    assert sorted(history_texts(appointment)[0]) == [
        "Doctor: Dr Okafor → Dr Silva",
        "Length in minutes: 30 → 45",
        "Moved from Tue 24 Nov 2026 15:45 to Tue 24 Nov 2026 16:45",
    ]


def test_history_of_another_patient_names_both(appointment):
    old, new = appointment.patient, PatientFactory(first_name="Ana", last_name="Silva")

    appointment.patient = new
    appointment.save()

    assert history_texts(appointment)[0] == [f"Patient: {old} → Ana Silva"]


def test_history_of_a_cancellation_and_its_undo(now, appointment, user):
    actions.cancel(appointment, reason="Ill", cancelled_by="patient", by=user)
    now.shift(MINUTE)
    actions.undo(appointment, by=user)

    undone, cancelled, _booked = history_texts(appointment)
    assert sorted(cancelled) == ["Booked → Cancelled", "Called off by: the patient", "Cancel reason: – → Ill"]
    assert sorted(undone) == ["Cancel reason: Ill → –", "Cancelled → Booked", "No longer called off"]


def test_history_shows_old_and_new_notes(appointment):
    appointment.notes = "Called back"
    appointment.save()

    assert history_texts(appointment)[0] == ["Notes: – → Called back"]


def test_history_shows_the_note_none_as_typed(appointment):
    appointment.notes = "None"
    appointment.save()

    assert history_texts(appointment)[0] == ["Notes: – → None"]


def test_history_leaves_out_timestamps_and_counters(appointment, user):
    actions.start(appointment, by=user)

    assert history_texts(appointment)[0] == ["Booked → In consultation"]


def test_history_contains_only_this_appointment(appointment):
    AppointmentFactory()

    assert len(history_of(appointment, user=SEES_ALL)) == 1


def test_history_is_limited(now, appointment):
    for number in range(5):
        appointment.notes = f"Note {number}"
        appointment.save()
        now.shift(MINUTE)

    assert [entry.what for entry in history_of(appointment, user=SEES_ALL, limit=2)] == [
        ["Notes: Note 3 → Note 4"],
        ["Notes: Note 2 → Note 3"],
    ]


def test_history_makes_three_queries_for_3_and_30_moves(django_assert_num_queries, user, appointment, isolated):
    for moves in [3, 30]:
        with isolated(moves=moves):
            doctors = [DoctorFactory(), DoctorFactory()]
            patients = [PatientFactory(), PatientFactory()]
            moving = fresh(appointment)
            for number in range(moves):
                with acting(user):
                    moving.doctor, moving.patient = doctors[number % 2], patients[number % 2]
                    moving.save()

            with django_assert_num_queries(3):
                assert len(history_of(appointment, user=SEES_ALL)) == moves + 1


def test_history_for_a_doctor_starts_when_the_patient_took_over(now, appointment, doctor_user):
    appointment.doctor.user = doctor_user
    appointment.doctor.save()
    appointment.notes = "About somebody else"
    appointment.save()
    now.shift(60)
    appointment.patient = PatientFactory()
    appointment.save()
    now.shift(60)
    appointment.notes = ""
    appointment.save()

    history_texts = history_of(appointment, user=doctor_user)

    assert len(history_texts) == 1
    assert len(history_of(appointment, user=SEES_ALL)) == 4


# Moves of many


def moved(appointment, user, hour, reason=""):
    return actions.move(
        appointment,
        doctor=appointment.doctor,
        start_time=START.replace(hour=hour),
        duration_minutes=30,
        reason=reason,
        by=user,
    )


@pytest.mark.both_databases
def test_moves_include_moves_and_cancellations_with_user_and_reason(now, appointment, user):
    other = AppointmentFactory()
    actions.mark_arrived(other, by=user)
    moved(appointment, user, 12, reason="Train late")
    now.shift(MINUTE)
    actions.cancel(appointment, reason="Ill", cancelled_by="patient", by=user)

    moves = moves_of([appointment, other], user=SEES_ALL)

    assert {pk: [(entry.what, entry.who) for entry in entries] for pk, entries in moves.items()} == {
        appointment.pk: [
            (["Booked → Cancelled", "Called off by: the patient", "Cancel reason: – → Ill"], "Rita Reis"),
            (["Moved from Tue 24 Nov 2026 10:00 to Tue 24 Nov 2026 12:00", "Why: Train late"], "Rita Reis"),
        ]
    }


def test_doctor_does_not_see_moves_from_before_the_patient_took_over(appointment, user):
    moved(appointment, user, 12, reason="Private matter")
    appointment.refresh_from_db()
    appointment.patient = PatientFactory()
    appointment.save()
    sees_own = SimpleNamespace(has_perm=lambda permission: permission != "appointments.view_appointment")

    assert moves_of([appointment], user=sees_own) == {appointment.pk: []}


@pytest.mark.both_databases
def test_moves_of_12_appointments_take_as_many_queries_as_of_1(appointment, user, django_assert_num_queries, isolated):
    for count in [1, 12]:
        with isolated(count=count):
            appointments = [moved(AppointmentFactory(), user, 12) for _ in range(count)]
            moves_of(appointments, user=SEES_ALL)  # the content type is remembered from here on

            with django_assert_num_queries(1):
                moves = moves_of(appointments, user=SEES_ALL)

            assert len(moves) == count
