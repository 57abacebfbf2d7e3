"""FHIR searches and pages of their results.

Pages are by key: `after` in a link is the last row of the page before, as ids and instants, never as personal data.
"""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from appointments.fhir.parameters import Kind, Parameter
from appointments.fhir.values import MAX_IDS, alternatives, bad_value
from clinic.db.keyset import Key, KeysetOrder
from clinic.rest.outcomes import FhirRefused
from clinic.web.http import parse_number

USUAL_COUNT, MAX_COUNT = 50, 200
# A search that finds more has a total only if the client asks for an accurate one: counting reads every match.
MAX_COUNTED = 1000
MAX_PARAMETERS = 20  # databases limit the number of conditions

# They add to the found resources, or leave some of their fields out. Not applied, they find no more than was asked for.
_NOT_APPLIED = frozenset(
    {
        "_elements",
        "_include",
        "_revinclude",
        "_summary",
        "_contained",
        "_containedType",
        "_pretty",
        "_totalMethod",
    }
)
_CURSOR = re.compile(r"(-?[0-9]{1,11})-([0-9]{1,18})")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TOTALS = ("none", "estimate", "accurate")


@dataclass(frozen=True)
class FhirQuery:
    """A parsed search. `values` are the values by parameter; `pairs` are those that links repeat, none personal."""

    kind: Kind
    base: str
    values: dict[str, list[Any]]
    pairs: list[tuple[str, str]]
    count: int
    sort: str
    after: str
    total: str  # one of `_TOTALS`, or empty

    @property
    def is_counted(self) -> bool:
        """Whether the total is wanted however many matches have to be read."""
        return self.total == "accurate" or not self.count

    @property
    def is_personal(self) -> bool:
        return not self.kind.personal.isdisjoint(self.values)

    def narrowed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        conditions = [condition for given in self.values.values() for condition in given]
        return rows.filter(*conditions)

    def by_ids(self, ids: Sequence[int]) -> "FhirQuery":
        """Return a search by ids, for links that may not repeat personal data."""
        listed = ("_id", ",".join(map(str, ids)))
        return replace(self, values={"_id": [Q(pk__in=ids)]}, pairs=[listed, *self.pairs])


def base_url(request: HttpRequest) -> str:
    """Return the absolute address, without a trailing slash."""
    return request.build_absolute_uri(reverse("fhir:metadata")).removesuffix("/metadata")


def read_search(request: HttpRequest, kind: Kind) -> FhirQuery:
    """Parse the search in the address and the form; queries only for patients' names.

    Unknown parameters are refused, since ignoring them would find more, unless `Prefer: handling=lenient` is sent.
    Those of `_NOT_APPLIED` are ignored, unless `Prefer: handling=strict` is sent.
    """
    base = base_url(request)
    values, pairs, control = _parsed(request, kind, base)
    pairs += [(name, text) for name, text in control.items() if name not in ("_count", "after")]
    is_count = control.get("_summary") == "count"
    return FhirQuery(
        kind=kind,
        base=base,
        values=values,
        pairs=pairs,
        count=0 if is_count else _count_of(control.get("_count", str(USUAL_COUNT))),
        sort=control.get("_sort", ""),
        after=control.get("after", ""),
        total=control.get("_total", ""),
    )


def _parsed(
    request: HttpRequest, kind: Kind, base: str
) -> tuple[dict[str, list[Any]], list[tuple[str, str]], dict[str, str]]:
    """Return the values by parameter, the pairs that links repeat, and the parameters of the result."""
    values: dict[str, list[Any]] = {}
    pairs: list[tuple[str, str]] = []
    control: dict[str, str] = {}
    for full_name, text in _sent(request, kind):
        name = _base_name(full_name)
        if name in kind.parameters:
            parameter = kind.parameters[name]
            values.setdefault(name, []).append(_read(full_name, name, parameter, text, base))
            if not parameter.is_personal:
                pairs.append((full_name, text))
        elif not _takes_control(kind, full_name, text):
            _refuse_unless_ignored(request, name)
        elif full_name != "_format":
            control[full_name] = text
    return values, pairs, control


