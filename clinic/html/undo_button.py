"""The Undo button in the message that says what has been done."""

from typing import Any

from django.utils.html import format_html


def undo_button(url: str, name: str, value: Any) -> str:
    """Return an Undo button (key `u`) that posts one value to an address."""
    return format_html(
        '<button class="btn btn-link btn-sm" type="submit" form="act" formaction="{}" name="{}" value="{}" '
        'data-key="u">Undo</button>',
        url,
        name,
        value,
    )
