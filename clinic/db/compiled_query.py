"""Queries whose SQL is built once in a process: Django needs many times longer to build a query than to run it."""

import datetime as dt
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.models import Expression, Field, QuerySet


class Parameter(Expression):
    """A value of a compiled query that is given when it runs. A time can be shifted, as values in querysets are."""

    def __init__(self, name: str, field: "Field[Any, Any]", shift: dt.timedelta | None = None) -> None:
        super().__init__(output_field=field)
        self.name, self.shift = name, shift

    def __sub__(self, other: Any) -> "Parameter":  # type: ignore[override]  # not an expression of the database's
        return Parameter(self.name, self.output_field, (self.shift or dt.timedelta()) - other)

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]

    def prepare(self, values: Mapping[str, Any]) -> Any:
        """Return what the database is given for the value."""
        value = values[self.name]
        return self.output_field.get_db_prep_value(value if self.shift is None else value + self.shift, connection)


class CompiledQuery:
    """A query of the default database, from a function that returns a `values_list` with a `Parameter` for each value.

    A list of ids, or None for a value, would need different SQL: use an ordinary queryset for those.
    """

    def __init__(self, build: Callable[[], "QuerySet[Any, Any]"]) -> None:
        self._build = build

    def rows(self, **values: Any) -> list[Any]:
        """Run the query. One query."""
        sql, parameters, converted = self._compiled
        prepared = [each.prepare(values) if isinstance(each, Parameter) else each for each in parameters]
        with connection.cursor() as cursor:
            cursor.execute(sql, prepared)
            rows = list(map(list, cursor.fetchall()))
        for position, column in converted:
            for convert in _converters(column):
                for row in rows:
                    row[position] = convert(row[position], column, connection)
        return rows

    def row(self, **values: Any) -> list[Any] | None:
        """Return the first row, or None. One query."""
        return next(iter(self.rows(**values)), None)

    @cached_property
    def _compiled(self) -> tuple[str, tuple[Any, ...], list[tuple[int, Any]]]:
        """The SQL, its parameters, and the columns of which Python types are made, by position."""
        compiler = self._build().query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        columns = enumerate(column for column, _sql, _alias in compiler.select)
        return sql, parameters, [(position, column) for position, column in columns if _converters(column)]


def _converters(column: Any) -> list[Any]:
    """Return what Django calls in turn with a column's value. They belong to the connection, which has a thread."""
    return [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
