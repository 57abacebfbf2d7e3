"""A patient is anonymised while an appointment is booked, edited or moved: the later change is refused.

Each race runs twice; without the lock it is lost, which proves that the test can fail.
"""

import datetime as dt
import time
from collections import Counter

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from appointments import locking
from appointments.booking import actions
from appointments.models import Appointment
from appointments.tests.test_stress_threads import PAUSE_SECONDS, at_once
from clinic.tests.whole_database import places_of
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.privacy import anonymise as anonymising
from patients.privacy.anonymise import anonymise
from patients.tests.factories import PatientFactory

pytestmark = [
    pytest.mark.both_databases,
    pytest.mark.stress,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="threads share one in-memory SQLite database"),
]

START = dt.datetime(2098, 11, 25, 10, 0, tzinfo=dt.UTC)
RACES = 10


@pytest.fixture
def slow(monkeypatch):
    """Wait between check and write, on both sides."""
    check_claimed, anonymise_trail = Appointment._check_under_lock, anonymising._anonymise_trail

    def check_and_pause(appointment):
        check_claimed(appointment)
        time.sleep(PAUSE_SECONDS)

    def pause_and_anonymise(trail):
        time.sleep(PAUSE_SECONDS)
        anonymise_trail(trail)

    monkeypatch.setattr(Appointment, "_check_under_lock", check_and_pause)
    monkeypatch.setattr(anonymising, "_anonymise_trail", pause_and_anonymise)


@pytest.fixture
def disable_lock(monkeypatch):
    monkeypatch.setattr(locking, "lock_diaries", lambda **_diaries: None)


def outcome_of(work):
    try:
        work()
    except ValidationError as refusal:
        found = refusal.error_dict.values() if hasattr(refusal, "error_dict") else [refusal.error_list]
        return next(error.code for errors in found for error in errors)
    return "done"


def book_against_anonymise():
    """Return how booking and anonymising ended."""
    doctor, patient = DoctorFactory(), PatientFactory()

    def work(number):
        if number:
            return outcome_of(lambda: anonymise(patient, by=None))
        booked = {"doctor": doctor, "start_time": START, "duration_minutes": 30, "by": None}
        return outcome_of(lambda: actions.book(patient=Patient.objects.get(pk=patient.pk), **booked))

    return tuple(at_once(2, work))


def edit_against_anonymise():
    patient = PatientFactory(last_name="Quickstep")

    def work(number):
        if number:
            return outcome_of(lambda: anonymise(patient, by=None))
        read = Patient.objects.get(pk=patient.pk)
        time.sleep(PAUSE_SECONDS / 2)
        read.first_name = "Slowfoot"
        return outcome_of(read.save)

    return tuple(at_once(2, work))


def test_booking_and_anonymising_at_once_never_both_happen(slow):
    outcomes = Counter(book_against_anonymise() for _race in range(RACES))

    assert set(outcomes) <= {("done", "open_appointments"), ("anonymised", "done")}
    assert not Appointment.objects.exclude(patient__anonymised_at=None).exists()


def test_booking_and_anonymising_at_once_both_happen_without_the_lock(slow, disable_lock):
    outcomes = Counter(book_against_anonymise() for _race in range(RACES))

    assert ("done", "done") in outcomes


def test_edit_and_anonymising_at_once_leave_no_former_name(slow):
    outcomes = Counter(edit_against_anonymise() for _race in range(RACES))

    assert set(outcomes) <= {("done", "done"), ("anonymised", "done")}
    assert places_of("Quickstep", "Slowfoot") == []


def test_edit_and_anonymising_at_once_leave_a_name_without_the_lock(slow, monkeypatch):
    monkeypatch.setattr(Patient, "_check_not_anonymised", lambda _patient: None)

    for _race in range(RACES):
        edit_against_anonymise()

    assert places_of("Quickstep", "Slowfoot")


def test_anonymising_twice_at_once_is_once(slow):
    patient = PatientFactory()

    outcomes = Counter(at_once(2, lambda _number: outcome_of(lambda: anonymise(patient, by=None))))

    assert outcomes == {"done": 1, "anonymised": 1}
