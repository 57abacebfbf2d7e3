import datetime as dt
import io
import subprocess
import sys
import zipfile
from contextlib import suppress

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900
from python_calamine import load_workbook

from clinic.spreadsheets import reader, xlsx_reader
from clinic.spreadsheets.cells import NO_VALUE
from clinic.spreadsheets.reader import read_sheet
from clinic.tests.sheets import csv_file, csv_rows, xlsx_rows

KNOWN = {"First name", "Last name", "E-mail"}
HEADER = ["First name", "Last name", "E-mail"]
ANA = ["Ana", "Conceição", "ana@example.org"]


def read(file):
    sheet = read_sheet(file, KNOWN.__contains__)
    return sheet.header, list(sheet.rows), sheet.how


def refusal(file):
    with pytest.raises(ValidationError) as refused:
        read(file)
    return refused.value.code


def saved(workbook):
    file = io.BytesIO()
    workbook.save(file)
    return SimpleUploadedFile("people.xlsx", file.getvalue())


def packed(**parts):
    """Return a ZIP file with these parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return SimpleUploadedFile("people.xlsx", file.getvalue())


def test_csv_is_read_and_described():
    encodings = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "cp1252": "Windows-1252", "utf-16": "UTF-16"}
    separators = {",": "commas", ";": "semicolons", "\t": "tabs"}

    for encoding, encoding_name in encodings.items():
        for separator, separator_name in separators.items():
            text = "\r\n".join(separator.join(row) for row in (HEADER, ANA))

            header, rows, how = read(csv_file(text, encoding))

            assert (header, rows) == (HEADER, [(2, ANA)]), how
            assert encoding_name in how
            assert separator_name in how


def test_csv_that_names_its_separator_keeps_the_numbers_of_its_rows():
    header, rows, _how = read(csv_file("sep=;\r\nFirst name;Last name;E-mail\r\nAna;Sá;ana@example.org\r\n"))

    assert header == HEADER
    assert rows == [(3, ["Ana", "Sá", "ana@example.org"])]


def test_separator_inside_quotation_marks_is_text():
    header, rows, _how = read(csv_file('First name;"Last name";E-mail\n"Ana;Maria";"Sá\nLima";x\n'))

    assert header == HEADER
    assert rows == [(2, ["Ana;Maria", "Sá\nLima", "x"])]


def test_empty_rows_are_skipped_and_counted():
    for make in (csv_rows, xlsx_rows):
        header, rows, _how = read(make([], HEADER, ["", " ", ""], ANA, [], ANA))

        assert header[:3] == HEADER, make
        assert not any(header[3:]), make
        assert rows == [(4, ANA), (6, ANA)], make


def test_first_visible_sheet_of_a_workbook_is_read():
    workbook = Workbook()
    workbook.active.sheet_state = "hidden"
    workbook.create_sheet("People").append(HEADER)

    header, _rows, how = read(saved(workbook))

    assert header[:3] == HEADER
    assert "People" in how


def test_one_row_more_than_allowed_is_refused(monkeypatch):
    monkeypatch.setattr(reader, "MAX_ROWS", 3)

    for make in (csv_rows, xlsx_rows):
        assert len(read(make(HEADER, *[ANA] * 3))[1]) == 3, make
        assert refusal(make(HEADER, *[ANA] * 4)) == "too_many_rows", make


def test_one_byte_more_than_allowed_is_refused(monkeypatch):
    file = csv_rows(HEADER, ANA)
    monkeypatch.setattr(reader, "MAX_BYTES", file.size)
    assert read(file)[1] == [(2, ANA)]

    monkeypatch.setattr(reader, "MAX_BYTES", file.size - 1)

    assert refusal(file) == "too_big"


def test_limits_are_those_of_the_page():
    assert reader.MAX_BYTES == 5 * 1024 * 1024
    assert reader.MAX_ROWS == 20_000


def test_file_that_unpacks_to_too_much_is_refused():
    parts = ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml", "anything"]
    files = {part: packed(**{part: "0" * 40_000_000}) for part in parts}
    assert max(file.size for file in files.values()) < 100_000

    assert {part: refusal(file) for part, file in files.items()} == dict.fromkeys(parts, "too_big")


SHEET, TEXTS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


WORKBOOK_PARTS = "xl/_rels/workbook.xml.rels"
TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TEXTS_RELATIONSHIP = f'<Relationship Id="t" Type="{TYPES}/sharedStrings" Target="sharedStrings.xml"/></Relationships>'


def with_parts(parts, rename=lambda name: name):
    """Return a workbook with these parts instead of its own."""
    file = io.BytesIO()
    with zipfile.ZipFile(xlsx_rows(HEADER)) as before, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        own = {name: before.read(name).decode() for name in before.namelist()}
        own[WORKBOOK_PARTS] = own[WORKBOOK_PARTS].replace("</Relationships>", TEXTS_RELATIONSHIP)
        for name, text in (own | {TEXTS: f"<sst {NAMESPACE}/>"} | parts).items():
            archive.writestr(rename(name), text)
    return SimpleUploadedFile("people.xlsx", file.getvalue())


def with_rows(rows, texts=""):
    """Return a workbook with this XML of rows and shared texts."""
    sheet = f"<worksheet {NAMESPACE}><sheetData>{rows}</sheetData></worksheet>"
    return with_parts({SHEET: sheet, TEXTS: f"<sst {NAMESPACE}>{texts}</sst>"})


@pytest.fixture
def unread(monkeypatch):
    """The files passed to calamine, expected to be empty."""
    opened = []
    monkeypatch.setattr(xlsx_reader, "load_workbook", lambda *args, **kwargs: opened.append(args))
    return opened


def test_workbook_of_too_many_elements_is_refused(unread):
    merged = f"<worksheet {NAMESPACE}><mergeCells>{'<mergeCell/>' * 60_000}</mergeCells></worksheet>"
    files = {
        "cells in a row": with_rows(f"<row>{'<c/>' * 60_000}</row>"),
        "rows in a row": with_rows(f"<row>{'<c/><row/>' * 30_000}</row>"),
        "outside the rows": with_parts({SHEET: merged}),
        "texts": with_rows("", "<si/>" * 1_100_000),
    }

    assert {name: refusal(file) for name, file in files.items()} == dict.fromkeys(files, "too_big")
    assert unread == []


def cell(place, value="1", kind="n"):
    return f'<c r="{place}" t="{kind}"><v>{value}</v></c>'


def test_sheet_with_cells_far_apart_is_refused_before_it_is_read(unread):
    corners = {
        "column A and the last one": ("XFD1048576", "too_many_columns"),
        "column A and the fiftieth": ("AX1048576", "too_big"),
        "below the last row": ("A4294967295", "too_big"),
    }
    for name, (place, code) in corners.items():
        row = place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")

        assert refusal(with_rows(f'<row r="1">{cell("A1")}</row><row r="{row}">{cell(place)}</row>')) == code, name
        assert refusal(with_rows(f"<row>{cell(place)}{cell('A1')}</row>")) == code, name
    assert unread == []


def test_long_text_in_very_many_cells_is_refused(unread):
    rows = ("<row>" + '<c t="s"><v>0</v></c>' * 50 + "</row>") * 200

    assert refusal(with_rows(rows, f"<si><t>{'a' * 10_000}</t></si>")) == "too_big"
    assert unread == []


ENTITIES = '<!DOCTYPE sst [<!ENTITY a "aaaaaaaaaa">]>'


def test_workbook_with_entities_is_refused_before_it_is_read(unread):
    roots = {
        SHEET: "worksheet",
        TEXTS: "sst",
        "xl/workbook.xml": "workbook",
        "xl/styles.xml": "styleSheet",
        WORKBOOK_PARTS: "Relationships",
        "_rels/.rels": "Relationships",
    }
    codes = {}
    for part, root in roots.items():
        for encoding in ("utf-8", "utf-16"):
            prolog = f"<?xml version='1.0' encoding='{encoding}'?><!-- x -->{ENTITIES}"
            text = f"{prolog}<{root} {NAMESPACE}>&a;&a;</{root}>"
            codes[part, encoding] = refusal(with_parts({part: text.encode(encoding)}))

    assert codes == dict.fromkeys(codes, "not_a_sheet")
    assert unread == []


def test_workbook_with_a_dtd_is_refused_even_without_entities(unread):
    with zipfile.ZipFile(xlsx_rows(HEADER)) as workbook:
        names = (SHEET, "xl/workbook.xml", "xl/styles.xml", WORKBOOK_PARTS, "_rels/.rels")
        parts = {name: workbook.read(name).decode() for name in names}
    parts[TEXTS] = f"<sst {NAMESPACE}/>"
    codes = {}
    for part, text in parts.items():
        with_dtd = "<!DOCTYPE any>" + text.rpartition("?>")[2]
        codes[part] = refusal(with_parts({part: with_dtd}))

    assert codes == dict.fromkeys(parts, "not_a_sheet")
    assert unread == []


def test_calamine_is_given_checked_parts_only(monkeypatch):
    given = []
    monkeypatch.setattr(xlsx_reader, "load_workbook", lambda copy: given.append(copy) or load_workbook(copy))
    workbook = Workbook()
    workbook.active.append(HEADER)
    workbook.create_sheet("Wide", 1)["XFD1048576"] = "x"
    workbook["Wide"].sheet_state = "hidden"

    assert read(saved(workbook))[0] == HEADER

    with zipfile.ZipFile(given[0]) as copy:
        sheets = [name for name in copy.namelist() if "sheet" in name]
    assert sheets == ["xl/worksheets/sheet.xml"]


def test_workbook_of_too_many_parts_is_refused(unread):
    assert refusal(packed(**{f"part{number}": "" for number in range(1001)})) == "too_big"
    assert unread == []


def test_workbook_whose_parts_have_other_names_is_read():
    with zipfile.ZipFile(xlsx_rows(HEADER)) as archive:
        package = archive.read("_rels/.rels").decode().replace("xl/workbook.xml", "xl/workbook2.xml")
    file = with_parts({"_rels/.rels": package}, rename=lambda name: name.replace("workbook.xml", "workbook2.xml"))

    assert read(file)[0] == HEADER


def test_dates_of_either_calendar_are_read():
    for epoch in (CALENDAR_WINDOWS_1900, CALENDAR_MAC_1904):
        workbook = Workbook()
        workbook.epoch = epoch
        workbook.active.append(HEADER)
        workbook.active.append(["Ana", dt.date(1990, 4, 3), 351930000001])

        assert read(saved(workbook))[1] == [(2, ["Ana", "1990-04-03", "351930000001"])], epoch


def test_error_in_a_cell_is_not_an_empty_cell():
    _header, rows, _how = read(with_rows(f"<row>{cell('A1')}</row><row>{cell('B2', '#N/A', 'e')}</row>"))

    assert rows == [(2, ["", "#N/A"])]


def test_error_that_calamine_does_not_know_is_refused_with_its_row():
    with pytest.raises(ValidationError, match="row 2 shows the error #SPILL!") as refused:
        read(with_rows(f"<row>{cell('A1')}</row><row>{cell('B2', '#SPILL!', 'e')}</row>"))

    assert refused.value.code == "not_a_sheet"


def test_first_columns_and_rows_that_are_empty_are_counted():
    assert read(with_rows(f'<row r="3">{cell("C3")}</row>'))[0] == ["", "", "1"]


MEMORY = """
import io, resource, sys
import django
django.setup()
from django.core.exceptions import ValidationError
from clinic.spreadsheets.reader import read_sheet

