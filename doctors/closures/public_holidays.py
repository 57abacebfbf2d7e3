"""Public holidays of the world's countries and their regions, as the `holidays` package knows them."""

import datetime as dt
import re
from typing import Any, NamedTuple

import holidays
from holidays.registry import COUNTRIES

FIRST_YEAR, LAST_YEAR = 2000, 2099
LANGUAGE = "en_US"  # where the package has the names in it; else in the country's own


class PublicHoliday(NamedTuple):
    """A clinic-local date and what is celebrated on it."""

    date: dt.date
    name: str


def countries() -> list[tuple[str, str]]:
    """Return the countries by code and name, in the order of names."""
    between_words = r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
    named = [(codes[1], re.sub(between_words, " ", codes[0])) for codes in COUNTRIES.values()]
    return sorted(named, key=lambda each: each[1])


def regions(country: str) -> list[tuple[str, str]]:
    """Return the regions of a country by code and name, in the order of names; none of a country unknown or whole."""
    known = _class_of(country)
    codes: tuple[str, ...] = getattr(known, "subdivisions", ())
    aliases: dict[str, str] = getattr(known, "subdivisions_aliases", {})
    names = dict.fromkeys(codes, "") | {code: name for name, code in reversed(aliases.items())}
    return sorted(((code, name or code) for code, name in names.items()), key=lambda each: each[1])


def public_holidays(country: str, region: str, year: int) -> list[PublicHoliday]:
    """Return the public holidays of a year in order, with those of the region, if one is named.

    Raises:
        NotImplementedError: for a country or region that the package does not know.
    """
    found = holidays.country_holidays(country, subdiv=region or None, years=year, language=LANGUAGE)
    return [PublicHoliday(date, name) for date, name in sorted(found.items())]


def _class_of(country: str) -> Any:
    return getattr(holidays, country, None) if country in dict(countries()) else None
