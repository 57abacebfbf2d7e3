"""Measures how long an import is busy with files that are made to keep it busy; those of the test suite.

Set DEBUG, SECRET_KEY and DATABASE_URL as for the other benchmarks, and run `python -m benchmarks.hostile_sheets`.
"""

import os
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")

import django

django.setup()

from django.test.utils import setup_databases, setup_test_environment, teardown_databases

from clinic.tests.test_hostile_sheets import CSV, XLSX, refusal_of, workbook
from doctors.imports import DoctorImporter
from patients.imports import PatientImporter


def main() -> None:
    """Print CPU seconds, what was uploaded and the code of its refusal, the slowest first."""
    setup_test_environment()
    databases = setup_databases(verbosity=0, interactive=False)
    files = {name: content for name, (_code, content) in CSV.items()}
    files |= {name: workbook(sheet()) for name, (_code, sheet) in XLSX.items()}
    took = []
    for name, content in files.items():
        for importer in (PatientImporter(), DoctorImporter()):
            began = time.process_time()
            code = refusal_of(importer, content)
            took.append((time.process_time() - began, f"{importer.kind}: {name}", code or "read"))
    for seconds, name, code in sorted(took, reverse=True):
        print(f"{seconds:5.2f} s  {name}  {code}")
    teardown_databases(databases, verbosity=0)


if __name__ == "__main__":
    main()
