"""Export of patients to files, and import of exported files."""

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.tests.sheets import body, read_csv, read_xlsx
from patients import transfer_views
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

EXPORT = "/patients/export/"
HEADER = ["First name", "Last name", "E-mail", "Phone number", "Date of birth", "Registered"]


@pytest.fixture
def maria():
    return PatientFactory(
        first_name="Maria",
        last_name="Conceição",
        email="maria@example.org",
        phone_number="+351 912 345 678",
        date_of_birth=dt.date(1984, 3, 9),
    )


def test_page_asks_for_the_format_and_reads_no_patients(in_admin, maria):
    with CaptureQueriesContext(connection) as queries:
        page = in_admin.get(EXPORT).content.decode()

    assert 'name="as" value="csv"' in page
    assert "maria@example.org" not in page
    assert [query["sql"] for query in queries if Patient._meta.db_table in query["sql"]] == []


def test_csv_opens_in_excel_and_has_every_patient(in_admin, maria):
    PatientFactory(email="rui@example.org", phone_number="", date_of_birth=None)

    response = in_admin.get(EXPORT, {"as": "csv"})

    assert response["Content-Disposition"] == 'attachment; filename="patients-2026-11-24.csv"'
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response.streaming
    assert "no-store" in response["Cache-Control"]
    text = body(response)
    assert text.startswith(b"\xef\xbb\xbf")
    assert "Conceição" in text.decode("utf-8-sig")
    rows = read_csv(in_admin.get(EXPORT, {"as": "csv"}))
    assert rows[0] == HEADER
    assert rows[1] == ["Maria", "Conceição", "maria@example.org", "'+351 912 345 678", "1984-03-09", "2026-11-24"]
    assert rows[2][2:5] == ["rui@example.org", "", ""]


def test_name_that_begins_like_a_formula_is_harmless_in_csv(in_admin):
    names = ["=cmd|'/C calc'!A0", "@SUM(A1)", "-1+1", "＝1", "\u00a0=1"]
    for name in names:
        PatientFactory(first_name=name)

    rows = read_csv(in_admin.get(EXPORT, {"as": "csv"}))

    assert sorted(row[0] for row in rows[1:]) == sorted("'" + name for name in names)


def test_workbook_has_texts_and_no_formulas(in_admin):
    names = ["=1+1", "+1", "-1", "@A1", "＝1"]
    for name in names:
        PatientFactory(first_name=name, phone_number="+351 912 345 678")

    response = in_admin.get(EXPORT, {"as": "xlsx"})

    assert response["Content-Disposition"] == 'attachment; filename="patients-2026-11-24.xlsx"'
    assert response.streaming
    header, *rows = read_xlsx(response)
    assert [cell.value for cell in header] == HEADER
    assert sorted(row[0].value for row in rows) == sorted(names)
    assert {row[3].value for row in rows} == {"+351 912 345 678"}
    assert {cell.data_type for row in rows for cell in row if cell.value} == {"s"}


@pytest.mark.both_databases
def test_exported_patients_can_be_imported_again(in_admin, maria):
    PatientFactory(first_name="'t", last_name="=Hooft", email="t@example.org", phone_number="-1234567")
    before = facts()

    for as_format in ("csv", "xlsx"):
        file = SimpleUploadedFile(f"patients.{as_format}", body(in_admin.get(EXPORT, {"as": as_format})))
        Patient.objects.all().delete()

        address = in_admin.post("/patients/import/", {"file": file, "month_first": "day"})["Location"]
        in_admin.post(address)

        assert facts() == before, as_format


def facts():
    """The rows of all patients in a file."""
    return list(Patient.objects.values_list("first_name", "last_name", "email", "phone_number", "date_of_birth"))


def test_unknown_format_sends_nothing(in_admin, maria):
    for as_format in ("", "pdf", "CSV"):
        response = in_admin.get(EXPORT, {"as": as_format})

        assert not response.streaming, as_format
        assert "maria@example.org" not in response.content.decode(), as_format


@pytest.mark.both_databases
def test_patients_are_read_chunk_by_chunk(in_admin, monkeypatch):
    monkeypatch.setattr(transfer_views, "CHUNK_SIZE", 3)
    PatientFactory.create_batch(7)

    with CaptureQueriesContext(connection) as queries:
        rows = read_csv(in_admin.get(EXPORT, {"as": "csv"}))

    reading = [query["sql"] for query in queries if "date_of_birth" in query["sql"]]
    assert len(rows) == 8
    assert len(reading) == 4  # three with patients, and an empty one
    assert all("LIMIT 3" in sql for sql in reading)


def test_log_has_user_and_count_of_an_export_but_no_names(in_admin, administrator, maria, caplog):
    with caplog.at_level("INFO"):
        body(in_admin.get(EXPORT, {"as": "csv"}))

    assert f"export of patients as csv by user {administrator.pk}: 1 rows" in caplog.text
    assert "Maria" not in caplog.text
    assert "maria@" not in caplog.text
