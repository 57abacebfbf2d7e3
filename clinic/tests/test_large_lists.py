"""In a clinic with 100,000 patients and appointments, no page reads more rows than it needs, and all by an index."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.large_clinic import FUTURE_DAYS, LargeClinic
from clinic.core.clinic_time import ONE_DAY
from clinic.tests import crawl
from clinic.tests.kit import NOW
from clinic.tests.page_requests import page_requests
from clinic.tests.plans import rows_read, steps_of_sql

SIZE = 100_000
A_DAY = 20  # so that the appointments begin 14 years ago, and patients are due for the retention review
LARGE = {
    "patients_patient",
    "patients_searchkey",
    "patients_namepair",
    "appointments_appointment",
    "clinic_auditentry",
    "clinic_seenpatient",
}
ALIAS = re.compile(r"[A-Z]\d+")  # of a table that a query reads twice, or in a subquery
MAX_ROWS_READ = 5000
MORE_ROWS_READ = {
    # Programs get a thousand patients at once.
    "POST /api/patients/search maria silva": 10_000,
    # SQLite looks through the entries that name no patient, as searches, for an appointment that was once theirs.
    "GET /patients/{patient}/data/": 40_000,
    # SQLite cannot limit the parts of a union, so it reads what all these doctors have had of this status.
    "GET /admin/appointments/appointment/?doctor__specialization=Cardiology&status__exact=no_show": 10_000,
}
# No link leads to a page by its number in a long list, so only somebody who types it reads all rows before.
BY_NUMBER = "?p=5000"

pytestmark = [pytest.mark.large, pytest.mark.both_databases, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(now):
    LargeClinic(SIZE, last_day=NOW.date() + FUTURE_DAYS * ONE_DAY, appointments_a_day=A_DAY).fill()
    return crawl.make_world()


def test_pages_of_a_large_clinic_read_few_rows_by_index(world, subtests):
    for each in page_requests(world.objects["own"]):
        if BY_NUMBER in each.address:
            continue
        client = Client(raise_request_exception=False)
        client.cookies["session"] = world.sessions.get(each.role, "")
        with CaptureQueriesContext(connection) as queries, rows_read() as read:
            response = each.send(client, world.tokens.get(each.role, ""))
        with subtests.test(str(each)):
            assert response.status_code < 400
            assert read.count <= MORE_ROWS_READ.get(str(each), MAX_ROWS_READ), plans_of(queries)
            assert full_scans(queries) == []


def plans_of(queries):
    """Return the queries of large tables, each with its plan, for people to read."""
    return "\n".join("\n  ".join([sql, *(step.text for step in steps_of_sql(sql))]) for sql in selects(queries))


def full_scans(queries):
    """Return the steps that read a large table without an index, and do not stop after some rows."""
    steps = [step for sql in selects(queries) if " LIMIT " not in sql for step in steps_of_sql(sql)]
    return [
        step.text for step in steps if not step.is_by_index and (step.table in LARGE or ALIAS.fullmatch(step.table))
    ]


def selects(queries):
    return [each["sql"] for each in queries if each["sql"].startswith("SELECT") and any(map(each["sql"].count, LARGE))]
