"""Reads the rows of an uploaded CSV or XLSX file one by one, within bounds.

tablib, which django-import-export reads files with, holds a whole file as objects before it hands out the first row,
and knows neither encodings nor separators. So the standard library and openpyxl's read-only mode read here, and
memory is bounded by the limits below, whatever a file claims or unpacks to.
"""

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, NoReturn
from xml.parsers import expat

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from openpyxl import load_workbook
from openpyxl.utils.cell import coordinate_to_tuple

from clinic.ops.request_limits import MAX_FILE
from clinic.spreadsheets.cells import NO_VALUE, cell_text

MAX_BYTES = MAX_FILE
MAX_ROWS = 20_000
MAX_COLUMNS = 50
MAX_CELL = 1000  # characters that are kept; no field takes as many
_MAX_ROWS_LOOKED_AT = 1_100_000  # a sheet has 1,048,576, most of them empty

# What the parts of an XLSX file may unpack to. openpyxl streams rows, and holds whatever else there is as objects: a
# row of 30 MB made of empty cells took 2.4 GB.
_MAX_UNPACKED_SHEET = 30 * 1024 * 1024
_MAX_UNPACKED_TEXTS = 12 * 1024 * 1024
_MAX_UNPACKED_OTHER = 1024 * 1024
_MAX_PARTS = 1000
_MAX_ELEMENTS_HELD = 50_000  # of a row, or beside the rows; a row of all columns that there are has half as many
_MAX_TEXT_ELEMENTS = 1_000_000
_ROW_DEPTH = 3  # worksheet, sheetData, row
_READ_AT_ONCE = 64 * 1024

_MAX_SHEETS_LOOKED_AT = 50
_ROWS_AT_THE_TOP = 100  # where a sheet that has cells has some, and its header
_MAX_VALUELESS_NOTED = 10_000

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: ("utf-8-sig", "UTF-8"),
    codecs.BOM_UTF16_LE: ("utf-16", "UTF-16"),
    codecs.BOM_UTF16_BE: ("utf-16", "UTF-16"),
}

_LINE_END = re.compile("\\r\\n|\\r|\\n")  # the second that of old Macs
_GUESSED = "Windows-1252"
_NOT_ASCII = re.compile("[^\\x00-\\x7f]")
_ODD = re.compile("[\\udc80-\\udcff]")  # a byte that is not UTF-8

Cells = list[str]

# A cell may be as long as the file, so that one whose quotation mark is not closed is found at the end of the file and
# not taken for a long one. What the module allows otherwise is 131,072 characters.
csv.field_size_limit(MAX_BYTES)


@dataclass(frozen=True)
class UploadedSheet:
    """A file being read. `rows` are those below the header that are not empty, each with its number in the file.

    `how` says how the file was understood, for people to check; `is_guessed` whether its letters could be others;
    `other_sheets` what is left aside in a workbook.
    """

    header: Cells
    rows: Iterator[tuple[int, Cells]]
    how: str
    is_guessed: bool = False
    other_sheets: Sequence[str] = ()


def read_sheet(upload: Any, knows: Callable[[str], bool]) -> UploadedSheet:
    """Open an uploaded file; its rows are read as they are asked for. `knows` tells which column names are known.

    Raises:
        ValidationError: `too_big`, `not_a_sheet`, `old_format`, `encoding`, `no_rows`, `too_many_columns`; and while
            rows are read `too_many_rows`, `too_many_columns` and `not_a_sheet`.
    """
    if upload.size > MAX_BYTES:
        _refuse("too_big", _("The file has more than 5 MB. Split it into smaller ones."))
    upload.seek(0)
    beginning = upload.read(len(_ZIP))
    upload.seek(0)
    if beginning == _OLE:
        _refuse("old_format", _("This is an old or an encrypted Excel file. Save it as .xlsx without a password."))
    if beginning == _ZIP:
        rows, how, other_sheets = _xlsx_rows(upload)
        is_guessed = False
    else:
        rows, how, is_guessed = _csv_rows(upload.read(), knows)
        other_sheets = []
    filled = _filled(rows)
    header = next(filled, None)
    if header is None:
        _refuse("no_rows", _("The file is empty."))
    return UploadedSheet(header[1], _counted(filled), how, is_guessed, other_sheets)


