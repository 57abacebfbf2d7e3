"""Phone numbers, as they are typed, in links."""

import re

_EXTENSION = re.compile(r"[^\d\s()+./-]")  # what follows is an extension or a second number


def tel_url(phone_number: str) -> str:
    """Return the `tel:` address that dials a number; empty for an empty one. It leaves out an extension."""
    number = _EXTENSION.split(phone_number, maxsplit=1)[0]
    digits = "".join(filter(str.isdecimal, number))
    plus = "+" if number.lstrip(" (").startswith("+") else ""
    return f"tel:{plus}{digits}" if digits else ""
