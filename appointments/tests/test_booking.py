"""The actions of the front desk: effect, timestamps, audit entry, refusals, and repeated requests."""

import datetime as dt
import sys
import uuid

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction

from appointments import locking, rules
from appointments.booking import actions
from appointments.models import Appointment
from appointments.models import appointment as appointment_module
from appointments.statuses import CancelledBy, Status
from appointments.tests.factories import AppointmentFactory
from clinic.db.transactions import LostRace
from clinic.models import AuditEntry
from clinic.tests.factories import UserFactory
from clinic.tests.kit import NOW, START, codes_in, fresh
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
KEY = uuid.UUID("00000000-0000-4000-8000-000000000001")


@pytest.fixture
def user():
    return UserFactory()


@pytest.fixture
def booked():
    return AppointmentFactory()


def book(patient, doctor, **values):
    return actions.book(
        **{"patient": patient, "doctor": doctor, "start_time": START, "duration_minutes": 30, "by": None} | values
    )


def codes_raised(verb, *args, **kwargs):
    with pytest.raises(ValidationError) as refusal:
        verb(*args, **kwargs)
    return codes_in(refusal.value)


def in_status(status, **values):
    called_off = {"cancelled_by": "patient", "cancel_reason": "Ill"} if status == "cancelled" else {}
    return AppointmentFactory(status=status, **called_off, **values)


def last_entry(appointment):
    return AuditEntry.objects.get_for_object(appointment).order_by("pk").last()


# book


def test_book_stores_the_appointment(patient, doctor, user):
    appointment = book(patient, doctor, by=user, duration_minutes=45, reason="Knee", notes="Brings X-rays")

    stored = Appointment.objects.get()
    assert stored == appointment
    assert (stored.patient, stored.doctor, stored.booked_by) == (patient, doctor, user)
    assert (stored.start_time, stored.duration_minutes, stored.end_time) == (START, 45, START + 45 * MINUTE)
    assert (stored.status, stored.reason, stored.notes) == ("booked", "Knee", "Brings X-rays")


def test_start_and_length_are_checked_once_before_the_lock(patient, doctor):
    watched = {
        rules.check_aware.__code__: "aware",
        rules.check_whole_minutes.__code__: "whole minutes",
        locking.lock_diaries.__code__: "lock",
    }
    called = []

    def note(frame, event, _argument):
        if event == "call" and frame.f_code in watched:
            called.append(watched[frame.f_code])

    sys.setprofile(note)
    try:
        book(patient, doctor)
    finally:
        sys.setprofile(None)

    assert called == ["aware", "whole minutes", "lock"]


def test_booking_adds_an_audit_entry_with_the_actor(patient, doctor, user):
    appointment = book(patient, doctor, by=user)

    entry = last_entry(appointment)
    assert (entry.action, entry.actor) == (AuditEntry.Action.CREATE, user)


def test_book_by_the_system_has_no_actor(patient, doctor):
    appointment = book(patient, doctor, by=None)

    assert (appointment.booked_by, last_entry(appointment).actor) == (None, None)


def test_book_applies_the_rules(patient, doctor, isolated):
    cases = [
        ({"start_time": NOW}, {"start_time": ["past"]}),
        ({"start_time": NOW - MINUTE}, {"start_time": ["past"]}),
        ({"duration_minutes": 14}, {"duration_minutes": ["duration"]}),
        ({"duration_minutes": 181}, {"duration_minutes": ["duration"]}),
        ({"reason": "x" * 201}, {"reason": ["max_length"]}),
        ({"notes": "x" * 2001}, {"notes": ["max_length"]}),
        ({"start_time": dt.datetime(9999, 12, 31, 23, 59, tzinfo=dt.UTC)}, {"start_time": ["date_range"]}),
    ]
    for values, codes in cases:
        with isolated(values=values, codes=codes):
            assert codes_raised(book, patient, doctor, **values) == codes
            assert not Appointment.objects.exists()


