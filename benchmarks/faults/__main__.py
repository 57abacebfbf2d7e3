"""Break what surrounds the portal while desks book, and say what they see: `python -m benchmarks.faults --help`."""

import argparse
import itertools
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.database import mariadb
from benchmarks.faults.desks import ALIVE, API, DAY, FORM, LOGIN, STATIC, Desks, Record, longest_gap, wait_for_bookings
from benchmarks.faults.faults import FAULTS, Fault, Scene, small_disk, temporary_folder
from benchmarks.faults.portal import Answer, Portal, portal

ROOT = Path(__file__).resolve().parents[2]
HEAD = (
    "| fault | pages and bookings: answers, the longest | without database: the longest | "
    "longest time without a booking | until the next booking, after the end | bookings: acknowledged, lost, doubled |\n"
    "|---|---|---|---|---|---|"
)
PAGE_SECONDS, PROBE_SECONDS = 10, 5


@dataclass(frozen=True)
class Outcome:
    fault: Fault
    record: Record
    begin: float
    end: float
    lost: int
    doubled: int
    notes: list[str]

    def asked(self, *kinds: str) -> list[Answer]:
        """Return the answers that were waited for during the fault."""
        answers = [answer for kind in kinds for answer in self.record.answers[kind]]
        return [answer for answer in answers if answer.ended > self.begin and answer.began < self.end]

    def row(self) -> str:
        pages = self.asked(API, FORM, DAY, LOGIN)
        moments = [moment for moment, *_ in self.record.booked]
        after = [moment for moment in moments if moment > self.end]
        cells = [
            "; ".join([self.fault.title, *self.notes]),
            f"{_statuses(pages)}; {_longest(pages):.1f} s",
            f"{_longest(self.asked(ALIVE, STATIC)):.1f} s",
            f"{longest_gap(moments, self.begin, max(self.end, *after[:1], self.begin)):.1f} s",
            f"{after[0] - self.end:.1f} s" if after else "none",
            f"{len(moments)}, {self.lost}, {self.doubled}",
        ]
        return f"| {' | '.join(cells)} |"

    def broken_promises(self) -> list[str]:
        """Return what the portal promises and did not keep."""
        answers = [answer for answers in self.record.answers.values() for answer in answers]
        failed = sorted({answer.status for answer in answers if answer.status >= 500 and answer.status != 503})
        without = [each for each in answers if each.status == 503 and "Retry-After" not in each.headers]
        said = {
            f"{self.lost} acknowledged bookings are lost": self.lost,
            f"{self.doubled} bookings are doubled": self.doubled,
            f"answers {failed}": failed,
            f"{len(without)} answers 503 without Retry-After": without,
            "no booking after the fault": not any(moment > self.end for moment, *_ in self.record.booked),
            f"a page took more than {PAGE_SECONDS} s": self._is_late(PAGE_SECONDS, API, FORM, DAY, LOGIN),
            f"what needs no database took more than {PROBE_SECONDS} s": self._is_late(PROBE_SECONDS, ALIVE, STATIC),
        }
        return [text for text, is_broken in said.items() if is_broken]

    def _is_late(self, seconds: float, *kinds: str) -> bool:
        return self.fault.is_promised and _longest(self.asked(*kinds)) > seconds


def _longest(answers: Iterable[Answer]) -> float:
    return max((answer.seconds for answer in answers), default=0.0)


def _statuses(answers: Iterable[Answer]) -> str:
    counts = Counter(answer.status for answer in answers)
    return ", ".join(f"{count} x {status or 'no answer'}" for status, count in sorted(counts.items()))


def run(fault: Fault, code: Path) -> Outcome:
    """Serve a new clinic, book in peace, break something, and book in peace again."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(temporary_folder()))
        if fault.needs_sqlite:
            database, url = None, f"sqlite:///{stack.enter_context(small_disk(folder))}/clinic.sqlite3"
        else:
            database = stack.enter_context(mariadb(folder))
            url = database.url
        served = stack.enter_context(portal(code, url, folder / "portal.log"))
        scene = Scene(served, database, folder)
        with Desks(served, desks_of_first_doctor=fault.desks_of_first_doctor) as record:
            wait_for_bookings(record, 20, seconds=60)
            begin = time.monotonic()
            fault.run(scene)
            end = time.monotonic()
            wait_for_bookings(record, 20, seconds=60)
        lost, doubled = _compared(served, record)
        return Outcome(fault, record, begin, end, lost, doubled, scene.notes)


def _compared(served: Portal, record: Record) -> tuple[int, int]:
    """Return how many acknowledged bookings are not in the database, and how many there overlap another."""
    rows = served.booked()
    there = {(doctor, start) for _pk, doctor, _patient, start, _end in rows}
    lost = sum((doctor, start) not in there for _moment, doctor, start in record.booked)
    doubled = 0
    for whose in (1, 2):
        ordered = sorted((row[whose], row[3], row[4]) for row in rows)
        doubled += sum(one[0] == other[0] and other[1] < one[2] for one, other in itertools.pairwise(ordered))
    if not served.have_no_overlaps() and not doubled:
        sys.exit("check_diaries finds what this benchmark does not.")
    return lost, doubled


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what desks see while something fails.")
    parser.add_argument(
        "--only", nargs="+", choices=FAULTS, default=list(FAULTS), metavar="FAULT", help=", ".join(FAULTS)
    )
    parser.add_argument("--code", type=Path, default=ROOT, help="another checkout of the portal, to compare with")
    options = parser.parse_args()
    is_broken = False
    print(HEAD, flush=True)
    for name in options.only:
        try:
            outcome = run(FAULTS[name], options.code.resolve())
        except subprocess.CalledProcessError as error:
            if not FAULTS[name].needs_sqlite:
                raise
            print(f"Skipped: {name} needs the right to mount a disk ({error.cmd[0]}).", file=sys.stderr)
            continue
        print(outcome.row(), flush=True)
        for text in outcome.broken_promises():
            is_broken = True
            print(f"{name}: {text}", file=sys.stderr, flush=True)
    sys.exit(is_broken)


if __name__ == "__main__":
    main()
