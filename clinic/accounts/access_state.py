import datetime as dt
from typing import Any


def access_state(
    user: Any, *, ended_at: dt.datetime | None, expires_at: dt.datetime | None, at: dt.datetime, ended: str = "ended"
) -> str:
    """Return in words whether what was given to a user can be used at `at`, or why not; `ended` is the word for ended.

    The `in_force` queries of tokens and grants decide the same in the database.
    """
    if ended_at is not None:
        return ended
    if expires_at is not None and expires_at <= at:
        return "expired"
    return "in force" if user.is_active else "user not active"