def test_book_without_a_zone_is_refused(patient, doctor):
    naive = dt.datetime(2026, 11, 24, 10, 0)  # noqa: DTZ001 -- what the rule is about

    assert codes_raised(book, patient, doctor, start_time=naive) == {"start_time": ["naive"]}
    assert not Appointment.objects.exists()


def test_booking_an_inactive_doctor_is_refused(patient):
    assert codes_raised(book, patient, DoctorFactory(is_active=False)) == {"doctor": ["inactive"]}
    assert not Appointment.objects.exists()


@pytest.mark.both_databases
def test_booking_a_doctor_deactivated_after_reading_is_refused(patient, doctor):
    type(doctor).objects.filter(pk=doctor.pk).update(is_active=False)

    assert codes_raised(book, patient, doctor) == {"doctor": ["inactive"]}


@pytest.mark.both_databases
def test_booking_taken_time_is_refused(booked, patient, doctor):
    assert codes_raised(book, patient, booked.doctor) == {"start_time": ["doctor_overlap"]}
    assert codes_raised(book, booked.patient, doctor) == {"start_time": ["patient_overlap"]}
    assert Appointment.objects.get() == booked


@pytest.mark.both_databases
def test_time_of_a_cancelled_appointment_can_be_booked(patient):
    cancelled = in_status("cancelled")

    book(patient, cancelled.doctor)

    assert Appointment.objects.blocking().count() == 1


# The same form sent twice


@pytest.mark.both_databases
def test_book_twice_with_one_key_is_one_appointment(patient, doctor):
    first = book(patient, doctor, booking_key=KEY)
    second = book(patient, doctor, booking_key=KEY, start_time=START.replace(second=30))

    assert second == first
    assert Appointment.objects.get().booking_key == KEY


@pytest.mark.both_databases
def test_book_twice_with_one_key_leaves_one_audit_entry(patient, doctor):
    book(patient, doctor, booking_key=KEY)
    appointment = book(patient, doctor, booking_key=KEY)

    assert AuditEntry.objects.get_for_object(appointment).count() == 1


@pytest.mark.both_databases
def test_book_twice_with_one_key_works_after_the_time_has_passed(now, patient, doctor):
    first = book(patient, doctor, booking_key=KEY)
    now.move_to(START + HOUR)

    assert book(patient, doctor, booking_key=KEY) == first


@pytest.mark.both_databases
def test_booking_something_else_with_a_used_key_is_refused(patient, doctor, isolated):
    for other in ["patient", "doctor", "start_time", "duration_minutes"]:
        with isolated(other=other):
            book(patient, doctor, booking_key=KEY)
            values = {
                "patient": PatientFactory(),
                "doctor": DoctorFactory(),
                "start_time": START + HOUR,
                "duration_minutes": 45,
            }

            wanted = {"patient": patient, "doctor": doctor} | {other: values[other]}

            assert codes_raised(book, **wanted, booking_key=KEY) == {"": ["booking_key_used"]}
            assert Appointment.objects.count() == 1


@pytest.mark.both_databases
def test_book_without_a_key_twice_is_refused_the_second_time(patient, doctor):
    book(patient, doctor)

    assert codes_raised(book, patient, doctor) == {"start_time": ["doctor_overlap", "patient_overlap"]}


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_book_that_loses_to_its_repeat_returns_that_appointment(monkeypatch, patient, doctor):
    """The repeat commits between this request's rules and its lock."""
    rivals = rivals_before_the_lock(monkeypatch, patient=patient, doctor=doctor, booking_key=KEY)

    assert book(patient, doctor, booking_key=KEY) == rivals[0]
    assert Appointment.objects.count() == 1


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_key_that_only_the_database_refuses_is_looked_up(monkeypatch, patient, doctor):
    """Nothing is in the way of the second booking but its key, so that only the database refuses it."""
    rivals_before_the_lock(monkeypatch, patient=patient, doctor=doctor, booking_key=KEY, start_time=START + HOUR)

    assert codes_raised(book, patient, doctor, booking_key=KEY) == {"": ["booking_key_used"]}
    assert Appointment.objects.get().start_time == START + HOUR


