"""Searches all text of a database, column by column."""

import json
from importlib import import_module

from django.conf import settings
from django.db import connection


def places_of(*values):
    """Return where a text occurs in the database, ignoring case: table, column and value."""
    wanted = [value.casefold() for value in values]
    return [
        (table, column, text) for table, column, text in _texts() if any(value in text.casefold() for value in wanted)
    ]


def _texts():
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for column, value in zip(columns, row, strict=True):
                    yield from ((table, column, text) for text in _spelled(column, value))


def _spelled(column, value):
    """Yield a value as text, with sessions decoded and JSON parsed, so that escapes hide nothing."""
    if value is None:
        return
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    yield text
    if column == "session_data":
        yield from _leaves(import_module(settings.SESSION_ENGINE).SessionStore().decode(text))
    else:
        yield from _leaves_of_json(text)


def _leaves_of_json(text):
    if text[:1] in ("{", "[", '"'):
        try:
            yield from _leaves(json.loads(text))
        except ValueError:
            return


def _leaves(value):
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(key)
            yield from _leaves(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, str):
        yield value
        yield from _leaves_of_json(value)
