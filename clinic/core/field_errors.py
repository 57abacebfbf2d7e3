from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.core.exceptions import ValidationError


@contextmanager
def at_field(field: str) -> Iterator[None]:
    """Assign a ValidationError raised inside to `field`, for a single check; `FieldErrors` collects several."""
    try:
        yield
    except ValidationError as error:
        raise ValidationError({field: error.error_list}) from error


class FieldErrors:
    """Validation errors by field, so that a user sees all of them at once."""

    def __init__(self) -> None:
        self._errors: dict[str, list[ValidationError]] = {}

    @contextmanager
    def at(self, field: str) -> Iterator[None]:
        """Collect a ValidationError raised inside under `field`, and continue."""
        try:
            yield
        except ValidationError as error:
            self._errors.setdefault(field, []).extend(error.error_list)

    def raise_any(self) -> None:
        """Raise one ValidationError with everything collected, if anything was."""
        self.raise_with({})

    def raise_with(self, others: Mapping[str, list[ValidationError]]) -> None:
        """Raise one ValidationError with everything collected and the errors of `others`, if there are any."""
        if self._errors or others:
            raise ValidationError({**others, **self._errors})