def _filled(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[int, Cells]]:
    """Yield the rows that are not empty, each with its number, which counts empty ones too."""
    for number, row in enumerate(rows, start=1):
        if number > _MAX_ROWS_LOOKED_AT:
            _refuse_rows()
        if row.count(None) == len(row):
            continue  # quickly: a sheet may have a million of these
        cells = [cell_text(value)[:MAX_CELL] for value in row]
        if any(cell.strip() for cell in cells):
            yield number, cells


def _counted(rows: Iterator[tuple[int, Cells]]) -> Iterator[tuple[int, Cells]]:
    for count, (number, cells) in enumerate(rows, start=1):
        if count > MAX_ROWS:
            _refuse_rows()
        while not cells[-1].strip():
            cells.pop()
        yield number, cells


def _csv_rows(data: bytes, knows: Callable[[str], bool]) -> tuple[Iterator[Cells], str, bool]:
    text, encoding = _decoded(data)
    separator, text = _separator(text, knows)
    _check_letters(text, separator)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    how = _("CSV in %(encoding)s, cells separated by %(separator)s") % {
        "encoding": encoding,
        "separator": _SEPARATORS[separator],
    }
    return _csv_guarded(rows), how, encoding == _GUESSED


def _csv_guarded(rows: Iterator[Cells]) -> Iterator[Cells]:
    """Yield the rows. A quotation mark that is not closed would silently make one cell of all the rows after it."""
    opened = 1
    try:
        for row in rows:
            yield row
            opened += 1
    except csv.Error:
        said = _('A quotation mark (") in row %(row)d is opened and not closed. One inside a cell is written twice.')
        _refuse("not_a_sheet", said % {"row": opened})


def _decoded(data: bytes) -> tuple[str, str]:
    """Return the text and the name of its encoding: as the file's mark says, else UTF-8, else Excel's Windows-1252.

    Odd bytes in what is otherwise UTF-8 become lone surrogates: as Windows-1252 every other name would be spoilt.
    """
    for mark, (codec, name) in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return _strictly(data, codec, errors="surrogateescape" if name == "UTF-8" else "strict"), name
    if b"\0" in data:
        _refuse("not_a_sheet", _("This is neither a CSV nor an XLSX file."))
    text = data.decode("utf-8", errors="surrogateescape")
    odd = len(_ODD.findall(text))
    is_mostly_utf8 = odd <= len(_NOT_ASCII.findall(text)) - odd
    return (text, "UTF-8") if is_mostly_utf8 else (_strictly(data, "cp1252"), _GUESSED)


def _strictly(data: bytes, codec: str, errors: str = "strict") -> str:
    try:
        return data.decode(codec, errors)
    except UnicodeDecodeError:
        _refuse("encoding", _("The letters of this file cannot be read. Save it as “CSV UTF-8” or as .xlsx."))


def _check_letters(text: str, separator: str) -> None:
    """Refuse a text with odd bytes and say in which row the first one is."""
    found = _ODD.search(text)
    if found:
        before = io.StringIO(text[: found.end()], newline="")
        said = _(
            "Row %(row)s has a character that is not UTF-8, unlike the rest of the file. "
            "Save the file anew as “CSV UTF-8” or as .xlsx."
        )
        row = sum(1 for _row in csv.reader(before, delimiter=separator))
        _refuse("encoding", said % {"row": f"{row:,}"})


def _separator(text: str, knows: Callable[[str], bool]) -> tuple[str, str]:
    """Return what parts the cells, and the text from its header on: the separator that finds most known columns.

    Excel writes a first line `sep=;` into files that name it.
    """
    first, *rest = _LINE_END.split(text, maxsplit=1)
    named = first.strip().strip('"').lower()
    if named.startswith("sep=") and named[4:] in _SEPARATORS:
        return named[4:], "\n" + "".join(rest)  # the line stays, empty, so that rows keep their numbers
    header = _LINE_END.split(text.lstrip(), maxsplit=1)[0]

    def known(separator: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([header], delimiter=separator), [])
        except csv.Error:
            return 0, 0
        return sum(map(knows, cells)), len(cells)

    return max(_SEPARATORS, key=known), text


