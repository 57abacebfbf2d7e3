"""Many threads want the same time: one gets it, all others a normal refusal.

Each race runs twice: as the portal is, and with the claim switched off, which shows that the race can be lost. In both
a pause between check and write gives it every chance.
"""

import datetime as dt
import random
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.db.models import F, Max
from django.db.models.functions import Coalesce
from django.test import Client
from django.urls import reverse

from appointments import locking
from appointments.booking import actions
from appointments.models import Appointment
from appointments.querysets import AppointmentQuerySet
from clinic.accounts.roles import ADMINISTRATOR, RECEPTIONIST
from clinic.db.transactions import retrying
from clinic.tests.factories import UserFactory
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = [
    pytest.mark.both_databases,
    pytest.mark.stress,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor == "sqlite",
        reason="threads share one in-memory SQLite database; test_stress_processes.py books in a file",
    ),
]

START = dt.datetime(2098, 11, 25, 10, 0, tzinfo=dt.UTC)  # far enough ahead to stay in the future
RIVALS = 30
CROWD = 50
ATTEMPTS_EACH = 6
PAUSE_SECONDS = 0.1


def at_once(threads, work):
    """Run `work(0)`, `work(1)`, … in parallel threads and return their results. Raises what one raises."""
    start_line = threading.Barrier(threads, timeout=30)

    def run(number):
        try:
            connection.ensure_connection()
            start_line.wait()
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def outcome_of(write):
    """Return `booked`, or the code of the refusal at the start."""
    try:
        write()
    except ValidationError as refusal:
        return refusal.error_dict["start_time"][0].code
    return "booked"


def doubles():
    """Return the counts of check_diaries."""
    output = StringIO()
    with suppress(SystemExit):
        call_command("check_diaries", stdout=output, stderr=StringIO())
    return int(output.getvalue().split()[-1])


@pytest.fixture
def slow_write(monkeypatch):
    check_claimed = Appointment._check_under_lock

    def check_and_pause(appointment):
        check_claimed(appointment)
        time.sleep(PAUSE_SECONDS)

    monkeypatch.setattr(Appointment, "_check_under_lock", check_and_pause)


@pytest.fixture
def disable_lock(triggers_dropped, monkeypatch):
    monkeypatch.setattr(locking, "lock_diaries", lambda **_diaries: None)


# The races. Each returns the number of clients by outcome.


def one_slot_by_action():
    doctor, patients = DoctorFactory(), PatientFactory.create_batch(RIVALS)

    def book(number):
        return actions.book(patient=patients[number], doctor=doctor, start_time=START, duration_minutes=30, by=None)

    return Counter(at_once(RIVALS, lambda number: outcome_of(lambda: book(number))))


def one_patient_by_action():
    doctors, patient = DoctorFactory.create_batch(RIVALS), PatientFactory()

    def book(number):
        return actions.book(patient=patient, doctor=doctors[number], start_time=START, duration_minutes=30, by=None)

    return Counter(at_once(RIVALS, lambda number: outcome_of(lambda: book(number))))


def one_slot_by_create():
    doctor, patients = DoctorFactory(), PatientFactory.create_batch(RIVALS)

    def create(number):
        return Appointment.objects.create(
            patient=patients[number], doctor=doctor, start_time=START, duration_minutes=30
        )

    return Counter(at_once(RIVALS, lambda number: outcome_of(lambda: create(number))))


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def booking_form(patient, doctor, *, booking_key=None):
    return {
        "patient": patient.pk,
        "doctor": doctor.pk,
        "date": f"{START:%Y-%m-%d}",
        "time": f"{START:%H:%M}",
        "duration_minutes": 30,
        "booking_key": booking_key or uuid.uuid4(),
    }


def one_slot_by_form():
    doctor, patients = DoctorFactory(), PatientFactory.create_batch(RIVALS)
    receptionist = UserFactory(role=RECEPTIONIST)
    clients = [signed_in(receptionist) for _rival in range(RIVALS)]

    def post(number):
        form = booking_form(patients[number], doctor)
        return answer_of(clients[number].post(reverse("appointments:appointment_book"), form), "id_time")

    return Counter(at_once(RIVALS, post))


def one_slot_by_admin():
    doctor, patients = DoctorFactory(), PatientFactory.create_batch(RIVALS)
    administrator = UserFactory(role=ADMINISTRATOR)
    clients = [signed_in(administrator) for _rival in range(RIVALS)]

    def post(number):
        form = {
            "patient": patients[number].pk,
            "doctor": doctor.pk,
            "start_time_0": f"{START:%Y-%m-%d}",
            "start_time_1": f"{START:%H:%M}",
            "duration_minutes": 30,
        }
        return answer_of(clients[number].post(reverse("admin:appointments_appointment_add"), form), "id_start_time")

    return Counter(at_once(RIVALS, post))


def answer_of(response, field):
    """Return `booked` for a redirect, `doctor_overlap` for a page that says so at the field.

    The page is read as the person reads it: the contexts that the test client keeps are mixed up between threads.
    """
    if response.status_code == 302:
        return "booked"
    page = response.content.decode()
    if response.status_code == 200 and f'id="{field}_error"' in page and "is booked 10:00" in page:
        return "doctor_overlap"
    return f"{response.status_code}: {page}"


RACES = [
    (one_slot_by_action, "doctor_overlap"),
    (one_patient_by_action, "patient_overlap"),
    (one_slot_by_create, "doctor_overlap"),
    (one_slot_by_form, "doctor_overlap"),
    (one_slot_by_admin, "doctor_overlap"),
]


