"""A patient's attendance, and the line about it on the booking page."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.booking.attendance import Attendance, attendance_of, next_appointment_of
from appointments.tests.booking_form import BOOK, at
from appointments.tests.factories import AppointmentFactory
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

DAY = dt.timedelta(days=1)
CALLED_OFF = {"cancelled_by": "patient", "cancel_reason": "Ill"}


def past_appointments(patient, *statuses):
    """Create past appointments of a patient: the first yesterday, each next one a day earlier."""
    for number, status in enumerate(statuses):
        values = CALLED_OFF if status == "cancelled" else {}
        AppointmentFactory(patient=patient, start_time=at(8, day=23) - number * DAY, status=status, **values)


@pytest.mark.both_databases
def test_attendance_counts_no_shows_among_the_last_known_outcomes(maria, isolated):
    cases = [
        ([], 0, 0),
        (["completed"], 0, 1),
        (["no_show"], 1, 1),
        (["no_show", "completed", "no_show"], 2, 3),
        (["completed"] * 6 + ["no_show"] * 3, 0, 6),
        (["no_show"] * 7, 6, 6),
        (["completed"] * 5 + ["no_show"] * 2, 1, 6),
        (["left", "no_show", "left"], 1, 3),
        (["cancelled", "no_show", "cancelled", "completed"], 1, 2),
        (["booked", "arrived", "in_consultation", "no_show"], 1, 1),
    ]
    for statuses, missed, of_last in cases:
        with isolated(statuses=statuses, missed=missed, of_last=of_last):
            past_appointments(maria, *statuses)
            past_appointments(PatientFactory(), "no_show", "no_show")

            attendance = attendance_of(maria)

            assert (attendance.missed, attendance.of_last) == (missed, of_last)


@pytest.mark.both_databases
def test_patient_who_cancels_late_is_remarked(maria, isolated, settings):
    start = at(8, day=23)
    cases = [
        ("patient", dt.timedelta(hours=24, seconds=1), 24, 0),
        ("patient", dt.timedelta(hours=24), 24, 0),
        ("patient", dt.timedelta(hours=23, minutes=59), 24, 1),
        ("patient", -dt.timedelta(minutes=5), 24, 1),
        ("clinic", dt.timedelta(hours=1), 24, 0),
        ("patient", dt.timedelta(hours=47), 48, 1),
    ]
    for cancelled_by, before, hours, late in cases:
        with isolated(cancelled_by=cancelled_by, before=before, hours=hours):
            settings.LATE_CANCEL_HOURS = hours
            AppointmentFactory(
                patient=maria,
                start_time=start,
                status="cancelled",
                cancelled_by=cancelled_by,
                cancel_reason="Ill",
                cancelled_at=start - before,
            )

            attendance = attendance_of(maria)

            assert (attendance.cancelled_late, attendance.of_last) == (late, late)


def test_remark_names_what_stands_out():
    assert Attendance(0, 0, 6).remark == ""
    assert Attendance(2, 0, 6).remark == "Missed 2 of the last 6"
    assert Attendance(0, 1, 3).remark == "Cancelled late 1 of the last 3"
    assert Attendance(2, 1, 6).remark == "Missed 2, cancelled late 1 of the last 6"
    assert Attendance(1, 0, 6, left_unseen=2).remark == "Missed 1, left unseen 2 of the last 6"


def test_next_appointment_is_the_first_that_still_takes_place(maria):
    AppointmentFactory(patient=maria, start_time=at(8, day=24), duration_minutes=30)
    AppointmentFactory(patient=maria, start_time=at(10, day=24), status="cancelled", **CALLED_OFF)
    coming = AppointmentFactory(patient=maria, start_time=at(11, day=24))
    AppointmentFactory(patient=maria, start_time=at(9, day=25))
    AppointmentFactory(start_time=at(9, 30, day=24))

    assert next_appointment_of(maria) == coming


@pytest.mark.both_databases
def test_appointment_under_way_is_the_next(maria):
    under_way = AppointmentFactory(patient=maria, start_time=at(8, 45, day=24), status="arrived")

    assert next_appointment_of(maria) == under_way


def test_appointment_with_an_outcome_is_not_the_next_even_during_its_time(maria, isolated):
    for status in ["completed", "no_show"]:
        with isolated(status=status):
            AppointmentFactory(patient=maria, start_time=at(8, 45, day=24), status=status)

            assert next_appointment_of(maria) is None


@pytest.mark.both_databases
def test_attendance_is_calculated_for_an_instant(maria):
    appointment = AppointmentFactory(patient=maria, start_time=at(10, day=24), status="no_show")

    assert attendance_of(maria, at=appointment.end_time - dt.timedelta(minutes=1)).missed == 0
    assert attendance_of(maria, at=appointment.end_time).missed == 1


def test_attendance_makes_one_query(maria, django_assert_num_queries, isolated):
    for appointments in [1, 20]:
        with isolated(appointments=appointments):
            past_appointments(maria, *(["no_show"] * appointments))
            AppointmentFactory(patient=maria, start_time=at(10))

            with django_assert_num_queries(1):
                assert attendance_of(maria).missed
            with django_assert_num_queries(1):
                assert next_appointment_of(maria).doctor.full_name


# The line on the page


def line(response):
    """Return the text of the attendance line, with single spaces."""
    page = response.content.decode()
    part = page[page.index('<div class="attendance">') :]
    return " ".join(part[: part.index("</div>")].replace("<", " <").split())


def test_page_shows_missed_appointments_and_the_next_one(at_desk, maria):
    past_appointments(maria, "no_show", "completed", "no_show", "completed", "completed", "completed", "no_show")
    coming = AppointmentFactory(patient=maria, doctor=DoctorFactory(full_name="Dr Lindgren"), start_time=at(14, 15))

    text = line(at_desk.get(BOOK, {"patient": maria.pk}))

    assert "Missed 2 of the last 6." in text
    assert f'<a href="/appointments/{coming.pk}/">Wed 25 Nov 2026, 14:15 </a> with Dr Lindgren' in text


def test_page_without_missed_appointments_does_not_mention_them(at_desk, maria):
    past_appointments(maria, "completed", "completed")

    text = line(at_desk.get(BOOK, {"patient": maria.pk}))

    assert "Missed" not in text
    assert "No appointment is booked." in text


def test_attendance_line_stays_through_steps_and_refusals(at_desk, form_data, maria):
    past_appointments(maria, "no_show")

    for sent in ({"look": "1"}, {"take": "time=11%3A00"}, {"time": ""}):
        assert "Missed 1 of the last 1." in line(at_desk.post(BOOK, form_data | sent))


def test_page_without_a_patient_has_no_attendance_line(at_desk):
    assert 'class="attendance"' not in at_desk.get(BOOK).content.decode()


def test_page_makes_the_same_queries_however_many_appointments(at_desk, maria):
    past_appointments(maria, "no_show")
    AppointmentFactory(patient=maria, start_time=at(10))
    with CaptureQueriesContext(connection) as few:
        at_desk.get(BOOK, {"patient": maria.pk})
    past_appointments(maria, *["no_show"] * 20)
    for day in range(26, 31):
        AppointmentFactory(patient=maria, start_time=at(10, day=day))

    with CaptureQueriesContext(connection) as many:
        at_desk.get(BOOK, {"patient": maria.pk})

    assert len(few) == len(many)