def _sent(request: HttpRequest, kind: Kind) -> list[tuple[str, str]]:
    """Return names and values from the address and, for a POST, from its form; refuse personal data in the address."""
    in_address = [(name, value) for name, values in request.GET.lists() for value in values]
    if any(_base_name(name) in kind.personal for name, _value in in_address):
        raise FhirRefused(
            400,
            "security",
            "Addresses are logged: send personal data in the body of a POST "
            f"to {kind.name}/_search. Not allowed in an address: {', '.join(sorted(kind.personal))}.",
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
    given = alternatives(name, text, limit=parameter.max_values)
    modifier = full_name.removeprefix(name)
    if modifier.removeprefix(":") in parameter.targets:
        given = [f"{modifier[1:]}/{value}" for value in given]
    elif modifier:
        # Ignored, it would find far more.
        raise FhirRefused(400, "not-supported", f"{name}: modifiers and chains are not supported.")
    if parameter.targets:
        given = [value.removeprefix(f"{base}/") for value in given]
    return parameter.read(name, given)


def _takes_control(kind: Kind, name: str, text: str) -> bool:
    """Return whether this is a known parameter of the result; refuse an unknown order."""
    if name == "_sort" and kind.sorts:
        if text not in kind.sorts:
            raise FhirRefused(400, "not-supported", f"_sort: one of {', '.join(kind.sorts)}")
        return True
    if name == "_summary":
        return text in ("count", "false")
    if name == "_total":
        return text in _TOTALS
    return name in ("_count", "_format", "after")


def _refuse_unless_ignored(request: HttpRequest, name: str) -> None:
    """Refuse an unknown parameter, unless the client accepts that it is ignored, or ignoring it cannot find more."""
    preferred = {each.strip().lower() for each in request.headers.get("Prefer", "").replace(",", ";").split(";")}
    is_harmless = name in _NOT_APPLIED and "handling=strict" not in preferred
    if not is_harmless and "handling=lenient" not in preferred:
        raise FhirRefused(400, "not-supported", "Unknown parameter; see metadata.")


def _count_of(text: str) -> int:
    number = parse_number(text)
    if number is None:
        raise bad_value("_count", "not a whole number")
    return min(number, MAX_COUNT)


# Pages


class Page(NamedTuple):
    """A page; `total` is None if it is not wanted or above `MAX_COUNTED`, `after` on the last page."""

    rows: list[Any]
    total: int | None
    after: str | None


class Order(Protocol):
    @property
    def keyset(self) -> KeysetOrder: ...

    def read(self, after: str) -> Key:
        """Return the key that this text of a link stands for, or refuse it."""

    def write(self, key: Key) -> str:
        """Return the text for a link."""


class ByKey:
    keyset = KeysetOrder(("pk",))

    def read(self, after: str) -> Key:
        number = parse_number(after)
        if number is None:
            raise bad_value("after", "not from a link")
        return (number,)

    def write(self, key: Key) -> str:
        return str(key[0])


@dataclass(frozen=True)
class ByStart:
    """In order of start and id, or the reverse. A link has the start in seconds since 1970, and the id."""

    is_latest_first: bool = False

    @property
    def keyset(self) -> KeysetOrder:
        return KeysetOrder(("start_time", "pk"), is_descending=self.is_latest_first)

    def read(self, after: str) -> Key:
        match = _CURSOR.fullmatch(after)
        if match is None:
            raise bad_value("after", "not from a link")
        try:
            return _EPOCH + dt.timedelta(seconds=int(match[1])), int(match[2])
        except OverflowError as error:
            raise bad_value("after", "not from a link") from error

    def write(self, key: Key) -> str:
        start, pk = key
        return f"{int(start.timestamp())}-{pk}"


def page_of(rows: QuerySet[Any], query: FhirQuery, order: Order) -> Page:
    """Return the requested page. Two queries; one without rows or without a total."""
    total = _total_of(rows, query)
    if not query.count:
        return Page([], total, None)
    after = order.read(query.after) if query.after else None
    shown, last = order.keyset.page(rows, after=after, size=query.count)
    return Page(shown, total, None if last is None else order.write(last))


def _total_of(rows: QuerySet[Any], query: FhirQuery) -> int | None:
    if query.is_counted:
        return rows.count()
    if query.total == "none":
        return None
    counted = rows.order_by()[: MAX_COUNTED + 1].count()
    return counted if counted <= MAX_COUNTED else None


def without_personal(query: FhirQuery, rows: QuerySet[Any]) -> FhirQuery:
    """Replace the search by one for the ids that it finds, so that links have no personal data. One query."""
    ids = list(query.narrowed(rows).order_by("pk").values_list("pk", flat=True)[: MAX_IDS + 1])
    if len(ids) > MAX_IDS:
        raise FhirRefused(400, "too-costly", f"More than {MAX_IDS} patients match: give more details.")
    return query.by_ids(ids)
