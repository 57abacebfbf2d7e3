"""Replay real demand: book a day, or all days, of the Vitória data as its patients asked for it.

Nothing goes round the portal: each request looks for the first free time of its neighbourhood's doctors and takes it
by `actions.book`, as a receptionist would. benchmarks/README.md says how to run it.
"""

import argparse
import csv
import datetime as dt
import lzma
import math
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import django
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from tqdm import tqdm

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
django.setup()

from appointments.booking import actions
from appointments.models import Appointment
from clinic.core import clinic_time
from clinic.db.transactions import is_lock_conflict
from doctors.models import Doctor
from patients.models import Patient

DATA = REPOSITORY.parent / "shared" / "data" / "medical-appointments-2016.csv.xz"
OPENS = dt.time(8)
APPOINTMENT_MINUTES = 20
APPOINTMENTS_A_DAY = 24  # of one doctor, so the last appointment ends at 16:00
MAX_TRIES = 20
ROWS_AT_ONCE = 2000

EMAIL = "patient{:05}@example.org"
EMAIL_PATTERN = r"^patient[0-9]{5}@example\.org$"

BOOKED = "booked"
DAY_FULL = "refused: day full"
PATIENT_BUSY = "refused: patient already booked at all free times"
OUTRUN = f"refused: time taken {MAX_TRIES} times"
STAYED_BUSY = "refused: the database stayed busy"
LOST_RACES = frozenset({"doctor_overlap", "patient_overlap"})


# The demand


@dataclass(frozen=True)
class Request:
    """A patient, known by number, who asks for an appointment on a clinic-local day in a neighbourhood."""

    patient: int
    neighbourhood: str
    day: dt.date


def read_requests(path: Path) -> list[Request]:
    """Return the requests of the data in the order in which they were made; patient 1 is first."""
    with lzma.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (row["ScheduledDay"], int(row["AppointmentID"])))
    numbers: dict[str, int] = {}
    return [
        Request(
            patient=numbers.setdefault(row["PatientId"], len(numbers) + 1),
            neighbourhood=row["Neighbourhood"].title(),
            day=dt.date.fromisoformat(row["AppointmentDay"][:10]),
        )
        for row in rows
    ]


def doctors_needed(requests: Iterable[Request]) -> dict[str, int]:
    """Return the number of doctors that each neighbourhood needs on its busiest day."""
    needed: Counter[str] = Counter()
    for (neighbourhood, _day), appointments in Counter((each.neighbourhood, each.day) for each in requests).items():
        needed[neighbourhood] = max(needed[neighbourhood], math.ceil(appointments / APPOINTMENTS_A_DAY))
    return dict(needed)


