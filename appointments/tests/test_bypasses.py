"""Ways round the claim that were found once, each of which left two visits at the same time or a write unrecorded."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from appointments.booking import actions
from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.db.transactions import LostRace
from clinic.models import AuditEntry
from clinic.tests.kit import codes_in
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

TEN = dt.datetime(2026, 11, 24, 10, 0, tzinfo=dt.UTC)
ELEVEN = TEN + dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def frozen(now):
    return now


@pytest.fixture
def visit(doctor):
    return AppointmentFactory(doctor=doctor, start_time=TEN)


def code_of(save):
    with pytest.raises(LostRace) as refusal:
        save()
    return next(iter(codes_in(refusal.value).values()))[0]


def test_instance_whose_save_was_rolled_back_is_stale(visit):
    appointment = Appointment.objects.get(pk=visit.pk)
    with transaction.atomic():
        appointment.start_time = ELEVEN
        appointment.save()
        transaction.set_rollback(True)
    other = Appointment.objects.get(pk=visit.pk)
    other.reason = "Now the versions are the same"
    other.save()
    AppointmentFactory(doctor=visit.doctor, start_time=ELEVEN)

    assert code_of(appointment.save) == "stale"


@pytest.mark.parametrize(
    "read", [lambda rows: rows.defer("version"), lambda rows: rows.only("reason", "status")], ids=["defer", "only"]
)
def test_instance_read_without_its_version_is_stale_once_the_row_has_changed(visit, read):
    appointment = read(Appointment.objects).get(pk=visit.pk)
    actions.cancel(visit, reason="Ill", cancelled_by="patient", by=None)
    AppointmentFactory(doctor=visit.doctor, start_time=TEN)
    appointment.reason = "Back from the dead"

    assert code_of(appointment.save) == "stale"


def test_instance_that_takes_on_another_key_is_stale(visit):
    other = AppointmentFactory(doctor=visit.doctor, start_time=ELEVEN)
    appointment = Appointment.objects.get(pk=visit.pk)
    appointment.pk = other.pk

    assert code_of(lambda: appointment.save(update_fields=["reason"])) == "stale"


def test_new_instance_with_a_key_that_exists_is_not_written(visit, doctor):
    before = Appointment.objects.values().get()
    intruder = Appointment(
        pk=visit.pk, patient=PatientFactory(), doctor=doctor, start_time=ELEVEN, created_at=visit.created_at
    )

    with pytest.raises(IntegrityError), transaction.atomic():
        intruder.save()

    assert Appointment.objects.values().get() == before
    assert AuditEntry.objects.get_for_object(visit).count() == 1


def test_deleted_visit_does_not_come_back(visit):
    appointment = Appointment.objects.get(pk=visit.pk)
    visit.delete()
    appointment.reason = "Back from the dead"

    assert code_of(appointment.save) == "gone"
    assert not Appointment.objects.exists()


@pytest.mark.parametrize("delete", [lambda visit: visit.delete(), lambda visit: Appointment.objects.all().delete()])
def test_delete_claims_the_diary(visit, delete):
    visit.doctor.refresh_from_db()
    before = visit.doctor.diary_version

    delete(visit)

    visit.doctor.refresh_from_db()
    assert visit.doctor.diary_version == before + 1


def test_save_takes_no_positional_arguments(visit):
    with pytest.raises(TypeError):
        visit.save(False, False, None, ["start_time"])


def test_status_that_is_none_is_refused(visit, doctor):
    with pytest.raises(ValidationError) as refusal:
        AppointmentFactory(doctor=doctor, start_time=TEN, status="Booked")

    assert refusal.value.code == "status"
    assert Appointment.objects.get() == visit


def test_doctor_who_is_not_saved_leaves_no_audit_entry(doctor, doctor_user):
    doctor.user = doctor_user
    doctor.save()
    second = AppointmentFactory().doctor
    before = AuditEntry.objects.count()
    second.user = doctor_user

    with pytest.raises(IntegrityError), transaction.atomic():
        second.save()

    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("name", ["doctor", "patient", "doctor_user"])
def test_record_is_not_saved_without_its_audit_entry(request, monkeypatch, name):
    record = request.getfixturevalue(name)
    model = type(record)
    before = model.objects.values().get(pk=record.pk)

    def refuse(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(AuditEntry, "save", refuse)
    if name == "patient":
        record.date_of_birth = dt.date(1990, 1, 1)
    else:
        record.is_active = not record.is_active

    with pytest.raises(RuntimeError):
        record.save()

    assert model.objects.values().get(pk=record.pk) == before


@pytest.mark.parametrize("changed", [{"reason": "Another"}, {"notes": "Other notes"}])
def test_booking_key_with_another_reason_asks_to_be_sent_again(patient, doctor, changed):
    wanted = {"patient": patient, "doctor": doctor, "start_time": TEN, "duration_minutes": 30, "by": None}
    booked = actions.book(**wanted)

    with pytest.raises(ValidationError) as refusal:
        actions.book(**wanted, booking_key=booked.booking_key, **changed)

    assert refusal.value.code == "booking_key_used"


def test_booking_key_of_a_cancelled_visit_asks_to_be_sent_again(patient, doctor):
    wanted = {"patient": patient, "doctor": doctor, "start_time": TEN, "duration_minutes": 30, "by": None}
    booked = actions.book(**wanted)
    actions.cancel(booked, reason="Ill", cancelled_by="patient", by=None)

    with pytest.raises(ValidationError) as refusal:
        actions.book(**wanted, booking_key=booked.booking_key)

    assert refusal.value.code == "booking_key_used"
