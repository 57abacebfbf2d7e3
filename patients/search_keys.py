"""Search keys: short folded texts whose beginnings are compared; see docs/decisions/005-patient-search.md."""

import re

from clinic.core.names import fold

MAX_KEY = 64
MAX_COUNTRY_CODE = 3  # ITU-T E.164
MIN_DIGITS_TO_COMPARE = 7  # shorter ones are extensions and switchboards
MAX_SEARCH_TERMS = 6
AFTER_EVERY_CHARACTER = "\U0010ffff"
_PHONE_LOOK = re.compile(r"[\d\s+()./#*,;-]+(?:ext[\d\s.]*)?", re.IGNORECASE)


def keys_for(*, first_name: str, last_name: str, email: str, phone_number: str) -> set[str]:
    """Return a key for each word of the name, for the e-mail, and for each way to dial the number."""
    keys = {*fold(f"{first_name} {last_name}").split(), email, *_phone_keys(phone_number)}
    return {key[:MAX_KEY] for key in keys if key}


def phone_keys_to_compare(phone_number: str) -> set[str]:
    """Return the keys that equal numbers share; none if the number is too short to identify a person."""
    return {key[:MAX_KEY] for key in _phone_keys(phone_number) if len(key) >= MIN_DIGITS_TO_COMPARE}


def digits_of(phone_number: str) -> str:
    """Return the digits without the international prefix `00` and without a `(0)` that is not dialled after it."""
    if _is_international(phone_number):
        phone_number = phone_number.replace("(0)", "")
    digits = re.sub(r"[^0-9]", "", phone_number)
    return digits.removeprefix("00")


def _phone_keys(phone_number: str) -> set[str]:
    """Return the digits, also without a country code or without the trunk prefix `0`."""
    digits = digits_of(phone_number)
    keys = {digits, digits.removeprefix("0")}
    if _is_international(phone_number):
        keys |= {digits[length:] for length in range(1, MAX_COUNTRY_CODE + 1)}
    return keys


def _is_international(phone_number: str) -> bool:
    return phone_number.lstrip(" (").startswith(("+", "00"))


def search_terms(text: str) -> list[set[str]]:
    """Return the terms of a search; for each, the beginnings of which a patient must have at least one."""
    text = text.strip()
    if "@" in text:
        return [{text.lower()[:MAX_KEY]}]
    if _PHONE_LOOK.fullmatch(text) and digits_of(text):
        return [_phone_keys(text) - {""}]
    return [{word[:MAX_KEY]} for word in fold(text).split()[:MAX_SEARCH_TERMS]]