def rivals_before_the_lock(monkeypatch, **values):
    """Let another booking commit just before the next one takes its locks; return the list that it is put in."""
    save = Appointment._save
    rivals = []

    def save_too_late(appointment, **options):
        monkeypatch.setattr(Appointment, "_save", save)
        rivals.append(AppointmentFactory(**values))
        save(appointment, **options)

    monkeypatch.setattr(Appointment, "_save", save_too_late)
    return rivals


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_refusal_under_the_lock_is_not_checked_twice(monkeypatch, booked, patient):
    save = Appointment._save
    saved = []

    def save_and_count(appointment, **options):
        saved.append(appointment)
        save(appointment, **options)

    monkeypatch.setattr(Appointment, "_save", save_and_count)

    assert codes_raised(book, patient, booked.doctor) == {"start_time": ["doctor_overlap"]}
    assert len(saved) == 1


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_change_that_lost_a_race_is_tried_again(monkeypatch, booked):
    """The first try finds that the row has changed; the second reads it again and makes the change."""
    save = Appointment._save
    tries = []

    def save_too_late(appointment, **options):
        tries.append(appointment)
        if len(tries) == 1:
            Appointment.objects.update(version=7)
        save(appointment, **options)

    monkeypatch.setattr(Appointment, "_save", save_too_late)

    actions.move(booked, doctor=booked.doctor, start_time=START + HOUR, duration_minutes=30, by=None)

    assert len(tries) == 2
    assert fresh(booked).start_time == START + HOUR


@pytest.mark.both_databases
def test_all_refusals_come_at_once(patient, booked):
    """The diaries are checked for a booking that a field refuses anyway."""
    codes = codes_raised(book, patient, booked.doctor, reason="x" * 201)

    assert codes == {"reason": ["max_length"], "start_time": ["doctor_overlap"]}


@pytest.mark.both_databases
def test_diaries_are_locked_before_they_are_checked(patient, doctor, monkeypatch):
    """Other writers wait for the rows that the lock has changed: `test_stress_threads.py` runs such races."""
    order, check = [], appointment_module.check_diaries
    monkeypatch.setattr(appointment_module, "check_diaries", lambda booked: order.append("check") or check(booked))

    with connection.execute_wrapper(noting_locks(order)):
        book(patient, doctor)

    assert order == ["lock doctor", "lock patient", "check"]


def noting_locks(order):
    def note(execute, sql, *args):
        if sql.startswith("UPDATE") and "diary_version" in sql:
            order.append("lock doctor" if "doctors_doctor" in sql else "lock patient")
        return execute(sql, *args)

    return note


def test_booking_checks_the_diaries_in_one_query(patient, doctor, django_assert_num_queries):
    with django_assert_num_queries(8):  # savepoint, two locks, diaries, row, audit entry, version of the day, release
        book(patient, doctor)


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_book_that_loses_a_race_under_the_lock_raises_the_usual_refusal(monkeypatch, patient, doctor):
    """Another booking commits just before the lock."""
    rivals = rivals_before_the_lock(monkeypatch, doctor=doctor)

    with pytest.raises(ValidationError) as refusal:
        book(patient, doctor)

    assert not isinstance(refusal.value, LostRace)
    assert codes_in(refusal.value) == {"start_time": ["doctor_overlap"]}
    assert Appointment.objects.get() == rivals[0]


# A connection lost around the COMMIT

LOST = OperationalError(2013, "Lost connection to MySQL server during query")


