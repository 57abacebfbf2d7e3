"""Former ways around the lock: each double-booked a time or skipped the audit trail."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from appointments.booking import actions
from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.db.transactions import LostRace
from clinic.models import AuditEntry
from clinic.tests.factories import UserFactory
from clinic.tests.kit import codes_in
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("db", "now")]

TEN = dt.datetime(2026, 11, 24, 10, 0, tzinfo=dt.UTC)
ELEVEN = TEN + dt.timedelta(hours=1)


@pytest.fixture
def appointment(doctor):
    return AppointmentFactory(doctor=doctor, start_time=TEN)


def code_of(save):
    with pytest.raises(LostRace) as refusal:
        save()
    return next(iter(codes_in(refusal.value).values()))[0]


def test_instance_whose_save_was_rolled_back_is_stale(appointment):
    loaded = Appointment.objects.get(pk=appointment.pk)
    with transaction.atomic():
        loaded.start_time = ELEVEN
        loaded.save()
        transaction.set_rollback(True)
    other = Appointment.objects.get(pk=appointment.pk)
    other.reason = "Now the versions are the same"
    other.save()
    AppointmentFactory(doctor=appointment.doctor, start_time=ELEVEN)

    assert code_of(loaded.save) == "stale"


def test_instance_with_deferred_version_is_stale_once_the_row_changed(appointment, isolated):
    cases = {
        "defer": lambda rows: rows.defer("version"),
        "only": lambda rows: rows.only("reason", "status"),
    }
    for case, read in cases.items():
        with isolated(case):
            loaded = read(Appointment.objects).get(pk=appointment.pk)
            actions.cancel(appointment, reason="Ill", cancelled_by="patient", by=None)
            AppointmentFactory(doctor=appointment.doctor, start_time=TEN)
            loaded.reason = "Back from the dead"

            assert code_of(loaded.save) == "stale"


def test_instance_with_a_changed_primary_key_is_stale(appointment):
    other = AppointmentFactory(doctor=appointment.doctor, start_time=ELEVEN)
    loaded = Appointment.objects.get(pk=appointment.pk)
    loaded.pk = other.pk

    assert code_of(lambda: loaded.save(update_fields=["reason"])) == "stale"


def test_new_instance_with_a_key_that_exists_is_not_written(appointment, doctor):
    before = Appointment.objects.values().get()
    intruder = Appointment(
        pk=appointment.pk, patient=PatientFactory(), doctor=doctor, start_time=ELEVEN, created_at=appointment.created_at
    )

    with pytest.raises(IntegrityError), transaction.atomic():
        intruder.save()

    assert Appointment.objects.values().get() == before
    assert AuditEntry.objects.get_for_object(appointment).count() == 1


def test_deleted_appointment_does_not_come_back(appointment):
    loaded = Appointment.objects.get(pk=appointment.pk)
    appointment.delete()
    loaded.reason = "Back from the dead"

    assert code_of(loaded.save) == "gone"
    assert not Appointment.objects.exists()


def test_delete_locks_the_diary(appointment, isolated):
    for delete in [lambda appointment: appointment.delete(), lambda appointment: Appointment.objects.all().delete()]:
        with isolated(delete=delete):
            appointment.doctor.refresh_from_db()
            before = appointment.doctor.diary_version

            delete(appointment)

            appointment.doctor.refresh_from_db()
            assert appointment.doctor.diary_version == before + 1


def test_save_takes_no_positional_arguments(appointment):
    with pytest.raises(TypeError):
        appointment.save(False, False, None, ["start_time"])


def test_invalid_status_is_refused(appointment, doctor):
    with pytest.raises(ValidationError) as refusal:
        AppointmentFactory(doctor=doctor, start_time=TEN, status="Booked")

    assert refusal.value.code == "status"
    assert Appointment.objects.get() == appointment


def test_doctor_who_is_not_saved_leaves_no_audit_entry(doctor, doctor_user):
    doctor.user = doctor_user
    doctor.save()
    second = AppointmentFactory().doctor
    before = AuditEntry.objects.count()
    second.user = doctor_user

    with pytest.raises(IntegrityError):  # in a transaction of its own, or the next query would fail
        second.save()

    assert AuditEntry.objects.count() == before


def test_record_is_not_saved_without_its_audit_entry(doctor, patient, doctor_user, monkeypatch, isolated):
    def refuse(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(AuditEntry, "save", refuse)
    for record, field, value in [
        (doctor, "is_active", False),
        (patient, "date_of_birth", dt.date(1990, 1, 1)),
        (doctor_user, "is_active", False),
    ]:
        with isolated(type(record).__name__):
            model = type(record)
            before = model.objects.values().get(pk=record.pk)
            setattr(record, field, value)

            with pytest.raises(RuntimeError):
                record.save()

            assert model.objects.values().get(pk=record.pk) == before


def test_record_is_not_created_without_its_audit_entry(monkeypatch, isolated):
    def refuse(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(AuditEntry, "save", refuse)
    for factory in [DoctorFactory, PatientFactory, UserFactory]:
        model = factory._meta.model
        with isolated(model.__name__):
            with pytest.raises(RuntimeError):
                factory()

            assert not model.objects.exists()


def test_appointment_is_not_created_without_its_audit_entry(doctor, patient, monkeypatch):
    def refuse(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(AuditEntry, "save", refuse)

    with pytest.raises(RuntimeError):
        actions.book(patient=patient, doctor=doctor, start_time=TEN, duration_minutes=30, by=None)

    assert not Appointment.objects.exists()


def test_booking_key_with_another_reason_asks_to_be_sent_again(patient, doctor, isolated):
    for changed in [{"reason": "Another"}, {"notes": "Other notes"}]:
        with isolated(changed=changed):
            wanted = {"patient": patient, "doctor": doctor, "start_time": TEN, "duration_minutes": 30, "by": None}
            booked = actions.book(**wanted)

            with pytest.raises(ValidationError) as refusal:
                actions.book(**wanted, booking_key=booked.booking_key, **changed)

            assert refusal.value.code == "booking_key_used"


def test_booking_key_of_a_cancelled_appointment_asks_to_be_sent_again(patient, doctor):
    wanted = {"patient": patient, "doctor": doctor, "start_time": TEN, "duration_minutes": 30, "by": None}
    booked = actions.book(**wanted)
    actions.cancel(booked, reason="Ill", cancelled_by="patient", by=None)

    with pytest.raises(ValidationError) as refusal:
        actions.book(**wanted, booking_key=booked.booking_key)

    assert refusal.value.code == "booking_key_used"
