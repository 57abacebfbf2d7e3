"""Query plans of the database."""

import re
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection

_BOUNDED = {"range", "ref", "eq_ref", "const", "index_subquery", "unique_subquery"}


@dataclass
class Step:
    """How a query reads one table: whether it uses an index, and reads only the matching rows."""

    table: str  # or its alias
    is_by_index: bool
    is_bounded: bool
    text: str


def analyze(*tables):
    """Update the statistics of the tables; MariaDB commits on this."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ANALYZE TABLE {table}" if connection.vendor == "mysql" else f"ANALYZE {table}")
            if connection.vendor == "mysql":
                cursor.fetchall()


def steps_of(queryset):
    """Return how the database reads each table of a query, including subqueries."""
    return steps_of_sql(*queryset.query.sql_with_params())


def steps_of_sql(sql, params=None):
    """Return the same for SQL, captured while running or with its parameters."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
            lines = [row[3] for row in cursor.fetchall()]
            return [
                Step(line.split()[1], " INDEX " in line or " PRIMARY KEY " in line, line.startswith("SEARCH"), line)
                for line in _of_tables(lines)
            ]
        cursor.execute(f"EXPLAIN {sql}", params)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    # Impossible conditions read no table; angle brackets mark the few rows of a subquery.
    return [
        Step(row["table"], row["key"] is not None, row["type"] in _BOUNDED, str(row))
        for row in rows
        if row["table"] and not row["table"].startswith("<")
    ]


def plan_of_sql(sql):
    """Return the whole plan of SQL captured while running, as text; it mentions sorting, which steps do not."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{sql}")
        return "\n".join(map(str, cursor.fetchall()))


def _of_tables(lines):
    """Omit reads of the few rows found by a subquery."""
    subqueries = {line.split(" ", 1)[1] for line in lines if line.startswith(("CO-ROUTINE ", "MATERIALIZE "))}
    return [
        line
        for line in lines
        if (read := re.match(r"(?:SEARCH|SCAN) (\(subquery-\d+\)|\S+)", line)) and read[1] not in subqueries
    ]


@dataclass
class RowsRead:
    """How many rows, or entries of indexes, the database has read."""

    count: int = 0


@contextmanager
def rows_read():
    """Yield an object that holds, after the block, the rows read in it; on SQLite an estimate from its own steps."""
    read = RowsRead()
    if connection.vendor == "sqlite":
        yield from _count_sqlite_steps(read)
    else:
        before = _rows_read_so_far()
        yield read
        read.count = _rows_read_so_far() - before


STEPS_A_ROW = 10  # of SQLite's virtual machine: few for an entry of an index, more for a row with many columns


def _count_sqlite_steps(read):
    def count():
        read.count += 100 // STEPS_A_ROW

    connection.ensure_connection()
    connection.connection.set_progress_handler(count, 100)
    try:
        yield read
    finally:
        connection.connection.set_progress_handler(None, 0)


def _rows_read_so_far():
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _name, value in cursor.fetchall())
