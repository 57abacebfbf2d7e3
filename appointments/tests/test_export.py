"""Exporting appointments, and which data each role gets."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.tests.factories import AppointmentFactory
from clinic.tests.sheets import body, read_csv, read_xlsx
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

EXPORT = "/appointments/export/"
DAY = "2026-11-24"
OPEN = ["Date", "Start", "End", "Minutes", "Starts at", "Ends at", "Doctor", "Specialization", "Status"]
OPEN += ["Walk-in", "Patient"]
OF_PATIENTS = ["Date of birth", "Phone number", "E-mail", "Reason", "Notes"]


def utc(day, hour, minute=0, month=11):
    return dt.datetime(2026, month, day, hour, minute, tzinfo=dt.UTC)


@pytest.fixture
def appointment():
    return AppointmentFactory(
        start_time=utc(24, 10, 15),
        duration_minutes=45,
        doctor=DoctorFactory(full_name="Dr Ana Ferreira", specialization="Cardiology"),
        patient=PatientFactory(
            first_name="Maria",
            last_name="Santos",
            email="maria@example.org",
            phone_number="+351 912 345 678",
            date_of_birth=dt.date(1984, 3, 9),
        ),
        reason="=HYPERLINK(1)",
        notes="-1\nspeaks French",
    )


@pytest.fixture
def at_manager(client, manager):
    client.force_login(manager)
    return client


def exported(client, first=DAY, last=DAY, **more):
    return client.get(EXPORT, {"first": first, "last": last, "as": "csv", **more})


def test_administrator_gets_the_patient_reason_and_notes(in_admin, appointment):
    response = exported(in_admin)

    assert response["Content-Disposition"] == 'attachment; filename="appointments-2026-11-24.csv"'
    assert response.streaming
    header, row = read_csv(response)
    assert header == [*OPEN, *OF_PATIENTS]
    assert row == [
        "2026-11-24",
        "10:15",
        "11:00",
        "45",
        "2026-11-24T10:15:00+00:00",
        "2026-11-24T11:00:00+00:00",
        "Dr Ana Ferreira",
        "Cardiology",
        "Booked",
        "no",
        "Maria Santos",
        "1984-03-09",
        "'+351 912 345 678",
        "maria@example.org",
        "'=HYPERLINK(1)",
        "'-1\nspeaks French",
    ]


def test_manager_gets_only_the_initials_of_the_patient(at_manager, appointment, isolated):
    for as_format in ["csv", "xlsx"]:
        with isolated(as_format=as_format):
            response = exported(at_manager, **{"as": as_format})

            if as_format == "csv":
                header, row = read_csv(response)
            else:
                header, row = ([cell.value for cell in cells] for cells in read_xlsx(response))
            assert header == OPEN
            assert row[-1] == "M. S."
            assert len(row) == len(OPEN)
            assert not {"Maria", "Santos", "912", "HYPERLINK", "French"} & set(
                " ".join(map(str, row)).replace("(", " ").split()
            )


def test_workbook_has_typed_cells_and_no_formulas(in_admin, appointment):
    _header, row = read_xlsx(exported(in_admin, **{"as": "xlsx"}))

    assert row[14].value == "=HYPERLINK(1)"
    assert [cell.data_type for cell in row] == ["d", "d", "d", "n", *"sssssss", "d", *"ssss"]
    assert (row[0].value.date(), row[1].value, row[3].value) == (dt.date(2026, 11, 24), dt.time(10, 15), 45)


def test_workbook_accepts_texts_with_control_characters(in_admin, appointment):
    appointment.notes = "a\x0bb"
    appointment.save()

    _header, row = read_xlsx(exported(in_admin, **{"as": "xlsx"}))

    assert row[15].value == "ab"


def test_walk_ins_and_patients_who_left_are_told_apart(in_admin):
    arrived_at = utc(24, 10)
    AppointmentFactory(start_time=utc(24, 10), is_walk_in=True, status="left", arrived_at=arrived_at)
    AppointmentFactory(start_time=utc(24, 11), status="no_show")

    header, *rows = read_csv(exported(in_admin))

    status, walk_in = header.index("Status"), header.index("Walk-in")
    assert [(row[status], row[walk_in]) for row in rows] == [("Left unseen", "yes"), ("No-show", "no")]


@pytest.mark.both_databases
def test_only_the_chosen_days_are_included(in_admin):
    for day in (23, 24, 25, 26):
        AppointmentFactory(start_time=utc(day, 0))
        AppointmentFactory(start_time=utc(day, 23, 30))

    rows = read_csv(exported(in_admin, "2026-11-24", "2026-11-25"))

    assert [(row[0], row[1]) for row in rows[1:]] == [
        ("2026-11-24", "00:00"),
        ("2026-11-24", "23:30"),
        ("2026-11-25", "00:00"),
        ("2026-11-25", "23:30"),
    ]


@pytest.mark.both_databases
def test_export_has_clinic_dates_and_times_and_instants_with_offset(in_admin, now):
    now.move_to(utc(1, 9, month=7))
    AppointmentFactory(start_time=utc(1, 23, 30, month=7))

    row = read_csv(exported(in_admin, "2026-07-02", "2026-07-02"))[1]

    assert row[:3] == ["2026-07-02", "00:30", "01:00"]
    assert row[4:6] == ["2026-07-02T00:30:00+01:00", "2026-07-02T01:00:00+01:00"]


@pytest.mark.both_databases
def test_repeated_times_have_different_offsets(in_admin, now):
    now.move_to(utc(1, 9, month=10))
    for hour in (0, 1):
        AppointmentFactory(start_time=utc(25, hour, 30, month=10))

    rows = read_csv(exported(in_admin, "2026-10-25", "2026-10-25"))[1:]

    assert [row[1] for row in rows] == ["01:30", "01:30"]
    assert [row[4] for row in rows] == ["2026-10-25T01:30:00+01:00", "2026-10-25T01:30:00+00:00"]


@pytest.mark.both_databases
def test_one_doctor_can_be_chosen(in_admin, appointment):
    AppointmentFactory(start_time=utc(24, 12))

    rows = read_csv(exported(in_admin, doctor=appointment.doctor_id))

    assert [row[6] for row in rows[1:]] == ["Dr Ana Ferreira"]


def test_first_day_alone_is_one_day(in_admin, appointment):
    response = in_admin.get(EXPORT, {"first": DAY, "last": "", "as": "csv"})

    assert len(read_csv(response)) == 2


def test_days_that_cannot_be_exported_are_refused(in_admin, appointment, subtests):
    cases = [
        ("2026-11-25", "2026-11-24", "last", "export_span"),
        ("2026-01-01", "2027-01-02", "last", "export_span"),
        ("1899-12-31", "1900-01-01", "last", "date_range"),
        ("x", "2026-11-24", "first", "invalid"),
        ("", "2026-11-24", "first", "required"),
    ]
    for first, last, field, code in cases:
        with subtests.test(first=first, last=last, field=field, code=code):
            response = exported(in_admin, first, last)

            assert not response.streaming
            assert [error.code for error in response.context["form"].errors.as_data()[field]] == [code]


def test_a_leap_year_can_be_exported_whole(in_admin):
    assert exported(in_admin, "2028-01-01", "2028-12-31").streaming


def test_unknown_doctor_is_refused(in_admin, subtests):
    for doctor in ["999", "x"]:
        with subtests.test(doctor=doctor):
            assert "doctor" in exported(in_admin, doctor=doctor).context["form"].errors


def test_export_makes_the_same_queries_for_any_number_of_appointments(in_admin):
    def queries():
        with CaptureQueriesContext(connection) as made:
            body(exported(in_admin))
        return len(made)

    AppointmentFactory(start_time=utc(24, 8))
    few = queries()
    for number in range(9):
        AppointmentFactory(start_time=utc(24, 10 + number))

    assert queries() == few


def test_form_starts_with_the_day_of_the_schedule(in_admin):
    form = in_admin.get(EXPORT, {"first": "2026-12-01"}).context["form"]

    assert form["first"].value() == "2026-12-01"
    assert not form.errors


def test_day_view_links_to_the_export_for_permitted_users(at_manager):
    assert f'href="{EXPORT}?first=2026-11-24"' in at_manager.get("/").content.decode()


def test_day_view_has_no_export_link_for_others(at_desk):
    assert EXPORT not in at_desk.get("/").content.decode()


def test_log_has_user_and_row_count_but_no_names(at_manager, manager, appointment, caplog):
    with caplog.at_level("INFO"):
        body(exported(at_manager))

    assert f"export of appointments 2026-11-24 to 2026-11-24 as csv by user {manager.pk}: 1 rows" in caplog.text
    assert "Maria" not in caplog.text
