"""Widgets of django-import-export: each reads the text of a cell or raises ValueError with a message for users."""

import datetime as dt
import re
from typing import Any

from django.utils.formats import date_format
from import_export.widgets import Widget

# Beginnings that spreadsheet programs read as a formula; the wide ones are from East Asian keyboards.
_SIGNS = "=+\\-@＝＋－＠"
# At the beginning of a text, or after a character that may separate cells.
_BLANKS = r"[^\S\t\r\n]*"
_FORMULA = re.compile(rf"(^|[;|\t\r\n])(?={_BLANKS}[{_SIGNS}])")
_GUARDED = re.compile(rf"(^|[;|\t\r\n])'(?={_BLANKS}[{_SIGNS}])")
NO_VALUE = "=?"  # stands for a formula without a value
_MAX_EXACT_DIGITS = 15  # of a number in a spreadsheet; the rest are zeros
SPREADSHEET_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"})
_SHORTENED = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE]\+?\d+")
_NUMBER_WITH_ZERO_DECIMALS = re.compile(r"(\d+)\.0+")
# Databases and spreadsheets add midnight to dates. A value with another time is not a date.
_MIDNIGHT = r"(?:[T ]0?0:00(?::00(?:\.0+)?)?(?:Z|[+-]00:?00)?)?"
_ISO_DATE = re.compile(r"(\d{4})([/-])(\d{1,2})\2(\d{1,2})" + _MIDNIGHT)
_LOCAL_DATE = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})" + _MIDNIGHT)
# Invisible characters that address books and web pages put into phone numbers.
_TYPED_IN_PHONES = str.maketrans(
    dict.fromkeys("\u00a0\u2007\u2009\u202f", " ")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-")
    | dict.fromkeys("\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
)
_MONTHS = 12
_YES = frozenset({"yes", "y", "true", "1", "active"})
_NO = frozenset({"no", "n", "false", "0", "inactive"})


def guarded(text: str) -> str:
    """Put an apostrophe before anything that could be read as a formula, also after a semicolon inside the text."""
    return _FORMULA.sub(r"\1'", text)


def unguarded(text: str) -> str:
    """Remove the apostrophes of `guarded`; one that belongs to a name, as in 't Hooft, stays."""
    return _GUARDED.sub(r"\1", text)


def cell_text(value: Any) -> str:
    """Return the value of an XLSX cell as text: dates as ISO 8601, whole numbers without decimals, nothing as ""."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**_MAX_EXACT_DIGITS:
        return str(int(value))
    if isinstance(value, dt.datetime) and value.time() == dt.time.min:
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def typed_text(cell: str) -> str:
    """Raises ValueError for a formula without a value, an error of a formula, and several lines."""
    if cell.strip() == NO_VALUE:
        raise ValueError(
            "This cell holds a formula without a value. Open the file in a spreadsheet program and save it."
        )
    text = unguarded(cell.strip()).strip()
    if len(text.splitlines()) > 1:
        raise ValueError("This cell has several lines. Perhaps a quotation mark in the file is at the wrong place.")
    if text in SPREADSHEET_ERRORS:
        raise ValueError(f"The spreadsheet shows the error {text} here.")
    return text


class TextWidget(Widget):
    def clean(self, value: str, row: Any = None, **kwargs: Any) -> str:
        return typed_text(value)


class PhoneWidget(Widget):
    def clean(self, value: str, row: Any = None, **kwargs: Any) -> str:
        text = typed_text(value.translate(_TYPED_IN_PHONES))
        if _SHORTENED.fullmatch(text):
            raise ValueError("The spreadsheet has shortened this number. Format the column as text and type it again.")
        whole = _NUMBER_WITH_ZERO_DECIMALS.fullmatch(text)
        return whole[1] if whole else text


def _existing(year: int, month: int, day: int) -> dt.date:
    try:
        return dt.date(year, month, day)
    except ValueError:
        raise ValueError("This date does not exist.") from None


class DateWidget(Widget):
    """A date: ISO 8601, also with slashes, or day, month and year (four digits) in the order given by `month_first`."""

    def clean(self, value: str, row: Any = None, month_first: bool = False, **kwargs: Any) -> dt.date | None:
        text = typed_text(value)
        if not text:
            return None
        if iso := _ISO_DATE.fullmatch(text):
            return _existing(int(iso[1]), int(iso[3]), int(iso[4]))
        if local := _LOCAL_DATE.fullmatch(text):
            return self._local_date(int(local[1]), int(local[3]), int(local[4]), month_first)
        order = "month/day/year" if month_first else "day/month/year"
        raise ValueError(f"Write the date as year-month-day or {order}, with four digits of the year.")

    def _local_date(self, first: int, second: int, year: int, month_first: bool) -> dt.date:
        day, month = (second, first) if month_first else (first, second)
        try:
            return _existing(year, month, day)
        except ValueError as error:
            try:
                other = _existing(year, day, month)
            except ValueError:
                raise error from None
        order, meant = "day first" if month_first else "month first", date_format(other, "j F Y")
        raise ValueError(f"This date does not exist. If the dates of this file are {order}, it is {meant}.")

    def can_be_misread(self, value: str) -> bool:
        """Return whether the text is a different date with day and month swapped."""
        found = _LOCAL_DATE.fullmatch(unguarded(value.strip()))
        first, second = (int(found[1]), int(found[3])) if found else (0, 0)
        return first != second and max(first, second) <= _MONTHS

    def render(self, value: dt.date | None, obj: Any = None, **kwargs: Any) -> str:
        return value.isoformat() if value else ""


class YesNoWidget(Widget):
    def clean(self, value: str, row: Any = None, **kwargs: Any) -> bool | None:
        text = typed_text(value).lower()
        if text not in {"", *_YES, *_NO}:
            raise ValueError("Write yes or no.")
        return text in _YES if text else None

    def render(self, value: bool | None, obj: Any = None, **kwargs: Any) -> str:
        return "yes" if value else "no"


class WholeNumberWidget(Widget):
    def clean(self, value: str, row: Any = None, **kwargs: Any) -> int | None:
        text = typed_text(value)
        whole = _NUMBER_WITH_ZERO_DECIMALS.fullmatch(text)
        text = whole[1] if whole else text
        if text and not (text.isascii() and text.isdecimal() and len(text) <= 4):
            raise ValueError("Write a whole number.")
        return int(text) if text else None
