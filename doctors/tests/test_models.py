"""Validation and storage of doctors."""

import pytest
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry
from clinic.tests.factories import UserFactory
from clinic.tests.kit import codes_of, codes_text
from doctors import rules
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory

pytestmark = pytest.mark.django_db


def doctor_with(**values):
    return Doctor(**{"full_name": "Dr Okafor", "specialization": "Cardiology"} | values)


# Valid values


def codes_by_text(field, texts):
    """Return the error codes of a doctor by the text in a field, "" if it is valid."""
    return {text: codes_text(doctor_with(**{field: text})) for text in texts}


def test_readable_text_is_accepted():
    texts = ["X", "Dr. Łukasz Øster-O'Brien", "李", "x" * 100]

    for field in ("full_name", "specialization"):
        assert codes_by_text(field, texts) == dict.fromkeys(texts, "")


def test_unreadable_text_is_refused():
    codes = {
        "": "blank",
        None: "blank",
        " \t": "blank",
        "\u200b": "blank_name",
        "Dr\x00": "bad_character",
        "\u202erD": "bad_character",
        "x" * 101: "max_length",
    }
    for field in ("full_name", "specialization"):
        assert codes_by_text(field, codes) == {text: f"{field}: {code}" for text, code in codes.items()}


def test_texts_are_tidied():
    doctor = doctor_with(full_name="  Dr   Jose\u0301 ", specialization=" General\tpractice ")

    doctor.full_clean()

    assert (doctor.full_name, doctor.specialization) == ("Dr José", "General practice")


def test_new_doctor_is_active_without_a_login_and_with_an_empty_diary():
    doctor = DoctorFactory()

    doctor.refresh_from_db()
    assert (doctor.is_active, doctor.user, doctor.diary_version) == (True, None, 0)


@pytest.mark.both_databases
def test_login_of_two_doctors_is_refused():
    user = UserFactory()
    DoctorFactory(user=user)

    assert codes_of(doctor_with(user=user)) == {"user": ["unique"]}
    with pytest.raises(IntegrityError), transaction.atomic():
        DoctorFactory(user=user)


@pytest.mark.both_databases
def test_doctor_remains_when_the_login_is_deleted():
    user = UserFactory()
    doctor = DoctorFactory(user=user)

    user.delete()

    doctor.refresh_from_db()
    assert doctor.user is None


# Diary


@pytest.mark.both_databases
def test_diary_version_rises_with_each_booking_in_this_diary_only():
    doctor, other = DoctorFactory(), DoctorFactory()

    AppointmentFactory(doctor=doctor)

    doctor.refresh_from_db()
    other.refresh_from_db()
    assert (doctor.diary_version, other.diary_version) == (1, 0)


@pytest.mark.both_databases
def test_saving_a_stale_doctor_does_not_set_the_diary_back():
    for options in ({}, {"update_fields": ["is_active"]}, {"update_fields": ["diary_version"]}):
        stale = DoctorFactory()
        AppointmentFactory(doctor=Doctor.objects.get(pk=stale.pk))
        stale.is_active = False

        stale.save(**options)

        assert Doctor.objects.get(pk=stale.pk).diary_version == 1, options


@pytest.mark.both_databases
def test_saving_a_stale_doctor_twice_and_reading_it_again_works():
    doctor = DoctorFactory()
    AppointmentFactory(doctor=Doctor.objects.get())

    doctor.save()
    doctor.save()
    doctor.refresh_from_db()

    assert doctor.diary_version == 1


@pytest.mark.both_databases
def test_diary_version_cannot_be_set_by_assignment():
    doctor = DoctorFactory()

    doctor.diary_version = 99
    doctor.save()

    assert Doctor.objects.get().diary_version == 0


def test_diary_version_is_not_in_the_audit_trail():
    doctor = DoctorFactory()

    AppointmentFactory(doctor=doctor)
    doctor.refresh_from_db()
    doctor.save()

    entries = AuditEntry.objects.get_for_object(doctor)
    assert entries.count() == 1
    assert "diary_version" not in entries.get().changes_dict


# Deleting


def test_delete_of_doctors_without_appointments_works():
    DoctorFactory().delete()
    DoctorFactory()

    Doctor.objects.all().delete()

    assert not Doctor.objects.exists()


@pytest.mark.both_databases
def test_delete_of_a_linked_doctor_is_refused_with_advice():
    for status in ("booked", "cancelled"):
        appointment = AppointmentFactory(status=status)

        with pytest.raises(ProtectedError) as refusal:
            appointment.doctor.delete()

        assert refusal.value.args[0] == str(rules.LINKED)
        assert refusal.value.protected_objects == {appointment}, status
        assert Doctor.objects.filter(pk=appointment.doctor_id).exists(), status


@pytest.mark.both_databases
def test_delete_of_several_with_one_protected_deletes_none():
    appointment = AppointmentFactory()
    DoctorFactory()

    with pytest.raises(ProtectedError) as refusal:
        Doctor.objects.all().delete()

    assert refusal.value.args[0] == str(rules.LINKED)
    assert Doctor.objects.count() == 2
    assert Appointment.objects.get() == appointment


def test_delete_of_everybody_needs_a_queryset():
    assert not hasattr(Doctor.objects, "delete")


# Words


def test_active_excludes_inactive_doctors():
    doctor = DoctorFactory()
    DoctorFactory(is_active=False)

    assert list(Doctor.objects.active()) == [doctor]


def test_specialized_in_takes_one_specialization():
    doctor = DoctorFactory(specialization="Cardiology")
    DoctorFactory(specialization="Dermatology")

    assert list(Doctor.objects.specialized_in("Cardiology")) == [doctor]


@pytest.mark.both_databases
def test_doctors_are_ordered_by_name():
    for full_name in ["Dr Zola", "Dr Abel", "Dr Okafor"]:
        DoctorFactory(full_name=full_name)

    assert [str(doctor) for doctor in Doctor.objects.all()] == ["Dr Abel", "Dr Okafor", "Dr Zola"]
