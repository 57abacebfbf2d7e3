"""The cost of finding the free times of 30 doctors over 14 days among 100,000 appointments.

Works in a throw-away test database of DATABASE_URL and prints its figures; benchmarks/README.md says how to run it.
"""

import datetime as dt
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import django
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
django.setup()

from appointments.availability.search import SlotSearch, find_free
from appointments.models import Appointment
from clinic.core import clinic_time
from clinic.core.clinic_time import ONE_DAY
from doctors.models import Closure, Doctor, Leave, Timetable
from patients.models import Patient

DOCTORS, DAYS, APPOINTMENTS, RUNS = 30, 14, 100_000, 30
HOURS = [(dt.time(8), dt.time(12)), (dt.time(13), dt.time(17))]
APPOINTMENTS_A_DAY = 12  # of the 16 half hours, so that some remain free
PATIENTS = 2000


def main() -> None:
    """Fill a test database, search it, and print the times."""
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        doctors, today = fill()
        with CaptureQueriesContext(connection) as queries:
            found = find_free(SlotSearch(), doctors, first_day=today, days=DAYS)
        offered = sum(1 for _slot in found.slots())
        took = [cpu_of(lambda: find_free(SlotSearch(), doctors, first_day=today, days=DAYS)) for _ in range(RUNS)]
        print(f"{connection.vendor}: {Appointment.objects.count()} appointments, {DOCTORS} doctors, {DAYS} days")
        print(f"queries: {len(queries)}   free times offered: {offered}")
        print(f"CPU: median {statistics.median(took):.1f} ms, least {min(took):.1f} ms, most {max(took):.1f} ms")
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def cpu_of(work: Callable[[], object]) -> float:
    """Return the CPU time of a call in milliseconds."""
    begun = time.process_time()
    work()
    return 1000 * (time.process_time() - begun)


def fill() -> tuple[list[Doctor], dt.date]:
    """Save doctors with hours and leave, a closure, and appointments since a year ago."""
    today = clinic_time.today()
    doctors = [Doctor(full_name=f"Dr {number:02}", specialization="General practice") for number in range(DOCTORS)]
    for number, doctor in enumerate(doctors):
        doctor.save()
        Timetable(doctor=doctor, week=dict.fromkeys(range(5), HOURS)).save()
        start, end = clinic_time.day_bounds(today + number % DAYS * ONE_DAY)
        Leave(doctor=doctor, start_time=start, end_time=end, reason="Training").save()
    Closure(date=today + 3 * ONE_DAY, name="Stocktaking").save()
    Patient.objects.bulk_create(
        [Patient(first_name="Maria", last_name=f"Santos{n}", email=f"p{n}@example.org") for n in range(PATIENTS)]
    )
    patients = list(Patient.objects.values_list("pk", flat=True))
    for batch in batches(islice(appointments(doctors, patients, today), APPOINTMENTS)):
        QuerySet(Appointment).bulk_create(batch)
    return doctors, today


def appointments(doctors: list[Doctor], patients: list[int], today: dt.date) -> Iterator[Appointment]:
    """Yield unsaved appointments, day by day, each in its doctor's hours."""
    days = APPOINTMENTS // (DOCTORS * APPOINTMENTS_A_DAY)
    day, number = today - days * 7 // 5 * ONE_DAY + 4 * DAYS * ONE_DAY, 0
    while True:
        if day.weekday() < 5:  # Monday to Friday
            for doctor in doctors:
                for slot in range(APPOINTMENTS_A_DAY):
                    hour = 8 + slot // 2 + (slot >= 8)
                    start = clinic_time.instant_at(day, dt.time(hour, slot % 2 * 30))
                    yield Appointment(
                        doctor=doctor,
                        patient_id=patients[number % len(patients)],
                        start_time=start,
                        duration_minutes=30,
                        end_time=start + dt.timedelta(minutes=30),
                    )
                    number += 1
        day += ONE_DAY


def batches(rows: Iterator[Appointment], size: int = 2000) -> Iterator[list[Appointment]]:
    """Yield rows in lists of at most `size`."""
    while batch := list(islice(rows, size)):
        yield batch


if __name__ == "__main__":
    main()
