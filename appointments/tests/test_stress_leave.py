"""Leave is entered while others book: appointments in it are on the worklist.

On a server database only, in threads: SQLite has one writer at a time, who looks before it writes.
"""

import datetime as dt

import pytest
from django.db import connection
from django.test import Client

from appointments.booking import actions
from appointments.models import Appointment, DisplacedAppointment
from appointments.tests.test_stress_threads import at_once, outcome_of, slow_write  # noqa: F401 -- a fixture
from clinic.accounts.roles import ADMINISTRATOR
from clinic.tests.factories import UserFactory
from doctors.models import Leave
from doctors.querysets import DoctorQuerySet
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = [
    pytest.mark.both_databases,
    pytest.mark.stress,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="threads share one in-memory SQLite database"),
    pytest.mark.usefixtures("slow_write"),
]

DAY = dt.datetime(2098, 11, 25, tzinfo=dt.UTC)  # far enough ahead to stay in the future
RIVALS = 8


def race():
    """Book times of one day from many desks while leave is entered for it; return the outcome."""
    doctor, patients = DoctorFactory(), PatientFactory.create_batch(RIVALS)
    administrator = Client()
    administrator.force_login(UserFactory(role=ADMINISTRATOR))

    def book(number):
        start = DAY + dt.timedelta(hours=9 + number)
        asked = {"patient": patients[number], "doctor": doctor, "start_time": start, "duration_minutes": 30}
        return outcome_of(lambda: actions.book(**asked, by=None))

    def enter_leave():
        form_data = {"first_day": "2098-11-25", "last_day": "", "from_time": "", "until_time": "", "reason": "Ill"}
        response = administrator.post(f"/doctors/{doctor.pk}/leave/", form_data)
        while response.status_code == 200:  # it shows affected appointments until it has shown all
            seen = response.context["form"]["seen_hits"].value()
            response = administrator.post(f"/doctors/{doctor.pk}/leave/", form_data | {"seen_hits": seen})
        return f"leave: {response.status_code}"

    answers = at_once(RIVALS + 1, lambda number: book(number) if number < RIVALS else enter_leave())
    booked = set(Appointment.objects.values_list("pk", flat=True))
    listed = set(DisplacedAppointment.objects.values_list("appointment", flat=True))
    assert Leave.objects.count() == 1
    return answers, booked - listed


def test_every_appointment_booked_into_a_leave_is_on_its_worklist():
    answers, unlisted = race()

    assert unlisted == set()
    assert set(answers) <= {"booked", "leave", "leave: 302"}
    assert "leave: 302" in answers


def test_worklist_without_the_lock_misses_an_appointment(monkeypatch):
    """Control: the same race, with leave that does not lock the diary."""
    monkeypatch.setattr(DoctorQuerySet, "lock_diaries", lambda doctors: None)

    _answers, unlisted = race()

    assert unlisted != set()
