"""Pages of a long list, read along an index from the key of a record instead of past all rows before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db import connection
from django.db.models import Q, QuerySet

from clinic.db.keyset import Key, KeysetOrder, split_page
from clinic.web.http import parse_number

LAST = "last"
_MAX_PAGE = 1_000_000


@dataclass(frozen=True)
class KeyPage:
    """The ids of a page's records, and whether there are records before and after them."""

    pks: Sequence[int]
    has_previous: bool
    has_next: bool


@dataclass(frozen=True)
class PageReader:
    """Reads the ids of one page. `parts` split the rows, if an index serves the order only for each part by itself."""

    rows: QuerySet[Any, Any]
    order: KeysetOrder
    size: int
    parts: Sequence[Q] = ()

    def page(self, position: str) -> KeyPage:
        """Return the page at `after-<id>`, `before-<id>`, `last`, or with a number. One query, or two for an id.

        Raises:
            IncorrectLookupParameters: there is no such page or record.
        """
        direction, _, text = position.partition("-")
        pk = parse_number(text)
        if position == LAST:
            page = self._page_before(None)
        elif direction == "after" and pk is not None:
            page = self._page_after(self._key_of(pk))
        elif direction == "before" and pk is not None:
            page = self._page_before(self._key_of(pk))
        else:
            page = self._numbered_page(parse_number(position) or 1)
        if not page.pks:
            raise IncorrectLookupParameters
        return page

    def _key_of(self, pk: int) -> Key:
        # Whether the record matches the filters does not matter: the page begins where it would be.
        keys = self.rows.model._default_manager.filter(pk=pk).values_list(*self.order.fields)
        key: Key | None = keys.first()
        if key is None:
            raise IncorrectLookupParameters
        return key

    def _page_after(self, key: Key) -> KeyPage:
        pks, are_more = self._read(self.order, after=key)
        return KeyPage(pks, has_previous=True, has_next=are_more)

    def _page_before(self, key: Key | None) -> KeyPage:
        """Return the page before a key, or at the end of the list, read backwards."""
        pks, are_more = self._read(replace(self.order, is_descending=not self.order.is_descending), after=key)
        if key is not None and not are_more:
            return self._numbered_page(1)  # a full page; what is left before the key may be shorter
        return KeyPage(pks[::-1], has_previous=are_more, has_next=key is not None)

    def _numbered_page(self, number: int) -> KeyPage:
        """Return a page by its number. All ids before are skipped in the index, so no link leads to a late one."""
        if number > _MAX_PAGE:
            raise IncorrectLookupParameters
        pks, are_more = self._read(self.order, skipped=(number - 1) * self.size)
        return KeyPage(pks, has_previous=number > 1, has_next=are_more)

    def _read(self, order: KeysetOrder, *, after: Key | None = None, skipped: int = 0) -> tuple[Sequence[int], bool]:
        end = skipped + self.size + 1
        columns = tuple(dict.fromkeys((*order.fields, "pk")))
        rows = order.following(self.rows, after).values_list(*columns)
        if len(self.parts) > 1 and connection.features.supports_slicing_ordering_in_compound:
            rows = self._joined_parts(rows, end)
        return split_page([row[columns.index("pk")] for row in rows[skipped:end]], self.size)

    def _joined_parts(self, rows: QuerySet[Any, Any], end: int) -> QuerySet[Any, Any]:
        """Return the first rows up to `end`, found by reading as many of each part. Not on SQLite.

        MariaDB would read all rows in the order of the list instead, until it has met enough of these parts: half a
        second for doctors who left years ago.
        """
        first, *others = [rows.filter(part)[:end] for part in self.parts]
        return first.union(*others, all=True).order_by(*rows.query.order_by)
