from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.db.models import ProtectedError


class ProtectedQuerySet:
    def delete(self: Any) -> tuple[int, dict[str, int]]:
        """Delete all, or none: ProtectedError with the advice if one of them has appointments."""
        with _with_advice(self.model.delete_advice):
            deleted: tuple[int, dict[str, int]] = super().delete()  # type: ignore[misc]  # the queryset this is mixed into has it
        return deleted

    delete.queryset_only = True  # type: ignore[attr-defined]  # Django's own mark: not for managers


class ProtectedRecord:
    """A record that cannot be deleted while it has appointments; `delete_advice` says what to do instead."""

    delete_advice: ClassVar[Any]

    def delete(self: Any, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with _with_advice(self.delete_advice):
            deleted: tuple[int, dict[str, int]] = super().delete(*args, **kwargs)  # type: ignore[misc]  # the model this is mixed into has it
        return deleted


@contextmanager
def _with_advice(advice: Any) -> Iterator[None]:
    """Replace the message of Django's ProtectedError; type and protected objects stay."""
    try:
        yield
    except ProtectedError as error:
        raise ProtectedError(str(advice), error.protected_objects) from error