def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

upload = io.BytesIO(sys.stdin.buffer.read())
upload.size = len(upload.getvalue())
before = peak_memory()
try:
    count = sum(1 for row in read_sheet(upload, bool).rows)
except ValidationError as error:
    count = error.code
print(count, peak_memory() - before)
"""


@pytest.mark.stress
@pytest.mark.skipif(connection.vendor != "sqlite", reason="reading a file uses no database, so one run is enough")
def test_largest_sheets_take_bounded_memory():
    files = {
        "empty cells": (with_rows(f"<row>{'<c/>' * 16_384}</row>" * 70), "no_rows"),
        "too many cells": (with_rows(f"<row>{'<c/>' * 16_384}</row>" * 450), "too_big"),
        "all rows": (with_rows(f"<row>{cell('A1')}</row><row>{cell('E1048576')}</row>"), "1"),
        "many values": (with_rows(f"<row>{'<c><v>1</v></c>' * 50}</row>" * 11_000), "10999"),
        "too many rows": (with_rows("<row><c><v>1</v></c></row>" * 38_000), "too_many_rows"),
    }
    for name, (file, expected) in files.items():
        done = subprocess.run([sys.executable, "-c", MEMORY], input=file.read(), capture_output=True, check=True)
        count, megabytes = done.stdout.decode().split()

        assert count == expected, name
        assert int(megabytes) < 250, name


def test_wide_and_long_sheet_is_read():
    _header, rows, _how = read(xlsx_rows(HEADER, *[[*ANA, *["x"] * 47]] * 1100))

    assert len(rows) == 1100


def test_row_at_the_end_of_a_sheet_is_read_with_its_number():
    workbook = Workbook()
    workbook.active.append(HEADER)
    workbook.active.cell(row=1_048_576, column=1, value="Ana")

    _header, rows, _how = read(saved(workbook))

    assert [number for number, _cells in rows] == [1_048_576]


def test_invalid_file_is_refused():
    files = [
        (SimpleUploadedFile("x.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600), "old_format"),
        (SimpleUploadedFile("x.xlsx", b"PK\x03\x04 and then nothing"), "not_a_sheet"),
        (packed(readme="not a workbook"), "not_a_sheet"),
        (SimpleUploadedFile("x.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "not_a_sheet"),
        (SimpleUploadedFile("x.csv", b"First name\x81\x8d\xff"), "encoding"),
        (SimpleUploadedFile("x.csv", b"\xff\xfeA"), "encoding"),
        (csv_file('First name,Last name,E-mail\n"' + "a" * 140_000), "not_a_sheet"),
        (csv_file("\n\n  \n"), "no_rows"),
        (csv_file("sep=;"), "no_rows"),
    ]

    assert [refusal(file) for file, _code in files] == [code for _file, code in files]


QUOTED = "First name,Last name,E-mail,Note\nA,One,a@x.pt,fine\n"


def test_quotation_mark_that_is_not_closed_is_refused_with_its_row():
    rests = {
        "at the end": 'B,Two,b@x.pt,"likes tea\nC,Three,c@x.pt,\n',
        "before another": 'B,Two,b@x.pt,"likes tea\nC,Three,c@x.pt,"coffee"\nD,Four,d@x.pt,\n',
        "in a name": '"B,Two,b@x.pt,\nC,Three,c@x.pt,\n',
        "in a long file": 'B,Two,b@x.pt,"' + "long " * 40_000,
    }
    for place, rest in rests.items():
        with pytest.raises(ValidationError, match="in row 3 is not closed") as refused:
            read(csv_file(QUOTED + rest))

        assert refused.value.code == "not_a_sheet", place


def test_cell_that_is_merely_long_is_read():
    for mark in ('"', ""):
        _header, rows, _how = read(csv_file(f"{QUOTED}B,Two,b@x.pt,{mark}{'a' * 140_000}{mark}\nC,Three,c@x.pt,\n"))

        assert [number for number, _cells in rows] == [2, 3, 4]


def test_quotation_marks_doubled_or_in_an_unquoted_cell_are_text():
    _header, rows, _how = read(csv_file(QUOTED + 'B,Two,b@x.pt,5" nail\nC,Three,c@x.pt,"says ""hm"""\n'))

    assert [cells[3] for _number, cells in rows] == ["fine", '5" nail', 'says "hm"']