def lose_connection(monkeypatch, *, after_commit):
    book_once = actions._book_once

    def lost(*args, **kwargs):
        if after_commit:
            book_once(*args, **kwargs)
        raise LOST

    monkeypatch.setattr(actions, "_book_once", lost)


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("key", [KEY, None])
def test_book_returns_the_appointment_if_the_connection_breaks_at_commit(monkeypatch, patient, doctor, key):
    lose_connection(monkeypatch, after_commit=True)

    appointment = book(patient, doctor, booking_key=key)

    assert Appointment.objects.get() == appointment


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_book_raises_if_the_connection_breaks_before_commit(monkeypatch, patient, doctor):
    lose_connection(monkeypatch, after_commit=False)

    with pytest.raises(OperationalError) as raised:
        book(patient, doctor, booking_key=KEY)

    assert raised.value is LOST
    assert not Appointment.objects.exists()


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_book_sent_again_after_a_broken_connection_books_once(monkeypatch, patient, doctor):
    with monkeypatch.context() as patch:
        lose_connection(patch, after_commit=False)
        with pytest.raises(OperationalError):
            book(patient, doctor, booking_key=KEY)

    appointment = book(patient, doctor, booking_key=KEY)

    assert Appointment.objects.get() == appointment


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_book_that_fails_in_another_way_does_not_look_for_the_key(monkeypatch, patient, doctor):
    error = OperationalError(1146, "no such table")

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(actions, "_book_once", fail)
    AppointmentFactory(patient=patient, doctor=doctor, booking_key=KEY)

    with pytest.raises(OperationalError) as raised:
        book(patient, doctor, booking_key=KEY)

    assert raised.value is error


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_book_inside_a_transaction_does_not_handle_a_broken_connection(monkeypatch, patient, doctor):
    lose_connection(monkeypatch, after_commit=True)

    with pytest.raises(OperationalError), transaction.atomic():
        book(patient, doctor, booking_key=KEY)

    assert not Appointment.objects.exists()


# move


def test_move_updates_the_row_and_only_the_given_fields(booked, doctor, user):
    moved = actions.move(booked, doctor=doctor, start_time=START + DAY, duration_minutes=45, by=user)

    stored = Appointment.objects.get()
    assert (stored.pk, stored.booking_key) == (booked.pk, booked.booking_key) == (moved.pk, moved.booking_key)
    assert (stored.doctor, stored.start_time, stored.duration_minutes) == (doctor, START + DAY, 45)
    assert stored.end_time == START + DAY + 45 * MINUTE
    assert (stored.status, stored.patient) == ("booked", booked.patient)


@pytest.mark.both_databases
def test_move_records_old_and_new_values_in_the_audit_trail(booked, doctor, user):
    old_doctor = booked.doctor

    actions.move(booked, doctor=doctor, start_time=START + HOUR, duration_minutes=45, by=user)

    entry = last_entry(booked)
    assert (entry.action, entry.actor) == (AuditEntry.Action.UPDATE, user)
    assert entry.changes_dict == {
        "doctor": [str(old_doctor.pk), str(doctor.pk)],
        "start_time": ["2026-11-24 10:00:00", "2026-11-24 11:00:00"],
        "duration_minutes": ["30", "45"],
    }


def test_move_to_the_same_place_is_accepted(booked):
    actions.move(booked, doctor=booked.doctor, start_time=START, duration_minutes=30, by=None)

    assert fresh(booked).start_time == START


@pytest.mark.both_databases
def test_move_within_its_own_time_is_accepted(booked):
    actions.move(booked, doctor=booked.doctor, start_time=START + 10 * MINUTE, duration_minutes=30, by=None)

    assert fresh(booked).start_time == START + 10 * MINUTE


def test_move_applies_the_rules(booked, isolated):
    cases = [
        ({"start_time": NOW}, {"start_time": ["past"]}),
        ({"duration_minutes": 181}, {"duration_minutes": ["duration"]}),
    ]
    for values, codes in cases:
        with isolated(values=values, codes=codes):
            wanted = {"doctor": booked.doctor, "start_time": START + HOUR, "duration_minutes": 30} | values

            assert codes_raised(actions.move, booked, **wanted, by=None) == codes
            assert fresh(booked).version == 1


@pytest.mark.both_databases
def test_move_into_taken_time_is_refused(booked):
    other = AppointmentFactory(patient=booked.patient, start_time=START + HOUR)

    codes = codes_raised(actions.move, other, doctor=booked.doctor, start_time=START, duration_minutes=30, by=None)

    assert codes == {"start_time": ["doctor_overlap", "patient_overlap"]}
    assert fresh(other).start_time == START + HOUR


