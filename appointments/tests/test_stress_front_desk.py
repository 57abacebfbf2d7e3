"""Simultaneous clicks on one button: the action runs once, and every request gets a normal answer.

Each race runs on the suite's database, in threads, and in a process with an SQLite file. Threads of one SQLite test
would share its in-memory database.
"""

import json
import time

import pytest
from django.db import connection

from appointments import locking
from appointments.booking import registration
from appointments.models import Appointment
from appointments.tests.front_desk_races import PRESSES, run
from appointments.tests.test_stress_processes import output_of, process

pytestmark = [pytest.mark.both_databases, pytest.mark.stress, pytest.mark.django_db(transaction=True)]

in_threads = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="threads share one in-memory SQLite database; a process has a file"
)
PAUSE_SECONDS = 0.1


@pytest.fixture(params=[pytest.param("threads", marks=in_threads), "process"])
def outcome_of(request, tmp_path):
    """A function that runs a race on the given kind of database and returns its outcome."""
    if request.param == "threads":
        return run
    database = tmp_path / "clinic.sqlite3"

    def run_in_process(race):
        output_of(process(database, "manage.py", "migrate", "-v0"))
        return json.loads(output_of(process(database, "-m", "appointments.tests.front_desk_races", race)))

    return run_in_process


def test_register_and_book_sent_many_times_runs_once(outcome_of):
    assert outcome_of("register_and_book") == {
        "answers": {"booked": PRESSES},
        "patients": 1,
        "appointments": {"booked": 1},
        "doubles": 0,
    }


def test_walk_ins_of_one_doctor_do_not_overlap(outcome_of):
    """No user chose the time, so a taken one is replaced by the next without an error."""
    assert outcome_of("walk_in") == {
        "answers": {"booked": PRESSES},
        "patients": PRESSES,
        "appointments": {"arrived": PRESSES},
        "doubles": 0,
    }


def test_walk_in_sent_many_times_books_once(outcome_of):
    assert outcome_of("same_walk_in") == {
        "answers": {"booked": PRESSES},
        "patients": 1,
        "appointments": {"arrived": 1},
        "doubles": 0,
    }


@in_threads
def test_repeated_form_without_its_key_is_refused(monkeypatch):
    """Control: without the key lookup, the repeats conflict with their own patient."""
    monkeypatch.setattr(registration, "registered_with", lambda key, *, email: None)

    assert run("register_and_book")["answers"]["booked"] == 1


@in_threads
def test_walk_ins_without_lock_double_book(triggers_dropped, monkeypatch):
    """Control: the same walk-ins, slowed down between check and write, without the lock."""
    check_claimed = Appointment._check_under_lock

    def check_and_pause(appointment):
        check_claimed(appointment)
        time.sleep(PAUSE_SECONDS)

    monkeypatch.setattr(Appointment, "_check_under_lock", check_and_pause)
    monkeypatch.setattr(locking, "lock_diaries", lambda **_diaries: None)

    assert run("walk_in")["doubles"] > 0
