"""The day on paper: a sheet for each doctor, and patients hidden from users who may not see them."""

import datetime as dt

import pytest
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from appointments.models import Appointment
from appointments.schedule.day import day_view
from appointments.schedule.sheets import SPARE_LINES, next_working_day, sheets
from appointments.tests.factories import AppointmentFactory
from clinic.tests.kit import at, elements, markup
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

DAY = dt.date(2026, 11, 24)
TODAY = "/schedule/2026-11-24/print/"
PACK = "/schedule/pack/"
CANCELLED = {"status": "cancelled", "cancelled_by": "patient", "cancel_reason": "Ill"}


def printed(sheet):
    """Return the lines of a sheet: the time, and the patient or "free"."""
    return [(line.time, line.block.patient.name if line.block else "free") for line in sheet.lines]


def free_on(sheet):
    return [line.time for line in sheet.lines if line.block is None]


def sheets_of(response):
    return [(sheet.date, sheet.doctor.full_name) for sheet in response.context["sheets"]]


@pytest.fixture
def okafor():
    return DoctorFactory(full_name="Dr Okafor", specialization="Cardiology")


@pytest.fixture
def lindgren():
    return DoctorFactory(full_name="Dr Lindgren", specialization="Dermatology")


@pytest.fixture
def maria():
    return PatientFactory(
        first_name="Maria", last_name="Santos", phone_number="912 345 678", date_of_birth=dt.date(1984, 5, 3)
    )


@pytest.fixture
def sheet_of_the_day(receptionist):
    """A function that returns the one sheet of a date."""

    def sheet_of(day=DAY):
        (sheet,) = sheets(day_view(day, user=receptionist))
        return sheet

    return sheet_of


# Free time


def test_appointments_and_gaps_are_in_order_of_time(okafor, maria, sheet_of_the_day):
    AppointmentFactory(doctor=okafor, patient=maria, start_time=at(8, 30), duration_minutes=15)
    AppointmentFactory(doctor=okafor, patient=maria, start_time=at(10), duration_minutes=30)

    sheet = sheet_of_the_day()

    assert printed(sheet) == [
        ("08:00–08:30", "free"),
        ("08:30–08:45", "Maria Santos"),
        ("08:45–10:00", "free"),
        ("10:00–10:30", "Maria Santos"),
        ("10:30–18:00", "free"),
    ]


def test_gap_is_printed_if_the_shortest_appointment_fits(okafor, sheet_of_the_day, isolated):
    for minutes, expected in [(14, []), (15, ["10:30–10:45"]), (16, ["10:30–10:46"])]:
        with isolated(minutes=minutes, expected=expected):
            AppointmentFactory(doctor=okafor, start_time=at(8), duration_minutes=150)
            after = at(10, 30) + dt.timedelta(minutes=minutes)
            for hours in (0, 3, 6):
                AppointmentFactory(doctor=okafor, start_time=after + dt.timedelta(hours=hours), duration_minutes=180)

            assert free_on(sheet_of_the_day()) == expected


def test_appointment_across_the_end_of_hours_leaves_the_rest_free(okafor, sheet_of_the_day, isolated):
    for start in [at(7, 30), at(17, 30)]:
        with isolated(start=start):
            AppointmentFactory(doctor=okafor, start_time=start, duration_minutes=60)

            expected = {at(7, 30): ["08:30–18:00"], at(17, 30): ["08:00–17:30"]}[start]
            assert free_on(sheet_of_the_day()) == expected


def test_appointments_outside_usual_hours_are_printed(okafor, maria, sheet_of_the_day):
    AppointmentFactory(doctor=okafor, patient=maria, start_time=at(6))
    AppointmentFactory(doctor=okafor, patient=maria, start_time=at(20))

    assert printed(sheet_of_the_day()) == [
        ("06:00–06:30", "Maria Santos"),
        ("08:00–18:00", "free"),
        ("20:00–20:30", "Maria Santos"),
    ]


