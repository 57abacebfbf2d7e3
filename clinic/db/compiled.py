from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import QuerySet

_KEY = "the key, in the statement as it is built"


class _Statement(NamedTuple):
    sql: str
    parameters: Sequence[Any]
    converted: Sequence[tuple[int, Any]]  # the columns that Python types are made from, by position


class RowByKey:
    """A query for the values of one row by a text. Its SQL is built once: building takes longer than the query itself.

    `build` gets the key and returns a queryset of `values_list()`, in which nothing but the key changes between calls.
    """

    def __init__(self, build: Callable[[str], QuerySet[Any, Any]]) -> None:
        self._build = build

    def get(self, key: str) -> list[Any] | None:
        """Return the row's values, or None. One query."""
        sql, parameters, converted = self._statement
        with connection.cursor() as cursor:
            cursor.execute(sql, [key if each == _KEY else each for each in parameters])
            row = cursor.fetchone()
        if row is None:
            return None
        values = list(row)
        for position, column in converted:
            for convert in _converters(column):
                values[position] = convert(values[position], column, connection)
        return values

    @cached_property
    def _statement(self) -> _Statement:
        compiler = self._build(_KEY).query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        columns = enumerate(column for column, _sql, _alias in compiler.select)
        return _Statement(sql, parameters, [(at, column) for at, column in columns if _converters(column)])


def _converters(column: Any) -> list[Any]:
    """Return what Django calls in turn with a column's value. They belong to the connection, which has a thread."""
    return [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
