"""What a FHIR search asks for, and a page of what it finds.

Pages go by keys, so that a row that comes in between moves none of the others: `after` in a link is the last row of the
page before, as ids and instants and never as a person's data.
"""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from appointments.fhir.parameters import Kind, Parameter
from appointments.fhir.values import MAX_IDS, alternatives, bad_value
from clinic.rest.outcomes import FhirRefused
from clinic.web.http import parse_number

USUAL_COUNT, MAX_COUNT = 50, 200
MAX_PARAMETERS = 20  # a database takes only so many conditions at once

_CURSOR = re.compile(r"(-?[0-9]{1,11})-([0-9]{1,18})")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TOTALS = ("none", "estimate", "accurate")


@dataclass(frozen=True)
class Asked:
    """A search as it was understood. `values` holds what each parameter seeks, once for each time it was given.

    `pairs` are the parameters that links repeat; none of them is personal.
    """

    kind: Kind
    base: str
    values: dict[str, list[Any]]
    pairs: list[tuple[str, str]]
    count: int
    sort: str
    after: str
    has_total: bool

    @property
    def is_personal(self) -> bool:
        """Whether it asks for a person's data, which no address may hold."""
        return not self.kind.personal.isdisjoint(self.values)

    def narrowed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return those rows that meet every condition."""
        conditions = [condition for given in self.values.values() for condition in given]
        return rows.filter(*conditions)

    def by_ids(self, ids: Sequence[int]) -> "Asked":
        """Return the search for the rows with these ids, which links can repeat where they cannot the criteria."""
        listed = ("_id", ",".join(map(str, ids)))
        return replace(self, values={"_id": [Q(pk__in=ids)]}, pairs=[listed, *self.pairs])


def base_url(request: HttpRequest) -> str:
    """Return the façade's absolute address, without a slash at its end."""
    return request.build_absolute_uri(reverse("fhir:metadata")).removesuffix("/metadata")


def read_search(request: HttpRequest, kind: Kind) -> Asked:
    """Return what the request asks for, in its address or in a form. No queries, but for names of patients.

    What is not known is refused, since without it more would be found, unless the client has asked for
    `Prefer: handling=lenient`.

    Raises:
        FhirRefused: for personal data in an address, malformed values, and what would find more than was asked for.
    """
    sent = _sent(request, kind)
    base = base_url(request)
    read: dict[str, list[Any]] = {}
    pairs: list[tuple[str, str]] = []
    control: dict[str, str] = {}
    for full_name, text in sent:
        name = _base_name(full_name)
        if name in kind.parameters:
            parameter = kind.parameters[name]
            read.setdefault(name, []).append(_read(full_name, name, parameter, text, base))
            if not parameter.is_personal:
                pairs.append((full_name, text))
        elif not _takes_control(kind, full_name, text):
            _refuse_unless_lenient(request)
        elif full_name != "_format":
            control[full_name] = text
    is_count = control.get("_summary") == "count"
    pairs += [(name, text) for name, text in control.items() if name not in ("_count", "after")]
    return Asked(
        kind=kind,
        base=base,
        values=read,
        pairs=pairs,
        count=0 if is_count else _count_of(control.get("_count", str(USUAL_COUNT))),
        sort=control.get("_sort", ""),
        after=control.get("after", ""),
        has_total=control.get("_total") != "none",
    )


def _sent(request: HttpRequest, kind: Kind) -> list[tuple[str, str]]:
    """Return names and values from the address and, of a search by POST, from its form."""
    in_address = [(name, value) for name, values in request.GET.lists() for value in values]
    if any(_base_name(name) in kind.personal for name, _value in in_address):
        raise FhirRefused(
            400,
            "security",
            "Addresses are kept in logs: send personal data in the form of a POST "
            f"to {kind.name}/_search. Not in an address: {', '.join(sorted(kind.personal))}.",
        )
    if request.method != "POST":
        sent = in_address
    else:
        sent = in_address + [(name, value) for name, values in request.POST.lists() for value in values]
    if len(sent) > MAX_PARAMETERS:
        raise FhirRefused(400, "too-costly", f"At most {MAX_PARAMETERS} parameters at once.")
    return sent


def _base_name(name: str) -> str:
    """Return the name without a modifier or a chain."""
    return re.split("[:.]", name, maxsplit=1)[0]


def _read(full_name: str, name: str, parameter: Parameter, text: str, base: str) -> Any:
    sought = alternatives(name, text, most=parameter.most)
    modifier = full_name.removeprefix(name)
    if modifier.removeprefix(":") in parameter.targets:
        sought = [f"{modifier[1:]}/{value}" for value in sought]
    elif modifier:
        # Left out, it would find far more than was asked for.
        raise FhirRefused(400, "not-supported", f"{name}: modifiers and chains are not supported.")
    if parameter.targets:
        sought = [value.removeprefix(f"{base}/") for value in sought]
    return parameter.read(name, sought)


