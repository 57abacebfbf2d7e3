"""Several processes book at once in one SQLite file, whatever database the rest of the suite runs on."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from appointments.tests.booking_worker import DOCTORS, RANDOM_ATTEMPTS, SLOTS, WORKERS

pytestmark = pytest.mark.stress

REPOSITORY = Path(__file__).resolve().parents[2]
WORKER = ["-m", "appointments.tests.booking_worker"]
CODES = {"booked", "doctor_overlap", "patient_overlap"}


def process(database, *arguments):
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{database}",
        "DJANGO_SETTINGS_MODULE": "clinic.tests.settings",
        "DEBUG": "off",
    }
    pipes = dict.fromkeys(["stdin", "stdout", "stderr"], subprocess.PIPE)
    return subprocess.Popen([sys.executable, *arguments], env=environment, cwd=REPOSITORY, text=True, **pipes)


def output_of(running, stdin=""):
    output, errors = running.communicate(stdin)
    assert running.returncode == 0, errors
    return output


@pytest.fixture(scope="module")
def empty_diaries(tmp_path_factory):
    database = tmp_path_factory.mktemp("stress") / "empty.sqlite3"
    output_of(process(database, "manage.py", "migrate", "-v0"))
    output_of(process(database, *WORKER, "people", "0"))
    return database


@pytest.fixture
def database(empty_diaries, tmp_path):
    return Path(shutil.copy(empty_diaries, tmp_path / "clinic.sqlite3"))


def book_at_once(database, what, *options):
    """Return the number of attempts of all workers by outcome."""
    workers = [process(database, *WORKER, what, str(number), *options) for number in range(WORKERS)]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n", worker.stderr.read()
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return sum((Counter(json.loads(output_of(worker))) for worker in workers), Counter())


def check_diaries(database):
    """Return the exit status and the number of overlapping pairs."""
    running = process(database, "manage.py", "check_diaries")
    output, _errors = running.communicate()
    return running.returncode, int(output.split()[-1])


def test_processes_book_every_slot_once(database):
    """Four patients want three doctors at each time, so every slot is booked exactly once."""
    outcomes = book_at_once(database, "slots")

    assert outcomes["booked"] == DOCTORS * SLOTS
    assert outcomes.total() == WORKERS * DOCTORS * SLOTS
    assert outcomes.keys() <= CODES
    assert check_diaries(database) == (0, 0)


def test_processes_at_random_times_never_overlap(database):
    outcomes = book_at_once(database, "random")

    assert outcomes.total() == WORKERS * RANDOM_ATTEMPTS
    assert outcomes.keys() <= CODES
    assert check_diaries(database) == (0, 0)


def test_processes_without_lock_and_check_double_book(database):
    """Control: the race is real.

    Here the check under the claim must go too. SQLite's IMMEDIATE transactions let one writer in at a time, so the
    check inside `save()` sees the winner even when nothing is claimed; the claim is for MariaDB and clusters.
    """
    outcomes = book_at_once(database, "slots", "--without-check")

    status, doubles = check_diaries(database)
    assert outcomes["booked"] > DOCTORS * SLOTS
    assert (status, doubles > 0) == (1, True)
