"""What an app defines to import records: an `Importer` for the columns, a `Judge` for the effect of each row."""

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
    number: int
    cells: dict[str, str]
    record: Any = None
    verdict: Verdict = Verdict.NEW
    remarks: list[Remark] = field(default_factory=list)
    like: int | None = None

    def refuse(self, column: str, message: str) -> None:
        self.verdict = Verdict.ERROR
        self.remarks.append((column, message))

    def settle(self, verdict: Verdict, message: str, *, like: int | None = None, column: str = "") -> None:
        self.verdict, self.like = verdict, like
        self.remarks.append((column, message))


class Judge:
    """Decides what importing each row of one file would do, given the rows before."""

    def judge(self, lines: list[Line]) -> None:
        """Set the verdict of each line without an error, in a fixed number of queries."""
        raise NotImplementedError


class Importer:
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
        raise NotImplementedError

    def label(self, name: str) -> str:
        return self.fields[name].column_name if name in self.fields else ""

    @property
    def upload_url(self) -> str:
        return f"{self.kind}:{self.noun}_import"

    @property
    def preview_url(self) -> str:
        return f"{self.upload_url}_preview"

    @property
    def has_dates(self) -> bool:
        return any(isinstance(each.widget, DateWidget) for each in self.fields.values())

    @property
    def labels(self) -> list[str]:
        return [self.label(name) for name in self.fields]

    @property
    def columns(self) -> list[tuple[str, bool]]:
        """The columns, each with whether a file must have it."""
        return [(self.label(name), name in self.required) for name in self.fields]

    def field_named(self, header: str) -> str | None:
        return self._names.get(header_key(header))

    def field_loosely_named(self, header: str) -> str | None:
        """Ignore text in brackets, and “no.” at the end."""
        return self.field_named(names.fold(_BRACKETED.sub(" ", header)).removesuffix(" no"))

    def as_record(self, line: Line, *, month_first: bool) -> None:
        """Build the line's record and check every rule that needs no other record. No query."""
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
        """Save new records with their audit entries."""
        if not connection.features.can_return_rows_from_bulk_insert:  # MySQL, unlike MariaDB and SQLite
            for record in records:
                record.save()
            return
        self.model._default_manager.bulk_create(records)
        AuditEntry.objects.record_created(records)


def header_key(header: str) -> str:
    """Return a column name for comparison: without case, accents, spaces and punctuation."""
    return names.fold(header).replace(" ", "")
