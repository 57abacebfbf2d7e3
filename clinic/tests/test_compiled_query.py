"""A query built once finds what the same queryset finds, with other values at each run."""

import datetime as dt

import pytest
from django.db import connection
from django.db.models import BigIntegerField, DateTimeField, Exists
from django.test.utils import CaptureQueriesContext

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.db.compiled_query import CompiledQuery, Parameter
from clinic.tests.kit import START
from doctors.models import Doctor, Leave
from doctors.tests.factories import LeaveFactory, TimetableFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

MINUTE = dt.timedelta(minutes=1)


def test_compiled_query_finds_what_the_queryset_finds(isolated):
    first, second = AppointmentFactory(), AppointmentFactory(start_time=START + 20 * MINUTE)
    start, end = Parameter("start", DateTimeField()), Parameter("end", DateTimeField())
    compiled = CompiledQuery(lambda: _overlaps(Parameter("doctor", BigIntegerField()), start, end))

    for doctor in (first.doctor_id, second.doctor_id):
        for minute in (-200, -181, -180, -30, -29, 0, 19, 20, 29, 30, 49, 50):
            with isolated(doctor=doctor, minute=minute):
                begins, ends = START + minute * MINUTE, START + (minute + 30) * MINUTE

                rows = compiled.rows(doctor=doctor, start=begins, end=ends)

                assert list(map(tuple, rows)) == list(_overlaps(doctor, begins, ends))


def _overlaps(doctor, start, end):
    found = Appointment.objects.for_doctor(doctor).overlapping(start, end).order_by()
    return found.values_list("pk", "start_time", "end_time", "doctor__full_name")


def test_compiled_query_converts_values_like_the_orm():
    doctor = TimetableFactory(valid_from=START.date()).doctor
    LeaveFactory(doctor=doctor)
    compiled = CompiledQuery(lambda: _hours(Parameter("doctor", BigIntegerField())))

    rows = compiled.rows(doctor=doctor.pk)

    assert list(map(tuple, rows)) == list(_hours(doctor.pk))
    assert {tuple(map(type, row)) for row in rows} == {(bool, bool, dt.datetime, dt.date, int, dt.time)}


def _hours(doctor):
    is_on_leave = Exists(Leave.objects.filter(doctor=doctor))
    columns = ("created_at", "timetables__valid_from", "timetables__working_hours__weekday")
    return Doctor.objects.filter(pk=doctor).values_list(
        "is_active", is_on_leave, *columns, "timetables__working_hours__start"
    )


def test_compiled_query_is_built_once_and_run_each_time():
    built = []

    def build():
        built.append(1)
        return Doctor.objects.filter(pk=Parameter("doctor", BigIntegerField())).values_list("full_name")

    compiled = CompiledQuery(build)
    with CaptureQueriesContext(connection) as queries:
        rows = [compiled.rows(doctor=pk) for pk in (1, 2)]

    assert (rows, len(built), len(queries)) == ([[], []], 1, 2)
