"""Reads times and instants as text: of many rows, the database's driver takes longest to make objects of them."""

import datetime as dt
from functools import lru_cache

from django.db.models import CharField
from django.db.models.functions import Cast


def as_text(field_name: str) -> Cast:
    """Return an expression for `values_list()` that reads a field for `time_of` or `instant_of`."""
    return Cast(field_name, CharField(max_length=26))


@lru_cache(4096)
def time_of(text: str) -> dt.time:
    return dt.time.fromisoformat(text)


@lru_cache(4096)
def instant_of(text: str) -> dt.datetime:
    """Return the instant; databases store UTC without saying so."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
