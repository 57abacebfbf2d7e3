"""What an app defines to import records: an `Importer` for the columns, a `RowMatcher` to find duplicates."""

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

Remark = tuple[str, str]  # a column or an empty text, and a sentence about it


@dataclass
class ImportLine:
    number: int
    cells: dict[str, str]
    record: Any = None
    verdict: Verdict = Verdict.NEW
    remarks: list[Remark] = field(default_factory=list)
    similar_id: int | None = None

    def refuse(self, column: str, message: str) -> None:
        self.verdict = Verdict.ERROR
        self.remarks.append((column, message))

    def set_verdict(self, verdict: Verdict, message: str, *, similar_id: int | None = None, column: str = "") -> None:
        self.verdict, self.similar_id = verdict, similar_id
        self.remarks.append((column, message))


class RowMatcher:
    """Compares the rows of one file with existing records and earlier rows."""

    def match(self, lines: list[ImportLine]) -> None:
        """Set the verdict of each line without an error, in a fixed number of queries."""
        raise NotImplementedError


class Importer:
    kind: ClassVar[str]  # in URLs and drafts
    noun: ClassVar[str]
    list_url: ClassVar[str]  # the URL name of the page that links to the import
    model: ClassVar[type[models.Model]]
    resource_class: ClassVar[type[Resource]]
    required: ClassVar[tuple[str, ...]]
    # Other accepted column names, as returned by `header_key`.
    aliases: ClassVar[dict[str, str]] = {}
    # More specific labels than those of `Verdict`.
    verdict_labels: ClassVar[dict[Verdict, str]] = {}

    def __init__(self) -> None:
        self.resource = self.resource_class()
        self.fields = {each.attribute: each for each in self.resource.get_import_fields()}
        own = {header_key(each.column_name): name for name, each in self.fields.items()}
        self._names = own | {header_key(name): name for name in self.fields} | self.aliases

    def matcher(self) -> RowMatcher:
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

    def as_record(self, line: ImportLine, *, month_first: bool) -> None:
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