def test_move_to_an_inactive_doctor_is_refused(booked):
    codes = codes_raised(
        actions.move,
        booked,
        doctor=DoctorFactory(is_active=False),
        start_time=START,
        duration_minutes=30,
        by=None,
    )

    assert codes == {"doctor": ["inactive"]}


def test_move_of_a_started_or_finished_appointment_is_refused(isolated):
    for status in ["in_consultation", "completed", "no_show", "cancelled"]:
        for start_time, minutes in [(START + HOUR, 30), (START, 45), (START, 30)]:
            with isolated(status=status, start_time=start_time, minutes=minutes):
                appointment = in_status(status)

                codes = codes_raised(
                    actions.move,
                    appointment,
                    doctor=appointment.doctor,
                    start_time=start_time,
                    duration_minutes=minutes,
                    by=None,
                )

                assert codes == {"start_time": ["not_movable"]}


# The statuses


def test_cancel_sets_its_timestamp_and_frees_the_time(booked, user, patient):
    actions.cancel(booked, reason=" Has  a cold ", cancelled_by=CancelledBy.PATIENT, by=user)

    stored = fresh(booked)
    assert (stored.status, stored.cancelled_at) == ("cancelled", NOW)
    assert (stored.cancelled_by, stored.cancel_reason) == ("patient", "Has a cold")
    assert book(patient, booked.doctor).status == "booked"


def test_cancel_without_reason_or_cancelled_by_is_refused(booked, isolated):
    cases = [
        ({"reason": ""}, {"cancel_reason": ["cancel_reason"]}),
        ({"reason": "  "}, {"cancel_reason": ["cancel_reason"]}),
        ({"reason": "x" * 201}, {"cancel_reason": ["max_length"]}),
        ({"cancelled_by": ""}, {"cancelled_by": ["cancelled_by"]}),
        ({"cancelled_by": "nobody"}, {"cancelled_by": ["invalid_choice"]}),
    ]
    for values, codes in cases:
        with isolated(values=values, codes=codes):
            wanted = {"reason": "Ill", "cancelled_by": "patient"} | values

            assert codes_raised(actions.cancel, booked, **wanted, by=None) == codes
            assert fresh(booked).status == "booked"


def test_mark_arrived_sets_its_timestamp(booked, user):
    actions.mark_arrived(booked, by=user)

    stored = fresh(booked)
    assert (stored.status, stored.arrived_at) == ("arrived", NOW)


def test_mark_arrived_on_another_day_is_refused(now, booked, isolated):
    for day in [-1, 1]:
        with isolated(day=day):
            now.move_to(NOW + day * DAY)

            assert codes_raised(actions.mark_arrived, booked, by=None) == {"status": ["not_today"]}
            assert fresh(booked).arrived_at is None


@pytest.mark.both_databases
def test_mark_arrived_of_a_no_show_whose_time_is_taken_is_refused(now, patient):
    no_show = in_status("no_show")
    book(patient, no_show.doctor)
    now.move_to(START + MINUTE)

    assert codes_raised(actions.mark_arrived, no_show, by=None) == {"start_time": ["doctor_overlap"]}


def test_start_sets_its_timestamp_and_keeps_the_arrival(now, booked, user):
    actions.mark_arrived(booked, by=user)
    now.move_to(START)

    actions.start(booked, by=user)

    stored = fresh(booked)
    assert (stored.status, stored.arrived_at, stored.started_at) == ("in_consultation", NOW, START)


def test_start_without_arrival_records_the_arrival(now, booked, user):
    now.move_to(START)

    actions.start(booked, by=user)

    stored = fresh(booked)
    assert (stored.status, stored.arrived_at, stored.started_at) == ("in_consultation", START, START)


def test_complete_sets_its_timestamp(now, user):
    appointment = in_status("in_consultation", started_at=NOW)
    now.move_to(START)

    actions.complete(appointment, by=user)

    stored = fresh(appointment)
    assert (stored.status, stored.started_at, stored.completed_at) == ("completed", NOW, START)


