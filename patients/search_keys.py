"""What a patient is found by: short folded texts whose beginnings are compared in one index.

A row for each word of the name, for the e-mail, and for the phone number with and without what may stand before the
national number. A range over one indexed column was the only search that found everything, fast, on SQLite and on
MariaDB alike; see docs/decisions/005-patient-search.md.
"""

import re

from clinic.core.names import fold

MAX_KEY = 64
MAX_COUNTRY_CODE = 3  # ITU-T E.164
MIN_DIGITS_TO_COMPARE = 7  # shorter ones are extensions and switchboards
MAX_WORDS_SOUGHT = 6
AFTER_EVERY_CHARACTER = "\U0010ffff"
_PHONE_LOOK = re.compile(r"[\d\s+()./#*,;-]+(?:ext[\d\s.]*)?", re.IGNORECASE)


def keys_for(*, first_name: str, last_name: str, email: str, phone_number: str) -> set[str]:
    """Return the keys of a patient with these data, each at most `MAX_KEY` characters."""
    keys = {*fold(f"{first_name} {last_name}").split(), email, *_phone_keys(phone_number)}
    return {key[:MAX_KEY] for key in keys if key}


def phone_keys_to_compare(phone_number: str) -> set[str]:
    """Return the keys by which this is the same number as another; none if it is too short to tell people apart."""
    return {key[:MAX_KEY] for key in _phone_keys(phone_number) if len(key) >= MIN_DIGITS_TO_COMPARE}


def digits_of(phone_number: str) -> str:
    """Return the phone number's digits, without the `00` for `+` and without the `(0)` not dialled after it."""
    if _is_international(phone_number):
        phone_number = phone_number.replace("(0)", "")
    digits = re.sub(r"[^0-9]", "", phone_number)
    return digits.removeprefix("00")


def _phone_keys(phone_number: str) -> set[str]:
    """Return the digits, and what is left of them without a country code or without the trunk `0`."""
    digits = digits_of(phone_number)
    keys = {digits, digits.removeprefix("0")}
    if _is_international(phone_number):
        keys |= {digits[length:] for length in range(1, MAX_COUNTRY_CODE + 1)}
    return keys


def _is_international(phone_number: str) -> bool:
    return phone_number.lstrip(" (").startswith(("+", "00"))


def sought(text: str) -> list[set[str]]:
    """Return what a search text asks for: of each set, at least one must begin a key of the patient."""
    text = text.strip()
    if "@" in text:
        return [{text.lower()[:MAX_KEY]}]
    if _PHONE_LOOK.fullmatch(text) and digits_of(text):
        return [_phone_keys(text) - {""}]
    return [{word[:MAX_KEY]} for word in fold(text).split()[:MAX_WORDS_SOUGHT]]
