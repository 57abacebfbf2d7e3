"""Simultaneous clicks on one button, for test_stress_front_desk.py, which also runs it as a process.

    python -m appointments.tests.front_desk_races {register_and_book,walk_in,same_walk_in}

It makes its own people in an empty database, and prints how many presses ended how and what there is then, as JSON.
"""

import datetime as dt
import json
import sys
import uuid
from collections import Counter

import django

if __name__ == "__main__":
    django.setup()

import time_machine
from django.test.utils import setup_test_environment
from django.urls import reverse

from appointments.models import Appointment
from appointments.tests.test_stress_threads import at_once, doubles, signed_in
from clinic.accounts.roles import RECEPTIONIST
from clinic.tests.factories import UserFactory
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

PRESSES = 10
MORNING = dt.datetime(2026, 11, 24, 9, 0, tzinfo=dt.UTC)  # with time left for walk-ins


def register_and_book():
    """Send one register-and-book form from all desks at once."""
    form = {
        "doctor": DoctorFactory().pk,
        "date": "2026-11-24",
        "time": "10:00",
        "duration_minutes": 30,
        "booking_key": uuid.uuid4(),
        "registers": "1",
        "new-first_name": "Ana",
        "new-last_name": "Silva",
        "new-date_of_birth": "1980-05-17",
        "new-phone_number": "+351 934 111 222",
        "new-email": "ana@example.org",
    }
    return press([form] * PRESSES)


def walk_in():
    """Send one walk-in per desk, of different patients, to one doctor."""
    doctor = DoctorFactory()
    return press(
        [
            {"patient": patient.pk, "doctor": doctor.pk, "duration_minutes": 15, "booking_key": uuid.uuid4()}
            | {"walk_in": "1"}
            for patient in PatientFactory.create_batch(PRESSES)
        ]
    )


def same_walk_in():
    """Send one walk-in from all desks at once."""
    sent = {"patient": PatientFactory().pk, "doctor": DoctorFactory().pk, "duration_minutes": 15, "walk_in": "1"}
    return press([sent | {"booking_key": uuid.uuid4()}] * PRESSES)


def press(forms):
    """Send all forms at once, each from its own desk; return the number of answers of each kind."""
    address = reverse("appointments:appointment_book")
    with time_machine.travel(MORNING):
        receptionist = UserFactory(role=RECEPTIONIST)
        clients = [signed_in(receptionist) for _form in forms]
        return Counter(at_once(len(forms), lambda number: answer_of(clients[number].post(address, forms[number]))))


def answer_of(response):
    """Return which known message the page shows."""
    page = response.content.decode()
    if response.status_code == 302:
        return "booked"
    if response.status_code == 200:
        for message in ("Registered already", "is booked", "left today"):
            if message in page:
                return message
    return f"{response.status_code}: {page}"


RACES = {"register_and_book": register_and_book, "walk_in": walk_in, "same_walk_in": same_walk_in}


def run(race):
    """Return the number of answers of each kind, and the records saved."""
    return {
        "answers": RACES[race](),
        "patients": Patient.objects.count(),
        "appointments": Counter(Appointment.objects.values_list("status", flat=True)),
        "doubles": doubles(),
    }


if __name__ == "__main__":
    setup_test_environment()
    print(json.dumps(run(sys.argv[1])))  # noqa: T201 -- the test reads it
