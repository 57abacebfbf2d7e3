"""The actor and address of entries, and that no change is saved without one."""

import pytest
from auditlog import get_logentry_model
from auditlog.diff import model_instance_diff
from auditlog.registry import auditlog
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from appointments.booking import actions
from appointments.models import Appointment, CalendarFeed, EmergencyGrant
from appointments.tests.factories import AppointmentFactory
from clinic.audit.actor import Origin, acting, current_origin
from clinic.core.clinic_time import HOUR
from clinic.models import ApiToken, AuditEntry, Event, User
from clinic.tests.factories import UserFactory
from clinic.tests.kit import START, fresh
from doctors.models import Doctor
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory


class AuditTrailDown(Exception):
    pass


@pytest.fixture
def break_trail(monkeypatch):
    """Return a function that makes saving any audit entry fail."""

    def fail(self, *args, **kwargs):
        raise AuditTrailDown

    return lambda: monkeypatch.setattr(AuditEntry, "save", fail)


def last_entry(record):
    return AuditEntry.objects.get_for_object(record).order_by("pk").last()


# Actor


def test_origin_outside_a_request_has_no_actor():
    assert current_origin() == Origin(actor=None, address=None)


def test_acting_sets_the_actor_inside_the_block_only():
    with acting("outer"):
        inside = current_origin().actor

    assert inside == "outer"
    assert current_origin().actor is None


def test_acting_nested_restores_the_outer_actor():
    seen = []

    with acting("outer"):
        with acting("inner"):
            seen.append(current_origin().actor)
        seen.append(current_origin().actor)

    assert seen == ["inner", "outer"]


def test_acting_restores_the_outer_actor_after_an_error():
    with acting("outer"):
        with pytest.raises(ValueError, match="inside"), acting("inner"):
            raise ValueError("inside")

        assert current_origin().actor == "outer"


def test_acting_nested_keeps_the_address():
    with acting("outer", address="192.0.2.7"), acting("inner"):
        assert current_origin() == Origin("inner", "192.0.2.7")


def test_acting_nested_uses_its_own_address_inside_only():
    with acting("outer", address="192.0.2.7"):
        with acting("inner", address="192.0.2.8"):
            assert current_origin().address == "192.0.2.8"

        assert current_origin().address == "192.0.2.7"


def test_acting_as_the_system_inside_a_user_has_no_actor():
    with acting("outer"), acting(None):
        assert current_origin().actor is None


# Entries


def test_audit_entry_has_actor_e_mail_and_address(db):
    user = UserFactory(email="reception@example.org")

    with acting(user, address="192.0.2.7"):
        patient = PatientFactory()

    entry = last_entry(patient)
    assert entry.action == AuditEntry.Action.CREATE
    assert (entry.actor, entry.actor_email, entry.remote_addr) == (user, "reception@example.org", "192.0.2.7")


def test_audit_entry_outside_has_no_actor(db):
    patient = PatientFactory()

    entry = last_entry(patient)
    assert (entry.actor, entry.actor_email, entry.remote_addr) == (None, None, None)


def test_audit_entry_of_an_anonymous_user_has_an_address_only(db):
    with acting(AnonymousUser(), address="192.0.2.7"):
        patient = PatientFactory()

    entry = last_entry(patient)
    assert (entry.actor, entry.remote_addr) == (None, "192.0.2.7")


def test_audit_entry_inside_a_nested_block_has_the_inner_actor(db):
    outer, inner = UserFactory(), UserFactory()

    with acting(outer):
        with acting(inner):
            first = PatientFactory()
        second = PatientFactory()

    assert last_entry(first).actor == inner
    assert last_entry(second).actor == outer


def test_audit_entry_has_old_and_new_values(db):
    patient = PatientFactory(last_name="Santos")

    patient.last_name = "Silva"
    patient.save()

    entry = last_entry(patient)
    assert entry.action == AuditEntry.Action.UPDATE
    assert entry.changes_dict == {"last_name": ["Santos", "Silva"]}


