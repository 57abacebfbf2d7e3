"""Retry a unit of work that lost a race. Facts and measurements: docs/decisions/001-locking.md."""

import functools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection

from clinic.core.database_waits import Waits

P = ParamSpec("P")
R = TypeVar("R")

MAX_TRIES = 12
FIRST_WAIT_SECONDS = 0.004
MAX_WAIT_SECONDS = 0.256
RETRY_AFTER_SECONDS = 5  # what a 503 tells the client

_waits: ContextVar[Waits | None] = ContextVar("waits", default=None)
_rng = random.SystemRandom()
_DEADLOCK, _LOCK_WAIT = 1213, 1205  # Galera reports a lost certification as a deadlock
_LOST_CONNECTION = frozenset({2002, 2003, 2006, 2013})


def current_waits() -> Waits:
    return _waits.get() or settings.DATABASE_WAITS


class LostRace(ValidationError):
    """A rule passed when the form was checked but fails under the lock: another request was quicker."""


@contextmanager
def refusals_as_lost_race() -> Iterator[None]:
    """Raise refusals inside as LostRace: of what had been checked before the lock was taken, or read."""
    try:
        yield
    except LostRace:
        raise
    except ValidationError as error:
        raise LostRace(error) from error


def is_lock_conflict(error: BaseException) -> bool:
    """Return whether the database gave up on a lock, so that the same work may pass if done again."""
    code = error.args[0] if error.args else None
    return isinstance(error, DatabaseError) and (
        code in {_DEADLOCK, _LOCK_WAIT} or (isinstance(code, str) and "database is locked" in code)
    )


def is_lost_connection(error: BaseException) -> bool:
    """Return whether the connection broke. Whether a COMMIT under way took effect is then unknown."""
    return isinstance(error, DatabaseError) and bool(error.args) and error.args[0] in _LOST_CONNECTION


@contextmanager
def waiting_longer() -> Iterator[None]:
    """Wait for the database ten times as long inside, as imports must. Nothing changes inside a transaction."""
    if connection.in_atomic_block:
        yield
        return
    waits = settings.DATABASE_WAITS.of_imports()
    usual = connection.settings_dict
    connection.close()  # most limits are those of a connection
    # Of this connection alone: those of other threads share one dictionary.
    connection.settings_dict = usual | {"OPTIONS": usual["OPTIONS"] | waits.options(usual["ENGINE"])}
    token = _waits.set(waits)
    try:
        yield
    finally:
        _waits.reset(token)
        connection.close()
        connection.settings_dict = usual


def retrying(work: Callable[P, R]) -> Callable[P, R]:
    """Decorate the outermost unit of work, which opens its own transaction and reads the database afresh each time.

    Lock conflicts are retried with growing, jittered waits, up to `MAX_TRIES` times and for `DATABASE_PATIENCE`
    seconds: no try begins that would end later if it took as long as the last. After a LostRace or an IntegrityError
    the work runs once more: its own checks then see the winner and refuse in the ordinary way. Inside a transaction
    nothing is retried, since only the outermost work can roll everything back.

    Raises:
        DatabaseError: when the tries or the time are used up; the portal answers 503.
    """

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            return work(*args, **kwargs)
        deadline = time.monotonic() + current_waits().patience
        races_left = 1
        for attempt in range(MAX_TRIES):
            began = time.monotonic()
            try:
                return work(*args, **kwargs)
            except (LostRace, IntegrityError):
                if not races_left or attempt == MAX_TRIES - 1:
                    raise
                races_left -= 1
            except DatabaseError as error:
                pause = _pause(attempt)
                ended = time.monotonic()
                is_late = ended + pause + (ended - began) > deadline
                if not is_lock_conflict(error) or attempt == MAX_TRIES - 1 or is_late:
                    raise
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    return run


def _pause(attempt: int) -> float:
    longest = min(FIRST_WAIT_SECONDS * 2**attempt, MAX_WAIT_SECONDS)
    return _rng.uniform(longest / 2, longest)
