"""What each page costs, in a small clinic and in a large one, beside three floors measured in the same run.

benchmarks/README.md says how to run it; docs/speed.md shows its figures.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

WARM_UPS, PASSES = 1, 7
LIVEZ = "Floor: /livez"
EMPTY_PAGE, RAW_BOOKING = "Floor: an empty Django page", "Floor: a booking in raw SQL"
FLAT = 1.2  # growth that counts as none
NOISE = 0.5  # milliseconds by which equal work differs on a shared machine


def main() -> None:
    """Prepare a database for each size, measure them in turns, and print the table."""
    options = _options()
    if options.measure:
        print(json.dumps(in_clinic(_measure)))
    elif options.fill:
        in_clinic(lambda: _fill(options.fill))
    else:
        for size in options.sizes:
            _run(size, "--fill", str(size))
        cycles = [
            {size: json.loads(_run(size, "--measure")) for size in options.sizes} for _cycle in range(options.cycles)
        ]
        _print_table(cycles, options.sizes)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 1_000_000], help="appointments and patients")
    parser.add_argument("--cycles", type=int, default=3, help="how often to measure all sizes in turns")
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(size: int, *arguments: str) -> str:
    """Run this script in a process of its own, with the database of a clinic of this size."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, env=os.environ | environment_of(size), capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-5000:])
    return done.stdout


def environment_of(size: int) -> dict[str, str]:
    """Return production settings for a clinic of this size, without what a benchmark would run into."""
    return {
        "DATABASE_URL": _database_of(size),
        "API_CALLS_A_MINUTE": "0",
        "PAGES_A_MINUTE": "0",
        "DEBUG": "off",
        "USE_HTTPS": "off",
        "REQUIRE_SECOND_FACTOR": "off",
        "CLINIC_TIME_ZONE": "UTC",
        "ALLOWED_HOSTS": "testserver",
    }


def _database_of(size: int) -> str:
    """Return the URL of DATABASE_URL with the size after the database's name, or before a file's extension."""
    name, dot, extension = os.environ["DATABASE_URL"].rpartition(".sqlite3")
    return f"{name}_{size}{dot}{extension}" if dot else f"{extension}_{size}"


def in_clinic(work: Callable[[], Any]) -> Any:
    """Do the work with Django set up, on the day of the tests' addresses."""
    import django
    import time_machine

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
    django.setup()
    from clinic.tests.kit import NOW

    with time_machine.travel(NOW, tick=True):
        return work()


# The databases


def _fill(size: int) -> None:
    """Write the clinic and the records that the addresses name, unless an earlier run has."""
    from django.core.management import call_command

    from benchmarks.large_clinic import FUTURE_DAYS, LargeClinic
    from clinic.core import clinic_time
    from clinic.core.clinic_time import ONE_DAY
    from clinic.tests import crawl

    file = notes()
    if file.exists():
        return
    create_database()
    call_command("migrate", verbosity=0)
    LargeClinic(size, last_day=clinic_time.today() + FUTURE_DAYS * ONE_DAY).fill()
    world = crawl.make_world()
    users = {role: user.pk for role, user in world.users.items()}
    file.write_text(json.dumps({"objects": world.objects["own"], "tokens": world.tokens, "users": users}))


def notes() -> Path:
    """Return the file with the ids of the records; without it the database is filled again."""
    from django.conf import settings

    return Path(tempfile.gettempdir()) / f"{Path(settings.DATABASES['default']['NAME']).name}.json"


def create_database() -> None:
    """Create an empty database in place of one that an earlier run has left."""
    from django.conf import settings

    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        Path(database["NAME"]).unlink(missing_ok=True)
        return
    import MySQLdb

    name = f"`{database['NAME']}`"
    server = {"host": database["HOST"], "user": database["USER"], "password": database["PASSWORD"]}
    with closing(MySQLdb.connect(**server, port=int(database["PORT"] or 3306))) as connection:
        cursor = connection.cursor()
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")


# Measuring


@dataclass
class Cost:
    """What each run of one request cost."""

    cpu: list[float] = field(default_factory=list)  # milliseconds of the portal's process
    database: list[float] = field(default_factory=list)  # milliseconds waited for the database
    queries: int = 0
    size: int = 0  # bytes

    def summary(self) -> dict[str, float]:
        cpu, database = statistics.median(self.cpu), statistics.median(self.database)
        return {"cpu": cpu, "database": database, "queries": self.queries, "bytes": self.size}

    def add(self, work: Callable[[], int]) -> None:
        """Do the work, which returns its size in bytes, and add what it cost."""
        from django.db import connection

        waited = []

        def wait(execute: Any, *args: Any) -> Any:
            began = time.perf_counter()
            try:
                return execute(*args)
            finally:
                waited.append(1000 * (time.perf_counter() - began))

        with connection.execute_wrapper(wait):
            began = time.process_time()
            self.size = work()
            self.cpu.append(1000 * (time.process_time() - began))
        self.database.append(sum(waited))
        self.queries = len(waited)


