"""Lists of the admin whose queries stay short, however many records there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import build_q_object_from_lookup_parameters
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, SEARCH_VAR, ChangeList, ChangeListSearchForm
from django.core.exceptions import FieldDoesNotExist, SuspiciousOperation
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from clinic.administration.key_pages import LAST, KeyPage, PageReader
from clinic.db.keyset import KeysetOrder, split_page
from clinic.web.http import parse_number

MAX_COUNTED = 1000  # a longer list is not counted, and sorted only as an index sorts it
MAX_MATCHES = 200  # patients of one search
MAX_SEARCH = 200  # characters
MAX_SELECTED = 200  # records of one action, which holds its locks until all are changed


def capped_count(rows: QuerySet[Any, Any]) -> int:
    """Return the number of rows, at most one more than `MAX_COUNTED`. One query, which reads no more rows than that."""
    return rows.order_by()[: MAX_COUNTED + 1].count()


class CappedPaginator(Paginator):
    """Offers the first rows of a list that is too long to be counted."""

    object_list: Any

    @cached_property
    def count(self) -> int:
        return capped_count(self.object_list)


def first_matches(request: HttpRequest, patients: Any, text: str) -> list[int]:
    """Return the ids of the nearest patients found by a search. If there are more, a message on the page says so."""
    matches = patients.search(text, limit=MAX_MATCHES + 1).values_list("pk", flat=True)
    found, are_more = split_page(list(matches), MAX_MATCHES)
    is_autocomplete = request.resolver_match is not None and request.resolver_match.url_name == "autocomplete"
    if are_more and not is_autocomplete:  # autocomplete has no page: the message would appear on the next one
        messages.warning(request, f"More than {MAX_MATCHES} patients match. Only {MAX_MATCHES} are listed: type more.")
    return list(found)


class SplitListFilter(SimpleListFilter):
    """A filter by any of several values. An index serves the order of the list only for each of its `parts`."""

    parts: Sequence[Q] = ()


class PageLink(NamedTuple):
    text: str
    url: str


@dataclass(frozen=True)
class HierarchyDates:
    """The years, months and days above a list, as Django's template tag asks a queryset for them.

    The other filters of the list do not apply: with them, finding the first and last record could read years of others.
    """

    rows: QuerySet[Any, Any]
    field: str

    def aggregate(self, **bounds: Any) -> dict[str, Any]:
        """Return the `first` and the `last` instant. SQLite reads all rows if it is asked for both in one query."""
        instants = self.rows.values_list(self.field, flat=True)
        return {name: instants.order_by(f"{'-' * (name == 'last')}{self.field}").first() for name in bounds}

    def datetimes(self, *args: Any, **kwargs: Any) -> Any:
        return self.rows.datetimes(*args, **kwargs)


class ShortSearchForm(ChangeListSearchForm):
    """Refuses a long text: each of its words would be another condition of the query."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        too_long = f"The search has more than {MAX_SEARCH} characters: showing the whole list instead."
        self.fields[SEARCH_VAR] = forms.CharField(
            required=False, strip=False, max_length=MAX_SEARCH, error_messages={"max_length": too_long}
        )