def test_doctor_without_appointments_has_a_sheet_with_the_day_free(okafor, sheet_of_the_day):
    sheet = sheet_of_the_day()

    assert printed(sheet) == [("08:00–18:00", "free")]
    assert sheet.appointments == 0


def test_free_time_has_a_line_to_write_on_for_each_hour_but_at_least_one(okafor, sheet_of_the_day, isolated):
    for until, lines in [(at(8, 15), 1), (at(9, 59), 1), (at(10), 2), (at(12, 30), 4)]:
        with isolated(until=until, lines=lines):
            AppointmentFactory(doctor=okafor, start_time=until)

            assert len(sheet_of_the_day().lines[0].writing_lines) == lines


def test_no_show_is_printed_and_its_time_is_free(okafor, maria, sheet_of_the_day):
    AppointmentFactory(doctor=okafor, start_time=at(9, 30))
    AppointmentFactory(doctor=okafor, patient=maria, start_time=at(8), status="no_show")

    lines = sheet_of_the_day().lines

    assert [(line.time, line.block is None) for line in lines[:2]] == [("08:00–08:30", False), ("08:00–09:30", True)]
    assert lines[0].block.status == "no_show"


def test_cancelled_appointment_is_listed_below_and_its_time_is_free(at_desk, okafor, maria):
    AppointmentFactory(doctor=okafor, patient=maria, start_time=at(10, 15), **CANCELLED)

    response = at_desk.get(TODAY)

    (sheet,) = response.context["sheets"]
    assert printed(sheet) == [("08:00–18:00", "free")]
    assert [(line.time, line.block.patient.name) for line in sheet.cancelled] == [("10:15–10:45", "Maria Santos")]
    assert "Cancelled: 10:15–10:45 <bdi>Maria Santos</bdi>" in markup(response)


def test_inactive_doctor_has_a_sheet_with_appointments_only(at_desk, okafor, lindgren, maria):
    AppointmentFactory(doctor=okafor, patient=maria)
    Doctor.objects.update(is_active=False)

    for address in (TODAY, f"{TODAY}?doctor={okafor.pk}"):
        (sheet,) = at_desk.get(address).context["sheets"]
        assert printed(sheet) == [("10:00–10:30", "Maria Santos")]
    assert sheets_of(at_desk.get(f"{TODAY}?doctor={lindgren.pk}")) == []


def test_inactive_doctor_with_an_overnight_remainder_has_a_sheet(at_desk, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(23, 30, day=23), duration_minutes=60)
    Doctor.objects.update(is_active=False)

    (sheet,) = at_desk.get(TODAY).context["sheets"]

    assert [line.time for line in sheet.lines] == ["00:00–00:30"]


# Days that are not like others


def test_day_of_25_hours_labels_repeated_times(okafor, sheet_of_the_day):
    for hour in (0, 1):
        AppointmentFactory(doctor=okafor, start_time=dt.datetime(2026, 10, 25, hour, 30, tzinfo=dt.UTC))

    sheet = sheet_of_the_day(dt.date(2026, 10, 25))

    # The first appointment ends when clocks show 01:00 for the second time.
    assert [line.time for line in sheet.lines] == [
        "01:30 WEST–01:00 WET",
        "01:30 WET–02:00",
        "08:00–18:00",
    ]


def test_day_of_23_hours_prints_what_clocks_show(okafor, sheet_of_the_day):
    AppointmentFactory(doctor=okafor, start_time=dt.datetime(2026, 3, 29, 0, 30, tzinfo=dt.UTC), duration_minutes=60)

    assert [line.time for line in sheet_of_the_day(dt.date(2026, 3, 29)).lines] == ["00:30–02:30", "08:00–18:00"]


def test_usual_hours_are_those_of_clinic_time(settings, okafor, sheet_of_the_day):
    settings.TIME_ZONE = "Asia/Kathmandu"
    AppointmentFactory(doctor=okafor, start_time=at(2, 15))

    assert [line.time for line in sheet_of_the_day().lines] == ["08:00–08:30", "08:30–18:00"]


