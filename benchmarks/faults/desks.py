"""Desks that book, and screens that ask for pages, while something fails."""

import datetime as dt
import itertools
import json
import threading
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from urllib.parse import urlencode

from benchmarks.faults.portal import Answer, Portal

MINUTES = 15
FIRST_DAY = 30  # days from today
API, FORM, DAY, LOGIN, ALIVE, STATIC = "API", "form", "day", "login", "/livez", "static"
_FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Record:
    """All answers by kind, and the bookings that were acknowledged: when, and doctor and start."""

    answers: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    booked: list[tuple[float, int, float]] = field(default_factory=list)


class Desks:
    """`with Desks(portal):` asks until the block ends; each desk books the times of one doctor one after the other."""

    def __init__(self, portal: Portal, *, desks_of_first_doctor: int = 1) -> None:
        self.portal, self.record = portal, Record()
        self._end = threading.Event()
        doctors = [*[portal.doctors[0]] * desks_of_first_doctor, *portal.doctors[1:5]]
        loops = [(self._book_by_api, number, doctor) for number, doctor in enumerate(doctors)]
        loops += [(self._book_by_form, 100 + number, doctor) for number, doctor in enumerate(portal.doctors[5:7])]
        pages = {
            DAY: ("/schedule/", {"Cookie": portal.cookie}),
            LOGIN: ("/accounts/login/", {}),
            ALIVE: ("/livez", {}),
            STATIC: ("/static/css/schedule/places.css", {}),
        }
        self._threads = [threading.Thread(target=loop, args=arguments) for loop, *arguments in loops]
        self._threads += [threading.Thread(target=self._ask, args=(kind, *page)) for kind, page in pages.items()]

    def __enter__(self) -> Record:
        for thread in self._threads:
            thread.start()
        return self.record

    def __exit__(self, *error: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, kind: str, path: str, headers: dict[str, str]) -> None:
        while not self._end.wait(0.25):
            answer = self.portal.ask("GET", path, headers)
            self.record.answers[kind].append(answer)

    def _book_by_api(self, number: int, doctor: int) -> None:
        headers = {"Authorization": f"Bearer {self.portal.token}", "Content-Type": "application/json"}
        for start in self._times(number):
            body = {
                "patient_id": self.portal.patients[number],
                "doctor_id": doctor,
                "start_time": start.isoformat(),
                "duration_minutes": MINUTES,
            }
            key = {"Idempotency-Key": str(uuid.uuid4())}
            while not self._end.wait(0.5):
                answer = self.portal.ask("POST", "/api/appointments", headers | key, json.dumps(body))
                self.record.answers[API].append(answer)
                if answer.status == 201:
                    self.record.booked.append((answer.ended, doctor, start.timestamp()))
                if answer.status not in (0, 429, 503):
                    break

    def _book_by_form(self, number: int, doctor: int) -> None:
        csrf = "c" * 32
        headers = _FORM_HEADERS | {"Cookie": f"{self.portal.cookie}; csrf={csrf}"}
        for start in self._times(number):
            form = {
                "patient": self.portal.patients[number],
                "doctor": doctor,
                "date": start.date().isoformat(),
                "time": start.strftime("%H:%M"),
                "duration_minutes": MINUTES,
                "booking_key": uuid.uuid4(),
                "csrfmiddlewaretoken": csrf,
            }
            while not self._end.wait(0.5):
                answer = self.portal.ask("POST", "/appointments/book/", headers, urlencode(form))
                self.record.answers[FORM].append(answer)
                if answer.status == 302:
                    self.record.booked.append((answer.ended, doctor, start.timestamp()))
                if answer.status not in (0, 429, 503):
                    break

    def _times(self, number: int) -> "list[dt.datetime]":
        """Return times of the desk's own days, in the clinic's zone: those of two desks never meet."""
        today = dt.datetime.now(dt.UTC).replace(hour=9, minute=0, second=0, microsecond=0)
        first = today + dt.timedelta(days=FIRST_DAY + number % 50 * 6)
        return [
            first + dt.timedelta(days=day, minutes=MINUTES * step)
            for day in range(6)
            for step in range(8 * 60 // MINUTES)
        ]


def longest_gap(moments: list[float], begin: float, end: float) -> float:
    """Return the longest time between two moments from `begin` to `end`, both of which count as moments."""
    points = [begin, *sorted(moment for moment in moments if begin < moment < end), end]
    return max(later - earlier for earlier, later in itertools.pairwise(points))


def wait_for_bookings(record: Record, number: int, *, seconds: float) -> None:
    """Wait until `number` more bookings are acknowledged, or the seconds are over."""
    wanted, deadline = len(record.booked) + number, time.monotonic() + seconds
    while len(record.booked) < wanted and time.monotonic() < deadline:
        time.sleep(0.1)
