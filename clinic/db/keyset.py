"""Pages by key: each begins after the last row of the one before, so rows that are added meanwhile move no other."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row")
Record = TypeVar("Record", bound=Model)
Key = tuple[Any, ...]  # a row's values of the fields of an order
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class KeysetOrder:
    """An order by fields that are never null and together unique, all ascending or all descending."""

    fields: tuple[str, ...]
    is_descending: bool = False

    def page(self, rows: QuerySet[Record], *, after: Key | None, size: int) -> tuple[list[Record], Key | None]:
        """Return a page and, if there are more rows, the key of its last row. One query."""
        shown, are_more = split_page(list(self.following(rows, after)[: size + 1]), size)
        return shown, self.key_of(shown[-1]) if are_more else None

    def following(self, rows: QuerySet[Record], after: Key | None) -> QuerySet[Record]:
        """Return the rows after this key, in order; all without a key. No row needs to have the key any more."""
        sign = "-" if self.is_descending else ""
        found = rows.order_by(*(f"{sign}{field}" for field in self.fields))
        return found if after is None else found.filter(self._condition(after))

    def key_of(self, row: Model) -> Key:
        return tuple(getattr(row, field) for field in self.fields)

    def _condition(self, key: Key) -> Q:
        comparison = "lt" if self.is_descending else "gt"
        beyond = _beyond(self.fields, key, comparison)
        # The first condition is implied by the second, but lets the database use an index.
        return Q(**{f"{self.fields[0]}__{comparison}e": key[0]}) & beyond


def _beyond(fields: Sequence[str], key: Sequence[Any], comparison: str) -> Q:
    beyond = Q(**{f"{fields[0]}__{comparison}": key[0]})
    if len(fields) == 1:
        return beyond
    return beyond | Q(**{fields[0]: key[0]}) & _beyond(fields[1:], key[1:], comparison)


def split_page(found: Sequence[Row], size: int) -> tuple[list[Row], bool]:
    """Return the first rows, at most `size`, and whether there are more."""
    return list(found[:size]), len(found) > size


def cursor_of(key: Key) -> str:
    """Return the key of an instant and an id as text, for an address."""
    instant, pk = key
    return f"{(instant - _EPOCH) // _MICROSECOND}-{pk}"


def parse_cursor(text: str) -> Key | None:
    """Return the key of a cursor, or None if it is none."""
    match = re.fullmatch(r"([0-9]{1,18})-([0-9]{1,18})", text, re.ASCII)
    try:
        return match and (_EPOCH + int(match[1]) * _MICROSECOND, int(match[2]))
    except OverflowError:
        return None
