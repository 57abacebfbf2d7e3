"""Refuse to overwrite what somebody else has changed since the record was shown."""

from django.core.exceptions import ValidationError


def check_unchanged(current: object, *, seen: object, message: str) -> None:
    """Refuse if the state that was `seen` is not the current one; None skips the check: `stale`."""
    if seen not in (None, current):
        raise ValidationError(message, code="stale")