# Closing out


END = START + 30 * MINUTE
OPEN_STAMPS = {
    "booked": {},
    "arrived": {"arrived_at": NOW},
    "in_consultation": {"arrived_at": NOW, "started_at": START},
}
STAMPS = ("arrived_at", "started_at", "completed_at")


def stamps_of(appointment):
    return {name: getattr(appointment, name) for name in STAMPS if getattr(appointment, name)}


@pytest.mark.both_databases
def test_record_attended_completes_without_timestamps(now, user, isolated):
    for status in OPEN_STAMPS:
        for at in [END, END + MINUTE, END + 7 * DAY]:
            with isolated(status=status, at=at):
                appointment = in_status(status, **OPEN_STAMPS[status])
                now.move_to(at)

                actions.record_attended(appointment, by=user)

                stored = fresh(appointment)
                assert stored.status == "completed"
                assert stamps_of(stored) == OPEN_STAMPS[status]
                assert last_entry(stored).actor == user


def test_record_attended_before_the_end_is_refused(now, isolated):
    for status in OPEN_STAMPS:
        with isolated(status=status):
            appointment = in_status(status, **OPEN_STAMPS[status])
            now.move_to(END - MINUTE)

            assert codes_raised(actions.record_attended, appointment, by=None) == {"status": ["not_over"]}
            assert fresh(appointment).status == status


def test_undo_restores_the_status_before_close_out_on_any_day(now, user, isolated):
    for status in OPEN_STAMPS:
        for at in [END, END + 7 * DAY]:
            with isolated(status=status, at=at):
                appointment = in_status(status, **OPEN_STAMPS[status])
                now.move_to(END)
                actions.record_attended(appointment, by=user)
                now.move_to(at)

                actions.undo(appointment, by=user)

                stored = fresh(appointment)
                assert stored.status == status
                assert stamps_of(stored) == OPEN_STAMPS[status]


@pytest.mark.both_databases
def test_record_attended_still_blocks_the_time(now, booked, patient):
    now.move_to(END)
    actions.record_attended(booked, by=None)
    now.move_to(NOW)

    assert codes_raised(book, patient, booked.doctor) == {"start_time": ["doctor_overlap"]}


def test_complete_is_not_a_close_out(now, isolated):
    for status in ["booked", "arrived"]:
        with isolated(status=status):
            appointment = in_status(status)
            now.move_to(END + DAY)

            assert codes_raised(actions.complete, appointment, by=None) == {"status": ["transition"]}


def test_mark_no_show_frees_the_time(now, booked, patient, user):
    now.move_to(START)

    actions.mark_no_show(booked, by=user)

    assert fresh(booked).status == "no_show"
    assert book(patient, booked.doctor, start_time=START + MINUTE).status == "booked"


def test_mark_no_show_before_the_start_is_refused(now, booked):
    now.move_to(START - MINUTE)

    assert codes_raised(actions.mark_no_show, booked, by=None) == {"status": ["not_started"]}


VERBS = {
    "cancel": lambda appointment, **kwargs: actions.cancel(appointment, reason="Ill", cancelled_by="patient", **kwargs),
    "mark_arrived": actions.mark_arrived,
    "start": actions.start,
    "complete": actions.complete,
    "record_attended": actions.record_attended,
    "mark_no_show": actions.mark_no_show,
}
# From where a verb leads; back from there leads only undo.
FROM = {
    "cancel": {"booked", "arrived"},
    "mark_arrived": {"booked", "no_show"},
    "start": {"booked", "arrived"},
    "complete": {"in_consultation"},
    "record_attended": {"booked", "arrived", "in_consultation"},
    "mark_no_show": {"booked"},
}
SETS = {
    "cancel": "cancelled",
    "mark_arrived": "arrived",
    "start": "in_consultation",
    "complete": "completed",
    "record_attended": "completed",
    "mark_no_show": "no_show",
}
AT = {"record_attended": END}  # the others at the start