@pytest.mark.parametrize(("race", "refusal"), RACES)
def test_booking_race_has_one_winner(race, refusal, slow_write):
    outcomes = race()

    assert outcomes == {"booked": 1, refusal: RIVALS - 1}
    assert Appointment.objects.count() == 1
    assert doubles() == 0


@pytest.mark.parametrize(("race", "refusal"), RACES)
def test_race_without_lock_double_books(race, refusal, slow_write, disable_lock):
    """Control: the same races, only without the lock."""
    outcomes = race()

    assert outcomes["booked"] > 1
    assert doubles() > 0


def clients_at_random_times():
    """Return the number of attempts of all threads by outcome."""
    doctors, patients = DoctorFactory.create_batch(3), PatientFactory.create_batch(CROWD)
    outcomes = Counter()

    def book(rng):
        actions.book(
            patient=rng.choice(patients),
            doctor=rng.choice(doctors),
            start_time=START + dt.timedelta(minutes=5 * rng.randrange(96)),
            duration_minutes=rng.choice([15, 30, 45, 60]),
            by=None,
        )

    def book_some(number):
        rng = random.Random(number)
        return [outcome_of(lambda: book(rng)) for _attempt in range(ATTEMPTS_EACH)]

    for outcome in at_once(CROWD, book_some):
        outcomes.update(outcome)
    return outcomes


def test_many_clients_at_random_times_never_overlap():
    outcomes = clients_at_random_times()

    assert outcomes.total() == CROWD * ATTEMPTS_EACH
    assert outcomes.keys() == {"booked", "doctor_overlap", "patient_overlap"}
    assert outcomes["booked"] == Appointment.objects.count()
    assert doubles() == 0


def test_many_clients_without_lock_double_book(slow_write, disable_lock):
    """Control: the same clients, slowed down between check and write, without the lock."""
    clients_at_random_times()

    assert doubles() > 0


def test_same_form_sent_simultaneously_books_once():
    form = booking_form(PatientFactory(), DoctorFactory(), booking_key=uuid.uuid4())
    receptionist = UserFactory(role=RECEPTIONIST)
    clients = [signed_in(receptionist) for _press in range(RIVALS)]

    statuses = at_once(
        RIVALS, lambda number: clients[number].post(reverse("appointments:appointment_book"), form).status_code
    )

    assert statuses == [302] * RIVALS
    assert Appointment.objects.count() == 1


def change_appointments_of(patients, doctor, seed):
    """Book, move, hand over and delete appointments of one doctor, whom nobody else books; then delete the latest."""
    rng = random.Random(seed)
    for _ in range(ATTEMPTS_EACH * 2):
        mine = list(Appointment.objects.for_doctor(doctor.pk))
        start_time = START + dt.timedelta(hours=rng.randrange(2000))
        appointment = rng.choice([*mine, Appointment(doctor=doctor, patient=rng.choice(patients))])
        with suppress(ValidationError):
            if appointment.pk and rng.random() < 0.4:
                appointment.delete()
            else:
                appointment.patient = rng.choice(patients)
                appointment.start_time = start_time
                retrying(appointment.save)()
    retrying(Appointment.objects.for_doctor(doctor.pk).filter(start_time__gt=START + dt.timedelta(hours=1000)).delete)()


def wrong_last_contacts():
    """Return the number of patients whose stored last contact is not what their appointments say."""
    last = Coalesce(Max("appointments__start_time"), F("created_at"))
    return Patient.objects.annotate(last=last).exclude(last=F("last_contact")).count()


def test_last_contact_is_right_after_simultaneous_changes():
    patients, doctors = PatientFactory.create_batch(2), DoctorFactory.create_batch(10)

    at_once(10, lambda number: change_appointments_of(patients, doctors[number], seed=number))

    assert Appointment.objects.count() > 5
    assert wrong_last_contacts() == 0


def test_last_contact_without_computing_it_again_is_wrong(monkeypatch):
    """Control: the same changes, if only a booking writes the last contact."""
    monkeypatch.setattr(AppointmentQuerySet, "update_last_contact", lambda appointments, patient_ids: None)
    patients, doctors = PatientFactory.create_batch(2), DoctorFactory.create_batch(10)

    at_once(10, lambda number: change_appointments_of(patients, doctors[number], seed=number))

    assert wrong_last_contacts() > 0


def test_two_registrations_of_one_email_save_one_patient(monkeypatch):
    """Both forms pass their checks before either is saved, so that only the database can refuse one."""
    save, both_checked = Patient.save, threading.Barrier(2, timeout=30)

    def wait_and_save(patient, *args, **kwargs):
        both_checked.wait()
        save(patient, *args, **kwargs)

    monkeypatch.setattr(Patient, "save", wait_and_save)
    receptionist = UserFactory(role=RECEPTIONIST)
    clients = [signed_in(receptionist) for _desk in range(2)]
    form = {"first_name": "Maria", "last_name": "Santos", "email": "maria@example.org", "phone_number": ""}

    responses = at_once(2, lambda number: clients[number].post(reverse("patients:patient_register"), form))

    refused, accepted = sorted(responses, key=lambda response: response.status_code)
    assert (accepted.status_code, refused.status_code) == (302, 200)
    assert 'id="id_email_error"' in refused.content.decode()
    assert Patient.objects.count() == 1