def _measure() -> dict[str, dict[str, float]]:
    """Return the cost of every page and of the floors, all run in turns."""
    works = dict(_works())
    costs = {name: Cost() for name in works}
    for _warm_up in range(WARM_UPS):
        for work in works.values():
            work()
    for _pass in range(PASSES):
        for name, work in works.items():
            costs[name].add(work)
    return {name: cost.summary() for name, cost in costs.items()}


def _works() -> Iterator[tuple[str, Callable[[], int]]]:
    from benchmarks.floors import book_in_sql, empty_page
    from clinic.tests.page_requests import page_requests

    kept = json.loads(notes().read_text())
    clients = {role: _signed_in(pk) for role, pk in kept["users"].items()}
    yield LIVEZ, lambda: _size_of(clients["Administrator"].get("/livez"))
    yield EMPTY_PAGE, partial(empty_page, clients["Administrator"])
    yield RAW_BOOKING, book_in_sql
    yield "GET /schedule/2026-11-25/, a coming date", partial(_coming_day, clients["Receptionist"])
    yield "… with nothing kept in memory", partial(_coming_day_cold, clients["Receptionist"])
    for request in page_requests(kept["objects"]):
        client = clients.get(request.role) or _signed_in(None)
        yield str(request), partial(_send, request, client, kept["tokens"].get(request.role, ""))


def _coming_day(client: Any) -> int:
    return _size_of(client.get("/schedule/2026-11-25/"))


def _coming_day_cold(client: Any) -> int:
    """Show the day without what earlier requests have kept, and put that back for the others."""
    from appointments.schedule import keeping

    kept = dict(keeping._values)
    keeping.forget_all()
    size = _coming_day(client)
    keeping._values.update(kept)
    return size


def _signed_in(pk: int | None) -> Any:
    from django.test import Client

    from clinic.models import User

    client = Client()
    if pk is not None:
        client.force_login(User.objects.get(pk=pk))
    return client


def _send(request: Any, client: Any, token: str) -> int:
    """Send the request and return the size of its answer; a booking is rolled back."""
    from django.db import transaction

    if not request.books:
        return _size_of(request.send(client, token))
    with transaction.atomic():
        size = _size_of(request.send(client, token))
        transaction.set_rollback(True)
    return size


def _size_of(response: Any) -> int:
    if response.status_code >= 400:
        raise RuntimeError(f"{response.status_code} at {response.request['PATH_INFO']}")
    return sum(map(len, response.streaming_content)) if response.streaming else len(response.content)


# The table

Cycle = dict[int, dict[str, dict[str, float]]]  # costs by name, by size


def _print_table(cycles: list[Cycle], sizes: list[int]) -> None:
    """Print a Markdown table of the least disturbed cycle: the one in which the floors took the least time."""
    disturbance = [sum(cycle[size][name]["cpu"] for size in sizes for name in (LIVEZ, EMPTY_PAGE)) for cycle in cycles]
    chosen = disturbance.index(min(disturbance))
    costs = cycles[chosen]
    floors = [costs[size][LIVEZ]["cpu"] for size in sizes]
    counts = [f"{size:,}" for size in sizes]
    taken = " and ".join(f"{floor:.2f}" for floor in floors)
    print(f"Cycle {chosen + 1} of {len(cycles)} was disturbed least: the floor, /livez, took {taken} ms of CPU time.\n")
    print(f"| Request | Queries | kB | CPU, ms: {' / '.join(counts)} | Database, ms | CPU, floors | Growth |")
    print("|---|--:|--:|--:|--:|--:|---|")
    for name in costs[sizes[0]]:
        print(_row(name, [costs[size][name] for size in sizes], floors))


def _row(name: str, by_size: list[dict[str, float]], floors: list[float]) -> str:
    least, most = by_size[0], by_size[-1]
    cpu, database = (" / ".join(f"{each[kind]:.1f}" for each in by_size) for kind in ("cpu", "database"))
    growth = ", ".join(
        f"{kind} {most[kind] / least[kind]:.1f}"
        for kind in ("cpu", "database")
        if most[kind] > FLAT * least[kind] and most[kind] > least[kind] + NOISE
    )
    ratios = " / ".join(f"{cost['cpu'] / floor:.1f}" for cost, floor in zip(by_size, floors, strict=True))
    return f"| {name} | {most['queries']} | {most['bytes'] / 1000:.1f} | {cpu} | {database} | {ratios} | {growth} |"


if __name__ == "__main__":
    main()
