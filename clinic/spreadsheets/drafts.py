"""Rows are checked in batches, which bounds memory, and stay in the database until the import is confirmed."""

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
from clinic.spreadsheets.importer import Importer, ImportLine
from clinic.spreadsheets.models import ImportDraft, ImportRow, Verdict
from clinic.spreadsheets.reader import UploadedSheet, read_sheet

BATCH = 500
MAX_FILE_NAME = 100
MAX_COLUMN_NAME = 40

log = logging.getLogger(__name__)

# From a file to a draft


def open_draft(importer: Importer, upload: Any, *, by: User, month_first: bool) -> ImportDraft:
    """Store the checked rows of an uploaded file for a preview; it then replaces the owner's previous draft.

    Each batch is a transaction: on SQLite one for the whole file would make every booking wait.

    Raises:
        ValidationError: as `read_sheet` does, `columns`, `no_rows`; nothing is then stored.
    """
    sheet = read_sheet(upload, is_known=lambda header: importer.field_loosely_named(header) is not None)
    columns, ignored = _columns(importer, sheet.header)
    ImportDraft.objects.purge()
    draft = ImportDraft.objects.create(owner=by, kind=importer.kind)
    findings = _Findings(importer)
    try:
        _store_rows(importer, draft, _lines(sheet, columns, findings), findings, month_first=month_first)
        if not draft.rows.exists():
            raise ValidationError(_("The file has a header and no rows."), code="no_rows")
    except BaseException:
        draft.delete()
        raise
    draft.details = {
        "file": upload.name[:MAX_FILE_NAME],
        "how": sheet.how,
        "other_sheets": [title[:MAX_COLUMN_NAME] for title in sheet.other_sheets],
        "is_guessed": sheet.is_guessed,
        "sample": findings.sample,
        "ignored": ignored + [f"{get_column_letter(at + 1)} (without a name)" for at in sorted(findings.nameless)],
        "month_first": month_first,
        "misread": findings.can_be_misread,
        "first_misread": findings.first_misread,
        "errors": findings.errors,
    }
    _replace_previous(draft)
    return draft


def _replace_previous(draft: ImportDraft) -> None:
    # A draft that is not ready belongs to an upload that is still running.
    with transaction.atomic():
        ImportDraft.objects.filter(owner=draft.owner, kind=draft.kind, is_ready=True).delete()
        draft.is_ready = True
        draft.save()


def _columns(importer: Importer, header: list[str]) -> tuple[list[str | None], list[str]]:
    """Return the field of each column, and the names of unknown columns.

    Raises:
        ValidationError: `columns`, naming the missing and the repeated ones.
    """
    columns = _fields_of(importer, header)
    missing = [importer.label(name) for name in importer.required if name not in columns]
    twice = [importer.label(name) for name in importer.fields if columns.count(name) > 1]
    unknown = [name.strip() for name, column in zip(header, columns, strict=True) if column is None]
    ignored = [name[:MAX_COLUMN_NAME] for name in unknown if name]
    if missing or twice:
        messages = []
        if missing:
            messages.append(_("The file has no column %(names)s.") % {"names": ", ".join(missing)})
        if twice:
            messages.append(_("The file has several columns %(names)s.") % {"names": ", ".join(twice)})
        if ignored:
            messages.append(_("Unknown columns: %(names)s.") % {"names": ", ".join(ignored)})
        raise ValidationError(" ".join(messages), code="columns")
    return columns, ignored


def _fields_of(importer: Importer, header: list[str]) -> list[str | None]:
    exact = [importer.field_named(name) for name in header]
    # If there is a column “E-mail”, “E-mail (work)” is a different one.
    free = {name for name in importer.fields if name not in exact}
    loose = [name if (name := importer.field_loosely_named(each)) in free else None for each in header]
    return [column or other for column, other in zip(exact, loose, strict=True)]


def _lines(sheet: UploadedSheet, columns: list[str | None], findings: "_Findings") -> Iterator[ImportLine]:
    nameless = {at for at, name in enumerate(sheet.header) if not name.strip()}
    for number, cells in sheet.rows:
        findings.nameless.update(at for at in nameless if at < len(cells) and cells[at].strip())
        line = ImportLine(number, dict.fromkeys(filter(None, columns), ""))
        line.cells |= {column: cell for column, cell in zip(columns, cells, strict=False) if column}
        if len(cells) > len(columns):
            line.refuse("", _("The row has more cells than the header has columns."))
        yield line


