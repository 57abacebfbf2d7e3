"""The most frequent queries use an index on both databases."""

import datetime as dt
import re
from dataclasses import dataclass

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from appointments.models import Appointment, DayVersion
from appointments.models.diary_query import surroundings_of
from appointments.overlap_triggers import overlap_triggers
from appointments.schedule.versions import doctors_on
from clinic.tests import plans
from clinic.tests.kit import START
from clinic.tests.plans import rows_read, steps_of_sql
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db(transaction=True)]  # MariaDB commits at ANALYZE

HALF_HOUR = dt.timedelta(minutes=30)
DAY = dt.date(2026, 11, 24)


@pytest.fixture
def diaries():
    """Ten doctors with ten appointments a day for thirty days, twenty patients; all are booked."""
    write_diaries(open_appointments=300)


@pytest.fixture
def closed_diaries():
    """The same, but only two appointments of each doctor are open."""
    write_diaries(open_appointments=2)


def write_diaries(*, open_appointments):
    doctors = [DoctorFactory() for _ in range(10)]
    patients = [PatientFactory() for _ in range(20)]
    starts = [
        dt.datetime(2026, 11, 10, 9, 0, tzinfo=dt.UTC) + day * dt.timedelta(days=1) + appointment * HALF_HOUR
        for day in range(30)
        for appointment in range(10)
    ]
    QuerySet(Appointment).bulk_create(
        [
            Appointment(
                doctor=doctor,
                patient=patients[(number + place) % 20],
                start_time=start,
                duration_minutes=30,
                end_time=start + HALF_HOUR,
                status="booked" if number < open_appointments else "completed",
            )
            for place, doctor in enumerate(doctors)
            for number, start in enumerate(starts)
        ]
    )
    analyze()


def analyze():
    """Update the database's statistics of the table.

    MariaDB rebuilds the table for it, as rows deleted by earlier tests are still counted for a while.
    """
    with connection.cursor() as cursor:
        cursor.execute("OPTIMIZE TABLE appointments_appointment" if connection.vendor == "mysql" else "ANALYZE")
        if connection.vendor == "mysql":
            cursor.fetchall()


@dataclass
class Step:
    """The index by which a query reads the table, and the bounded columns."""

    index: str
    is_range: bool
    text: str


def step_of(queryset):
    """Return how the database reads the appointments of a query."""
    sql, params = queryset.query.sql_with_params()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
            (line,) = [row[3] for row in cursor.fetchall() if "appointments_appointment" in row[3]]
            index = line.partition(" INDEX ")[2].split(" ")[0]
            return Step(index, line.startswith("SEARCH") and "start_time>? AND start_time<?" in line, line)
        cursor.execute(f"EXPLAIN {sql}", params)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        (row,) = [row for row in rows if row["table"] == "appointments_appointment"]
        return Step(row["key"], row["type"] == "range", str(row))


def test_overlap_of_a_doctor_reads_a_range_of_the_diary(diaries):
    doctor = Doctor.objects.first()

    step = step_of(Appointment.objects.for_doctor(doctor.pk).blocking().overlapping(START, START + HALF_HOUR))

    assert (step.index, step.is_range) == ("appointment_doctor_start", True), step


def test_overlap_of_a_patient_reads_a_range_of_the_diary(diaries):
    patient = Patient.objects.first()

    step = step_of(Appointment.objects.for_patient(patient.pk).blocking().overlapping(START, START + HALF_HOUR))

    assert (step.index, step.is_range) == ("appointment_patient_start", True), step


def test_overlap_query_excluding_one_appointment_reads_a_range_too(diaries):
    doctor, appointment = Doctor.objects.first(), Appointment.objects.first()
    others = Appointment.objects.exclude(pk=appointment.pk).for_doctor(doctor.pk)

    step = step_of(others.blocking().overlapping(START, START + HALF_HOUR).select_related("doctor")[:1])

    assert (step.index, step.is_range) == ("appointment_doctor_start", True), step


