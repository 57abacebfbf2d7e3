"""What the triggers against overlaps add to a booking: CPU time of the portal and of the database, in pairs of blocks.

Blocks of bookings with and without the triggers alternate in one process, in a clinic with 100,000 appointments.
benchmarks/README.md says how to run it.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

WARM_UPS = 2  # pairs that are not counted


def main() -> None:
    """Fill the database, unless an earlier run has, book, and print the figures."""
    options = _options()
    os.environ.update({"CLINIC_TIME_ZONE": "UTC", "DJANGO_SETTINGS_MODULE": "clinic.settings"})
    import django

    django.setup()
    _fill(options.size)
    bookings = _bookings()
    pairs = [_pair(bookings, options.block, first=number % 2) for number in range(options.pairs + WARM_UPS)]
    _print_figures(pairs[WARM_UPS:], options.block)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000, help="appointments and patients")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--block", type=int, default=40, help="bookings in each half of a pair")
    return parser.parse_args()


def _fill(size: int) -> None:
    from django.core.management import call_command

    from benchmarks.large_clinic import FUTURE_DAYS, LargeClinic
    from clinic.core import clinic_time
    from clinic.core.clinic_time import ONE_DAY
    from patients.models import Patient

    call_command("migrate", verbosity=0)
    if not Patient.objects.exists():
        LargeClinic(size, last_day=clinic_time.today() + FUTURE_DAYS * ONE_DAY).fill()


def _bookings() -> Iterator[dict[str, Any]]:
    """Yield doctor, patient and time of bookings, all possible, after the last day that has appointments."""
    import datetime as dt

    from django.utils import timezone

    from appointments.models import Appointment
    from doctors.models import Doctor
    from patients.models import Patient

    last = Appointment.objects.order_by("-start_time").values_list("start_time", flat=True)[0]
    midnight = max(last, timezone.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    patients = Patient.objects.order_by("pk").iterator(chunk_size=500)
    slots = product(range(1, 300), (8, 9, 10, 11, 13, 14, 15, 16), list(Doctor.objects.order_by("pk")))
    for patient, (day, hour, doctor) in zip(patients, slots, strict=False):
        yield {"patient": patient, "doctor": doctor, "start_time": midnight + dt.timedelta(days=day, hours=hour)}


def _pair(bookings: Iterator[dict[str, Any]], block: int, *, first: int) -> dict[bool, tuple[float, float]]:
    """Return the milliseconds of a block without and with the triggers, of the portal and of the database."""
    costs = {}
    for has_triggers in (bool(first), not first):
        _set_triggers(has_triggers)
        costs[has_triggers] = _cost(list(islice(bookings, block)))
    return costs


def _set_triggers(are_there: bool) -> None:
    from django.db import connection

    from appointments.overlap_triggers import INSERT, UPDATE, make_triggers

    if are_there:
        make_triggers()
        return
    with connection.cursor() as cursor:
        for name in (INSERT, UPDATE):
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")


def _cost(bookings: list[dict[str, Any]]) -> tuple[float, float]:
    from appointments.booking import actions

    clock = _database_clock()
    _book_one, *others = bookings  # the first one opens the altered table
    actions.book(**_book_one, duration_minutes=30, by=None)
    portal, database = time.process_time(), clock()
    for booking in others:
        actions.book(**booking, duration_minutes=30, by=None)
    return 1000 * (time.process_time() - portal) / len(others), (clock() - database) / len(others)


def _database_clock() -> Any:
    """Return a function with the CPU milliseconds of the connection's thread in MariaDB; SQLite has none of its own."""
    from django.db import connection

    if connection.vendor != "mysql":
        return lambda: 0.0
    with connection.cursor() as cursor:
        cursor.execute("SELECT tid FROM information_schema.processlist WHERE id = CONNECTION_ID()")
        thread = cursor.fetchone()[0]
    (file,) = Path("/proc").glob(f"[0-9]*/task/{thread}/schedstat")
    return lambda: int(file.read_text().split()[0]) / 1e6


def _print_figures(pairs: list[dict[bool, tuple[float, float]]], block: int) -> None:
    print(f"{len(pairs)} pairs of {block - 1} bookings; medians, and of the differences the quartiles, too")
    for place, name in enumerate(("portal", "database")):
        without, with_them = (statistics.median(pair[has][place] for pair in pairs) for has in (False, True))
        if not without:
            continue
        added = [pair[True][place] - pair[False][place] for pair in pairs]
        low, middle, high = (100 * quartile / without for quartile in statistics.quantiles(added, n=4))
        print(
            f"{name}: {without:.3f} ms without, {with_them:.3f} ms with; {middle:+.1f} % ({low:+.1f} to {high:+.1f} %)"
        )
    both = [[sum(pair[has]) for has in (False, True)] for pair in pairs]
    low, middle, high = statistics.quantiles((100 * (has - without) / without for without, has in both), n=4)
    print(f"together: {middle:+.1f} % ({low:+.1f} to {high:+.1f} %)")


if __name__ == "__main__":
    main()
