"""How long the portal waits for its database. What each limit does is measured in docs/decisions/024-waiting.md."""

import sys
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

_CONNECT_SECONDS = 3
# MariaDB cuts JSON arrays, such as a role's permissions, at this many bytes. This is its default.
_LONGEST_GROUP = 1_048_576


@dataclass(frozen=True)
class Waits:
    """Limits in seconds: for an answer, for sending, for a lock, and for a unit of work with all its tries."""

    read: int
    write: int
    lock: int
    patience: int

    def of_imports(self) -> "Waits":
        """Return ten times these limits: an import reads and writes thousands of rows in one transaction."""
        return Waits(*(10 * seconds for seconds in astuple(self)))

    def of_commands(self) -> "Waits":
        """Return the limits of imports, but an hour for an answer: a migration may change a whole table."""
        return replace(self.of_imports(), read=3600, write=3600)

    def options(self, engine: str) -> dict[str, Any]:
        """Return the options of a connection that keep these limits.

        On MariaDB and MySQL the limit for a lock is also that for a table whose columns are being changed: the server's
        own is a day.
        """
        if engine.endswith("sqlite3"):
            return {"timeout": self.patience}
        session = {
            "innodb_lock_wait_timeout": self.lock,
            "lock_wait_timeout": self.lock,
            "group_concat_max_len": _LONGEST_GROUP,
        }
        return {
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": self.read,
            "write_timeout": self.write,
            "init_command": "SET SESSION " + ", ".join(f"{name} = {value}" for name, value in session.items()),
        }


def is_command() -> bool:
    """Return whether this process runs a command of `manage.py` that serves no pages."""
    return Path(sys.argv[0]).name == "manage.py" and sys.argv[1:2] != ["runserver"]
