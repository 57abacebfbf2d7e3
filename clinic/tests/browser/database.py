"""Initial states of the SQLite test database: built once, then restored from copies.

Django empties a database by flushing it, which recreates all permissions and roles, and the clinic of the tests has
some thirty records with their rules and audit entries. Both take longer than most tests; a copy takes milliseconds.
"""

import copy
import sqlite3

from django.core.cache import cache
from django.db import connection


class SavedStates:
    """The states built in this process, by name."""

    def __init__(self):
        self._saved = {}

    def begin_with(self, name, build):
        """Restore the state that `build` creates in an empty database; return copies of its records."""
        if not self._saved:
            self._save("empty", None)
        if name not in self._saved:
            self.empty()
            self._save(name, build())
        return self._restore(name)

    def empty(self):
        """Leave the database as it is after `migrate`."""
        self._restore("empty")

    def close(self):
        for copied, _records in self._saved.values():
            copied.close()

    def _save(self, name, records):
        connection.ensure_connection()
        copied = sqlite3.connect(":memory:", check_same_thread=False)
        connection.connection.backup(copied)
        self._saved[name] = copied, records

    def _restore(self, name):
        copied, records = self._saved[name]
        connection.ensure_connection()
        # Waits for requests that are still being answered.
        copied.backup(connection.connection)
        cache.clear()  # ids come again
        return copy.deepcopy(records)