def _xlsx_rows(upload: IO[bytes]) -> tuple[Iterator[Sequence[Any]], str, list[str]]:
    """Return the rows of the first visible sheet that has cells, how they were read, and the names of other such."""
    looks = _look_through(upload)
    workbook: Any = _parsed(lambda: load_workbook(upload, read_only=True, data_only=True, keep_links=False))
    shown = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"][:_MAX_SHEETS_LOOKED_AT]
    filled = [sheet for sheet in shown if _parsed(partial(_has_cells, sheet))]
    if not filled:
        _refuse("no_rows", _("The file is empty."))
    sheet, *others = filled
    _parsed(lambda: _check_width(sheet))
    rows = sheet.iter_rows(max_col=MAX_COLUMNS + 1, values_only=True, max_row=_MAX_ROWS_LOOKED_AT)
    # openpyxl tells the part of a sheet under no public name, and of a formula without a value only that it is empty.
    look = looks.get(sheet._worksheet_path.lower())  # noqa: SLF001
    rows = _with_valueless(_parsed_rows(iter(rows)), look.valueless if look else set())
    return _narrow(rows), _("Excel, sheet “%(title)s”") % {"title": sheet.title}, [each.title for each in others]


def _has_cells(sheet: Any) -> bool:
    rows = sheet.iter_rows(max_col=MAX_COLUMNS, values_only=True, max_row=_ROWS_AT_THE_TOP)
    return any(row.count(None) < len(row) for row in rows)


def _check_width(sheet: Any) -> None:
    """Refuse a sheet whose header names columns that are not read. Of rows far below only the next column is seen."""
    for row in sheet.iter_rows(values_only=True, max_row=_ROWS_AT_THE_TOP):
        if any(value is not None for value in row[MAX_COLUMNS:]):
            _refuse_columns()


