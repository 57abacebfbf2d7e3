"""Parses the values of FHIR search parameters: dates with prefixes, references, codes, ids. No queries."""

import datetime as dt
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q

from clinic.core import clinic_time
from clinic.rest.outcomes import FhirRefused
from clinic.web.http import parse_number

MAX_IDS = 300  # so that an address that lists them stays below the 4094 characters a web server reads
MAX_ALTERNATIVES = 20

_PIECE = re.compile(r"\\([,|$\\])|(.)", re.DOTALL)
_PREFIXED = re.compile(r"(eq|ne|gt|ge|lt|le|sa|eb|ap)?(.*)", re.DOTALL)
_DAYS = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?(?:-([0-9]{2}))?")
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2})(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?"
)
_FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


def bad_value(name: str, why: str) -> FhirRefused:
    """Return the refusal of a value, without repeating it."""
    return FhirRefused(400, "value", f"{name}: {why}")


def alternatives(name: str, text: str, *, limit: int = MAX_ALTERNATIVES) -> list[str]:
    """Split at commas, but not at escaped ones; refuse empty values, too many, and control characters."""
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in text):
        raise bad_value(name, "a character that cannot be shown")
    values = [""]
    for escaped, plain in _PIECE.findall(text):
        if plain == ",":
            values.append("")
        else:
            values[-1] += escaped or plain
    values = [value.strip() for value in values]
    if not all(values):
        raise bad_value(name, "an empty value")
    if len(values) > limit:
        raise FhirRefused(400, "too-costly", f"{name}: at most {limit} values")
    return values


# Dates


@dataclass(frozen=True)
class Range:
    """From `start` up to, but not including, `end`; None is no bound. `is_outside` means everything else."""

    start: Any
    end: Any
    is_outside: bool = False

    def condition(self, field: str) -> Q:
        if self.is_outside:
            return Q(**{f"{field}__lt": self.start}) | Q(**{f"{field}__gte": self.end})
        bounds = {f"{field}__gte": self.start, f"{field}__lt": self.end}
        return Q(**{lookup: bound for lookup, bound in bounds.items() if bound is not None})


def any_range(ranges: Collection[Range], field: str) -> Q:
    return reduce(or_, (each.condition(field) for each in ranges))


def parse_instants(name: str, text: str) -> Range:
    """Parse `ge2026-11-24` or `lt2026-11-24T10:30:00Z` to instants; dates are in clinic time."""
    prefix, value = _prefix_of(name, text)
    if _DAYS.fullmatch(value):
        first, after = _days(name, value)
        return _range(prefix, clinic_time.day_bounds(first)[0], clinic_time.day_bounds(after - clinic_time.ONE_DAY)[1])
    return _range(prefix, *_instants(name, value))


def parse_dates(name: str, text: str) -> Range:
    """Parse `1980`, `ge1980-05` or `1980-05-17` to dates."""
    prefix, value = _prefix_of(name, text)
    return _range(prefix, *_days(name, value))


def _prefix_of(name: str, text: str) -> tuple[str, str]:
    prefix, value = _PREFIXED.fullmatch(text).groups()  # type: ignore[union-attr]  # it matches any text
    if prefix == "ap":
        raise FhirRefused(400, "not-supported", f"{name}: ap is not supported")
    return prefix or "eq", value


def _range(prefix: str, start: Any, end: Any) -> Range:
    """Apply a prefix to a value that lasts from `start` to `end`."""
    if prefix in ("gt", "sa"):
        return Range(end, None)
    if prefix in ("lt", "eb"):
        return Range(None, start)
    if prefix == "ge":
        return Range(start, None)
    return Range(None, end) if prefix == "le" else Range(start, end, is_outside=prefix == "ne")


def _days(name: str, value: str) -> tuple[dt.date, dt.date]:
    """Return the first date and the one after the last."""
    match = _DAYS.fullmatch(value)
    if match is None:
        raise bad_value(name, "not a date such as 2026-11-24")
    year, month, day = match.groups()
    try:
        first = dt.date(int(year), int(month or 1), int(day or 1))
        clinic_time.check_date(first)
    except (ValueError, ValidationError):
        raise bad_value(name, "no such date between 1900 and 2199") from None
    if day:
        return first, first + clinic_time.ONE_DAY
    is_within_year = month and first.month < 12
    return first, dt.date(first.year, first.month + 1, 1) if is_within_year else dt.date(first.year + 1, 1, 1)


def _instants(name: str, value: str) -> tuple[dt.datetime, dt.datetime]:
    """Return the first instant and the end, which is excluded."""
    # An unescaped plus of an offset arrives as a space, which is not valid otherwise.
    match = _INSTANT.fullmatch(value.replace(" ", "+"))
    if match is None:
        raise bad_value(name, "not a date such as 2026-11-24 or an instant such as 2026-11-24T10:30:00Z")
    minute, seconds, fraction, offset = match.groups()
    if offset is None:
        raise bad_value(name, "a time needs its offset from UTC, as in 2026-11-24T10:30:00Z")
    try:
        start = dt.datetime.fromisoformat(minute + (seconds or ":00")[:3] + (fraction or "")[:7] + offset)
        clinic_time.check_date(start.date())
    except (ValueError, ValidationError):
        raise bad_value(name, "no such instant between 1900 and 2199") from None
    start = start.astimezone(dt.UTC)
    lasts = dt.timedelta(microseconds=1) if fraction else dt.timedelta(seconds=1 if seconds else 60)
    return start, start + lasts


# References, ids and codes


def parse_ids(name: str, values: list[str]) -> list[int]:
    """Return the ids that can exist; others, such as `abc`, are valid in FHIR but never found."""
    if not all(_FHIR_ID.fullmatch(value) for value in values):
        raise bad_value(name, "not an id")
    return [number for value in values if (number := parse_number(value)) is not None]


def parse_references(name: str, values: list[str], targets: Collection[str]) -> dict[str, list[int]]:
    """Parse `Patient/7` to ids by type; with a single type of target, `7` is enough."""
    found: dict[str, list[int]] = {target: [] for target in targets}
    for value in values:
        kind, slash, key = value.rpartition("/")
        if not slash and len(found) == 1:
            (kind,) = found
        if kind not in found:
            raise bad_value(name, f"not a reference such as {next(iter(found))}/7 on this server")
        found[kind] += parse_ids(name, [key])
    return found


def parse_codes(name: str, values: list[str], known: Collection[str], system: str = "") -> list[str]:
    """Return the codes, each with or without its system before a bar."""
    codes = [value.removeprefix(f"{system}|") if system else value for value in values]
    if not set(codes) <= set(known):
        raise bad_value(name, f"not one of {', '.join(known)}")
    return codes