def test_appointment_over_midnight_is_on_the_sheets_of_both_days(at_desk, okafor, maria, sheet_of_the_day):
    AppointmentFactory(doctor=okafor, patient=maria, start_time=at(23, 30), duration_minutes=60)

    first, second = sheet_of_the_day(), sheet_of_the_day(dt.date(2026, 11, 25))

    assert printed(first) == [("08:00–18:00", "free"), ("23:30–00:30", "Maria Santos")]
    assert printed(second) == [("00:00–00:30", "Maria Santos"), ("08:00–18:00", "free")]
    assert (first.appointments, second.appointments) == (1, 0)
    assert "Booked · since 23:30 (yesterday)" in markup(at_desk.get("/schedule/2026-11-25/print/"))


# The page


def test_page_prints_the_details_of_an_appointment(at_desk, okafor, maria):
    AppointmentFactory(doctor=okafor, patient=maria, reason="Sore knee", status="arrived", arrived_at=at(9))
    AppointmentFactory(doctor=okafor, start_time=at(10, day=25), reason="Tomorrow")

    text = at_desk.get(TODAY).content.decode()

    for needed in (
        "Test Clinic",
        "Dr Okafor",
        "Tuesday 24 November 2026",
        "printed 24 Nov 2026 09:00",
        "10:00–10:30",
        "<bdi>Maria Santos</bdi>",
        "03/05/1984",
        "912 345 678",
        "Sore knee",
        "Arrived",
    ):
        assert needed in text
    assert "Tomorrow" not in text


def test_each_appointment_has_a_box_to_tick_and_some_lines_are_spare(at_desk, okafor):
    for hour in (9, 10, 11):
        AppointmentFactory(doctor=okafor, start_time=at(hour))

    response = at_desk.get(TODAY)

    boxes = [attrs for _tag, attrs in elements(response) if attrs.get("class") == "box"]
    assert len(boxes) == 3 + len(SPARE_LINES) > 3


def test_title_names_dates_and_no_person(at_desk, okafor, maria):
    AppointmentFactory(doctor=okafor, patient=maria)

    text = at_desk.get(f"{TODAY}?doctor={okafor.pk}").content.decode()

    assert "<title>Schedule Tue 24 Nov 2026 · Test Clinic</title>" in text


def test_names_are_escaped_and_isolated_from_text_direction(at_desk, okafor):
    AppointmentFactory(doctor=okafor, patient=PatientFactory(first_name="<b>", last_name="أحمد"), reason="<i>")

    text = at_desk.get(TODAY).content.decode()

    assert "<bdi>&lt;b&gt; أحمد</bdi>" in text
    assert "<bdi>&lt;i&gt;</bdi>" in text


def test_page_without_script_explains_printing_and_links_back(at_desk, okafor):
    response = at_desk.get(f"{TODAY}?doctor={okafor.pk}&layout=list&now=1")

    found = elements(response)
    assert [attrs for tag, attrs in found if tag == "button" and "data-when" not in attrs] == [
        {"type": "button", "data-print": None, "data-key": "p", "hidden": None}
    ]
    assert any(tag == "noscript" for tag, _attrs in found)
    # In addition to those of the session warning.
    (back,) = [attrs["href"] for tag, attrs in found if tag == "a" and "data-when" not in attrs]
    assert back == f"/schedule/2026-11-24/?doctor={okafor.pk}&layout=list"


def test_clinic_without_doctors_has_nothing_to_print(at_desk, isolated):
    for address in [TODAY, PACK]:
        with isolated(address=address):
            response = at_desk.get(address)

            assert response.status_code == 200
            assert sheets_of(response) == []
            assert not any(tag == "button" and "data-print" in attrs for tag, attrs in elements(response))


# Filters