PAIRS = [(verb, status.value) for verb in VERBS for status in Status]


def test_action_changes_the_status_and_adds_an_audit_entry(now, user, isolated):
    for verb, status in [(verb, status) for verb, status in PAIRS if status in FROM[verb]]:
        with isolated(verb=verb, status=status):
            appointment = in_status(status)
            now.move_to(AT.get(verb, START))

            changed = VERBS[verb](appointment, by=user)

            entries = AuditEntry.objects.get_for_object(appointment).order_by("pk")
            assert changed.status == fresh(appointment).status == SETS[verb]
            assert [(entry.action, entry.actor) for entry in entries] == [
                (AuditEntry.Action.CREATE, None),
                (AuditEntry.Action.UPDATE, user),
            ]
            assert entries[1].changes_dict["status"] == [status, SETS[verb]]


def test_action_from_a_wrong_status_is_refused_and_changes_nothing(now, user, isolated):
    for verb, status in [(verb, status) for verb, status in PAIRS if status not in FROM[verb]]:
        with isolated(verb=verb, status=status):
            appointment = in_status(status)
            now.move_to(START)

            codes = codes_raised(VERBS[verb], appointment, by=user)

            assert codes == {"status": ["transition"]}
            assert (fresh(appointment).status, fresh(appointment).version) == (status, 1)
            assert AuditEntry.objects.get_for_object(appointment).count() == 1


@pytest.mark.both_databases
def test_repeated_action_is_refused(now, isolated):
    """Two users press the same button: the second is refused, and the timestamps stay."""
    for verb in VERBS:
        with isolated(verb=verb):
            appointment = in_status("in_consultation" if verb == "complete" else "booked")
            now.move_to(AT.get(verb, START))
            VERBS[verb](appointment, by=None)
            first = fresh(appointment)
            now.shift(MINUTE)

            codes = codes_raised(VERBS[verb], appointment, by=None)

            stored = fresh(appointment)
            assert codes == {"status": ["transition"]}
            assert (stored.arrived_at, stored.started_at, stored.completed_at, stored.cancelled_at) == (
                first.arrived_at,
                first.started_at,
                first.completed_at,
                first.cancelled_at,
            )


# undo


def test_undo_reverts_the_status_and_its_timestamps(user, isolated):
    cases = [
        ("arrived", {"arrived_at": NOW}, "booked", {"arrived_at": None}),
        (
            "in_consultation",
            {"arrived_at": NOW, "started_at": NOW},
            "arrived",
            {"arrived_at": NOW, "started_at": None},
        ),
        (
            "completed",
            {"started_at": NOW, "completed_at": NOW},
            "in_consultation",
            {"started_at": NOW, "completed_at": None},
        ),
        ("no_show", {}, "booked", {}),
        (
            "cancelled",
            {"cancelled_at": NOW},
            "booked",
            {"cancelled_at": None, "cancelled_by": "", "cancel_reason": ""},
        ),
    ]
    for status, stamps, back, left in cases:
        with isolated(status=status, stamps=stamps, back=back, left=left):
            appointment = in_status(status, **stamps)

            actions.undo(appointment, by=user)

            stored = fresh(appointment)
            assert stored.status == back
            assert {name: getattr(stored, name) for name in left} == left
            assert last_entry(stored).actor == user


def test_undo_of_a_booked_appointment_is_refused(booked):
    assert codes_raised(actions.undo, booked, by=None) == {"status": ["transition"]}


def test_undoing_every_step_restores_the_original_booking(now, booked):
    now.move_to(START)
    actions.start(booked, by=None)
    actions.complete(booked, by=None)

    for _ in range(3):
        actions.undo(booked, by=None)

    stored = fresh(booked)
    assert stored.status == "booked"
    assert (stored.arrived_at, stored.started_at, stored.completed_at) == (None, None, None)


def test_undo_of_a_completed_appointment_on_another_day_is_refused(now):
    appointment = in_status("completed", completed_at=START)
    now.move_to(START + DAY)

    assert codes_raised(actions.undo, appointment, by=None) == {"status": ["not_today"]}


