"""The cost of importing 20,000 patients from a CSV or XLSX file, from the upload to the confirmation.

Each file is previewed and confirmed in a process of its own, in a throw-away test database of DATABASE_URL; memory is
the peak of the process, minus its memory before the file. benchmarks/README.md says how to run it.
"""

import csv
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from openpyxl import Workbook

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
django.setup()

from clinic.audit.actor import acting
from clinic.models import AuditEntry, User
from clinic.spreadsheets.drafts import confirm, open_draft
from patients.imports import PatientImporter
from patients.models import Patient

ROWS = 20_000
HEADER = ["First name", "Last name", "E-mail", "Phone number", "Date of birth"]
MEGABYTE = 1024 * 1024


def main() -> None:
    """Import one file of each kind and print the times."""
    with tempfile.TemporaryDirectory() as folder:
        for write in (write_csv, write_xlsx):
            path = Path(folder) / f"patients.{write.__name__.removeprefix('write_')}"
            write(path)
            for rows in (0, ROWS):  # the process itself, for comparison
                process = multiprocessing.get_context("spawn").Process(target=measure, args=(path, rows))
                process.start()
                process.join()


def measure(path: Path, rows: int) -> None:
    """Preview and confirm a file, or nothing, and print the figures."""
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = path.with_suffix(".sqlite3")  # on disk, as memory is measured
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        user = User.objects.create(username="benchmark")
        if rows:
            with acting(user):
                import_file(path, user)
            assert Patient.objects.count() == AuditEntry.objects.filter(actor=user).count() == ROWS
        print(
            f"  peak memory: {peak_memory() / MEGABYTE:.0f} MB" + ("" if rows else " by a process that imports nothing")
        )
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def import_file(path: Path, user: User) -> None:
    """Preview and confirm a file; print the time of each step."""
    print(f"{connection.vendor}, {path.suffix[1:]}, {path.stat().st_size / MEGABYTE:.1f} MB, {ROWS} patients")
    importer = PatientImporter()
    upload = SimpleUploadedFile(path.name, path.read_bytes())
    draft = timed("preview", lambda: open_draft(importer, upload, by=user, month_first=False))
    timed("confirm", lambda: confirm(importer, draft.pk, by=user, also=set()))


def timed(name: str, work: Callable[[], Any]) -> Any:
    """Call a function; print its duration, CPU time and queries."""
    queries = 0

    def count(execute: Any, *args: Any) -> Any:
        nonlocal queries
        queries += 1
        return execute(*args)

    begun, cpu = time.perf_counter(), time.process_time()
    with connection.execute_wrapper(count):
        result = work()
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(f"  {name}: {cpu:.1f} s CPU, {took:.1f} s in all, {queries} queries, {peak_memory() / MEGABYTE:.0f} MB")
    return result


def peak_memory() -> int:
    """Return the peak memory of this process in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in kilobytes


def patients() -> Iterator[list[str]]:
    """Yield rows of people without common data."""
    for number in range(ROWS):
        born = f"{1950 + number % 50}-0{1 + number % 9}-1{number % 10}"
        yield [f"Maria{number}", f"Santos{number}", f"p{number}@example.org", f"+351 93{number:07}", born]


def write_csv(path: Path) -> None:
    """Write them as CSV."""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([HEADER, *patients()])


def write_xlsx(path: Path) -> None:
    """Write them as XLSX."""
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet()
    sheet.append(HEADER)
    for row in patients():
        sheet.append(row)
    workbook.save(path)


if __name__ == "__main__":
    main()
