"""Say what to do instead when a record is linked to appointments and so cannot be deleted."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models import ProtectedError


@contextmanager
def explained(advice: str) -> Iterator[None]:
    """Give Django's ProtectedError a message for people; type and protected objects stay.

    Raises:
        ProtectedError: with `advice` as its message.
    """
    try:
        yield
    except ProtectedError as error:
        raise ProtectedError(advice, error.protected_objects) from error
