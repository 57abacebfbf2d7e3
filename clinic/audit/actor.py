"""The actor: the user, token and address in every audit entry."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

ANONYMISED = "anonymised"  # replaces the values of an anonymised patient


def stored_instant(value: str) -> dt.datetime | None:
    """Parse an instant of the trail, in UTC unless it has an offset; None for anything else, as anonymised values."""
    try:
        instant = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)


@dataclass(frozen=True)
class Origin:
    actor: Any = None  # a user; None for the system
    address: str | None = None  # in a request
    token: int | None = None  # id of the API token


# Not django-auditlog's `set_actor`, which loses the outer actor when an inner one ends.
_origin: ContextVar[Origin] = ContextVar("audit_origin", default=Origin())  # noqa: B039 -- Origin is frozen


def current_origin() -> Origin:
    return _origin.get()


@contextmanager
def acting(by: Any, *, address: str | None = None, token: int | None = None) -> Iterator[None]:
    """Make `by` the actor inside the block. The address and token of an outer block apply unless given."""
    outer = current_origin()
    with originating(Origin(by, address or outer.address, token or outer.token)):
        yield


@contextmanager
def originating(origin: Origin) -> Iterator[None]:
    """Make this the origin inside the block, with nothing of an outer block."""
    reset = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(reset)
