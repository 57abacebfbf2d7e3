"""Stored patients: unique e-mails, search keys, no deletion while there are appointments."""

import datetime as dt
from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.models import F, ProtectedError
from django.utils import timezone

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.tests.kit import fresh, rolled_back
from patients import rules
from patients.models import NamePair, Patient, SearchKey
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db


def keys_of(patient):
    return set(SearchKey.objects.filter(patient=patient).values_list("key", flat=True))


# E-mail


def test_email_is_stored_trimmed_and_in_small_letters():
    for email in ("Maria@Example.ORG", "  maria@example.org", "maria@example.org  "):
        with rolled_back():
            patient = Patient.objects.create(first_name="Maria", last_name="Santos", email=email)

            assert patient.email == "maria@example.org", email
            assert Patient.objects.values_list("email", flat=True).get() == "maria@example.org", email


@pytest.mark.both_databases
def test_email_twice_is_refused_by_the_database():
    PatientFactory(email="Maria@Example.org")

    for email in ("maria@example.org", "MARIA@EXAMPLE.ORG", " maria@example.org", "maria@example.org "):
        with pytest.raises(IntegrityError), transaction.atomic():
            Patient.objects.create(first_name="Ana", last_name="Silva", email=email)

        assert Patient.objects.count() == 1, email


@pytest.mark.both_databases
def test_email_twice_in_bulk_is_refused_by_the_database():
    PatientFactory(email="maria@example.org")

    with pytest.raises(IntegrityError), transaction.atomic():
        Patient.objects.bulk_create([Patient(first_name="Ana", last_name="Silva", email="MARIA@example.org ")])

    assert Patient.objects.count() == 1


@pytest.mark.both_databases
def test_email_is_found_in_any_case_and_with_spaces():
    patient = PatientFactory(email="maria@example.org")

    for email in ("maria@example.org", "MARIA@Example.org", " maria@example.org "):
        assert Patient.objects.get(email=email) == patient, email
        assert Patient.objects.get(email__in=[email]) == patient, email


# Search keys


@pytest.mark.both_databases
def test_keys_of_a_new_patient_are_names_e_mail_and_phone():
    patient = PatientFactory(
        first_name="José Luís", last_name="Weiß-Sørensen", email="jose@example.org", phone_number="+351 912 345 678"
    )

    assert keys_of(patient) == {
        "jose",
        "luis",
        "weiss",
        "sorensen",
        "jose@example.org",
        "351912345678",
        "51912345678",
        "1912345678",
        "912345678",
    }


def test_keys_of_a_patient_without_a_phone_are_not_empty():
    patient = PatientFactory(first_name="Maria", last_name="Santos", email="maria@example.org", phone_number="")

    assert keys_of(patient) == {"maria", "santos", "maria@example.org"}


@pytest.mark.both_databases
def test_keys_follow_edits():
    patient = PatientFactory(first_name="Maria", last_name="Santos", email="maria@example.org", phone_number="112")
    before = keys_of(patient)
    edits = [
        ("first_name", "Ana", {"maria"}, {"ana"}),
        ("last_name", "Silva Costa", {"santos"}, {"silva", "costa"}),
        ("email", "Ana@example.org", {"maria@example.org"}, {"ana@example.org"}),
        ("phone_number", "912345678", {"112"}, {"912345678"}),
        ("phone_number", "", {"112"}, set()),
    ]

    for field, value, removed, added in edits:
        with rolled_back():
            edited = fresh(patient)
            setattr(edited, field, value)
            edited.save()

            assert keys_of(patient) == before - removed | added, (field, value)


def test_keys_follow_an_edit_of_one_field_only():
    patient = PatientFactory(first_name="Maria", last_name="Santos", email="maria@example.org", phone_number="")

    patient.last_name = "Silva"
    patient.save(update_fields=["last_name"])

    patient.refresh_from_db()
    assert keys_of(patient) == {"maria", "silva", "maria@example.org"}
    assert patient.name_key == "silva maria"


def test_keys_do_not_follow_a_name_that_was_not_saved():
    patient = PatientFactory(first_name="Maria", last_name="Santos", email="maria@example.org", phone_number="")

    patient.last_name = "Silva"
    patient.save(update_fields=["date_of_birth"])

    patient.refresh_from_db()
    assert patient.last_name == "Santos"
    assert patient.name_key == "santos maria"
    assert keys_of(patient) == {"maria", "santos", "maria@example.org"}


