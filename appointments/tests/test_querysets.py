"""The methods of the appointment queryset."""

import datetime as dt

import pytest

from appointments.models import Appointment
from appointments.statuses import Status
from appointments.tests.factories import AppointmentFactory
from clinic.tests.factories import UserFactory
from clinic.tests.kit import START, utc
from doctors.tests.factories import DoctorFactory

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("db", "now")]

HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)


def test_for_doctor_and_for_patient_select_one_diary_each():
    one, other = AppointmentFactory(), AppointmentFactory()

    assert list(Appointment.objects.for_doctor(one.doctor_id)) == [one]
    assert list(Appointment.objects.for_patient(other.patient_id)) == [other]


def test_blocking_selects_statuses_that_occupy_the_doctor(isolated):
    cases = [("booked", 1), ("arrived", 1), ("in_consultation", 1), ("completed", 1), ("no_show", 0), ("cancelled", 0)]
    for status, count in cases:
        with isolated(status=status, count=count):
            AppointmentFactory(status=status)

            assert Appointment.objects.blocking().count() == count


def test_overlapping_selects_shared_time(isolated):
    cases = {
        "before": (-30, 0, 0),
        "by a minute": (-30, 1, 1),
        "equal": (0, 60, 1),
        "inside": (20, 40, 1),
        "containing": (-60, 120, 1),
        "last minute": (59, 90, 1),
        "after": (60, 90, 0),
        "long before": (-180, 0, 0),
        "long after": (239, 300, 0),
    }
    for case, (begin, end, count) in cases.items():
        with isolated(case):
            AppointmentFactory(duration_minutes=60)

            found = Appointment.objects.overlapping(START + begin * MINUTE, START + end * MINUTE)

            assert found.count() == count


def test_overlapping_reaches_back_as_far_as_the_longest_appointment(isolated):
    for minute, count in [(179, 1), (180, 0)]:
        with isolated(minute=minute, count=count):
            AppointmentFactory(duration_minutes=180)

            found = Appointment.objects.overlapping(START + minute * MINUTE, START + (minute + 15) * MINUTE)

            assert found.count() == count


def test_on_day_selects_starts_between_the_clinics_midnights(isolated):
    cases = {
        "winter": (dt.date(2026, 11, 24), utc(2026, 11, 24, 0, 0), utc(2026, 11, 24, 23, 59)),
        "summer": (dt.date(2026, 7, 1), utc(2026, 6, 30, 23, 0), utc(2026, 7, 1, 22, 59)),
        "23 hours": (dt.date(2026, 3, 29), utc(2026, 3, 29, 0, 0), utc(2026, 3, 29, 22, 59)),
        "25 hours": (dt.date(2026, 10, 25), utc(2026, 10, 24, 23, 0), utc(2026, 10, 25, 23, 59)),
    }
    for case, (day, first, last) in cases.items():
        with isolated(case):
            for start_time in (first - MINUTE, first, last, last + MINUTE):
                AppointmentFactory(start_time=start_time)

            found = Appointment.objects.on_day(day)

            assert [appointment.start_time for appointment in found] == [first, last]


def test_on_day_uses_the_clinics_time_zone(settings):
    settings.TIME_ZONE = "America/New_York"
    late = AppointmentFactory(start_time=utc(2026, 11, 25, 4, 59))
    AppointmentFactory(start_time=utc(2026, 11, 25, 5, 0))

    assert list(Appointment.objects.on_day(dt.date(2026, 11, 24))) == [late]


def test_upcoming_and_past_are_divided_by_the_end():
    over = AppointmentFactory(start_time=START - HOUR)
    running = AppointmentFactory(start_time=START - 29 * MINUTE)
    ending = AppointmentFactory(start_time=START - 30 * MINUTE)
    coming = AppointmentFactory(start_time=START + DAY)

    assert list(Appointment.objects.upcoming(at=START)) == [running, coming]
    assert list(Appointment.objects.past(at=START)) == [ending, over]


def test_upcoming_and_past_use_the_clock(now):
    appointment = AppointmentFactory()

    now.move_to(START + 29 * MINUTE)
    assert (list(Appointment.objects.upcoming()), list(Appointment.objects.past())) == ([appointment], [])

    now.move_to(START + 30 * MINUTE)
    assert (list(Appointment.objects.upcoming()), list(Appointment.objects.past())) == ([], [appointment])


def test_queryset_methods_can_be_chained():
    appointment = AppointmentFactory()
    AppointmentFactory(doctor=appointment.doctor, start_time=START + HOUR, status=Status.CANCELLED)

    found = Appointment.objects.for_doctor(appointment.doctor_id).blocking().on_day(dt.date(2026, 11, 24)).upcoming()

    assert list(found) == [appointment]


def test_visible_to_each_role(receptionist, manager, doctor_user, administrator):
    own = AppointmentFactory(doctor=DoctorFactory(user=doctor_user))
    other = AppointmentFactory(start_time=START + HOUR)

    seen = {
        user.username: list(Appointment.objects.visible_to(user))
        for user in (receptionist, manager, doctor_user, administrator, UserFactory(username="nobody"))
    }

    assert seen == {
        "reception": [own, other],
        "manager": [],
        "doctor": [own],
        "admin": [own, other],
        "nobody": [],
    }


def test_visible_to_a_doctor_without_a_diary_is_empty(doctor_user):
    AppointmentFactory()

    assert list(Appointment.objects.visible_to(doctor_user)) == []


def test_appointments_come_in_order_of_their_start():
    late, early = AppointmentFactory(start_time=START + HOUR), AppointmentFactory()

    assert list(Appointment.objects.all()) == [early, late]
