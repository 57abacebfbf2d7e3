"""Reads a sheet of a workbook with calamine, from a copy of only the parts that were checked.

calamine allocates the whole area of a sheet and a text for each cell; if the memory is not there, it ends the process.
"""

import io
import posixpath
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from defusedxml.ElementTree import fromstring
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from python_calamine import load_workbook

from clinic.spreadsheets.refusals import MAX_COLUMNS, refuse_columns, refuse_empty, refuse_format, refuse_unpacked_size
from clinic.spreadsheets.xml_checks import SheetCheck, TextSizes, check_xml, local_name

_MAX_PARTS = 1000
_MAX_SHEETS = 50  # searched for cells

# Bytes that the parts of a workbook may unpack to.
_MAX_SHEET = 30 * 1024 * 1024
_MAX_TEXTS = 12 * 1024 * 1024
_MAX_OTHER = 1024 * 1024

# Memory of calamine: 32 bytes for each cell between A1 and the last one, and each cell's text.
_MAX_AREA = 5_500_000  # all rows of five columns, or 110,000 of fifty
_MAX_REPEATED_TEXT = 64 * 1024 * 1024

_WORKBOOK = """<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"
 xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">
<workbookPr date1904="{date1904}"/><sheets><sheet name="Sheet" sheetId="1" r:id="sheet"/></sheets></workbook>"""
_TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONSHIPS = (
    """<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>"""
)
_PACKAGE = _RELATIONSHIPS.format(f'<Relationship Id="book" Type="{_TYPES}/officeDocument" Target="xl/workbook.xml"/>')
_PARTS = _RELATIONSHIPS.format(f"""<Relationship Id="sheet" Type="{_TYPES}/worksheet" Target="worksheets/sheet.xml"/>
<Relationship Id="texts" Type="{_TYPES}/sharedStrings" Target="sharedStrings.xml"/>
<Relationship Id="styles" Type="{_TYPES}/styles" Target="styles.xml"/>""")


@dataclass(frozen=True)
class _Sheet:
    title: str
    part: str
    check: SheetCheck


def read_xlsx(upload: IO[bytes]) -> tuple[Iterator[Sequence[Any]], str, list[str]]:
    """Return the rows of the first visible sheet that has cells, how they were read, and the names of other such."""
    with _parsing(), zipfile.ZipFile(upload) as archive:
        _check_sizes(archive)
        package = _Package(archive)
        filled = [sheet for sheet in package.visible_sheets() if sheet.check.rows]
        if not filled:
            refuse_empty()
        chosen, *others = filled
        _check_memory(chosen.check)
        sheet = load_workbook(package.checked_copy(chosen.part)).get_sheet_by_index(0)
    rows = _complete_rows(sheet, chosen.check.lost_texts)
    return rows, _("Excel, sheet “%(title)s”") % {"title": chosen.title}, [other.title for other in others]


@contextmanager
def _parsing() -> Iterator[None]:
    """Raise `not_a_sheet` for any error of ZIP, XML and calamine: a dozen kinds, from KeyError to zlib.error."""
    try:
        yield
    except ValidationError:
        raise
    except Exception:
        refuse_format()


def _check_sizes(archive: zipfile.ZipFile) -> None:
    """Zipfile cuts a part at its declared size, and its checksum is then wrong."""
    if len(archive.infolist()) > _MAX_PARTS:
        refuse_unpacked_size()
    for part in archive.infolist():
        name = part.filename.lower()
        is_sheet = name.startswith("xl/worksheets/") and name.endswith(".xml")
        limit = _MAX_SHEET if is_sheet else _MAX_TEXTS if name == "xl/sharedstrings.xml" else _MAX_OTHER
        if part.file_size > limit:
            refuse_unpacked_size()


def _check_memory(check: SheetCheck) -> None:
    if check.columns > MAX_COLUMNS:
        refuse_columns()
    if check.rows * check.columns > _MAX_AREA or check.repeated_text > _MAX_REPEATED_TEXT or check.has_lost_too_many:
        refuse_unpacked_size()


