"""How long a patient who is here has waited, in words. Who came early waits from the appointed time."""

import datetime as dt
from typing import NamedTuple

from clinic.core import clinic_time


class Step(NamedTuple):
    """From how many minutes on a wait is called what, and with which class it is shown."""

    minutes: int
    words: str
    css: str


STEPS = (
    Step(0, "waiting", ""),
    Step(15, "long wait:", "is-long"),
    Step(30, "very long:", "is-very-long"),
)
# The same for schedule/clock.js, which updates the words as the minutes pass: "0,waiting,;15,long wait:,is-long;…".
STEPS_TEXT = ";".join(f"{step.minutes},{step.words},{step.css}" for step in STEPS)


class Waiting(NamedTuple):
    """A wait in whole minutes, negative before the appointed time; `arrived` is clinic time, empty if unknown."""

    minutes: int
    arrived: str

    @property
    def text(self) -> str:
        if self.minutes < 0:
            return f"here since {self.arrived}" if self.arrived else "here early"
        return f"{self._step.words} {self.minutes} min"

    @property
    def css(self) -> str:
        return " ".join(filter(None, ("since", self._step.css)))

    @property
    def _step(self) -> Step:
        return next((step for step in reversed(STEPS) if step.minutes <= self.minutes), STEPS[0])


def waiting_of(arrived_at: dt.datetime | None, start_time: dt.datetime, *, at: dt.datetime) -> Waiting:
    """Return how long the patient has waited at `at`: from the arrival or the appointed time, whichever is later."""
    since = waiting_since(arrived_at, start_time)
    return Waiting((at - since) // clinic_time.MINUTE, clinic_time.time_text(arrived_at) if arrived_at else "")


def waiting_since(arrived_at: dt.datetime | None, start_time: dt.datetime) -> dt.datetime:
    return start_time if arrived_at is None else max(arrived_at, start_time)
