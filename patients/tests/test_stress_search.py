"""A hundred thousand patients: the search while typing uses the index, and few queries."""

import datetime as dt

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from clinic.tests.plans import analyze, steps_of_sql
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.search import matching_ids
from patients.search_keys import name_pairs

pytestmark = [
    pytest.mark.stress,
    pytest.mark.both_databases,
    pytest.mark.django_db(transaction=True),
]  # MariaDB commits at ANALYZE

PATIENTS = 100_000
SEARCH = "/patients/"
# Session with user and roles, up to five for the ids, patients, next appointments, the audit entry, and its patients.
MAX_QUERIES = 10
FIRST_NAMES = ["Maria", "Jose", "Ana", "Joao", "Lucia", "Soren", "Ines", "Jurgen", "Chloe", "Tomasz"]
LAST_NAMES = ["Santos", "Silva", "Weiss", "Costa", "Zielinski", "Okafor", "Garcia", "Nowak", "Ferreira", "Haddad"]
LONG_AGO = dt.datetime(2026, 11, 2, 10, 0, tzinfo=dt.UTC)
TO_COME = dt.datetime(2026, 12, 1, 10, 0, tzinfo=dt.UTC)
TABLES = ("appointments_appointment", "patients_searchkey", "patients_namepair", "patients_patient")
# The keys that `keys_for` returns for the patients below, in SQL, which is faster for half a million rows.
KEYS = [
    "LOWER(first_name)",
    "LOWER(SUBSTR(last_name, 1, INSTR(last_name, ' ') - 1))",
    "LOWER(SUBSTR(last_name, INSTR(last_name, ' ') + 1))",
    "email",
    "phone_number",
]
# Queries, and how many results are shown.
NARROW = {
    "maria lopes500": 11,
    "LOPES500, Mar": 11,
    "+351 9000-0500": 10,
    "(0)900 005": 20,
    "patient5001@example.org": 1,
    "nobody": 0,
    "nobody lopes500": 0,
}
# A tenth of all and more.
BROAD = {"m": 20, "maria lopes5": 20, "l m": 20, "s m l": 20, "lopes maria x": 0, "maria jose": 0}
MAX_ROWS = 6000  # read by MariaDB for one text


@pytest.fixture
def many():
    """The patients and their keys; every twentieth has a past and a future appointment."""
    with connection.constraint_checks_disabled(), transaction.atomic():
        insert("patients_patient", [patient_row(number) for number in range(1, PATIENTS + 1)])
        insert_keys()
        insert_pairs()
        doctors = [DoctorFactory().pk for _ in range(10)]
        numbers = range(1, PATIENTS + 1, 20)
        insert(
            "appointments_appointment",
            [appointment_row(n, doctors, start) for n in numbers for start in (LONG_AGO, TO_COME)],
        )
    analyze(*TABLES)
    yield
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        for table in TABLES:  # row by row, as between tests, it takes half a minute
            cursor.execute(f"TRUNCATE TABLE {table}" if connection.vendor == "mysql" else f"DELETE FROM {table}")


def as_stored(instant):
    return f"{instant:%Y-%m-%d %H:%M:%S}"


def insert(table, rows):
    columns = ", ".join(rows[0])
    places = ", ".join(["%s"] * len(rows[0]))
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", [tuple(row.values()) for row in rows])


def insert_keys():
    column = connection.ops.quote_name("key")
    with connection.cursor() as cursor:
        for key in KEYS:
            cursor.execute(
                f"INSERT INTO patients_searchkey (patient_id, {column}) SELECT id, {key} FROM patients_patient"
            )


def insert_pairs():
    patients = Patient.objects.values_list("pk", "first_name", "last_name")
    pairs = [
        (pk, key, others)
        for pk, first_name, last_name in patients.iterator()
        for key, others in name_pairs(first_name, last_name)
    ]
    column = connection.ops.quote_name("key")
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO patients_namepair (patient_id, {column}, others) VALUES (%s, %s, %s)", pairs)


