"""Fixtures for the front desk: a patient, a doctor and the booking form."""

import pytest
from django.db import connection
from django.test import Client

from appointments.overlap_triggers import INSERT, UPDATE, make_triggers
from appointments.tests.booking_form import KEY
from clinic.tests.api_client import token_of
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory


@pytest.fixture
def maria(db):
    return PatientFactory(first_name="Maria", last_name="Santos", email="maria@example.org")


@pytest.fixture
def okafor(db):
    return DoctorFactory(full_name="Dr Okafor")


@pytest.fixture
def form_data(maria, okafor):
    """The form data of a valid appointment."""
    return {
        "patient": str(maria.pk),
        "doctor": str(okafor.pk),
        "date": "2026-11-25",
        "time": "10:00",
        "which": "",
        "duration_minutes": "30",
        "reason": "Sore knee",
        "notes": "Wants the ground floor",
        "booking_key": KEY,
        "next": "",
    }


@pytest.fixture
def fhir_client():
    """Return a function that creates a FHIR client for a user."""

    def signed_in(user):
        return Client(headers={"Authorization": f"Bearer {token_of(user)}"}) if user else Client()

    return signed_in


@pytest.fixture
def fhir(fhir_client, receptionist):
    """A FHIR client with a receptionist's permissions."""
    return fhir_client(receptionist)


@pytest.fixture(scope="module")
def without_triggers(django_db_setup, django_db_blocker):
    """Let a whole module write overlaps: outside its tests, because MariaDB commits when a trigger is dropped."""
    with django_db_blocker.unblock():
        drop_triggers()
    yield
    with django_db_blocker.unblock():
        make_triggers()


@pytest.fixture
def triggers_dropped(transactional_db):
    drop_triggers()
    yield
    make_triggers()


def drop_triggers():
    with connection.cursor() as cursor:
        for name in (INSERT, UPDATE):
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