class _Findings:
    """Collects ambiguous dates, errors by column, a sample with special letters, and unnamed columns with data."""

    def __init__(self, importer: Importer) -> None:
        self._widgets = {n: f.widget for n, f in importer.fields.items() if isinstance(f.widget, DateWidget)}
        self.can_be_misread = 0
        self.first_misread: dict[str, Any] | None = None
        self.errors: Counter[str] = Counter()
        self.sample: dict[str, Any] | None = None
        self.nameless: set[int] = set()

    def add(self, line: ImportLine) -> None:
        self._add_dates(line)
        if self.sample is None:
            special = (text for text in line.cells.values() if not text.isascii() and any(map(_is_special, text)))
            self.sample = next(({"row": line.number, "text": text} for text in special), None)
        if line.verdict == Verdict.ERROR:
            self.errors.update({column for column, _remark in line.remarks})

    def _add_dates(self, line: ImportLine) -> None:
        for name, widget in self._widgets.items():
            if widget.can_be_misread(line.cells.get(name, "")):
                self.can_be_misread += 1
                read = getattr(line.record, name)
                if read and self.first_misread is None:
                    self.first_misread = {"row": line.number, "typed": line.cells[name], "read": read.isoformat()}


def _is_special(char: str) -> bool:
    return char.isalpha() and not char.isascii()


def _store_rows(
    importer: Importer, draft: ImportDraft, lines: Iterable[ImportLine], findings: _Findings, *, month_first: bool
) -> None:
    matcher = importer.matcher()
    for batch in _batches(lines):
        for line in batch:
            importer.as_record(line, month_first=month_first)
        matcher.match(batch)
        for line in batch:
            findings.add(line)
        ImportRow.objects.bulk_create(
            [
                ImportRow(
                    draft=draft,
                    number=line.number,
                    cells=line.cells,
                    verdict=line.verdict,
                    remarks=line.remarks,
                    similar_id=line.similar_id,
                )
                for line in batch
            ]
        )


# From a draft to records


class ChangedMeanwhile(Exception):  # noqa: N818 -- a word of the domain
    """Records have changed since the preview, so that some rows would now have another effect."""


class NothingChosen(Exception):  # noqa: N818 -- a word of the domain
    """No row is new, and no possible duplicate was ticked."""


def confirm(importer: Importer, pk: int, *, by: User, also: set[Verdict]) -> int:
    """Import the new rows of a draft, and those of the verdicts `also`, all or none; return the number of new records.

    Every row is checked again, in the same transaction. Rows that are left out stay, for the result page. A second
    confirmation returns the same number.

    Locks: the draft's row.

    Raises:
        ImportDraft.DoesNotExist: if the owner has no such draft (any more).
        ChangedMeanwhile: if any row would now have another effect than the preview showed. Nothing is then imported.
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
    """Write the records of the rows with the chosen verdicts; return how many. Raises the same as `confirm`."""
    registered = 0
    for rows, lines in _rechecked(importer, draft):
        if any(map(_differs, rows, lines)) or any(line.verdict == Verdict.ERROR for line in lines):
            raise ChangedMeanwhile
        records = [line.record for line in lines if line.verdict in chosen]
        importer.insert(records)
        registered += len(records)
    if not registered:
        raise NothingChosen
    return registered


def cancel(importer: Importer, pk: int, *, by: User) -> int | None:
    """Delete a draft that is not confirmed; return None, or how many records were registered if it is confirmed.

    Locks: the draft's row, as another tab may be confirming it.

    Raises:
        ImportDraft.DoesNotExist: if the owner has no such draft (any more).
    """
    with transaction.atomic():
        draft = ImportDraft.objects.of(by, importer.kind).select_for_update().get(pk=pk)
        if draft.registered is None:
            draft.delete()
    return draft.registered


def recheck(importer: Importer, draft: ImportDraft) -> None:
    """Check the rows of a draft again and save new verdicts."""
    findings = _Findings(importer)
    for rows, lines in _rechecked(importer, draft):
        for line in lines:
            findings.add(line)
        changed = [(row, line) for row, line in zip(rows, lines, strict=True) if _differs(row, line)]
        for row, line in changed:
            row.verdict, row.remarks, row.similar_id = line.verdict, line.remarks, line.similar_id
        ImportRow.objects.bulk_update(
            [row for row, _line in changed], ["verdict", "remarks", "similar_id"], batch_size=100
        )
    draft.details["errors"] = findings.errors
    draft.save(update_fields=["details"])


def _differs(row: ImportRow, line: ImportLine) -> bool:
    return (row.verdict, row.similar_id) != (line.verdict, line.similar_id)


def _rechecked(importer: Importer, draft: ImportDraft) -> Iterator[tuple[list[ImportRow], list[ImportLine]]]:
    matcher = importer.matcher()
    last = 0
    while rows := list(draft.rows.filter(number__gt=last).order_by("number")[:BATCH]):
        last = rows[-1].number
        lines = [line_of(row) for row in rows]
        for line in lines:
            importer.as_record(line, month_first=draft.details["month_first"])
        matcher.match(lines)
        yield rows, lines


def line_of(row: ImportRow) -> ImportLine:
    return ImportLine(row.number, row.cells)


def _batches(lines: Iterable[ImportLine]) -> Iterator[list[ImportLine]]:
    batch: list[ImportLine] = []
    for line in lines:
        batch.append(line)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
