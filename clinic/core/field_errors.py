"""Gather the refusals of several rules, each at its field."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.core.exceptions import ValidationError


class FieldErrors:
    """Refusals by field, so that a person sees all that is wrong at once."""

    def __init__(self) -> None:
        self._errors: dict[str, list[ValidationError]] = {}

    @contextmanager
    def at(self, field: str) -> Iterator[None]:
        """Keep a ValidationError raised inside under `field`, and go on."""
        try:
            yield
        except ValidationError as error:
            self._errors.setdefault(field, []).extend(error.error_list)

    def raise_any(self) -> None:
        """Raise one ValidationError with all that was kept, or return if nothing was."""
        self.raise_with({})

    def raise_with(self, others: Mapping[str, list[ValidationError]]) -> None:
        """Raise one ValidationError with all that was kept and what others have refused, or return if nothing was."""
        if self._errors or others:
            raise ValidationError({**others, **self._errors})
