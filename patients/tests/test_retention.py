"""The retention review: patients whose last appointment is longer ago than the retention period."""

import datetime as dt

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.tests.kit import NOW
from clinic.tests.plans import analyze, plan_of_sql, steps_of_sql
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.privacy import retention
from patients.privacy.anonymise import anonymise
from patients.privacy.retention import count_due, due_patients, retention_limit, retention_page
from patients.tests.factories import PatientFactory

DUE = dt.datetime(2016, 11, 24, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def registered(db, now):
    """A function that returns a patient who was registered at an instant."""

    def register(created_at=LONG_AGO, **fields):
        patient = PatientFactory(**fields)
        Patient.objects.filter(pk=patient.pk).update(created_at=created_at, last_contact=created_at)
        patient.refresh_from_db()
        return patient

    return register


def create_appointment(patient, start_time, status="completed"):
    cancelled = {"cancelled_by": "patient", "cancel_reason": "Ill"} if status == "cancelled" else {}
    return AppointmentFactory(patient=patient, start_time=start_time, status=status, **cancelled)


def due():
    return list(due_patients(before=retention_limit(dt.date(2026, 11, 24))))


def test_retention_period_is_ten_years_by_default(settings):
    assert retention_limit(dt.date(2026, 11, 24)) == DUE

    settings.PATIENT_RETENTION_YEARS = 3

    assert retention_limit(dt.date(2026, 11, 24)) == dt.datetime(2023, 11, 24, tzinfo=dt.UTC)


@pytest.mark.both_databases
def test_leap_day_is_counted_from_the_day_after():
    assert retention_limit(dt.date(2028, 2, 29)) == dt.datetime(2018, 3, 1, tzinfo=dt.UTC)


@pytest.mark.both_databases
def test_last_appointment_decides(registered, isolated):
    for last, is_due in [(DUE - MINUTE, True), (DUE, False), (DUE + MINUTE, False)]:
        with isolated(last=last, is_due=is_due):
            patient = registered()
            create_appointment(patient, LONG_AGO)
            create_appointment(patient, last)

            assert (patient in due()) is is_due


def test_registration_decides_without_an_appointment(registered, isolated):
    for created_at, is_due in [(DUE - MINUTE, True), (DUE, False)]:
        with isolated(created_at=created_at, is_due=is_due):
            patient = registered(created_at)

            assert (patient in due()) is is_due


def test_cancelled_appointment_counts(registered):
    patient = registered()
    create_appointment(patient, DUE + MINUTE, "cancelled")

    assert due() == []


def test_open_appointment_keeps_the_record(registered, isolated):
    for start_time in [NOW + dt.timedelta(days=1), LONG_AGO]:
        with isolated(start_time=start_time):
            patient = registered()
            create_appointment(patient, start_time, "booked")

            assert due() == []


def test_anonymised_patient_is_not_listed(registered):
    patient = registered()
    anonymise(patient, by=None)

    assert due() == []


@pytest.mark.both_databases
def test_longest_absent_patients_come_first(registered):
    recent, oldest, middle = registered(), registered(LONG_AGO), registered(LONG_AGO - MINUTE)
    create_appointment(recent, DUE - MINUTE)
    create_appointment(oldest, LONG_AGO - 2 * MINUTE)

    assert due() == [oldest, middle, recent]


@pytest.mark.both_databases
def test_pages_are_complete(registered, monkeypatch):
    monkeypatch.setattr(retention, "PER_PAGE", 2)
    patients = [registered() for _ in range(5)]  # all of the same instant

    seen, after = [], ""
    for _page in range(3):
        page = retention_page(before=DUE, after=after)
        seen += page.patients
        after = page.after

    assert seen == patients
    assert after == ""


def test_invalid_cursor_shows_the_first_page(registered, in_admin, isolated):
    for after in ["x", "-", "1", "1-x", "999999999999999999-1", "-5-1"]:
        with isolated(after=after):
            patient = registered()

            response = in_admin.get("/patients/retention/", {"after": after})

            assert response.status_code == 200
            assert patient in response.context["page"].patients or after.startswith("9999")


def test_review_shows_counts_and_links_to_anonymising(registered, in_admin):
    patient = registered(last_name="Longgone")
    create_appointment(patient, LONG_AGO)
    create_appointment(patient, LONG_AGO + 60 * MINUTE)

    response = in_admin.get("/patients/retention/")

    (shown,) = response.context["page"].patients
    assert (shown.appointment_count, shown.last_contact, response.context["count"]) == (2, LONG_AGO + 60 * MINUTE, 1)
    assert f'href="/patients/{patient.pk}/anonymise/"' in response.content.decode()


def test_review_anonymises_no_patient(registered, in_admin):
    patient = registered()

    in_admin.get("/patients/retention/")

    patient.refresh_from_db()
    assert patient.anonymised_at is None


def test_page_makes_the_same_queries_for_3_and_for_30(registered, in_admin, django_assert_num_queries):
    for _ in range(3):
        create_appointment(registered(), LONG_AGO)
    in_admin.get("/patients/retention/")
    with django_assert_num_queries(5) as few:  # two of them write the audit entry and its patients
        in_admin.get("/patients/retention/")
    for _ in range(27):
        create_appointment(registered(), LONG_AGO)

    with django_assert_num_queries(len(few)):
        response = in_admin.get("/patients/retention/")

    assert len(response.context["page"].patients) == 30


def write_absent_patients(number):
    """Write patients with an appointment each, from 2001 on; the first 100 are anonymised, every tenth one is open."""
    doctor = DoctorFactory()
    starts = [LONG_AGO + place * 30 * MINUTE for place in range(number)]
    QuerySet(Patient).bulk_create(
        [
            Patient(first_name="Ana", last_name="Lopes", name_key="", email=f"absent{place}@example.org")
            for place in range(number)
        ]
    )
    patients = Patient.objects.order_by("pk")
    QuerySet(Appointment).bulk_create(
        Appointment(
            doctor=doctor,
            patient=patient,
            start_time=start,
            duration_minutes=30,
            end_time=start + 30 * MINUTE,
            status="booked" if place % 10 == 0 else "completed",
        )
        for place, (patient, start) in enumerate(zip(patients, starts, strict=True))
    )
    Patient.objects.update(created_at=LONG_AGO - MINUTE)
    for patient in patients[:100]:
        Patient.objects.filter(pk=patient.pk).update(anonymised_at=NOW + patient.pk * MINUTE)
    Appointment.objects.update_last_contact([patient.pk for patient in patients])
    analyze("patients_patient", "appointments_appointment")


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_review_walks_an_index_and_sorts_nothing(now, subtests):
    write_absent_patients(1000)
    page = retention_page(before=DUE)
    with CaptureQueriesContext(connection) as captured:
        later = retention_page(before=DUE, after=page.after)
        counted = count_due(before=DUE)

    assert (len(later.patients), counted) == (50, (810, False))
    assert later.patients[0].last_contact > page.patients[-1].last_contact
    for query in captured:
        with subtests.test(query["sql"]):
            plan = plan_of_sql(query["sql"])
            assert "patient_last_contact" in plan
            assert "filesort" not in plan
            assert "TEMP B-TREE" not in plan
            assert all(step.is_by_index for step in steps_of_sql(query["sql"])), plan


def test_count_ends_at_a_limit(registered, in_admin, monkeypatch, isolated):
    monkeypatch.setattr(retention, "MAX_COUNTED", 3)
    for number, text in [(3, "3 patients without"), (4, "More than 3 patients without")]:
        with isolated(number=number):
            for _ in range(number):
                registered()

            page = " ".join(in_admin.get("/patients/retention/").content.decode().split())

            assert f"<p> {text}" in page
