"""Reads the rows of an uploaded CSV or XLSX file; see docs/decisions/018-spreadsheets.md."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _

from clinic.ops.request_limits import MAX_FILE
from clinic.spreadsheets.cells import cell_text
from clinic.spreadsheets.csv_reader import read_csv
from clinic.spreadsheets.refusals import (
    MAX_CELL,
    MAX_COLUMNS,
    refuse,
    refuse_columns,
    refuse_empty,
    refuse_rows,
    refuse_unpacked_size,
)
from clinic.spreadsheets.xlsx_reader import read_xlsx

MAX_BYTES = MAX_FILE
MAX_ROWS = 20_000
_MAX_TEXT = 2 * MAX_BYTES  # characters of all cells; a workbook may repeat a text in each of them
_MAX_ROWS_WITH_EMPTY = 1_100_000  # a sheet has 1,048,576, most of them empty

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"

Cells = list[str]


@dataclass(frozen=True)
class UploadedSheet:
    """`rows` excludes the header and empty rows, each row with its number in the file, from 1.

    `how` describes how the file was read, for people to check. `is_guessed`: the encoding may be wrong.
    """

    header: Cells
    rows: Iterator[tuple[int, Cells]]
    how: str
    is_guessed: bool = False
    other_sheets: Sequence[str] = ()


def read_sheet(upload: Any, is_known: Callable[[str], bool]) -> UploadedSheet:
    """Open an uploaded file; `is_known` recognises column names, by which the separator of CSV is chosen.

    Raises:
        ValidationError: `too_big`, `not_a_sheet`, `old_format`, `encoding`, `no_rows`, `too_many_columns`; and while
            the rows are read `too_many_rows` and `not_a_sheet`.
    """
    if upload.size > MAX_BYTES:
        refuse("too_big", _("The file is larger than 5 MB. Split it into smaller files."))
    upload.seek(0)
    beginning = upload.read(len(_ZIP))
    upload.seek(0)
    if beginning == _OLE:
        refuse("old_format", _("This is an old or an encrypted Excel file. Save it as .xlsx without a password."))
    is_guessed, other_sheets = False, list[str]()
    if beginning == _ZIP:
        rows, how, other_sheets = read_xlsx(upload)
    else:
        rows, how, is_guessed = read_csv(upload.read(), is_known)
    filled = _without_empty_rows(rows)
    header = next(filled, None)
    if header is None:
        refuse_empty()
    # All of them at once, so that a file with too many is refused before any is checked and stored.
    limited = list(_limited(filled))
    return UploadedSheet(header[1], iter(limited), how, is_guessed, other_sheets)


def _without_empty_rows(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[int, Cells]]:
    for number, row in enumerate(rows, start=1):
        if number > _MAX_ROWS_WITH_EMPTY:
            refuse_rows()
        if row.count("") == len(row):
            continue  # fast, as a sheet may have a million of these
        if any(map(_has_text, islice(row, MAX_COLUMNS, None))):
            refuse_columns()
        cells = [cell_text(value)[:MAX_CELL] for value in row[:MAX_COLUMNS]]
        if any(map(str.strip, cells)):
            yield number, cells


def _has_text(value: Any) -> bool:
    return bool(cell_text(value).strip())


def _limited(rows: Iterator[tuple[int, Cells]]) -> Iterator[tuple[int, Cells]]:
    length = 0
    for count, (number, cells) in enumerate(rows, start=1):
        if count > MAX_ROWS:
            refuse_rows()
        length += sum(map(len, cells))
        if length > _MAX_TEXT:
            refuse_unpacked_size()
        while not cells[-1].strip():
            cells.pop()
        yield number, cells