def _narrow(rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    for row in rows:
        if any(value is not None for value in row[MAX_COLUMNS:]):
            _refuse_columns()
        yield row[:MAX_COLUMNS]


def _with_valueless(rows: Iterable[Sequence[Any]], valueless: set[tuple[int, int]]) -> Iterator[Sequence[Any]]:
    """Yield the rows with `NO_VALUE` in those cells, each named by row and column, that are no empty ones."""
    in_rows: dict[int, list[int]] = {}
    for number, column in valueless:
        in_rows.setdefault(number, []).append(column)
    for number, row in enumerate(rows, start=1):
        if number not in in_rows:
            yield row
            continue
        cells = list(row)
        for column in in_rows[number]:
            if column <= len(cells):
                cells[column - 1] = NO_VALUE
        yield cells


def _look_through(upload: IO[bytes]) -> dict[str, "_PartLook"]:
    """Refuse what would unpack to far more than it is; return what was seen of each sheet.

    A part that claims too little is cut off there by zipfile.
    """
    looks = {}
    with _parsed(lambda: zipfile.ZipFile(upload)) as archive:
        if len(archive.infolist()) > _MAX_PARTS:
            _refuse_unpacked()
        for part in archive.infolist():
            name = part.filename.lower()
            if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                looks[name] = _PartLook(most_elements=_MAX_ELEMENTS_HELD)
                looks[name].read(archive, part, most_bytes=_MAX_UNPACKED_SHEET)
            elif name == "xl/sharedstrings.xml":
                _PartLook(most_elements=_MAX_TEXT_ELEMENTS).read(archive, part, most_bytes=_MAX_UNPACKED_TEXTS)
            elif part.file_size > _MAX_UNPACKED_OTHER:
                _refuse_unpacked()
            else:
                _parsed(partial(_check_prolog, archive, part))
    return looks


def _check_prolog(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Refuse a part that begins as XML with a document type, by whatever name openpyxl would come to it."""
    with archive.open(part) as stream, suppress(expat.ExpatError):
        _xml_parser().Parse(stream.read(), True)


def _xml_parser() -> Any:
    """Return a parser that stops at a document type: its entities could grow to anything, and no program writes one."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = _refuse_document_type
    return parser


class _PartLook:
    """Looks through a part of a workbook without holding anything of it but where formulas have no value.

    Programs that write workbooks without calculating leave them so. A value that is an empty text says it is a text.
    """

    def __init__(self, *, most_elements: int) -> None:
        self.valueless: set[tuple[int, int]] = set()
        self._most_elements = most_elements
        self._depth = self._held = 0
        self._section = ""
        self._cell: dict[str, str] = {}
        self._has_formula = self._has_value = self._in_value = False
        self._parser = _xml_parser()
        self._parser.StartElementHandler, self._parser.EndElementHandler = self._started, self._ended

    def read(self, archive: zipfile.ZipFile, part: zipfile.ZipInfo, *, most_bytes: int) -> None:
        """Refuse a part of which too much would have to be held at once."""
        if part.file_size > most_bytes:
            _refuse_unpacked()
        with _parsed(lambda: archive.open(part)) as stream:
            while data := _parsed(lambda: stream.read(_READ_AT_ONCE)):
                _parsed(partial(self._parser.Parse, data, False))

    def _started(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._held += 1
        if self._held > self._most_elements:
            _refuse_unpacked()
        if self._depth == _ROW_DEPTH - 1:
            self._section = name
        elif self._depth == _ROW_DEPTH + 1:
            self._cell, self._has_formula, self._has_value = attributes, False, False
        elif self._depth == _ROW_DEPTH + 2:
            self._started_in_cell(name)

    def _started_in_cell(self, name: str) -> None:
        if name.endswith(" f"):
            self._has_formula = True
            self._parser.CharacterDataHandler = self._text  # only here: a call for each text takes time
        self._in_value = name.endswith(" v")

    def _text(self, _text: str) -> None:
        self._has_value = self._has_value or self._in_value

    def _ended(self, _name: str) -> None:
        if self._depth == _ROW_DEPTH and self._section.endswith(" sheetData"):
            self._held = 0  # openpyxl hands the row over and forgets it
        elif self._depth == _ROW_DEPTH + 1 and self._has_formula:
            self._ended_formula()
        elif self._depth == _ROW_DEPTH + 2:
            self._in_value = False
        self._depth -= 1

    def _ended_formula(self) -> None:
        self._parser.CharacterDataHandler = None
        is_valueless = not self._has_value and self._cell.get("t") != "str" and "r" in self._cell
        # One is enough to keep a file from being imported, so that it does no harm to stop noting them.
        if is_valueless and len(self.valueless) < _MAX_VALUELESS_NOTED:
            self.valueless.add(coordinate_to_tuple(self._cell["r"]))


def _parsed_rows(rows: Iterator[Any]) -> Iterator[Any]:
    nothing = object()
    while (row := _parsed(lambda: next(rows, nothing))) is not nothing:
        yield row


def _parsed(step: Callable[[], Any]) -> Any:
    """Return what a step of reading an XLSX file comes to.

    Raises:
        ValidationError: `not_a_sheet` for whatever the parsers of ZIP, XML and openpyxl stumble over.
    """
    try:
        return step()
    except ValidationError:
        raise
    except Exception as error:  # they raise a dozen kinds, from KeyError to zlib.error
        raise ValidationError(_("This is neither a CSV nor an XLSX file."), code="not_a_sheet") from error


def _refuse_unpacked() -> NoReturn:
    _refuse("too_big", _("The file unpacks to too much. Copy its rows into a new file, or save it as CSV."))


def _refuse_document_type(*_declared: Any) -> NoReturn:
    _refuse("not_a_sheet", _("This is neither a CSV nor an XLSX file."))


def _refuse_columns() -> NoReturn:
    _refuse("too_many_columns", _("The sheet has cells beyond its 50th column. Delete columns not needed."))


def _refuse_rows() -> NoReturn:
    _refuse("too_many_rows", _("The file has more than 20,000 rows. Split it into smaller ones."))


def _refuse(code: str, message: str) -> NoReturn:
    raise ValidationError(message, code=code)
