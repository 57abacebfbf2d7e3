"""What an app says of the records it imports from files: an `Importer` their columns, a `Judge` what each row would do.

`clinic.spreadsheets.drafts` reads the files and writes the records.
"""

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import connection, models
from import_export.resources import Resource

from clinic.audit.models import AuditEntry
from clinic.core import names
from clinic.spreadsheets.cells import DateWidget
from clinic.spreadsheets.models import Verdict

_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")

Remark = tuple[str, str]  # a column, or nothing, and a sentence about it


@dataclass
class Line:
    """A row on its way to become a record."""

    number: int
    cells: dict[str, str]
    record: Any = None
    verdict: Verdict = Verdict.NEW
    remarks: list[Remark] = field(default_factory=list)
    like: int | None = None

    def refuse(self, column: str, message: str) -> None:
        """Note that the row cannot be imported."""
        self.verdict = Verdict.ERROR
        self.remarks.append((column, message))

    def settle(self, verdict: Verdict, message: str, *, like: int | None = None, column: str = "") -> None:
        """Note whom the row is, or may be."""
        self.verdict, self.like = verdict, like
        self.remarks.append((column, message))


class Judge:
    """Says of each row of one file what importing it would do; it remembers the rows before."""

    def judge(self, lines: list[Line]) -> None:
        """Give each line that is not refused its verdict. The queries depend on the number of batches only."""
        raise NotImplementedError


class Importer:
    """What an app imports: its fields, as they stand in a file, and who is registered already."""

    kind: ClassVar[str]  # as in the address, and in the drafts
    noun: ClassVar[str]
    list_url: ClassVar[str]  # the name of the page that leads here
    model: ClassVar[type[models.Model]]
    resource_class: ClassVar[type[Resource]]
    required: ClassVar[tuple[str, ...]]
    # Other names of a column than its own, as `header_key` makes them.
    aliases: ClassVar[dict[str, str]] = {}
    # What a verdict is called, where `Verdict` says it too generally.
    verdict_labels: ClassVar[dict[Verdict, str]] = {}

    def __init__(self) -> None:
        self.resource = self.resource_class()
        self.fields = {each.attribute: each for each in self.resource.get_import_fields()}
        own = {header_key(each.column_name): name for name, each in self.fields.items()}
        self._names = own | {header_key(name): name for name in self.fields} | self.aliases

    def judge(self) -> Judge:
        """Return who judges the rows of a file, against what is registered now."""
        raise NotImplementedError

    def label(self, name: str) -> str:
        """Return the column of a field, as files that we make name it."""
        return self.fields[name].column_name if name in self.fields else ""

    @property
    def upload_url(self) -> str:
        """The name of the page that takes a file."""
        return f"{self.kind}:{self.noun}_import"

    @property
    def preview_url(self) -> str:
        """The name of the page that shows what a file will do."""
        return f"{self.upload_url}_preview"

    @property
    def has_dates(self) -> bool:
        """Whether a file has dates, which can be written in several ways."""
        return any(isinstance(each.widget, DateWidget) for each in self.fields.values())

    @property
    def labels(self) -> list[str]:
        """The columns."""
        return [self.label(name) for name in self.fields]

    @property
    def columns(self) -> list[tuple[str, bool]]:
        """The columns, each with whether a file must have it."""
        return [(self.label(name), name in self.required) for name in self.fields]

    def field_named(self, header: str) -> str | None:
        """Return the field that a column is for, None if there is none such."""
        return self._names.get(header_key(header))

    def field_loosely_named(self, header: str) -> str | None:
        """Return the field that a column seems to be for, without what stands in brackets and a “no.” at its end."""
        return self.field_named(names.fold(_BRACKETED.sub(" ", header)).removesuffix(" no"))

    def as_record(self, line: Line, *, month_first: bool) -> None:
        """Make the line's record of its cells, checked by every rule that asks no other record. No query."""
        line.record = self.model()
        row = {self.fields[name].column_name: text for name, text in line.cells.items()}
        refused: set[str] = set()
        for check in (
            lambda: self.resource.import_instance(line.record, row, month_first=month_first),
            lambda: line.record.clean_fields(exclude={"user", *refused}),
            lambda: line.record.clean_alone(),
        ):
            try:
                check()
            except ValidationError as error:
                for name in error.message_dict:
                    if name not in refused:
                        line.refuse(self.label(name), " ".join(error.message_dict[name]))
                    refused.add(name)

    def insert(self, records: list[Any]) -> None:
        """Write new records, each with the audit entry of one that is saved."""
        if not connection.features.can_return_rows_from_bulk_insert:  # MySQL, unlike MariaDB and SQLite
            for record in records:
                record.save()
            return
        self.model._default_manager.bulk_create(records)
        AuditEntry.objects.record_created(records)


def header_key(header: str) -> str:
    """Return a column name as it is compared: without case, marks, blanks and punctuation."""
    return names.fold(header).replace(" ", "")
