import re

_DIALLED = re.compile(r"\(?\+?[\d\s().\u2010-\u2015/-]+")


def tel_url(number: str) -> str:
    """Return the `tel:` address of a phone number as people write it, or an empty string if it has no digits.

    What follows the digits, such as an extension or a remark, cannot be dialled and is left out.
    """
    found = _DIALLED.match(number.strip())
    dialled = re.sub(r"[^\d+]", "", found.group()) if found else ""
    return f"tel:{dialled}" if dialled.strip("+") else ""