def shift_to_future(days: Collection[dt.date], *, today: dt.date) -> dt.timedelta:
    """Return the whole weeks, zero or more, that move the first day past tomorrow."""
    tomorrow = today + dt.timedelta(days=1)
    return dt.timedelta(weeks=max(0, (tomorrow - min(days)).days // 7 + 1))


# The clinic


def check_own_database() -> None:
    """Refuse to run in a clinic's database.

    Raises:
        CommandError: if one of the patients is not from a replay.
    """
    if Patient.objects.exclude(email__regex=EMAIL_PATTERN).exists():
        raise CommandError(
            "This database holds patients that are not from a replay. Point DATABASE_URL at a database of its own."
        )


def make_patients(numbers: Iterable[int]) -> None:
    """Register the fictitious patients with these numbers, except existing ones."""
    there = set(Patient.objects.values_list("email", flat=True))
    Patient.objects.bulk_create(
        (
            Patient(first_name="Patient", last_name=f"{number:05}", email=EMAIL.format(number))
            for number in sorted(set(numbers))
            if EMAIL.format(number) not in there
        ),
        batch_size=ROWS_AT_ONCE,
    )


def make_doctors(needed: dict[str, int]) -> None:
    """Register as many doctors as each neighbourhood needs, except existing ones."""
    there = set(Doctor.objects.values_list("full_name", flat=True))
    Doctor.objects.bulk_create(
        Doctor(full_name=name, specialization=neighbourhood)
        for neighbourhood, doctors in sorted(needed.items())
        for number in range(1, doctors + 1)
        if (name := f"Dr {neighbourhood} {number}") not in there
    )


# One request


@dataclass(frozen=True)
class Outcome:
    """The outcome of a request. Times are of one clock, common to all processes, in seconds."""

    result: str
    began: float
    ended: float
    booking_seconds: float = 0.0  # inside `book`, including refusals
    lost_races: int = 0


@dataclass(frozen=True)
class Diaries:
    """Taken times of a day: pairs of doctor and start, and the patient's starts."""

    doctors: Collection[int]
    doctor_taken: Collection[tuple[int, dt.datetime]]
    patient_taken: Collection[dt.datetime]

    def free(self, starts: Iterable[dt.datetime]) -> Iterator[tuple[dt.datetime, int]]:
        """Yield each free start with its doctor, earliest first, whether or not the patient has time."""
        return (
            (start, doctor) for start in starts for doctor in self.doctors if (doctor, start) not in self.doctor_taken
        )

    def choose(
        self, starts: Iterable[dt.datetime], *, tried: Collection[tuple[dt.datetime, int]] = ()
    ) -> tuple[dt.datetime, int] | None:
        """Return the earliest start and doctor that suits the patient, or after lost races one further on.

        Each time tried moves the choice one place on: four workers that all tried the next place in the queue kept
        in step, and the same one lost 20 times in a row.
        """
        suitable = [
            (start, doctor)
            for start, doctor in self.free(starts)
            if start not in self.patient_taken and (start, doctor) not in tried
        ]
        return suitable[min(len(tried), len(suitable) - 1)] if suitable else None


def starts_on(day: dt.date) -> list[dt.datetime]:
    """Return the starts of a doctor's appointments on a clinic-local day."""
    first = clinic_time.instant_at(day, OPENS)
    return [first + n * dt.timedelta(minutes=APPOINTMENT_MINUTES) for n in range(APPOINTMENTS_A_DAY)]


def read_diaries(doctors: Collection[int], patient: Patient, day: dt.date) -> Diaries:
    """Read the appointments of the doctors and the patient on that day. Two queries."""
    appointments = Appointment.objects.blocking().on_day(day).order_by()
    return Diaries(
        doctors=doctors,
        doctor_taken=set(appointments.filter(doctor__in=doctors).values_list("doctor_id", "start_time")),
        patient_taken=set(appointments.for_patient(patient.pk).values_list("start_time", flat=True)),
    )


def serve(request: Request) -> Outcome:
    """Book the first free time, and after a lost race the next one, up to `MAX_TRIES` times."""
    began = time.monotonic()
    patient = Patient.objects.get(email=EMAIL.format(request.patient))
    doctors = {doctor.pk: doctor for doctor in Doctor.objects.active().specialized_in(request.neighbourhood)}
    starts = starts_on(request.day)
    tried: list[tuple[dt.datetime, int]] = []
    booking_seconds = 0.0
    for _try in range(MAX_TRIES):
        diaries = read_diaries(doctors, patient, request.day)
        choice = diaries.choose(starts, tried=tried)
        if choice is None:
            result = PATIENT_BUSY if any(diaries.free(starts)) else DAY_FULL
            break
        start_time, doctor = choice
        asked = time.monotonic()
        result = ask(patient, doctors[doctor], start_time)
        booking_seconds += time.monotonic() - asked
        if result != OUTRUN:
            break
        tried.append(choice)
    return Outcome(result, began, time.monotonic(), booking_seconds, lost_races=len(tried))


def ask(patient: Patient, doctor: Doctor, start_time: dt.datetime) -> str:
    """Book, and return the outcome: `OUTRUN` if the time has just been taken."""
    try:
        actions.book(
            patient=patient, doctor=doctor, start_time=start_time, duration_minutes=APPOINTMENT_MINUTES, by=None
        )
    except ValidationError as refusal:
        codes = codes_of(refusal)
        return OUTRUN if codes <= LOST_RACES else f"refused: {', '.join(sorted(codes))}"
    except DatabaseError as error:
        if not is_lock_conflict(error):
            raise
        return STAYED_BUSY
    return BOOKED


def codes_of(refusal: ValidationError) -> set[str]:
    """Return the codes of all refusals."""
    return {str(error.code) for errors in refusal.error_dict.values() for error in errors}


# All of them


def serve_all(requests: Sequence[Request], *, workers: int) -> Iterator[Outcome]:
    """Process the requests in order, each by the next free process, so that neighbours compete."""
    if workers == 1:
        yield from map(serve, requests)
        return
    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(serve, requests)


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the figures of a replay, one a line."""
    results = Counter(outcome.result for outcome in outcomes)
    seconds = max(outcome.ended for outcome in outcomes) - min(outcome.began for outcome in outcomes)
    booked = [outcome for outcome in outcomes if outcome.result == BOOKED]
    lines = [
        ("requests", f"{len(outcomes)}"),
        (BOOKED, f"{len(booked)}"),
        *((result, f"{count}") for result, count in sorted(results.items()) if result != BOOKED),
        ("lost races, then another time was tried", f"{sum(outcome.lost_races for outcome in outcomes)}"),
        ("seconds", f"{seconds:.1f}"),
        ("bookings per second", f"{len(booked) / seconds:.1f}"),
        ("ms a booking, p50 / p95 / p99", milliseconds([outcome.booking_seconds for outcome in booked])),
        ("ms with the search for a time", milliseconds([outcome.ended - outcome.began for outcome in booked])),
    ]
    return "\n".join(f"{name:<52}{figure:>24}" for name, figure in lines)


def milliseconds(seconds: Collection[float]) -> str:
    """Return the 50th, 95th and 99th percentile in milliseconds, by nearest rank."""
    if not seconds:
        return "-"
    ordered = sorted(seconds)
    ranks = (math.ceil(len(ordered) * percent / 100) for percent in (50, 95, 99))
    return " / ".join(f"{ordered[rank - 1] * 1000:.1f}" for rank in ranks)


def demand_of(path: Path, day: str) -> list[Request]:
    """Create the clinic of the data, and return the requests of one of its days, or of `all`, in the future.

    Raises:
        CommandError: if the database is not the replay's own, or there are no requests for the day.
    """
    requests = read_requests(path)
    check_own_database()
    make_patients(request.patient for request in requests)
    make_doctors(doctors_needed(requests))
    shift = shift_to_future({request.day for request in requests}, today=clinic_time.today())
    wanted = [
        replace(request, day=request.day + shift) for request in requests if day in ("all", request.day.isoformat())
    ]
    if not wanted:
        raise CommandError(f"The data hold no request for {day}.")
    return wanted


def replay(path: Path, *, day: str, workers: int) -> None:
    """Replay the demand, print the figures and the page to look at, and check all diaries.

    Raises:
        SystemExit: 1 if appointments overlap.
    """
    requests = demand_of(path, day)
    print(f"{Appointment.objects.count()} appointments before")
    outcomes = list(tqdm(serve_all(requests, workers=workers), total=len(requests), unit=" requests"))
    print(table(outcomes))
    for shown in sorted({request.day for request in requests}):
        print(f"/schedule/{shown}/")
    call_command("check_diaries")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="the data, a CSV file packed with xz (%(default)s)")
    parser.add_argument("--day", default="2016-05-16", type=day_or_all, help="a day of the data, or all (%(default)s)")
    parser.add_argument("--workers", default=1, type=int, help="processes that book at once (%(default)s)")
    chosen = parser.parse_args(arguments)
    try:
        replay(chosen.data, day=chosen.day, workers=chosen.workers)
    except CommandError as error:
        parser.exit(1, f"{error}\n")


def day_or_all(text: str) -> str:
    """Return the text if it is `all` or a date in the format of the data."""
    if text != "all" and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise argparse.ArgumentTypeError("give a date such as 2016-05-16, or all")
    return text


if __name__ == "__main__":
    main()