def test_invalid_byte_in_a_utf_8_file_is_refused_with_its_row():
    text = 'First name,Last name,E-mail,Note\nJoão,Sá,j@x.pt,"two\nlines"\n'
    for mark in (b"", b"\xef\xbb\xbf"):
        file = SimpleUploadedFile("x.csv", mark + text.encode() + b"Ana,Lima,a@x.pt,\nRen\xe9,Sol,r@x.pt,\n")

        with pytest.raises(ValidationError, match="Row 4 has a character that is not UTF-8") as refused:
            read(file)

        assert refused.value.code == "encoding", mark


def test_sheet_says_whether_its_encoding_was_guessed():
    for encoding, is_guessed in (("utf-8", False), ("cp1252", True)):
        sheet = read_sheet(csv_file(",".join(HEADER) + "\nJoão,Sá,j@x.pt\n", encoding), KNOWN.__contains__)

        assert sheet.is_guessed is is_guessed, encoding
        assert next(sheet.rows) == (2, ["João", "Sá", "j@x.pt"]), encoding


def test_line_ends_of_any_system_are_understood():
    for line_end in ("\r", "\n", "\r\n"):
        for first in ([], ["sep=;"]):
            text = line_end.join([*first, ";".join(HEADER), "Ana;Sá;ana@example.org", "Rui;Sá;rui@example.org"])

            header, rows, _how = read(csv_file(text))

            assert header == HEADER, repr(text)
            assert [cells[0] for _number, cells in rows] == ["Ana", "Rui"], repr(text)


