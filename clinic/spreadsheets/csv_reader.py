"""Encoding and separator are detected by our own rules; see docs/decisions/018-spreadsheets.md."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator

from django.utils.translation import gettext as _

from clinic.ops.request_limits import MAX_FILE
from clinic.spreadsheets.refusals import MAX_CELL, MAX_COLUMNS, refuse, refuse_format

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: ("utf-8-sig", "UTF-8"),
    codecs.BOM_UTF16_LE: ("utf-16", "UTF-16"),
    codecs.BOM_UTF16_BE: ("utf-16", "UTF-16"),
}
_GUESSED = "Windows-1252"
_MAX_HEADER = MAX_COLUMNS * MAX_CELL  # characters that are compared
_LINE_END = re.compile("\\r\\n|\\r|\\n")  # \r alone: old Macs
_INVALID = re.compile("[\\udc80-\\udcff]")  # a byte that is not UTF-8, decoded with surrogateescape

# An unclosed quotation mark has to be found at the end of the file, not refused as a long cell (131,072 by default).
csv.field_size_limit(MAX_FILE)


def read_csv(data: bytes, is_known: Callable[[str], bool]) -> tuple[Iterator[list[str]], str, bool]:
    """Return the rows, how they were read, and whether the encoding is a guess."""
    text, encoding = _decode(data)
    separator, text = _find_separator(text, is_known)
    _check_encoding(text, separator)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    how = _("CSV in %(encoding)s, cells separated by %(separator)s") % {
        "encoding": encoding,
        "separator": _SEPARATORS[separator],
    }
    return _strict_rows(rows), how, encoding == _GUESSED


def _strict_rows(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Refuse an unclosed quotation mark, which would silently turn all following rows into one cell."""
    number = 1
    try:
        for row in rows:
            yield row if "".join(row).strip() else []
            number += 1
    except csv.Error:
        message = _('A quotation mark (") in row %(row)d is not closed. Write one inside a cell twice.')
        refuse("not_a_sheet", message % {"row": number})


def _decode(data: bytes) -> tuple[str, str]:
    """Return the text and the encoding's name: by byte order mark, else UTF-8, else Excel's Windows-1252.

    Invalid bytes in UTF-8 become lone surrogates: read as Windows-1252, every other name would be wrong.
    """
    for mark, (codec, name) in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return _decode_as(data, codec, errors="surrogateescape" if name == "UTF-8" else "strict"), name
    if b"\0" in data:
        refuse_format()
    text = data.decode("utf-8", errors="surrogateescape")
    not_ascii = len(text) - len(text.encode("ascii", errors="ignore"))  # ten times as fast as a regular expression
    invalid = len(text) - len(text.encode("utf-8", errors="ignore").decode())
    is_mostly_utf8 = invalid <= not_ascii - invalid
    return (text, "UTF-8") if is_mostly_utf8 else (_decode_as(data, "cp1252"), _GUESSED)


def _decode_as(data: bytes, codec: str, errors: str = "strict") -> str:
    try:
        return data.decode(codec, errors)
    except UnicodeDecodeError:
        refuse("encoding", _("The characters of this file cannot be read. Save it as “CSV UTF-8” or as .xlsx."))


def _check_encoding(text: str, separator: str) -> None:
    found = _INVALID.search(text)
    if found:
        before = io.StringIO(text[: found.end()], newline="")
        message = _(
            "Row %(row)s has a character that is not UTF-8, unlike the rest of the file. "
            "Save the file again as “CSV UTF-8” or as .xlsx."
        )
        row = sum(1 for _row in csv.reader(before, delimiter=separator))
        refuse("encoding", message % {"row": f"{row:,}"})


def _find_separator(text: str, is_known: Callable[[str], bool]) -> tuple[str, str]:
    """Return the separator that finds most known columns, and the text from its header on.

    Excel can put a first line `sep=;` before the header.
    """
    first, *rest = _LINE_END.split(text, maxsplit=1)
    directive = first.strip().strip('"').lower()
    if directive.startswith("sep=") and directive[4:] in _SEPARATORS:
        return directive[4:], "\n" + "".join(rest)  # the line stays, empty, so that rows keep their numbers
    # A first line may be as long as the file: no more of it is compared than a sheet may have.
    header = _LINE_END.split(text.lstrip()[:_MAX_HEADER], maxsplit=1)[0]

    def known_columns(separator: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([header], delimiter=separator), [])
        except csv.Error:
            return 0, 0
        return sum(is_known(cell[:MAX_CELL]) for cell in cells[:MAX_COLUMNS]), len(cells)

    return max(_SEPARATORS, key=known_columns), text
