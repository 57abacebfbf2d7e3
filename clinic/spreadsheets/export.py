"""Streams rows as a CSV or XLSX file, in memory that does not depend on their number."""

import csv
import datetime as dt
import io
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from django.http import FileResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.utils import get_column_letter

from clinic.spreadsheets.cells import guarded

FORMATS = {"csv": "CSV", "xlsx": "Excel (XLSX)"}
ROWS_A_CHUNK = 500
COLUMN_WIDTH = 18  # in characters
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BYTE_ORDER_MARK = "\ufeff"  # without it Excel does not recognise UTF-8

log = logging.getLogger(__name__)

Cell = str | int | dt.date | dt.time
Row = Sequence[Cell]


def sent_rows(kind: str, name: str, header: Row, rows: Iterable[Row], *, user: Any, as_format: str) -> HttpResponseBase:
    """`name` has no extension; `as_format` is one of `FORMATS`. The log records who exported how many rows."""
    logged = _logged(rows, kind, user, as_format)
    if as_format == "xlsx":
        return FileResponse(
            _xlsx_file(header, logged), as_attachment=True, filename=f"{name}.xlsx", content_type=XLSX_TYPE
        )
    disposition = f'attachment; filename="{name}.csv"'
    return StreamingHttpResponse(
        _csv_parts(header, logged), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
    )


def _logged(rows: Iterable[Row], kind: str, user: Any, as_format: str) -> Iterator[Row]:
    count = 0
    try:
        for row in rows:
            count += 1
            yield row
    finally:  # also if the client has disconnected
        log.info("export of %s as %s by user %s: %s rows", kind, as_format, user.pk, count)


def _csv_parts(header: Row, rows: Iterator[Row]) -> Iterator[str]:
    yield BYTE_ORDER_MARK + _csv_text([header])
    while chunk := list(islice(rows, ROWS_A_CHUNK)):
        yield _csv_text(chunk)


def _csv_text(rows: list[Row]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([_csv_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _csv_cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return guarded(cell)
    return f"{cell:%H:%M}" if isinstance(cell, dt.time) else str(cell)


def _xlsx_file(header: Row, rows: Iterator[Row]) -> Any:
    """Return an open temporary file. A text is never a formula; dates and numbers keep their types."""
    workbook = Workbook(write_only=True)
    sheet: Any = workbook.create_sheet()
    sheet.freeze_panes = "A2"
    for number in range(len(header)):
        sheet.column_dimensions[get_column_letter(number + 1)].width = COLUMN_WIDTH

    def xlsx_cell(value: Cell) -> Any:
        if not isinstance(value, str):
            return value
        cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("", value))
        cell.data_type = "s"
        return cell

    sheet.append(header)
    for row in rows:
        sheet.append([xlsx_cell(cell) for cell in row])
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- the response closes it
    workbook.save(file)
    file.seek(0)
    return file