def test_sheets_are_in_order_of_the_doctors_names(at_desk, okafor, lindgren):
    assert sheets_of(at_desk.get(TODAY)) == [(DAY, "Dr Lindgren"), (DAY, "Dr Okafor")]


def test_filter_by_doctor_prints_only_that_doctor(at_desk, okafor, lindgren):
    AppointmentFactory(doctor=lindgren, reason="Rash")

    response = at_desk.get(f"{TODAY}?doctor={okafor.pk}")

    assert sheets_of(response) == [(DAY, "Dr Okafor")]
    assert "Rash" not in response.content.decode()


def test_contradictory_filters_print_what_the_day_view_shows(at_desk, okafor, lindgren):
    assert sheets_of(at_desk.get(f"{TODAY}?specialization=Dermatology&doctor={okafor.pk}")) == [(DAY, "Dr Okafor")]


def test_filter_by_specialization_prints_those_doctors(at_desk, okafor, lindgren):
    assert sheets_of(at_desk.get(f"{TODAY}?specialization=Dermatology")) == [(DAY, "Dr Lindgren")]


def test_unknown_doctor_is_not_found(at_desk, okafor, isolated):
    for doctor in ["999", "x", "-1", "1%00", "99999999999999999999999"]:
        with isolated(doctor=doctor):
            assert at_desk.get(f"{TODAY}?doctor={doctor}").status_code == 404


def test_invalid_date_is_not_found(at_desk, isolated):
    for date in ["2026-02-30", "1899-12-31", "2200-01-01"]:
        with isolated(date=date):
            assert at_desk.get(f"/schedule/{date}/print/").status_code == 404


def test_ends_of_the_calendar_are_printed(at_desk, okafor, isolated):
    for date in ["1900-01-01", "2199-12-31"]:
        with isolated(date=date):
            assert sheets_of(at_desk.get(f"/schedule/{date}/print/")) == [(dt.date.fromisoformat(date), "Dr Okafor")]


# Permissions


def test_manager_prints_initials_only(client, manager, okafor, maria, isolated):
    for address in [TODAY, PACK]:
        with isolated(address=address):
            AppointmentFactory(doctor=okafor, patient=maria, reason="Sore knee")
            AppointmentFactory(doctor=okafor, patient=maria, start_time=at(11), **CANCELLED)
            client.force_login(manager)

            text = client.get(address).content.decode()

            assert text.count("<bdi>M. S.</bdi>") == 2
            for private in ("Maria", "Santos", "Sore knee", "912 345 678", "03/05/1984"):
                assert private not in text


def test_doctor_prints_names_on_their_own_sheet_only(client, doctor_user, okafor, lindgren, maria):
    okafor.user = doctor_user
    okafor.save()
    AppointmentFactory(doctor=okafor, patient=maria)
    AppointmentFactory(doctor=lindgren, patient=PatientFactory(first_name="Ines", last_name="Ferreira"))
    client.force_login(doctor_user)

    text = client.get(TODAY).content.decode()

    assert "Maria Santos" in text
    assert "I. F." in text
    assert "Ferreira" not in text


# The next working day


def test_next_working_day_without_appointments_is_the_next_weekday(subtests):
    cases = [
        (dt.date(2026, 11, 24), dt.date(2026, 11, 25)),  # Tuesday
        (dt.date(2026, 11, 27), dt.date(2026, 11, 30)),  # Friday
        (dt.date(2026, 11, 28), dt.date(2026, 11, 30)),
        (dt.date(2026, 11, 29), dt.date(2026, 11, 30)),
    ]
    for day, expected in cases:
        with subtests.test(day=day, expected=expected):
            assert next_working_day(day) == expected


def test_next_working_day_may_be_a_weekend_with_appointments():
    AppointmentFactory(start_time=at(10, day=28))  # a Saturday
    AppointmentFactory(start_time=at(10, day=30))

    assert next_working_day(DAY) == dt.date(2026, 11, 28)