def test_formula_without_a_value_is_not_an_empty_cell():
    _header, rows, _how = read(xlsx_rows(HEADER, ANA, ["Rui", "=A2", "r@x.pt"]))

    assert rows[1] == (3, ["Rui", NO_VALUE, "r@x.pt"])


def test_formula_with_a_value_is_read_as_its_value():
    expected = {
        '<c r="B2" t="str"><f>A1</f><v></v></c>': "",
        '<c r="B2" t="str"><f>A1</f><v>Lima</v></c>': "Lima",
        '<c r="B2"><f>A1</f><v>7</v></c>': "7",
        '<c r="B2"><f>A1</f></c>': NO_VALUE,
    }
    row = '<c r="A{0}" t="inlineStr"><is><t>Ana</t></is></c>{1}<c r="C{0}" t="inlineStr"><is><t>x</t></is></c>'
    for middle, text in expected.items():
        rows = f'<row r="1">{row.format(1, "")}</row><row r="2">{row.format(2, middle)}</row>'

        assert read(with_rows(rows))[1] == [(2, ["Ana", text, "x"])], middle


def test_cell_beyond_the_last_column_is_refused():
    codes = {}
    for row, column in ((1, 51), (1, 80), (3, 51), (300, 51)):
        workbook = Workbook()
        workbook.active.append(HEADER)
        workbook.active.append(ANA)
        workbook.active.cell(row=row, column=column, value="x")

        codes[row, column] = refusal(saved(workbook))

    assert codes == dict.fromkeys(codes, "too_many_columns")


def test_first_visible_sheet_with_cells_is_read_and_others_are_named():
    workbook = Workbook()
    for title in ("Patients", "More", "Nothing", "Hidden"):
        sheet = workbook.create_sheet(title)
        if title != "Nothing":
            sheet.append(HEADER)
    workbook["Hidden"].sheet_state = "hidden"

    sheet = read_sheet(saved(workbook), KNOWN.__contains__)

    assert "Patients" in sheet.how
    assert sheet.other_sheets == ["More"]


def test_first_line_is_compared_up_to_the_column_limit():
    compared = []

    def is_known(cell):
        compared.append(len(cell))
        return False

    for line in ("x" * 3_000_000, "x," * 1_500_000):
        compared.clear()

        with suppress(ValidationError):
            read_sheet(SimpleUploadedFile("sheet.csv", line.encode()), is_known)

        assert 0 < sum(compared) <= 3 * 50 * 1000  # separators, columns, characters
        assert len(compared) <= 3 * 50