def test_keys_of_a_partly_loaded_patient_stay_complete():
    patient = PatientFactory(first_name="Maria", last_name="Santos", email="maria@example.org", phone_number="")

    in_part = Patient.objects.only("first_name").get()
    in_part.first_name = "Ana"
    in_part.save()

    assert keys_of(patient) == {"ana", "santos", "maria@example.org"}


@pytest.mark.both_databases
def test_keys_of_an_unchanged_patient_are_not_written_again():
    patient = PatientFactory()
    before = set(SearchKey.objects.values_list("pk", flat=True))

    patient.save()

    assert set(SearchKey.objects.values_list("pk", flat=True)) == before


def pairs_of(patient):
    return set(NamePair.objects.filter(patient=patient).values_list("key", "others"))


@pytest.mark.both_databases
def test_name_pairs_follow_the_name():
    patient = PatientFactory(first_name="Ana", last_name="Silva")
    assert pairs_of(patient) == {("2sana", " silva"), ("2asilva", " ana")}

    patient.last_name = "Sá Silva"
    patient.save()
    before = set(NamePair.objects.values_list("pk", flat=True))
    patient.phone_number = "912345678"
    patient.save()

    assert pairs_of(patient) == {
        ("3sana", " sa silva"),
        ("3asa", " ana silva"),
        ("3ssa", " ana silva"),
        ("3asilva", " ana sa"),
        ("3ssilva", " ana sa"),
    }
    assert set(NamePair.objects.values_list("pk", flat=True)) == before


@pytest.mark.both_databases
def test_migration_writes_the_pairs_of_patients_registered_before(monkeypatch):
    migration = import_module("patients.migrations.0006_fill_name_pairs")
    monkeypatch.setattr(migration, "BATCH", 2)
    patients = [PatientFactory(first_name=name, last_name="Silva") for name in ("Ana", "Bo Li", "Caio", "Li", "Zoe")]
    wanted = {patient.pk: patient.wanted_name_pairs() for patient in patients[1:]}
    Patient.objects.anonymise(patients[0].pk, at=timezone.now())
    NamePair.objects.exclude(patient=patients[2]).delete()

    for _run in range(2):  # it may be ended and started again
        migration.fill(apps, connection.schema_editor())

    assert {patient.pk: pairs_of(patient) for patient in patients} == {patients[0].pk: set(), **wanted}
    assert NamePair.objects.count() == sum(map(len, wanted.values()))


def test_patient_is_not_saved_without_the_search_keys(monkeypatch):
    patient = PatientFactory(last_name="Santos")
    monkeypatch.setattr(SearchKey.objects, "bulk_create", lambda _keys: 1 / 0)

    patient.last_name = "Conceição"
    with pytest.raises(ZeroDivisionError):
        patient.save()
    with pytest.raises(ZeroDivisionError):
        PatientFactory(last_name="Silva")

    assert list(Patient.objects.values_list("last_name", flat=True)) == ["Santos"]
    assert "santos" in keys_of(patient)


@pytest.mark.both_databases
def test_keys_are_deleted_with_the_patient():
    patient = PatientFactory()

    patient.delete()

    assert not SearchKey.objects.exists()


@pytest.mark.both_databases
def test_bulk_create_fills_keys_and_order():
    one = Patient(first_name="José", last_name="Øster", email="Jose@Example.org ", phone_number="112")
    other = Patient(first_name="Ana", last_name="Silva", email="ana@example.org")

    Patient.objects.bulk_create([one, other])

    jose = Patient.objects.get(email="jose@example.org")
    assert keys_of(jose) == {"jose", "oster", "jose@example.org", "112"}
    assert jose.name_key == "oster jose"
    assert keys_of(Patient.objects.get(email="ana@example.org")) == {"ana", "silva", "ana@example.org"}


def test_bulk_create_of_no_patients_creates_none():
    assert Patient.objects.bulk_create([]) == []


def test_bulk_create_that_skips_patients_is_refused():
    patient = PatientFactory(first_name="Maria", last_name="Santos", email="maria@example.org", phone_number="")

    for option in ("ignore_conflicts", "update_conflicts"):
        with pytest.raises(TypeError):
            Patient.objects.bulk_create(
                [Patient(first_name="Ana", last_name="Silva", email="maria@example.org")], **{option: True}
            )

        assert keys_of(patient) == {"maria", "santos", "maria@example.org"}, option


