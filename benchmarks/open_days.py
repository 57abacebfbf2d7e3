"""What open views of today cost while others book, and what they cost in larger clinics.

benchmarks/README.md says how to run it; docs/speed.md shows its figures.
"""

import argparse
import datetime as dt
import os
import random
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving import Answer, get, gunicorn, workers_of
from speed import create_database, environment_of

POLL_SECONDS, JITTER = 10, 0.2  # as in static/js/schedule/refresh.js
STEP_SECONDS = 300  # pages that show today are redrawn every full five minutes: no phase runs over one
BOOKINGS_A_SECOND = 5
APPOINTMENTS_A_DOCTOR = 4  # each day
DAYS = 20
REPEATS = 100
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_COLUMN = re.compile(rb'<section id="doctor-(\d+)" class="column" aria-label="[^"]*" data-version="(\d+)"')


def main() -> None:
    """Print the costs by number of doctors, and what bookings change for open views."""
    options = _options()
    if options.measure:
        print(_costs(options.measure), flush=True)
        return
    if options.doctors:
        print("| Doctors | Poll, floors | Poll, ms | Changed column, floors | kB | Day, floors | kB |")
        print("|--:|--:|--:|--:|--:|--:|--:|", flush=True)
    for doctors in options.doctors:
        subprocess.run([sys.executable, __file__, "--measure", str(doctors)], check=True)
    _open_clinic(options.serve)
    for line in _served(options.views, options.seconds):
        print(line, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--doctors", type=int, nargs="*", default=[10, 50, 200, 500])
    parser.add_argument("--serve", type=int, default=50, help="doctors of the clinic whose day is open")
    parser.add_argument("--views", type=int, default=100, help="open views")
    parser.add_argument("--seconds", type=int, default=60, help="how long to measure without and with bookings")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _open_clinic(doctors: int) -> None:
    """Set Django up for a clinic with so many doctors, and write it, unless an earlier run of today has."""
    os.environ |= environment_of(doctors)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
    import django

    django.setup()
    from django.contrib.auth.models import Group
    from django.core.management import call_command
    from django.db import DatabaseError

    from appointments.models import Appointment
    from benchmarks.large_clinic import FUTURE_DAYS, LargeClinic
    from clinic.core import clinic_time
    from clinic.models import User

    try:
        if Appointment.objects.on_day(clinic_time.today() + dt.timedelta(days=FUTURE_DAYS)).exists():
            return
    except DatabaseError:
        pass  # the database is not there yet
    create_database()
    call_command("migrate", verbosity=0)
    a_day = APPOINTMENTS_A_DOCTOR * doctors
    last_day = clinic_time.today() + dt.timedelta(days=FUTURE_DAYS)
    LargeClinic(a_day * DAYS, last_day=last_day, doctors=doctors, appointments_a_day=a_day).fill()
    User.objects.create_user("desk").groups.add(Group.objects.get(name="Receptionist"))


def _signed_in() -> tuple[Any, dict[str, str]]:
    """Return a client of the portal, and the header with its cookie."""
    from django.conf import settings
    from django.test import Client

    from clinic.models import User

    client = Client()
    client.force_login(User.objects.get(username="desk"))
    name = settings.SESSION_COOKIE_NAME
    return client, {"Cookie": f"{name}={client.cookies[name].value}"}


def _today() -> str:
    from clinic.core import clinic_time

    return f"/schedule/{clinic_time.today()}/"


# By number of doctors, in this process


def _costs(doctors: int) -> str:
    """Return a row of the table: CPU in multiples of the floor, a request for /livez, all in turns."""
    _open_clinic(doctors)
    client, _cookie = _signed_in()
    page = View()
    page.take(_answer(client.get(_today())))
    known, changed = page.headers(), page.headers(one_column_old=True)
    works: dict[str, Callable[[], Any]] = {
        "floor": lambda: client.get("/livez"),
        "poll": lambda: client.get(_today(), headers=known),
        "column": lambda: client.get(_today(), headers=changed),
    }
    spent, answers = _in_turns(works)
    # By itself: after so large an answer, the next request pays for clearing up.
    of_day, day = _in_turns({"day": lambda: client.get(_today())})
    cost, answers = spent | of_day, answers | day
    floors = {name: cost[name] / cost["floor"] for name in cost}
    kilobytes = {name: len(answer.content) / 1000 for name, answer in answers.items()}
    if answers["poll"].status_code != 304 or answers["column"].content.count(b"<section") != 1:
        sys.exit("The page was answered in another way than it should be.")
    return (
        f"| {doctors} | {floors['poll']:.1f} | {cost['poll']:.1f} | {floors['column']:.1f} | {kilobytes['column']:.1f} "
        f"| {floors['day']:.0f} | {kilobytes['day']:.0f} |"
    )


def _in_turns(works: dict[str, Callable[[], Any]]) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the median CPU time of each in milliseconds, and the last answers."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    answers = {}
    for _repeat in range(REPEATS):
        for name, work in works.items():
            began = time.process_time()
            answers[name] = work()
            spent[name].append(1000 * (time.process_time() - began))
    return {name: statistics.median(times) for name, times in spent.items()}, answers


def _answer(response: Any) -> Answer:
    return Answer(response.status_code, dict(response.items()), response.content)


# Open views


@dataclass
class View:
    """A browser with the day of today: what it shows, and what it was answered."""

    etag: str = ""
    grid: str = ""
    away: str = ""
    columns: dict[bytes, bytes] = field(default_factory=dict)
    unchanged: int = 0
    redrawn: list[int] = field(default_factory=list)  # the number of columns in each other answer

    def take(self, answer: Answer) -> None:
        """Show the answer, as static/js/schedule/refresh.js does."""
        if answer.status == 304:
            self.unchanged += 1
            return
        if answer.status != 200:
            sys.exit(f"Unexpected answer: {answer.status}")
        columns = _COLUMN.findall(answer.body)
        self.columns |= dict(columns)
        self.etag = _attribute(answer.body, b"data-etag").replace("&#34;", '"')
        if b'data-shown="' in answer.body:
            self.grid = _attribute(answer.body, b"data-shown")
            self.away = _attribute(answer.body, b"data-columns")
        self.redrawn.append(len(columns))

    def headers(self, *, one_column_old: bool = False) -> dict[str, str]:
        versions = [f"{doctor.decode()}:{version.decode()}" for doctor, version in self.columns.items()]
        etag = self.etag
        if one_column_old:
            versions[0] = f"{versions[0].partition(':')[0]}:1"
            etag = f'{etag[:-2]}x"'
        shown = {"X-Shown-Columns": ",".join([self.grid, *versions]), "X-Away-Columns": self.away}
        return {"X-Background": "1", "If-None-Match": etag, **shown}


def _attribute(html: bytes, name: bytes) -> str:
    return html.partition(name + b'="')[2].partition(b'"')[0].decode()


def _served(views: int, seconds: int) -> Iterator[str]:
    """Serve the clinic, let the views poll, and yield what they and the workers were doing."""
    from appointments.models import Appointment

    _client, cookie = _signed_in()
    address, stop = _today(), threading.Event()
    pages = [View() for _view in range(views)]

    def poll(page: View) -> None:
        page.take(get(address, cookie))
        while not stop.wait(POLL_SECONDS * random.uniform(1 - JITTER, 1 + JITTER)):  # noqa: S311 -- no secret
            page.take(get(address, cookie | page.headers()))

    with gunicorn() as master, ThreadPoolExecutor(views) as browsers:
        _wait_for_free_window(2 * seconds + 4 * POLL_SECONDS)
        polling = [browsers.submit(poll, page) for page in pages]
        time.sleep(2 * POLL_SECONDS)
        quiet = _phase(master, pages, seconds)
        yield f"Quiet: {quiet}"
        with _bookings() as booked:
            busy = _phase(master, pages, seconds)
        yield f"With {booked[0] / seconds:.1f} bookings a second on other dates: {busy}"
        yield f"CPU with bookings / quiet: {busy.cpu / quiet.cpu:.2f}"
        before = [len(page.redrawn) for page in pages]
        _arrive(Appointment.objects.on_day(_day_of(address)).filter(status="booked").first())
        time.sleep(POLL_SECONDS * (1 + JITTER) + 2)
        drawn = [page.redrawn[count:] for page, count in zip(pages, before, strict=True)]
        once = sum(each == [1] for each in drawn)
        yield f"After a change on this date: {once} of {views} views were sent one column, once"
        stop.set()
        for each in polling:
            each.result()


def _wait_for_free_window(seconds: int) -> None:
    """Wait until the next full five minutes is further away than this."""
    left = STEP_SECONDS - time.time() % STEP_SECONDS
    if left < seconds:
        time.sleep(left + 1)


@dataclass(frozen=True)
class Phase:
    cpu: float  # seconds of all workers
    unchanged: int
    others: int

    def __str__(self) -> str:
        share = 100 * self.unchanged / (self.unchanged + self.others)
        return f"{self.cpu:.2f} s of CPU, {self.unchanged + self.others} polls, {share:.1f} % answered 304"


def _phase(master: int, pages: list[View], seconds: int) -> Phase:
    before = _cpu(master), sum(page.unchanged for page in pages), sum(len(page.redrawn) for page in pages)
    time.sleep(seconds)
    after = _cpu(master), sum(page.unchanged for page in pages), sum(len(page.redrawn) for page in pages)
    return Phase(after[0] - before[0], after[1] - before[1], after[2] - before[2])


def _cpu(master: int) -> float:
    """Return the seconds that the workers have used, in user and system mode."""
    return sum(sum(map(int, _stat(pid)[11:13])) for pid in workers_of(master)) / TICKS_A_SECOND


def _stat(pid: int) -> list[str]:
    """Return the fields after the process's name, which may contain blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


# What others do, in this process


def _day_of(address: str) -> dt.date:
    return dt.date.fromisoformat(address.split("/")[2])


def _arrive(appointment: Any) -> None:
    from appointments.booking import actions

    actions.mark_arrived(appointment, by=None)


@contextmanager
def _bookings() -> Iterator[list[int]]:
    """Book appointments from a month ahead on, so many a second, while the context lasts; yield a count of them."""
    stop, booked = threading.Event(), [0]
    thread = threading.Thread(target=_book, args=(stop, booked))
    thread.start()
    try:
        yield booked
    finally:
        stop.set()
        thread.join()


def _book(stop: threading.Event, booked: list[int]) -> None:
    from django.core.exceptions import ValidationError

    from appointments.booking import actions
    from clinic.core import clinic_time
    from doctors.models import Doctor
    from patients.models import Patient

    doctors, patients = list(Doctor.objects.all()), list(Patient.objects.all()[:2000])
    rng = random.Random(1)  # noqa: S311 -- no secret
    due = time.monotonic()
    while not stop.wait(max(0, due - time.monotonic())):
        day = clinic_time.today() + dt.timedelta(days=rng.randrange(30, 60))
        time_of_day = dt.time(rng.choice((8, 9, 10, 11, 13, 14, 15, 16)), rng.choice((0, 30)))
        with suppress(ValidationError):  # the time is taken
            actions.book(
                patient=rng.choice(patients),
                doctor=rng.choice(doctors),
                start_time=clinic_time.instant_at(day, time_of_day),
                duration_minutes=30,
                by=None,
            )
            booked[0] += 1
            due += 1 / BOOKINGS_A_SECOND


if __name__ == "__main__":
    main()
