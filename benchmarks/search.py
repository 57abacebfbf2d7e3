"""The time to find two words among the names of ten million patients; benchmarks/README.md says how to run it."""

import argparse
import os
import statistics
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
    options.add_argument(
        "--copy", action="store_true", help="write the names first: ten times those of the smaller clinic"
    )
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
            # In order, as rows come that are written over years; copied patients have other ids.
            cursor.execute(f"""
                INSERT INTO patients_namepair (`key`, others, patient_id)
                SELECT `key`, others, patient_id + {copy * 2 * COPIED}
                FROM {source}.patients_namepair ORDER BY `key`, patient_id
            """)
        cursor.execute("ANALYZE TABLE patients_namepair")


def _measure() -> None:
    from patients.models import NamePair
    from patients.querysets import MAX_FOUND
    from patients.search import matching_ids

    print(f"{NamePair.objects.count():,} pairs of words, median of {RUNS} runs, ms")
    for text in TEXTS:
        found, times = 0, []
        for _run in range(RUNS):
            began = time.perf_counter()
            found = len(matching_ids(text, limit=MAX_FOUND + 1))
            times.append(1000 * (time.perf_counter() - began))
        print(f"{text!r:20} {found:3} found  {statistics.median(times):6.1f}")


if __name__ == "__main__":
    main()