def _takes_control(kind: Kind, name: str, text: str) -> bool:
    """Return whether a parameter of the result, not of what is sought, is known."""
    if name == "_sort" and kind.sorts:
        if text not in kind.sorts:
            raise FhirRefused(400, "not-supported", f"_sort: one of {', '.join(kind.sorts)}")
        return True
    if name == "_summary":
        return text in ("count", "false")
    if name == "_total":
        return text in _TOTALS
    return name in ("_count", "_format", "after")


def _refuse_unless_lenient(request: HttpRequest) -> None:
    preferred = request.headers.get("Prefer", "").replace(",", ";").split(";")
    if "handling=lenient" not in (each.strip().lower() for each in preferred):
        raise FhirRefused(400, "not-supported", "A parameter is not known here; see metadata.")


def _count_of(text: str) -> int:
    number = parse_number(text)
    if number is None:
        raise bad_value("_count", "not a whole number")
    return min(number, MAX_COUNT)


# Pages


class Page(NamedTuple):
    """Rows, how many there are on all pages, and what the next page comes after; None if that is not known, or none."""

    rows: list[Any]
    total: int | None
    after: str | None


class Order(Protocol):
    """How rows follow one another."""

    def sorted(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows in order."""

    def following(self, rows: QuerySet[Any], after: str) -> QuerySet[Any]:
        """Return the rows after the one that a link has named."""

    def cursor_of(self, row: Any) -> str:
        """Return how a link names a row."""


class ByKey:
    """In order of the ids."""

    def sorted(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows in order."""
        return rows.order_by("pk")

    def following(self, rows: QuerySet[Any], after: str) -> QuerySet[Any]:
        """Return the rows with greater ids."""
        number = parse_number(after)
        if number is None:
            raise bad_value("after", "not from a link")
        return rows.filter(pk__gt=number)

    def cursor_of(self, row: Any) -> str:
        """Return the id."""
        return str(row.pk)


@dataclass(frozen=True)
class ByStart:
    """In order of the start, then of the id, or the other way round."""

    is_latest_first: bool = False

    def sorted(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows in order."""
        return rows.order_by("-start_time", "-pk") if self.is_latest_first else rows.order_by("start_time", "pk")

    def following(self, rows: QuerySet[Any], after: str) -> QuerySet[Any]:
        """Return the rows that start later, or at the same time and have greater ids."""
        match = _CURSOR.fullmatch(after)
        try:
            start = _EPOCH + dt.timedelta(seconds=int(match[1])) if match else None
        except OverflowError:
            start = None
        if match is None or start is None:
            raise bad_value("after", "not from a link")
        lies = "lt" if self.is_latest_first else "gt"
        # The first condition says no more than the second, but is one that an index serves.
        bound = Q(**{f"start_time__{lies}e": start})
        return rows.filter(
            bound, Q(**{f"start_time__{lies}": start}) | Q(**{"start_time": start, f"pk__{lies}": int(match[2])})
        )

    def cursor_of(self, row: Any) -> str:
        """Return the start, in seconds since 1970, and the id."""
        return f"{int(row.start_time.timestamp())}-{row.pk}"


def page_of(rows: QuerySet[Any], asked: Asked, order: Order) -> Page:
    """Return the page asked for. Two queries; one without rows, or without a total."""
    total = rows.count() if asked.has_total or not asked.count else None
    if not asked.count:
        return Page([], total, None)
    rest = order.following(rows, asked.after) if asked.after else rows
    found = list(order.sorted(rest)[: asked.count + 1])
    return cut(found, total, asked.count, order.cursor_of)


def cut(found: list[Any], total: int | None, count: int, cursor_of: Callable[[Any], str]) -> Page:
    """Return the page that rows begin with; there is a next one if more were found."""
    shown = found[:count]
    return Page(shown, total, cursor_of(shown[-1]) if len(found) > count else None)


def without_personal(asked: Asked, rows: QuerySet[Any]) -> Asked:
    """Return the same search by the ids of what it finds, so that its links hold no personal data. One query.

    Raises:
        FhirRefused: if it finds more than an address has room for.
    """
    ids = list(asked.narrowed(rows).order_by("pk").values_list("pk", flat=True)[: MAX_IDS + 1])
    if len(ids) > MAX_IDS:
        raise FhirRefused(400, "too-costly", f"More than {MAX_IDS} patients are found: say more about whom you seek.")
    return asked.by_ids(ids)