@pytest.mark.both_databases
def test_undo_is_refused_if_the_time_was_taken_meanwhile(patient, isolated):
    for status in ["no_show", "cancelled"]:
        with isolated(status=status):
            appointment = in_status(status)
            book(patient, appointment.doctor)

            assert codes_raised(actions.undo, appointment, by=None) == {"start_time": ["doctor_overlap"]}
            assert fresh(appointment).status == status


@pytest.mark.both_databases
def test_undo_of_cancel_is_refused_if_the_patient_is_booked_elsewhere(doctor):
    appointment = in_status("cancelled")
    book(appointment.patient, doctor)

    assert codes_raised(actions.undo, appointment, by=None) == {"start_time": ["patient_overlap"]}


@pytest.mark.both_databases
def test_undo_of_cancel_is_refused_once_the_start_has_passed(now):
    appointment = in_status("cancelled")
    now.move_to(START)

    assert codes_raised(actions.undo, appointment, by=None) == {"status": ["past"]}


@pytest.mark.both_databases
def test_undo_of_cancel_is_refused_if_the_doctor_is_inactive():
    appointment = in_status("cancelled")
    appointment.doctor.is_active = False
    appointment.doctor.save()

    assert codes_raised(actions.undo, appointment, by=None) == {"doctor": ["inactive"]}
    assert fresh(appointment).status == "cancelled"


# The version that was shown

ALL_VERBS = VERBS | {
    "undo": actions.undo,
    "move": lambda appointment, **kwargs: actions.move(
        appointment, doctor=appointment.doctor, start_time=START + HOUR, duration_minutes=30, **kwargs
    ),
}


@pytest.mark.both_databases
def test_action_on_a_changed_appointment_is_refused(now, isolated):
    for verb in ALL_VERBS:
        with isolated(verb=verb):
            appointment = in_status({"complete": "in_consultation", "undo": "arrived"}.get(verb, "booked"))
            other = fresh(appointment)
            other.notes = "Called back"
            other.save()
            now.move_to(START)

            codes = codes_raised(ALL_VERBS[verb], appointment, by=None, version=1)

            assert codes == {"": ["stale"]}
            assert fresh(appointment).version == 2


def test_action_on_the_version_shown_works(now, isolated):
    for verb in ALL_VERBS:
        for version in [None, 1]:
            with isolated(verb=verb, version=version):
                appointment = in_status({"complete": "in_consultation", "undo": "arrived"}.get(verb, "booked"))
                now.move_to(AT.get(verb, START))

                changed = ALL_VERBS[verb](appointment, by=None, version=version)

                assert changed.version == fresh(appointment).version == 2


@pytest.mark.both_databases
def test_action_on_a_deleted_appointment_is_refused(isolated):
    for verb in ALL_VERBS:
        with isolated(verb=verb):
            appointment = AppointmentFactory()
            Appointment.objects.all().delete()

            assert codes_raised(ALL_VERBS[verb], appointment, by=None) == {"": ["gone"]}


@pytest.mark.both_databases
def test_refusal_hides_the_other_appointment_from_a_doctor(now, doctor_user, administrator):
    at_8 = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)
    missed = AppointmentFactory(doctor=DoctorFactory(user=doctor_user), start_time=at_8, status="no_show")
    elsewhere = DoctorFactory(full_name="Dr Elsewhere")
    AppointmentFactory(doctor=elsewhere, patient=missed.patient, start_time=at_8, status="arrived", arrived_at=at_8)

    refusals = {}
    for user in (doctor_user, administrator):
        with pytest.raises(ValidationError) as refusal:
            actions.undo(missed, by=user)
        refusals[user] = refusal.value

    for refused in refusals.values():
        assert {error.code for errors in refused.error_dict.values() for error in errors} == {"patient_overlap"}
    assert "Elsewhere" in str(refusals[administrator])
    assert "Elsewhere" not in str(refusals[doctor_user])
    assert "08:00" not in str(refusals[doctor_user])
