"""Public holidays of countries and regions, from the `holidays` package."""

import datetime as dt
import re
from typing import Any, NamedTuple

import holidays
from holidays.registry import COUNTRIES

FIRST_YEAR, LAST_YEAR = 2000, 2099
LANGUAGE = "en_US"  # if the package has it, else the country's own
_BETWEEN_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class PublicHoliday(NamedTuple):
    date: dt.date
    name: str


def countries() -> list[tuple[str, str]]:
    """Return the countries' codes and names, ordered by name."""
    named = [(codes[1], _BETWEEN_WORDS.sub(" ", codes[0])) for codes in COUNTRIES.values()]
    return sorted(named, key=lambda each: each[1])


def regions(country: str) -> list[tuple[str, str]]:
    """Return the codes and names of a country's regions, ordered by name; none if the country is unknown."""
    known = _class_of(country)
    codes: tuple[str, ...] = getattr(known, "subdivisions", ())
    aliases: dict[str, str] = getattr(known, "subdivisions_aliases", {})
    names = dict.fromkeys(codes, "") | {code: name for name, code in reversed(aliases.items())}
    return sorted(((code, name or code) for code, name in names.items()), key=lambda each: each[1])


def public_holidays(country: str, region: str, year: int) -> list[PublicHoliday]:
    """Return a year's public holidays in order. Raises NotImplementedError for an unknown country or region."""
    found = holidays.country_holidays(country, subdiv=region or None, years=year, language=LANGUAGE)
    return [PublicHoliday(date, name) for date, name in sorted(found.items())]


def _class_of(country: str) -> Any:
    return getattr(holidays, country, None) if country in dict(countries()) else None
