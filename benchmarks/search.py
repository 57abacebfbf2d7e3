"""The time of searches for two words among ten million patients; benchmarks/README.md says how to run it."""

import argparse
import os
import statistics
import sys
import time

from speed import create_database, environment_of, in_clinic

COPIED, COPIES = 1_000_000, 10  # the clinic that `speed.py` has written, and how often its patients are copied
RUNS = 15
TEXTS = [
    *("maria silva", "silva maria", "ma si", "mari silv", "m silva"),
    *("maria nobody", "nobody silva", "maz sil", "x silva", "maria silva ba"),
]


def main() -> None:
    """Copy the patients, unless that has been done, and print the time of each search at both sizes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--size", type=int, choices=(COPIED, COPIED * COPIES), required=True)
    options.add_argument("--copy", action="store_true", help="write what a search reads first")
    chosen = options.parse_args()
    os.environ |= environment_of(chosen.size)
    in_clinic(lambda: _copy() if chosen.copy else _measure())


def _copy() -> None:
    from django.core.management import call_command
    from django.db import connection

    create_database()
    call_command("migrate", verbosity=0)
    source = f"`{connection.settings_dict['NAME'].replace(str(COPIED * COPIES), str(COPIED))}`"
    with connection.cursor() as cursor:
        cursor.execute("SET unique_checks = 0, foreign_key_checks = 0")
        for copy in range(COPIES):
            for statement in _statements(source, copy):
                cursor.execute(statement)
        cursor.execute("ANALYZE TABLE patients_patient, patients_namepair")


def _statements(source: str, copy: int) -> tuple[str, str]:
    """Return the INSERTs of one copy: other ids and e-mail addresses, the same names and numbers."""
    ahead = copy * 2 * COPIED  # the source has a few more patients than its size
    fields = "first_name, last_name, phone_number, date_of_birth, name_key, diary_version, created_at, last_contact"
    patients = f"""
        INSERT INTO patients_patient (id, email, updated_at, anonymised_at, {fields})
        SELECT id + {ahead}, CONCAT('{copy}.', email), updated_at, anonymised_at, {fields}
        FROM {source}.patients_patient
    """
    pairs = f"""
        INSERT INTO patients_namepair (`key`, others, patient_id)
        SELECT `key`, others, patient_id + {ahead} FROM {source}.patients_namepair ORDER BY `key`, patient_id
    """
    return patients, pairs


def _measure() -> None:
    from django.db import connection

    from patients.models import Patient
    from patients.querysets import MAX_FOUND

    print(f"{Patient.objects.count():,} patients on {connection.vendor}, median of {RUNS} runs, ms")
    for text in TEXTS:
        found, times = 0, []
        for _run in range(RUNS):
            began = time.perf_counter()
            found = len(Patient.objects.search(text, limit=MAX_FOUND + 1))
            times.append(1000 * (time.perf_counter() - began))
        print(f"{text!r:20} {found:3} found  {statistics.median(times):6.1f}")


if __name__ == "__main__":
    sys.exit(main())