def _complete_rows(sheet: Any, lost: dict[tuple[int, int], str]) -> Iterator[Sequence[Any]]:
    """Yield rows from row 1 and column A on, with the texts that calamine leaves empty."""
    first_column = sheet.start[1] if sheet.start else 0
    columns_by_row: dict[int, list[int]] = {}
    for number, column in lost:
        columns_by_row.setdefault(number, []).append(column)
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells = [""] * first_column + row
        for column in columns_by_row.get(number, ()):
            cells += [""] * (column - len(cells))
            cells[column - 1] = lost[number, column]
        yield cells


class _Package:
    """The parts of a workbook, found by its relationships."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._parts = {part.filename.lower(): part for part in archive.infolist()}
        workbook = next(target for kind, target in self._targets("").values() if kind == "officeDocument")
        self._workbook = self._root(workbook)
        self._workbook_targets = self._targets(workbook)
        self._texts, self._styles = self._of_kind("sharedStrings"), self._of_kind("styles")

    def _root(self, part: str) -> Any:
        return fromstring(self._archive.read(self._parts[part.lower()]), forbid_dtd=True)

    def _targets(self, part: str) -> dict[str, tuple[str, str]]:
        """Return the kind and name of each part to which a part, or the package, refers."""
        folder, name = posixpath.split(part)
        relationships = self._root(posixpath.join(folder, "_rels", f"{name}.rels"))
        return {
            each.attrib["Id"]: (
                each.attrib["Type"].rpartition("/")[2],
                posixpath.normpath(posixpath.join("/", folder, each.attrib["Target"])).lstrip("/"),
            )
            for each in relationships
            if each.get("TargetMode") != "External"
        }

    def _of_kind(self, wanted: str) -> str | None:
        targets = (target for kind, target in self._workbook_targets.values() if kind == wanted)
        return next((target for target in targets if target.lower() in self._parts), None)

    def visible_sheets(self) -> Iterable[_Sheet]:
        sizes = TextSizes()
        if self._texts:
            sizes.read(self._open(self._texts))
        if self._styles:
            check_xml(self._open(self._styles))
        elements = 0
        for title, part in self._visible_worksheets()[:_MAX_SHEETS]:
            check = SheetCheck(sizes.sizes, elements_before=elements)
            check.read(self._open(part))
            elements = check.all_elements
            yield _Sheet(title, part, check)

    def _visible_worksheets(self) -> list[tuple[str, str]]:
        found = []
        for each in self._workbook.iter():
            if local_name(each.tag) == "sheet" and each.get("state", "visible") == "visible":
                identifier = next(value for name, value in each.attrib.items() if local_name(name) == "id")
                kind, target = self._workbook_targets[identifier]
                if kind == "worksheet":
                    found.append((each.attrib["name"], target))
        return found

    def _open(self, part: str) -> IO[bytes]:
        return self._archive.open(self._parts[part.lower()])

    def checked_copy(self, sheet: str) -> IO[bytes]:
        """Return a workbook with only this sheet, so that calamine reads only checked parts."""
        settings = next((each for each in self._workbook if local_name(each.tag) == "workbookPr"), None)
        date1904 = settings.get("date1904", "0") if settings is not None else "0"
        copy = io.BytesIO()
        parts = {"worksheets/sheet.xml": sheet, "sharedStrings.xml": self._texts, "styles.xml": self._styles}
        with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
            target.writestr("_rels/.rels", _PACKAGE)
            target.writestr("xl/workbook.xml", _WORKBOOK.format(date1904=int(date1904 in {"1", "true"})))
            target.writestr("xl/_rels/workbook.xml.rels", _PARTS)
            for name, part in parts.items():
                if part:
                    with self._open(part) as source, target.open(f"xl/{name}", "w") as destination:
                        shutil.copyfileobj(source, destination)
        copy.seek(0)
        return copy