def test_audit_entry_of_a_patient_omits_derived_fields(db):
    patient = PatientFactory()

    derived = {"name_key", "diary_version", "last_contact", "updated_at", "search_keys"}
    assert not derived & last_entry(patient).changes_dict.keys()


def test_audit_entry_of_a_user_does_not_contain_the_password(db):
    user = UserFactory()

    user.set_password("another-long-password")
    user.save()

    made, password_set = AuditEntry.objects.get_for_object(user).order_by("pk")
    assert "password" not in made.changes_dict
    assert (password_set.event, password_set.changes) == (Event.CREDENTIAL, None)
    assert password_set.additional_data == {"what": "password_set"}


def test_audit_entry_of_a_new_record_contains_columns_only():
    audited = [model for model in apps.get_models() if auditlog.contains(model)]

    extra = {
        model.__name__: set(model_instance_diff(None, model())) - {field.name for field in model._meta.concrete_fields}
        for model in audited
    }

    assert audited
    assert {name: fields for name, fields in extra.items() if fields} == {}


def test_audit_entry_of_a_deleted_patient_remains(db):
    user = UserFactory()
    patient = PatientFactory()
    pk = patient.pk

    with acting(user):
        patient.delete()

    entry = AuditEntry.objects.filter(action=AuditEntry.Action.DELETE).get()
    assert (entry.object_id, entry.actor) == (pk, user)


def test_audit_trail_is_the_clinics_own_table():
    assert get_logentry_model() is AuditEntry


# Rollback


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_booking_is_rolled_back_when_its_audit_entry_fails(now, break_trail):
    patient, doctor = PatientFactory(), DoctorFactory()
    break_trail()

    with pytest.raises(AuditTrailDown):
        actions.book(patient=patient, doctor=doctor, start_time=START, duration_minutes=30, by=None)

    doctor.refresh_from_db()
    assert not Appointment.objects.exists()
    assert doctor.diary_version == 0


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_booking_can_be_repeated_after_its_audit_entry_failed(now, break_trail, monkeypatch):
    patient, doctor = PatientFactory(), DoctorFactory()
    break_trail()
    with pytest.raises(AuditTrailDown):
        actions.book(patient=patient, doctor=doctor, start_time=START, duration_minutes=30, by=None)
    monkeypatch.undo()

    actions.book(patient=patient, doctor=doctor, start_time=START, duration_minutes=30, by=None)

    assert Appointment.objects.count() == 1


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_cancelling_is_rolled_back_when_its_audit_entry_fails(now, break_trail):
    appointment = AppointmentFactory()
    break_trail()

    with pytest.raises(AuditTrailDown):
        actions.cancel(appointment, reason="Ill", cancelled_by="patient", by=None)

    appointment = fresh(appointment)
    assert (appointment.status, appointment.cancelled_at, appointment.version) == ("booked", None, 1)


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_record_is_not_saved_when_its_audit_entry_fails(break_trail, subtests):
    doctor, user = DoctorFactory(), UserFactory()
    new_records = [
        Doctor(full_name="Dr Lindgren", specialization="Cardiology"),
        User(username="new"),
        ApiToken(user=user, name="Kiosk", digest="token"),
        EmergencyGrant(user=user, granted_by=user, reason="Flood", ends_at=timezone.now() + HOUR),
        CalendarFeed(doctor=doctor, digest="feed"),
        TimetableFactory.build(doctor=doctor),
        LeaveFactory.build(doctor=doctor),
        ClosureFactory.build(),
    ]
    break_trail()
    for record in new_records:
        with subtests.test(model=type(record).__name__):
            before = type(record).objects.count()

            with pytest.raises(AuditTrailDown):
                record.save()

            assert type(record).objects.count() == before


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_registration_is_rolled_back_when_its_audit_entry_fails(break_trail):
    break_trail()

    with pytest.raises(AuditTrailDown):
        PatientFactory()

    assert not Patient.objects.exists()