# update()


def test_update_of_searched_fields_is_refused():
    PatientFactory(last_name="Santos", email="maria@example.org")
    updates = [
        {"first_name": "Ana"},
        {"last_name": "Silva"},
        {"email": "ana@example.org"},
        {"phone_number": "112"},
        {"date_of_birth": None, "last_name": F("first_name")},
    ]
    for values in updates:
        with pytest.raises(TypeError):
            Patient.objects.update(**values)

        patient = Patient.objects.get()
        assert (patient.first_name, patient.last_name, patient.email) == ("Maria", "Santos", "maria@example.org")


@pytest.mark.both_databases
def test_bulk_update_of_searched_fields_is_refused():
    patient = PatientFactory(last_name="Santos")
    patient.last_name = "Silva"

    with pytest.raises(TypeError), transaction.atomic():
        Patient.objects.bulk_update([patient], ["last_name"])

    assert Patient.objects.get().last_name == "Santos"


def test_update_of_anything_else_is_allowed():
    PatientFactory()

    changed = Patient.objects.update(date_of_birth=dt.date(1980, 5, 17))

    assert changed == 1
    assert Patient.objects.get().date_of_birth == dt.date(1980, 5, 17)


# Diary


@pytest.mark.both_databases
def test_saving_a_stale_patient_does_not_set_the_diary_back():
    patient = PatientFactory()
    stale = Patient.objects.get()
    AppointmentFactory(patient=patient)
    stale.last_name = "Silva"

    stale.save()

    patient.refresh_from_db()
    assert patient.diary_version == 1
    assert patient.last_name == "Silva"


# Deleting


def test_delete_of_a_patient_without_appointments_works():
    PatientFactory().delete()
    PatientFactory()

    Patient.objects.all().delete()

    assert not Patient.objects.exists()


@pytest.mark.both_databases
def test_delete_of_a_protected_patient_is_refused_with_advice():
    for status in ("booked", "cancelled"):
        appointment = AppointmentFactory(status=status)

        with pytest.raises(ProtectedError) as refusal:
            appointment.patient.delete()

        assert refusal.value.args[0] == str(rules.LINKED)
        assert refusal.value.protected_objects == {appointment}, status
        assert Patient.objects.filter(pk=appointment.patient_id).exists(), status


@pytest.mark.both_databases
def test_delete_of_several_with_one_protected_deletes_none():
    appointment = AppointmentFactory()
    PatientFactory()

    with pytest.raises(ProtectedError) as refusal:
        Patient.objects.all().delete()

    assert refusal.value.args[0] == str(rules.LINKED)
    assert Patient.objects.count() == 2
    assert Appointment.objects.get() == appointment


def test_delete_of_all_patients_needs_a_queryset():
    assert not hasattr(Patient.objects, "delete")


# Shown


def test_patient_is_shown_by_full_name():
    assert str(PatientFactory.build(first_name="Maria", last_name="Santos")) == "Maria Santos"


@pytest.mark.both_databases
def test_patients_come_in_order_of_folded_last_and_first_name():
    for first_name, last_name in [("Zoe", "Ábel"), ("Ana", "Zola"), ("Ana", "Abel"), ("Maria", "Øster")]:
        PatientFactory(first_name=first_name, last_name=last_name)

    assert [str(patient) for patient in Patient.objects.all()] == ["Ana Abel", "Zoe Ábel", "Maria Øster", "Ana Zola"]


def test_age_changes_on_the_birthday():
    ages = {
        (dt.date(1980, 11, 24), dt.date(2026, 11, 23)): 45,
        (dt.date(1980, 11, 24), dt.date(2026, 11, 24)): 46,
        (dt.date(1980, 11, 24), dt.date(2026, 11, 25)): 46,
        (dt.date(2004, 2, 29), dt.date(2026, 2, 28)): 21,
        (dt.date(2004, 2, 29), dt.date(2026, 3, 1)): 22,
        (dt.date(2004, 2, 29), dt.date(2028, 2, 29)): 24,
        (dt.date(2026, 11, 24), dt.date(2026, 11, 24)): 0,
        (None, dt.date(2026, 11, 24)): None,
    }

    assert {(born, day): PatientFactory.build(date_of_birth=born).age_on(day) for born, day in ages} == ages