def patient_row(number):
    """First names and half of the last names are shared by ten thousand patients, the other half by ten."""
    first_name, last_name = FIRST_NAMES[number % 10], f"{LAST_NAMES[number // 10 % 10]} Lopes{number // 10}"
    return {
        "id": number,
        "first_name": first_name,
        "last_name": last_name,
        "email": f"patient{number}@example.org",
        "phone_number": f"9{number:08}",
        "date_of_birth": "1980-05-17",
        "name_key": f"{last_name} {first_name}".lower(),
        "diary_version": 0,
        "created_at": as_stored(LONG_AGO),
        "last_contact": as_stored(LONG_AGO),
        "updated_at": as_stored(LONG_AGO),
    }


def appointment_row(number, doctors, first):
    start = first + dt.timedelta(minutes=number)
    return {
        "patient_id": number,
        "doctor_id": doctors[number // 20 % 10],  # one after the other, so that none overlaps another
        "start_time": as_stored(start),
        "end_time": as_stored(start + dt.timedelta(minutes=30)),
        "duration_minutes": 30,
        "status": "booked",
        "reason": "",
        "notes": "",
        "booking_key": f"{number:031}{first.month % 10}",
        "cancelled_by": "",
        "cancel_reason": "",
        "outside_hours_reason": "",
        "version": 1,
        "created_at": as_stored(LONG_AGO),
        "updated_at": as_stored(LONG_AGO),
    }


def statements(captured):
    """Return the SQL without transaction statements."""
    return [query["sql"] for query in captured if query["sql"].startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))]


def suggestions(client, text):
    """Return the number of suggestions in the top bar, and the SQL."""
    with CaptureQueriesContext(connection) as captured:
        response = client.post(SEARCH, {"query": text}, headers={"HX-Request": "true"})
    return len(response.context["found"]), statements(captured)


def listed(client, text):
    """Return the number of patients on the page, and the SQL."""
    client.post(SEARCH, {"query": text})
    with CaptureQueriesContext(connection) as captured:
        response = client.get(SEARCH)
    return len(response.context["found"]), statements(captured)


def rows_read(text):
    """Return how many rows MariaDB reads to find the ids; 0 on SQLite, which does not count them."""
    if connection.vendor != "mysql":
        return 0
    with connection.cursor() as cursor:
        before = handler_reads(cursor)
        matching_ids(text, limit=21)
        return handler_reads(cursor) - before


def handler_reads(cursor):
    cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
    return sum(int(value) for _name, value in cursor.fetchall())


def duplicates_of(who):
    with CaptureQueriesContext(connection) as captured:
        alike = Patient.objects.possible_duplicates(
            first_name=who.last_name,
            last_name=who.first_name,
            date_of_birth=who.date_of_birth,
            phone_number=f"+351 {who.phone_number}",
            email="somebody.else@example.org",
        )
    return alike, statements(captured)


def steps_on_records(queries):
    """Return the plan steps of queries that grow with the data, without that for session, user and roles.

    Nor those of the audit trail, which is nearly empty here: `test_audit_searches.py` looks at its plans.
    """
    others = ("auth_group", "clinic_seenpatient")
    asked = [
        sql for sql in queries if sql.startswith("SELECT") and "patient" in sql and not any(map(sql.count, others))
    ]
    return [step for sql in asked for step in steps_of_sql(sql)]


def test_hundred_thousand_patients_are_searched_by_index_in_few_queries(at_desk, many):
    other = Patient.objects.get(pk=PATIENTS // 2)
    assert set(other.search_keys.values_list("key", flat=True)) == other.wanted_search_keys()
    suggestions(at_desk, "nobody")  # fills the caches

    for ask in (suggestions, listed):
        for text, count in (NARROW | BROAD).items():
            found, queries = ask(at_desk, text)

            assert found == count, text
            assert len(queries) <= MAX_QUERIES, text
            steps = steps_on_records(queries)
            assert steps, text
            assert [step.text for step in steps if not step.is_by_index or not step.is_bounded] == [], text
            assert rows_read(text) <= MAX_ROWS, text

    alike, queries = duplicates_of(other)
    assert alike == [other]
    assert len(queries) == 3
    assert [step.text for step in steps_on_records(queries) if not step.is_bounded] == []
