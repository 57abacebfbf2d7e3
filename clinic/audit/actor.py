"""Who is acting: the user, token and address that the audit trail notes beside everything.

A context variable of our own, because django-auditlog's `set_actor` forgets the outer actor once an inner one ends.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

ANONYMISED = "anonymised"  # what stands in place of each value that was a patient's


def stored_instant(value: str) -> dt.datetime | None:
    """Return an instant that the trail holds, UTC if it does not say so; None if it is none, as once anonymised."""
    try:
        instant = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)


@dataclass(frozen=True)
class Origin:
    """Where something comes from: a user (None for the system itself) and, in a request, the address.

    `token` is the id of the API token that a program acts by in the user's name.
    """

    actor: Any = None
    address: str | None = None
    token: int | None = None


_origin: ContextVar[Origin] = ContextVar("audit_origin", default=Origin())  # noqa: B039 -- Origin is frozen


def current_origin() -> Origin:
    """Return the innermost origin in force."""
    return _origin.get()


@contextmanager
def acting(by: Any, *, address: str | None = None, token: int | None = None) -> Iterator[None]:
    """Note `by` as the actor of all that happens inside; an outer address or token stays in force unless given anew."""
    outer = current_origin()
    reset = _origin.set(Origin(by, address or outer.address, token or outer.token))
    try:
        yield
    finally:
        _origin.reset(reset)
