"""One of several processes that book at once, for test_stress_processes.py.

    python -m appointments.tests.booking_worker {people,slots,random} NUMBER [--without-check]

It says `ready`, waits for a line on standard input, books, and prints how many attempts ended how, as JSON.
"""

import argparse
import datetime as dt
import json
import random
import sys
import time
from collections import Counter

import django
from django.core.exceptions import ValidationError

django.setup()

from appointments import locking
from appointments.booking import actions
from appointments.models import Appointment
from appointments.tests.conftest import drop_triggers
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

DOCTORS = 3
WORKERS = 4
SLOTS = 8
RANDOM_ATTEMPTS = 20
FIRST_START = dt.datetime(2098, 11, 25, 8, 0, tzinfo=dt.UTC)  # far enough ahead to stay in the future


def create_doctors_and_patients():
    DoctorFactory.create_batch(DOCTORS)
    PatientFactory.create_batch(WORKERS)


def slots():
    """Yield every slot of every doctor in one order, so that all workers compete for the same one."""
    for n in range(SLOTS):
        for doctor in Doctor.objects.all():
            yield doctor, FIRST_START + n * dt.timedelta(minutes=30), 30


def random_times(seed):
    rng = random.Random(seed)
    doctors = list(Doctor.objects.all())
    for _attempt in range(RANDOM_ATTEMPTS):
        minutes = 5 * rng.randrange(96)
        yield rng.choice(doctors), FIRST_START + dt.timedelta(minutes=minutes), rng.choice([15, 30, 45, 60])


def book_all(patient, wanted):
    outcomes = Counter()
    for doctor, start_time, minutes in wanted:
        try:
            actions.book(patient=patient, doctor=doctor, start_time=start_time, duration_minutes=minutes, by=None)
        except ValidationError as refusal:
            outcomes[refusal.error_dict["start_time"][0].code] += 1
        else:
            outcomes["booked"] += 1
    return outcomes


def disable_lock_and_check():
    """Write without triggers, lock and check, and so slowly that other forms are checked in between."""

    def skip_lock(**diaries):
        pass

    def skip_checks(appointment):
        time.sleep(0.02)

    drop_triggers()
    locking.lock_diaries = skip_lock
    Appointment._check_under_lock = skip_checks


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["people", "slots", "random"])
    parser.add_argument("number", type=int)
    parser.add_argument("--without-check", action="store_true")
    chosen = parser.parse_args()
    if chosen.what == "people":
        create_doctors_and_patients()
        return
    if chosen.without_check:
        disable_lock_and_check()
    patient = Patient.objects.order_by("pk")[chosen.number]
    wanted = list(slots() if chosen.what == "slots" else random_times(chosen.number))
    print("ready", flush=True)  # noqa: T201 -- the test reads it
    sys.stdin.readline()
    print(json.dumps(book_all(patient, wanted)))  # noqa: T201 -- the test reads it


if __name__ == "__main__":
    main()
