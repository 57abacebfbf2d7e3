"""Files of at most 5 MB that are made to keep a worker busy. `benchmarks/hostile_sheets.py` measures their time."""

import io
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import Workbook

from clinic.spreadsheets import drafts
from clinic.spreadsheets.models import ImportDraft
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases, codes_at, refusal_code
from clinic.tests.test_uploaded_sheet import with_rows
from doctors.imports import DoctorImporter
from patients.imports import PatientImporter

pytestmark = pytest.mark.django_db

SIZE = 5 * 1024 * 1024 - 100
HEADER = b"First name,Last name,E-mail,Full name,Specialization"
SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{}</worksheet>'


def filled(text):
    return text * (SIZE // len(text))


def rows(text):
    return HEADER + b"\n" + filled(text)[: SIZE - len(HEADER) - 1]


HEADER_ROW = (
    '<row r="1">'
    + "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in HEADER.decode().split(","))
    + "</row>"
)

# The refusal and the bytes of each.
CSV = {
    "header of commas": ("no_rows", filled(b",")),
    "header of semicolons": ("no_rows", filled(b";")),
    "header of spaces and commas": ("no_rows", filled(b" ,")),
    "header of names": ("too_many_columns", filled(b"a,")),
    "header of long names": ("too_many_columns", filled(b"(" * 999 + b",")),
    "header of tabs and letters": ("too_many_columns", filled("é\t".encode())),
    "header of known names": ("too_many_columns", filled(b"First name,")),
    "one cell": ("columns", filled(b"a")),
    "one row of commas": ("no_rows", rows(b",")),
    "one row of letters": ("too_many_columns", rows(b"a,")),
    "one row of spaces": ("no_rows", rows(b" ,")),
    "quotation marks": ("columns", filled(b'"')),
    "quoted commas": ("too_many_columns", filled(b'",",')),
    "open quotation mark": ("not_a_sheet", b'"' + filled(b"a\n")),
    "row of quotation marks": ("not_a_sheet", rows(b'""')),
    "line breaks": ("too_many_rows", filled(b"\n")),
    "line breaks after a header": ("too_many_rows", rows(b"\n")),
    "returns": ("too_many_rows", filled(b"\r")),
    "spaces and line breaks": ("too_many_rows", rows(b" \n")),
    "commas and line breaks": ("too_many_rows", rows(b",\n")),
    "rows of empty cells": ("no_rows", rows(b"," * 200 + b"\n")),
    "rows of spaces": ("no_rows", rows(b" ," * 100 + b"\n")),
    "rows with a cell far to the right": ("too_many_columns", rows(b"," * 200 + b"a\n")),
    "rows of single letters": ("too_many_rows", rows(b"a\n")),
    "bytes that are not UTF-8": ("columns", filled(b"\xff")),
    "bytes that are not UTF-8 in the last row": ("encoding", rows("é\n".encode())[:-4] + b"\xff"),
    "UTF-16 of commas": ("no_rows", b"\xff\xfe" + filled(b",\0")),
    "no bytes": ("not_a_sheet", filled(b"\0")),
}


def workbook(sheet, sheets=1):
    """Return a workbook whose sheets have this XML, and a long text."""
    book = Workbook()
    book.active.append(["x"])
    for _each in range(1, sheets):
        book.create_sheet().append(["x"])
    source, target = io.BytesIO(), io.BytesIO()
    book.save(source)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            is_sheet = name.startswith("xl/worksheets/sheet")
            new.writestr(name, SHEET.format(sheet) if is_sheet else old.read(name))
    return target.getvalue()


def far(place):
    """Return a row with a cell at this place, as in XFD1048576."""
    row = place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return f'<row r="{row}"><c r="{place}" t="inlineStr"><is><t>a</t></is></c></row>'


def data(rows, *, before="", after=""):
    return f"{before}<sheetData>{HEADER_ROW}{rows}</sheetData>{after}"


def empty_rows():
    return "".join(f'<row r="{number}"><c r="A{number}"/><c r="XFD{number}"/></row>' for number in range(2, 200_000))


def merged():
    cells = "".join(f'<mergeCell ref="A{number}:XFD{number}"/>' for number in range(1, 45_000))
    return f"<mergeCells>{cells}</mergeCells>"


def numbers(rows, columns):
    return ("<row>" + "<c><v>1</v></c>" * columns + "</row>") * rows


# The refusal and the first sheet of each.
XLSX = {
    "columns up to XFD": ("too_many_columns", lambda: data(numbers(1, 16_384))),
    "cell at XFD1048576": ("too_many_columns", lambda: data(far("XFD1048576"))),
    "cell at AX1048576": ("too_big", lambda: data(far("AX1048576"))),
    "cell at A1048576": ("", lambda: data(far("A1048576"))),
    "huge dimension": ("no_rows", lambda: data("", before='<dimension ref="A1:XFD1048576"/>')),
    "merged cells": ("no_rows", lambda: data("", after=merged())),
    "rows without a value": ("no_rows", lambda: data(empty_rows())),
    "a million cells": ("too_big", lambda: data(numbers(21_000, 50))),
    "wide rows": ("too_many_rows", lambda: data(numbers(21_000, 10))),
}


def refusal_of(importer, content):
    """Return the code with which an import refuses a file; empty if it does not."""
    upload = SimpleUploadedFile("people", content)
    return refusal_code(drafts.open_draft, importer, upload, by=UserFactory(), month_first=False) or ""


@pytest.mark.parametrize("importer", [PatientImporter, DoctorImporter])
def test_hostile_csv_is_refused(importer):
    with Cases() as case:
        for name, (code, content) in CSV.items():
            with case(name):
                assert refusal_of(importer(), content) == code


@pytest.mark.parametrize("importer", [PatientImporter, DoctorImporter])
def test_hostile_workbook_is_refused(importer):
    with Cases() as case:
        for name, (code, sheet) in XLSX.items():
            with case(name):
                assert refusal_of(importer(), workbook(sheet())) == code


def test_sheets_are_limited_together():
    file = workbook(data(numbers(4_000, 10)), sheets=50)

    assert refusal_of(PatientImporter(), file) == "too_big"


def test_text_that_a_workbook_repeats_in_every_cell_is_limited():
    text = f"<si><t>{'ß' * 500}</t></si>"
    file = with_rows(HEADER_ROW + '<row><c t="s"><v>0</v></c><c t="s"><v>0</v></c></row>' * 19_999, text)

    assert refusal_of(PatientImporter(), file.read()) == "too_big"


def test_refusal_of_a_hostile_file_is_at_its_field(in_admin):
    _code, content = CSV["header of names"]
    for address in ("/patients/import/", "/doctors/import/"):
        response = in_admin.post(address, {"file": SimpleUploadedFile("people.csv", content), "month_first": "day"})

        assert codes_at(response, "file") == ["too_many_columns"]
        assert not ImportDraft.objects.exists()