class ShortQueryChangeList(ChangeList):
    """Django's list, up to `MAX_COUNTED` records. A longer one is not counted, and is read page by page along an index.

    First the ids of the page are found, then its records with their joins: with a join, MariaDB would start from the
    few doctors and sort all of their appointments.
    """

    search_form_class = ShortSearchForm
    model_admin: Any
    filter_specs: Any
    sortable_by: Any
    max_selected = MAX_SELECTED  # for the template
    is_large = False
    page_links: Sequence[PageLink] = ()

    @property
    def count_text(self) -> str:
        if self.is_large:
            return f"More than {MAX_COUNTED:,} {self.opts.verbose_name_plural}"
        name = self.opts.verbose_name if self.result_count == 1 else self.opts.verbose_name_plural
        return f"{self.result_count:,} {name}"

    def get_filters(self, request: HttpRequest) -> Any:
        """Remember the bounds that the date hierarchy sets, and refuse every lookup that no link of the list sends.

        Raises:
            DisallowedModelAdminLookup: the address has another parameter, or one several times (400).
        """
        filters: Any = self._own_filters(request)
        bounds = {f"{self.date_hierarchy}__{bound}" for bound in ("gte", "lt")}
        self.hierarchy_bounds: Any = {lookup: value for lookup, value in filters[2].items() if lookup in bounds}
        return filters

    def _own_filters(self, request: HttpRequest) -> Any:
        given = self.get_filters_params()
        if any(len(values) > 1 for _name, values in request.GET.lists()):
            raise DisallowedModelAdminLookup
        try:
            filters = super().get_filters(request)
        except IncorrectLookupParameters as error:
            if isinstance(error.__cause__, FieldDoesNotExist):
                raise DisallowedModelAdminLookup from error
            raise
        # The filters and the date hierarchy have taken their own parameters. Django would look up all others.
        if not given.keys().isdisjoint(filters[2]):
            raise DisallowedModelAdminLookup
        return filters

    def apply_select_related(self, qs: Any) -> Any:
        """Leave the joins to the query for the page's records."""
        return qs

    def get_results(self, request: HttpRequest) -> None:
        self.is_large = capped_count(self.queryset) > MAX_COUNTED
        if self.is_large:
            pks = self._read_large_list(request)
        else:
            super().get_results(request)
            pks = list(self.result_list.values_list("pk", flat=True))
        records = super().apply_select_related(self.root_queryset).in_bulk(pks)
        self.result_list: Any = [records[pk] for pk in pks if pk in records]
        if self.is_large or not (self.query or self.get_filters_params()):
            self.full_result_count = self.result_count  # equal, so that Django shows no count beside the search box
        if self.date_hierarchy:
            rows = self.root_queryset.filter(build_q_object_from_lookup_parameters(self.hierarchy_bounds))
            self.queryset: Any = HierarchyDates(rows, self.date_hierarchy)  # for Django's template tag

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any, Any]) -> Any:
        """Refuse an order that names a column twice: Django would sort by all of them, and SQLite fails at 2,000.

        Raises:
            SuspiciousOperation: the address does not contain different column numbers, as the links do (400).
        """
        columns = [parse_number(each.removeprefix("-")) for each in self.params.get(ORDER_VAR, "").split(".") if each]
        if None in columns or len(set(columns)) < len(columns):
            raise SuspiciousOperation
        return super().get_ordering(request, queryset)

    # A large list

    def _read_large_list(self, request: HttpRequest) -> Sequence[int]:
        """Set what Django's `get_results` sets, and return the ids of the page."""
        self.sortable_by = self._indexed_columns()
        self._drop_unserved_order()
        parts = next((spec.parts for spec in self.filter_specs if getattr(spec, "parts", ())), ())
        reader = PageReader(self.queryset, self._keyset_order(), self.list_per_page, parts)
        page = reader.page(request.GET.get(PAGE_VAR, "1"))
        self.page_links = self._links_around(page)
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        self.result_count = MAX_COUNTED + 1
        self.show_full_result_count, self.show_admin_actions = False, True
        self.can_show_all = self.multi_page = False  # these links are Django's; `page_links` are ours
        return page.pks

    @property
    def _is_narrowed_by_date(self) -> bool:
        return bool(self.date_hierarchy) and any(
            lookup.startswith(f"{self.date_hierarchy}__") for lookup in self.filter_params
        )

    def _indexed_columns(self) -> Sequence[str]:
        """Return the columns whose index also serves the filters: for a range of dates, only the date's."""
        columns: Sequence[str] = self.model_admin.indexed_columns
        if not self._is_narrowed_by_date:
            return columns
        return [column for column in columns if self.get_ordering_field(column) == self.date_hierarchy]

    def _drop_unserved_order(self) -> None:
        """Keep the first of the requested columns if an index serves it; the links in the headers start from this."""
        requested = self.params.pop(ORDER_VAR, "").split(".")[0]
        if self._column(requested) in self.sortable_by:
            self.params[ORDER_VAR] = requested

    def _column(self, requested: str) -> Any:
        number = parse_number(requested.removeprefix("-"))
        return self.list_display[number] if number is not None and number < len(self.list_display) else None

    def _get_default_ordering(self) -> Any:
        ordering: Any = super()._get_default_ordering()  # type: ignore[misc]  # the stubs leave out what is private
        if self.is_large and self._is_narrowed_by_date and ordering[0].removeprefix("-") != self.date_hierarchy:
            return [f"-{self.date_hierarchy}"]
        return ordering

    def _keyset_order(self) -> KeysetOrder:
        """Return the order with all its parts in one direction, so that an index serves it forwards or backwards."""
        ordering = self._get_default_ordering()
        if requested := self.params.get(ORDER_VAR):
            sign = "-" if requested.startswith("-") else ""
            ordering = [f"{sign}{self.get_ordering_field(self._column(requested))}"]
        parts = self._get_deterministic_ordering(ordering)  # type: ignore[attr-defined]  # private, as above
        fields = tuple(part.removeprefix("-") for part in parts)
        if not all(map(self._is_comparable, fields)):
            return KeysetOrder(("pk",), is_descending=True)
        return KeysetOrder(fields, is_descending=parts[0].startswith("-"))

    def _is_comparable(self, name: str) -> bool:
        """Return whether a page can begin after a value of the field: never null, and the record's own."""
        field: Any = self.opts.pk if name == "pk" else self.opts.get_field(name)
        return not field.null and not field.is_relation

    def _links_around(self, page: KeyPage) -> list[PageLink]:
        positions: list[tuple[str, str | None]] = []
        if page.has_previous:
            positions += [("First", None), ("Previous", f"before-{page.pks[0]}")]
        if page.has_next:
            positions += [("Next", f"after-{page.pks[-1]}"), ("Last", LAST)]
        return [PageLink(text, self.get_query_string({PAGE_VAR: position})) for text, position in positions]
