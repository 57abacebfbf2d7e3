"""Checks parts of a workbook as a stream before calamine reads them. None may have a DTD."""

from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import IO, Any

from defusedxml.ElementTree import DefusedXMLParser
from openpyxl.utils import column_index_from_string

from clinic.spreadsheets.cells import NO_VALUE, SPREADSHEET_ERRORS
from clinic.spreadsheets.refusals import refuse, refuse_unpacked_size

_MAX_ROW_ELEMENTS = 50_000  # in a row, or outside the rows; twice as many as a row of all 16,384 columns needs
# In all sheets together: every row of a sheet without cells, or 20,000 rows of twenty values.
_MAX_SHEET_ELEMENTS = 1_200_000
_MAX_TEXT_ELEMENTS = 1_000_000
_MAX_LOST_TEXTS = 200_000
_ROW_DEPTH = 3  # worksheet, sheetData, row
_CHUNK = 64 * 1024

column_number = lru_cache(maxsize=None)(column_index_from_string)  # at most ZZZ


def local_name(name: str) -> str:
    return name.rpartition("}")[2]


class _Stream:
    """Calls the handlers below for each element; elements themselves are not built, as that takes four times longer."""

    def __init__(self) -> None:
        self.parser: Any = DefusedXMLParser(forbid_dtd=True).parser  # expat, with the handlers of defusedxml
        self.parser.ordered_attributes = False
        self.parser.DefaultHandlerExpand = self.parser.CommentHandler = self.parser.ProcessingInstructionHandler = None
        self.parser.CharacterDataHandler = None
        self.parser.StartElementHandler, self.parser.EndElementHandler = self._start, self._end

    def read(self, stream: IO[bytes]) -> None:
        with stream:
            while data := stream.read(_CHUNK):
                self.parser.Parse(data, False)
        self.parser.Parse(b"", True)

    def _start(self, tag: str, attributes: dict[str, str]) -> None: ...

    def _end(self, tag: str) -> None: ...


def check_xml(stream: IO[bytes]) -> None:
    _Stream().read(stream)


class TextSizes(_Stream):
    """The bytes of each shared text."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes = array("L")
        self._elements = 0
        self.parser.CharacterDataHandler = self._add

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > _MAX_TEXT_ELEMENTS:
            refuse_unpacked_size()
        if local_name(tag) == "si":
            self.sizes.append(0)

    def _add(self, text: str) -> None:
        if self.sizes:
            self.sizes[-1] += len(text.encode())


class SheetCheck(_Stream):
    """The last row and column that have a value, the bytes of repeated texts, and the texts that calamine loses.

    Those are the errors of formulas, and formulas without a value, which programs write that do not calculate.
    """

    def __init__(self, text_sizes: Sequence[int], *, elements_before: int = 0) -> None:
        """`elements_before` are those of the sheets before, which count, too."""
        super().__init__()
        self.rows = self.columns = self.repeated_text = 0
        self.lost_texts: dict[tuple[int, int], str] = {}
        self.has_lost_too_many = False
        self._text_sizes = text_sizes
        self.all_elements = elements_before
        self._depth = self._elements = self._row = self._column = self._row_of_cell = 0
        self._type = ""
        self._is_in_cell = self._has_formula = False
        self._value: list[str] = []

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        self.all_elements += 1
        if self._elements > _MAX_ROW_ELEMENTS or self.all_elements > _MAX_SHEET_ELEMENTS:
            refuse_unpacked_size()
        name = local_name(tag)
        if name == "c":
            self._start_cell(attributes)
        elif self._is_in_cell:
            self._start_in_cell(name)
        elif name == "row":
            self._row = int(attributes["r"]) if "r" in attributes else self._row + 1
            self._column = 0

    def _start_cell(self, attributes: dict[str, str]) -> None:
        self._is_in_cell, self._has_formula = True, False
        self._type = attributes.get("t", "n")
        self._value = []
        self._row_of_cell = self._row
        self._column += 1
        if place := attributes.get("r"):
            letters = place.rstrip("0123456789")
            self._row_of_cell, self._column = int(place[len(letters) :]), column_number(letters)

    def _start_in_cell(self, name: str) -> None:
        if name == "f":
            self._has_formula = True
        elif name in {"v", "is"}:
            self.rows, self.columns = max(self.rows, self._row_of_cell), max(self.columns, self._column)
            if self._has_formula or self._type in {"s", "e"}:
                self.parser.CharacterDataHandler = self._value.append  # only here, as a call for each text is slow

    def _end(self, tag: str) -> None:
        name = local_name(tag)
        if name == "row" and self._depth == _ROW_DEPTH:
            self._elements = 0
        self._depth -= 1
        if name == "v":
            self.parser.CharacterDataHandler = None
        elif name == "c":
            self._end_cell()

    def _end_cell(self) -> None:
        self._is_in_cell = False
        value = "".join(self._value)
        if self._type == "s" and value:
            self.repeated_text += self._text_sizes[int(value)]
        elif self._type == "e" and value:
            self._check_error(value)
            self._keep(value)
        elif self._has_formula and not value and self._type != "str":
            self._keep(NO_VALUE)

    def _check_error(self, value: str) -> None:
        if value not in SPREADSHEET_ERRORS:  # calamine would refuse the whole workbook
            message = f"A cell in row {self._row_of_cell:,} shows the error {value[:20]}. Correct it in the file."
            refuse("not_a_sheet", message)

    def _keep(self, text: str) -> None:
        if len(self.lost_texts) < _MAX_LOST_TEXTS:
            self.lost_texts[self._row_of_cell, self._column] = text
        else:
            self.has_lost_too_many = True
