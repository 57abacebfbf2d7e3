"""Who is acting: the user and address that the audit trail notes beside every change.

A context variable of our own, because django-auditlog's `set_actor` forgets the outer actor once an inner one ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Origin:
    """Where a change comes from: a user (None for the system itself) and, in a request, the address it comes from."""

    actor: Any = None
    address: str | None = None


_origin: ContextVar[Origin] = ContextVar("audit_origin", default=Origin())  # noqa: B039 -- Origin is frozen


def current_origin() -> Origin:
    """Return the innermost origin in force."""
    return _origin.get()


@contextmanager
def acting(by: Any, *, address: str | None = None) -> Iterator[None]:
    """Note `by` as the actor of every change made inside; an outer address stays in force unless given anew."""
    token = _origin.set(Origin(by, address or current_origin().address))
    try:
        yield
    finally:
        _origin.reset(token)
