"""What a request costs, for the log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from django.db import connection


class RequestCost:
    """Time spent on a request, and the number of its queries with the time until the database has answered them.

    Those that a new connection sends count, too. Reaching the server, and COMMIT, count as other time.
    """

    def __init__(self) -> None:
        self.seconds = self.database_seconds = 0.0
        self.queries = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what happens inside, in this thread. May be used several times, for a response sent in parts."""
        began = perf_counter()
        try:
            with connection.execute_wrapper(self._count):
                yield
        finally:
            self.seconds += perf_counter() - began

    def _count(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        began = perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.queries += 1
            self.database_seconds += perf_counter() - began

    def fields(self) -> dict[str, int]:
        """Return the fields of the log: `ms`, `database_ms` and `queries`."""
        ms, database_ms = round(self.seconds * 1000), round(self.database_seconds * 1000)
        return {"ms": ms, "database_ms": database_ms, "queries": self.queries}
