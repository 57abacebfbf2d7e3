"""The command that checks the whole database for overlapping appointments."""

import datetime as dt
import io

import pytest
from django.core.management import call_command
from django.db.models import QuerySet

from appointments.locking import overlapping_pairs
from appointments.models import Appointment
from appointments.statuses import Status
from appointments.tests.factories import AppointmentFactory
from clinic.tests.kit import START
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("without_triggers", "db")]

MINUTE = dt.timedelta(minutes=1)


def insert_unchecked(minute, minutes, **values):
    """Insert an appointment without lock or check."""
    start = START + minute * MINUTE
    values = {"doctor": DoctorFactory, "patient": PatientFactory} | values
    values = {name: value() if callable(value) else value for name, value in values.items()}
    row = Appointment(start_time=start, duration_minutes=minutes, end_time=start + minutes * MINUTE, **values)
    QuerySet(Appointment).bulk_create([row])
    return Appointment.objects.get(booking_key=row.booking_key)


def check_diaries():
    """Return the exit code, the printed lines, and the reported pairs."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("check_diaries", stdout=out, stderr=err)
    except SystemExit as end:
        return end.code, out.getvalue().splitlines(), err.getvalue().splitlines()
    return 0, out.getvalue().splitlines(), err.getvalue().splitlines()


def test_check_diaries_without_appointments_finds_none():
    assert check_diaries() == (0, ["overlapping pairs by doctor: 0", "overlapping pairs by patient: 0", "0"], [])


def test_check_diaries_finds_none_among_saved_appointments():
    existing = AppointmentFactory()
    AppointmentFactory(doctor=existing.doctor, patient=existing.patient, start_time=START + 30 * MINUTE)
    AppointmentFactory(doctor=existing.doctor, start_time=START - 30 * MINUTE)
    AppointmentFactory()

    code, lines, pairs = check_diaries()

    assert (code, lines[-1], pairs) == (0, "0", [])


def test_check_diaries_ignores_statuses_that_take_no_time(isolated):
    for status in [Status.CANCELLED, Status.NO_SHOW]:
        with isolated(status=status):
            doctor = DoctorFactory()
            insert_unchecked(0, 30, doctor=doctor)
            insert_unchecked(0, 30, doctor=doctor, status=status)

            assert check_diaries()[0] == 0


def test_check_diaries_finds_an_overlap_of_a_doctor():
    doctor = DoctorFactory()
    one, other = insert_unchecked(0, 30, doctor=doctor), insert_unchecked(29, 30, doctor=doctor)

    code, lines, pairs = check_diaries()

    assert code == 1
    assert lines == ["overlapping pairs by doctor: 1", "overlapping pairs by patient: 0", "1"]
    assert pairs == [f"doctor {doctor.pk}: appointments {one.pk} and {other.pk} overlap"]


def test_check_diaries_finds_an_overlap_of_a_patient():
    patient = PatientFactory()
    one, other = insert_unchecked(0, 30, patient=patient), insert_unchecked(15, 15, patient=patient)

    code, lines, pairs = check_diaries()

    assert code == 1
    assert lines == ["overlapping pairs by doctor: 0", "overlapping pairs by patient: 1", "1"]
    assert pairs == [f"patient {patient.pk}: appointments {one.pk} and {other.pk} overlap"]


def test_check_diaries_finds_all_pairs_of_one_that_contains_two_others():
    doctor = DoctorFactory()
    long = insert_unchecked(0, 180, doctor=doctor)
    inside = [insert_unchecked(15, 15, doctor=doctor), insert_unchecked(120, 30, doctor=doctor)]

    code, lines, pairs = check_diaries()

    assert code == 1
    assert lines[0] == "overlapping pairs by doctor: 2"
    assert pairs == [f"doctor {doctor.pk}: appointments {long.pk} and {each.pk} overlap" for each in inside]


def test_check_diaries_prints_the_total_last():
    doctor, patient = DoctorFactory(), PatientFactory()
    for _ in range(3):
        insert_unchecked(0, 30, doctor=doctor, patient=patient)

    code, lines, pairs = check_diaries()

    assert code == 1
    assert lines == ["overlapping pairs by doctor: 3", "overlapping pairs by patient: 3", "6"]
    assert len(pairs) == 6


def test_check_diaries_leaves_out_imported_appointments():
    doctor, years = DoctorFactory(), -25 * 365 * 24 * 60
    for is_imported in (True, True, False):
        insert_unchecked(years, 30, doctor=doctor, is_imported=is_imported)

    assert check_diaries() == (0, ["overlapping pairs by doctor: 0", "overlapping pairs by patient: 0", "0"], [])


def test_check_diaries_finds_imported_appointments_that_are_not_over():
    imported = insert_unchecked(100 * 365 * 24 * 60, 30, is_imported=True)

    code, lines, reported = check_diaries()

    assert (code, lines[-1]) == (1, "1")
    assert reported == [f"appointment {imported.pk} is marked as imported, but is not over"]


def test_check_diaries_reads_each_kind_of_diary_once(django_assert_num_queries):
    for minute in (0, 30, 60):
        insert_unchecked(minute, 30)

    with django_assert_num_queries(3):
        check_diaries()


def test_overlapping_pairs_keep_diaries_apart():
    rows = [(1, 10, START, START + 60 * MINUTE), (2, 20, START, START + 60 * MINUTE)]

    assert list(overlapping_pairs(rows)) == []


def test_touching_rows_are_not_overlapping_pairs():
    rows = [(1, 10, START, START + 30 * MINUTE), (1, 11, START + 30 * MINUTE, START + 60 * MINUTE)]

    assert list(overlapping_pairs(rows)) == []
