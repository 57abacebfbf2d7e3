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

    Whatever else differs between two runs has to be built anew: a list of ids, None for a value.
    """

    def __init__(self, build: Callable[[], "QuerySet[Any, Any]"]) -> None:
        self._build = build

    @cached_property
    def _compiled(self) -> tuple[Any, str, tuple[Any, ...], list[Any]]:
        query = self._build().query
        compiler = query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        return query, sql, parameters, [column for column, _sql, _alias in compiler.select]

    def rows(self, **values: Any) -> list[list[Any]]:
        """Run the query. One query."""
        query, sql, parameters, columns = self._compiled
        prepared = [each.prepare(values) if isinstance(each, Parameter) else each for each in parameters]
        with connection.cursor() as cursor:
            cursor.execute(sql, prepared)
            found = cursor.fetchall()
        compiler = query.get_compiler(connection=connection)
        return list(compiler.apply_converters(found, compiler.get_converters(columns)))
