"""The retention review: patients whose last appointment is longer ago than the retention period."""

import datetime as dt

import pytest
import time_machine
from django.db.models import QuerySet

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.tests.kit import NOW
from clinic.tests.plans import analyze, steps_of
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.privacy import retention
from patients.privacy.anonymise import anonymise
from patients.privacy.retention import due_patients, retention_limit, retention_page
from patients.tests.factories import PatientFactory

DUE = dt.datetime(2016, 11, 24, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def registered(db, now):
    """A function that returns a patient who was registered at an instant."""

    def register(created_at=LONG_AGO, **fields):
        patient = PatientFactory(**fields)
        Patient.objects.filter(pk=patient.pk).update(created_at=created_at)
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
    with django_assert_num_queries(7) as few:  # two of them write the audit entry and its patients
        in_admin.get("/patients/retention/")
    for _ in range(27):
        create_appointment(registered(), LONG_AGO)

    with django_assert_num_queries(len(few)):
        response = in_admin.get("/patients/retention/")

    assert len(response.context["page"].patients) == 30


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_report_reads_by_index(now):
    doctor = DoctorFactory()
    patients = PatientFactory.create_batch(300)
    starts = [NOW - number * dt.timedelta(hours=1) for number in range(3000)]
    QuerySet(Appointment).bulk_create(
        Appointment(
            doctor=doctor,
            patient=patients[number % 300],
            start_time=start,
            duration_minutes=30,
            end_time=start + 30 * MINUTE,
            status="completed",
        )
        for number, start in enumerate(starts)
    )
    Patient.objects.filter(pk__in=[each.pk for each in patients[:5]]).update(created_at=LONG_AGO)
    analyze("patients_patient", "appointments_appointment")

    with time_machine.travel(NOW, tick=False):
        steps = steps_of(due_patients(before=DUE)[:51])

    assert steps
    loose = [step.text for step in steps if not (step.is_by_index and step.is_bounded)]
    assert loose == []
