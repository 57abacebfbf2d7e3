"""Records that appointments hold on to: deleting one says what to do instead."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.db.models import ProtectedError


class ProtectedQuerySet:
    """For querysets of such records."""

    def delete(self: Any) -> tuple[int, dict[str, int]]:
        """Delete those without appointments.

        Raises:
            ProtectedError: if one of them has appointments, with the advice as message; nothing is then deleted.
        """
        with _explained(self.model.linked_advice):
            return super().delete()  # type: ignore[misc]  # the queryset this is mixed into has it

    delete.queryset_only = True  # type: ignore[attr-defined]  # Django's own mark: not for managers


class ProtectedRecord:
    """For models of such records. `linked_advice` is for people."""

    linked_advice: ClassVar[Any]

    def delete(self: Any, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the record if it has no appointments.

        Raises:
            ProtectedError: if it has, with the advice as message.
        """
        with _explained(self.linked_advice):
            return super().delete(*args, **kwargs)  # type: ignore[misc]  # the model this is mixed into has it


@contextmanager
def _explained(advice: Any) -> Iterator[None]:
    """Give Django's ProtectedError a message for people; type and protected objects stay."""
    try:
        yield
    except ProtectedError as error:
        raise ProtectedError(str(advice), error.protected_objects) from error