def test_diaries_around_a_booking_are_read_by_ranges_of_their_indexes(diaries):
    booking = Appointment(patient=Patient.objects.first(), doctor=Doctor.objects.first(), start_time=START)
    booking.end_time = START + HALF_HOUR

    with CaptureQueriesContext(connection) as queries, rows_read() as read:
        around = surroundings_of(booking)

    (sql,) = [query["sql"] for query in queries if "EXISTS" in query["sql"]]
    diaries = [step.text for step in steps_of_sql(sql) if re.search("appointment_(doctor|patient)", step.text)]
    assert not around.is_doctor_free
    assert read.count < 60
    assert len(diaries) == 2
    assert all("start_time>? AND start_time<?" in text or "'type': 'range'" in text for text in diaries), diaries


def test_triggers_read_ranges_of_the_indexes_of_both_diaries(diaries):
    row = {"doctor_id": Doctor.objects.first().pk, "patient_id": Patient.objects.first().pk, "id": 0}
    row |= {"start_time": "'2030-01-01 10:00:00'", "end_time": "'2030-01-01 10:30:00'"}
    for trigger in overlap_triggers(connection.vendor):
        body = re.sub(r"\b(?:NEW|OLD)\.(\w+)", lambda column: str(row.get(column[1], 0)), trigger.body)
        queries = re.findall(r"EXISTS \((SELECT .*?)\)(?:;| THEN)", body)

        plans_of = [steps_of_sql(query)[0].text for query in queries]

        assert len(plans_of) == 2
        for plan, index in zip(plans_of, ("appointment_doctor_", "appointment_patient_start"), strict=True):
            assert index in plan, plan
            assert "start_time>? AND start_time<?" in plan or "'type': 'range'" in plan, plan


def test_triggers_read_few_rows_of_a_long_diary(diaries):
    appointment = Appointment.objects.first()
    later = dt.datetime(2026, 11, 20, 20, 0, tzinfo=dt.UTC)

    with rows_read() as read:
        QuerySet(Appointment).filter(pk=appointment.pk).update(start_time=later, end_time=later + HALF_HOUR)

    assert read.count < 60


def test_day_of_a_doctor_reads_that_day_of_the_diary(diaries):
    doctor = Doctor.objects.first()

    step = step_of(Appointment.objects.for_doctor(doctor.pk).on_day(DAY))

    assert (step.index, step.is_range) == ("appointment_doctor_start", True), step


def test_day_of_all_doctors_reads_that_day(diaries):
    step = step_of(Appointment.objects.on_day(DAY).order_by("start_time", "pk"))

    assert (step.index, step.is_range) == ("appointment_start", True), step


@pytest.mark.parametrize(
    "asked",
    [lambda appointments: appointments[:100], lambda appointments: appointments.order_by()],
    ids=["rows", "count"],
)
def test_appointments_without_an_outcome_are_read_by_their_status(closed_diaries, asked):
    at = dt.datetime(2026, 12, 24, 9, 0, tzinfo=dt.UTC)

    step = step_of(asked(Appointment.objects.without_outcome(at=at)))

    assert step.index == "appointment_status_start", step


def test_waiting_patients_are_read_by_their_status_and_then_their_names_by_id(closed_diaries):
    at = dt.datetime(2026, 11, 24, 9, 0, tzinfo=dt.UTC)
    waiting = Appointment.objects.waiting(at=at).select_related("patient", "doctor")

    steps = plans.steps_of(waiting)

    assert "appointment_status_start" in steps[0].text, steps
    assert all(step.is_by_index and step.is_bounded for step in steps), steps


def test_poll_of_an_open_day_reads_the_versions_of_its_date_only(db):
    doctors = DoctorFactory.create_batch(10)
    days = [DAY + number * dt.timedelta(days=1) for number in range(300)]
    DayVersion.objects.renew((doctor.pk, day) for doctor in doctors for day in days)
    plans.analyze("appointments_dayversion", "doctors_doctor")

    (step,) = [step for step in plans.steps_of(doctors_on(DAY).order_by()) if step.table in ("T2", "on_day")]

    assert step.is_by_index, step
    assert step.is_bounded, step
