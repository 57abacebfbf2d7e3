"""Drafts of imports: from an uploaded file to rows that are judged and kept, and from those to records, all or none.

Rows are judged in batches, so that the number of queries and the memory depend on the batch and not on the file;
between preview and confirmation they lie in the database.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from openpyxl.utils import get_column_letter

from clinic.accounts.models import User
from clinic.spreadsheets.cells import DateWidget
from clinic.spreadsheets.importer import Importer, Line
from clinic.spreadsheets.models import ImportDraft, ImportRow, Verdict
from clinic.spreadsheets.reader import UploadedSheet, read_sheet

BATCH = 500
MAX_FILE_NAME = 100
MAX_COLUMN_NAME = 40

log = logging.getLogger(__name__)

# From a file to a draft


def open_draft(importer: Importer, upload: Any, *, by: User, month_first: bool) -> ImportDraft:
    """Read an uploaded file, judge its rows and keep them for a preview.

    The owner's draft before goes, but only once there is a new one: a file that is refused takes nothing away.
    A batch a transaction: on SQLite one of the whole file would make every booking wait.

    Raises:
        ValidationError: for what is no file of this kind; nothing is then kept.
    """
    sheet = read_sheet(upload, is_known=lambda header: importer.field_loosely_named(header) is not None)
    columns, ignored = _columns(importer, sheet.header)
    ImportDraft.objects.purge()
    draft = ImportDraft.objects.create(owner=by, kind=importer.kind)
    noted = _Noted(importer)
    try:
        _keep_rows(importer, draft, _lines(sheet, columns, noted), noted, month_first=month_first)
        if not draft.rows.exists():
            raise ValidationError(_("The file has a header and no rows."), code="no_rows")
    except BaseException:
        draft.delete()
        raise
    draft.said = {
        "file": upload.name[:MAX_FILE_NAME],
        "how": sheet.how,
        "other_sheets": [title[:MAX_COLUMN_NAME] for title in sheet.other_sheets],
        "is_guessed": sheet.is_guessed,
        "sample": noted.sample,
        "ignored": ignored + [f"{get_column_letter(at + 1)} (without a name)" for at in sorted(noted.nameless)],
        "month_first": month_first,
        "misread": noted.can_be_misread,
        "first_misread": noted.first_misread,
        "errors": noted.errors,
    }
    _put_in_place(draft)
    return draft


def _put_in_place(draft: ImportDraft) -> None:
    # Those that are not ready are other uploads under way, whose rows need their draft.
    with transaction.atomic():
        ImportDraft.objects.filter(owner=draft.owner, kind=draft.kind, is_ready=True).delete()
        draft.is_ready = True
        draft.save()


def _columns(importer: Importer, header: list[str]) -> tuple[list[str | None], list[str]]:
    """Return the field of each column, and the names of those that are for none.

    Raises:
        ValidationError: `columns`, naming those that are missing or come twice.
    """
    columns = _fields_of(importer, header)
    missing = [importer.label(name) for name in importer.required if name not in columns]
    twice = [importer.label(name) for name in importer.fields if columns.count(name) > 1]
    unknown = [name.strip() for name, column in zip(header, columns, strict=True) if column is None]
    ignored = [name[:MAX_COLUMN_NAME] for name in unknown if name]
    if missing or twice:
        said = []
        if missing:
            said.append(_("The file has no column %(names)s.") % {"names": ", ".join(missing)})
        if twice:
            said.append(_("The file has several columns %(names)s.") % {"names": ", ".join(twice)})
        if ignored:
            said.append(_("It has these, which are not known: %(names)s.") % {"names": ", ".join(ignored)})
        raise ValidationError(" ".join(said), code="columns")
    return columns, ignored


def _fields_of(importer: Importer, header: list[str]) -> list[str | None]:
    exact = [importer.field_named(name) for name in header]
    # Beside “E-mail”, a column “E-mail (work)” is another one.
    free = {name for name in importer.fields if name not in exact}
    loose = [name if (name := importer.field_loosely_named(each)) in free else None for each in header]
    return [column or other for column, other in zip(exact, loose, strict=True)]


def _lines(sheet: UploadedSheet, columns: list[str | None], noted: "_Noted") -> Iterator[Line]:
    nameless = {at for at, name in enumerate(sheet.header) if not name.strip()}
    for number, cells in sheet.rows:
        noted.nameless.update(at for at in nameless if at < len(cells) and cells[at].strip())
        line = Line(number, dict.fromkeys(filter(None, columns), ""))
        line.cells |= {column: cell for column, cell in zip(columns, cells, strict=False) if column}
        if len(cells) > len(columns):
            line.refuse("", _("The row has more cells than the header has columns."))
        yield line


class _Noted:
    """What is noted of the rows together while they are judged.

    Those are the dates that would be others if day and month changed places, how many rows have an error by column, the
    first text with a letter that depends on the encoding, and which columns have cells but no name.
    """

    def __init__(self, importer: Importer) -> None:
        self._widgets = {n: f.widget for n, f in importer.fields.items() if isinstance(f.widget, DateWidget)}
        self.can_be_misread = 0
        self.first_misread: dict[str, Any] | None = None
        self.errors: Counter[str] = Counter()
        self.sample: dict[str, Any] | None = None
        self.nameless: set[int] = set()

    def look_at(self, line: Line) -> None:
        """Note what there is in a line that has its verdict."""
        self._look_at_dates(line)
        if self.sample is None:
            special = (text for text in line.cells.values() if not text.isascii() and any(map(_is_special, text)))
            self.sample = next(({"row": line.number, "text": text} for text in special), None)
        if line.verdict == Verdict.ERROR:
            self.errors.update({column for column, _remark in line.remarks})

    def _look_at_dates(self, line: Line) -> None:
        for name, widget in self._widgets.items():
            if widget.can_be_misread(line.cells.get(name, "")):
                self.can_be_misread += 1
                read = getattr(line.record, name)
                if read and self.first_misread is None:
                    self.first_misread = {"row": line.number, "typed": line.cells[name], "read": read.isoformat()}


def _is_special(char: str) -> bool:
    return char.isalpha() and not char.isascii()


def _keep_rows(
    importer: Importer, draft: ImportDraft, lines: Iterable[Line], noted: _Noted, *, month_first: bool
) -> None:
    judge = importer.judge()
    for batch in _batches(lines):
        for line in batch:
            importer.as_record(line, month_first=month_first)
        judge.judge(batch)
        for line in batch:
            noted.look_at(line)
        ImportRow.objects.bulk_create(
            [
                ImportRow(
                    draft=draft,
                    number=line.number,
                    cells=line.cells,
                    verdict=line.verdict,
                    remarks=line.remarks,
                    like=line.like,
                )
                for line in batch
            ]
        )


# From a draft to records


class ChangedMeanwhile(Exception):  # noqa: N818 -- a word of the domain
    """What is registered has changed since the preview, so that some rows would now do something else."""


class NothingChosen(Exception):  # noqa: N818 -- a word of the domain
    """No row is new, and of those that may be registered already none was chosen."""


def confirm(importer: Importer, pk: int, *, by: User, also: set[Verdict]) -> int:
    """Import the new rows of a draft, and those of the verdicts `also`, all or none; return how many records that were.

    Every row is checked again, in the same transaction. The rows that are left out stay, so that people can see whom
    they have not registered. Confirmed twice, it says again how many there were.

    Locks: the draft's row.

    Raises:
        ImportDraft.DoesNotExist: if the owner has no such draft, or not any more.
        ChangedMeanwhile: if any row would now do something else than the preview said. Nothing is then imported.
        NothingChosen: if no row would be imported. The preview then stays as it is.
    """
    chosen = {Verdict.NEW, *also}
    with transaction.atomic():
        draft = ImportDraft.objects.of(by, importer.kind).select_for_update().get(pk=pk)
        if draft.registered is not None:
            return draft.registered
        registered = _register(importer, draft, chosen)
        draft.rows.filter(verdict__in=chosen).delete()
        draft.registered = registered
        draft.save(update_fields=["registered"])
    log.info("import of %s by user %s: %s registered", importer.kind, by.pk, registered)
    return registered


def _register(importer: Importer, draft: ImportDraft, chosen: set[Verdict]) -> int:
    """Write the records of the rows with the chosen verdicts; return how many. Raises as `confirm` says."""
    registered = 0
    for rows, lines in _judged_again(importer, draft):
        if any(map(_is_other, rows, lines)) or any(line.verdict == Verdict.ERROR for line in lines):
            raise ChangedMeanwhile
        records = [line.record for line in lines if line.verdict in chosen]
        importer.insert(records)
        registered += len(records)
    if not registered:
        raise NothingChosen
    return registered


def cancel(importer: Importer, pk: int, *, by: User) -> int | None:
    """Delete a draft that is not confirmed; return None, or how many records were registered if it is confirmed.

    Locks: the draft's row, since another tab may confirm it just now.

    Raises:
        ImportDraft.DoesNotExist: if the owner has no such draft, or not any more.
    """
    with transaction.atomic():
        draft = ImportDraft.objects.of(by, importer.kind).select_for_update().get(pk=pk)
        if draft.registered is None:
            draft.delete()
    return draft.registered


def look_again(importer: Importer, draft: ImportDraft) -> None:
    """Judge the rows of a draft anew and keep what has changed."""
    noted = _Noted(importer)
    for rows, lines in _judged_again(importer, draft):
        for line in lines:
            noted.look_at(line)
        changed = [(row, line) for row, line in zip(rows, lines, strict=True) if _is_other(row, line)]
        for row, line in changed:
            row.verdict, row.remarks, row.like = line.verdict, line.remarks, line.like
        ImportRow.objects.bulk_update([row for row, _line in changed], ["verdict", "remarks", "like"], batch_size=100)
    draft.said["errors"] = noted.errors
    draft.save(update_fields=["said"])


def _is_other(row: ImportRow, line: Line) -> bool:
    return (row.verdict, row.like) != (line.verdict, line.like)


def _judged_again(importer: Importer, draft: ImportDraft) -> Iterator[tuple[list[ImportRow], list[Line]]]:
    """Yield the rows of a draft in batches, in order, each with what importing it would do now."""
    judge = importer.judge()
    last = 0
    while rows := list(draft.rows.filter(number__gt=last).order_by("number")[:BATCH]):
        last = rows[-1].number
        lines = [line_of(row) for row in rows]
        for line in lines:
            importer.as_record(line, month_first=draft.said["month_first"])
        judge.judge(lines)
        yield rows, lines


def line_of(row: ImportRow) -> Line:
    """Return a row that was kept as one that is to be judged."""
    return Line(row.number, row.cells)


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    batch: list[Line] = []
    for line in lines:
        batch.append(line)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