def test_next_working_day_skips_days_without_patients(isolated):
    for status, expected in [("booked", 28), ("cancelled", 25), ("no_show", 25)]:
        with isolated(status=status, expected=expected):
            AppointmentFactory(
                start_time=at(10, day=28), **(CANCELLED if status == "cancelled" else {"status": status})
            )

            assert next_working_day(DAY) == dt.date(2026, 11, expected)


def test_next_working_day_is_a_date_of_the_clinic(settings):
    settings.TIME_ZONE = "America/Los_Angeles"
    AppointmentFactory(start_time=at(6, 30, day=25))  # still the 24th on the clinic's clocks
    AppointmentFactory(start_time=at(6, 30, day=28))  # there it is the 27th

    assert next_working_day(DAY) == dt.date(2026, 11, 27)


def test_next_working_day_is_at_most_two_weeks_ahead(isolated):
    cases = [
        (dt.datetime(2026, 12, 8, 23, 45, tzinfo=dt.UTC), dt.date(2026, 12, 8)),
        (dt.datetime(2026, 12, 9, 0, 0, tzinfo=dt.UTC), dt.date(2026, 11, 25)),
    ]
    for start, expected in cases:
        with isolated(start=start, expected=expected):
            AppointmentFactory(start_time=start)

            assert next_working_day(DAY) == expected


def test_next_working_day_makes_one_query(django_assert_num_queries):
    AppointmentFactory(start_time=at(10, day=28))

    with django_assert_num_queries(1):
        next_working_day(DAY)


def test_paper_backup_has_today_and_the_next_working_day(at_desk, okafor, lindgren, maria):
    AppointmentFactory(doctor=okafor, patient=maria, start_time=at(10, day=27), reason="Friday's")

    response = at_desk.get(PACK)

    friday = dt.date(2026, 11, 27)
    assert sheets_of(response) == [
        (DAY, "Dr Lindgren"),
        (DAY, "Dr Okafor"),
        (friday, "Dr Lindgren"),
        (friday, "Dr Okafor"),
    ]
    assert "Friday&#39;s" in response.content.decode()


def test_next_working_day_is_printed_with_the_filters(at_desk, okafor, lindgren):
    AppointmentFactory(doctor=lindgren, start_time=at(10, day=27))

    response = at_desk.get(f"/schedule/next/print/?doctor={okafor.pk}")

    assert sheets_of(response) == [(dt.date(2026, 11, 27), "Dr Okafor")]


# Cost


def fill(doctors, per_doctor):
    """Add many appointments to the day without locking diaries."""
    patients = PatientFactory.create_batch(doctors)
    models.QuerySet(Appointment).bulk_create(
        Appointment(
            patient=patient,
            doctor=doctor,
            start_time=at(8) + dt.timedelta(minutes=15 * number),
            end_time=at(8, 15) + dt.timedelta(minutes=15 * number),
            duration_minutes=15,
        )
        for doctor, patient in zip(
            Doctor.objects.bulk_create(
                Doctor(full_name=f"Dr {number:03}", specialization=f"Ward {number}") for number in range(doctors)
            ),
            patients,
            strict=True,
        )
        for number in range(per_doctor)
    )


def test_printing_makes_the_same_queries_for_3_and_for_30_doctors(client, receptionist, manager, doctor_user):
    asked = [(user, address) for user in (receptionist, manager, doctor_user) for address in (TODAY, PACK)]

    def queries(rows):
        counts = {}
        for user, address in asked:
            client.force_login(user)
            with CaptureQueriesContext(connection) as captured:
                response = client.get(address)
            assert sum(sheet.appointments for sheet in response.context["sheets"]) == rows
            counts[user.username, address] = len(captured)
        return counts

    fill(doctors=3, per_doctor=1)
    few = queries(rows=3)
    Appointment.objects.all().delete()
    Doctor.objects.all().delete()
    fill(doctors=30, per_doctor=10)

    assert queries(rows=300) == few
    assert max(few.values()) <= 20  # including one for emergency access and one for the audit entry
