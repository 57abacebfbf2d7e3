"""Search keys: short folded texts whose beginnings are compared; see docs/decisions/005-patient-search.md."""

import re
from collections.abc import Collection

from clinic.core.names import fold

MAX_KEY = 64
MAX_COUNTRY_CODE = 3  # ITU-T E.164
MIN_DIGITS_TO_COMPARE = 7  # shorter ones are extensions and switchboards
MIN_DIGITS_BESIDE_NAME = 4  # fewer begin the numbers of too many patients
MAX_SEARCH_TERMS = 6
MAX_OTHER_WORDS = 255  # characters
MAX_PAIRED_WORDS = 8
# How a pair key begins. Three terms are not compared with names of two words, and of the few names that have very many
# words not each one is paired with each.
TWO_WORDS, SEVERAL_WORDS, MANY_WORDS = "2", "3", "4"
AFTER_EVERY_CHARACTER = "\U0010ffff"
_PHONE_LOOK = re.compile(r"[\d\s+()./#*,;-]+(?:ext[\d\s.]*)?", re.IGNORECASE)


def keys_for(*, first_name: str, last_name: str, email: str, phone_number: str) -> set[str]:
    """Return a key for each word of the name, for the e-mail, and for each way to dial the number."""
    keys = {*name_words(first_name, last_name), email, *_phone_keys(phone_number)}
    return {key[:MAX_KEY] for key in keys if key}


def name_words(first_name: str, last_name: str) -> list[str]:
    """Return the different words of a name, folded, in their order."""
    return list(dict.fromkeys(word[:MAX_KEY] for word in fold(f"{first_name} {last_name}").split()))


def name_pairs(first_name: str, last_name: str) -> set[tuple[str, str]]:
    """Return for each word, with each initial of another word, the pair key and all the other words.

    A space precedes each of the other words, so that ` sil` is found where one of them begins. In a name of more than
    `MAX_PAIRED_WORDS` words, each has one pair.
    """
    words = name_words(first_name, last_name)
    length = TWO_WORDS if len(words) == 2 else SEVERAL_WORDS if len(words) <= MAX_PAIRED_WORDS else MANY_WORDS
    pairs = set()
    for word in words:
        others = [other for other in words if other != word]
        text = "".join(f" {other}" for other in others)[:MAX_OTHER_WORDS]
        pairs |= {(pair_key(length, other[0], word), text) for other in others}
    return pairs


def pair_key(length: str, initial: str, word: str) -> str:
    """Return the key of a word, or of its beginning, in names of this length with another word of this initial."""
    return f"{length}{word}" if length == MANY_WORDS else f"{length}{initial}{word}"


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
    """Return the terms of a search; for each, the beginnings of which a patient must have at least one.

    Several terms are beginnings of different words of the name: one that begins another term is left out. The last one
    may be a phone number. A single term may also be the beginning of an e-mail or phone number.
    """
    text = text.strip()
    if "@" in text:
        return [{text.lower()[:MAX_KEY]}]
    if _PHONE_LOOK.fullmatch(text) and digits_of(text):
        return [_phone_keys(text) - {""}]
    name, number = _split_number(text)
    if is_number(term := _phone_keys(number) - {""}):
        return [*_word_terms(name), term]
    return _word_terms(text)


def is_number(term: set[str]) -> bool:
    """Return whether a term beside words is compared with phone numbers, and not with the words of a name."""
    return all(map(str.isdecimal, term)) and max(map(len, term), default=0) >= MIN_DIGITS_BESIDE_NAME


def matches(text: str, *, words: Collection[str], contacts: Collection[str]) -> bool:
    """Return whether a search for the text finds a patient with these name words, and keys of e-mail and phone."""
    terms = search_terms(text)
    return bool(terms) and all(
        any(key.startswith(beginning) for key in _keys_compared(terms, term, words, contacts) for beginning in term)
        for term in terms
    )


def _keys_compared(
    terms: list[set[str]], term: set[str], words: Collection[str], contacts: Collection[str]
) -> Collection[str]:
    if len(terms) == 1:
        return [*words, *contacts]
    return contacts if is_number(term) else words


def _split_number(text: str) -> tuple[str, str]:
    """Return what precedes a phone number at the end of a text, and the number; either may be empty."""
    parts = text.split()
    first = len(parts)
    while first and _PHONE_LOOK.fullmatch(parts[first - 1]):
        first -= 1
    return " ".join(parts[:first]), " ".join(parts[first:])


def _word_terms(text: str) -> list[set[str]]:
    words = dict.fromkeys(word[:MAX_KEY] for word in fold(text).split()[:MAX_SEARCH_TERMS])
    return [{word} for word in words if not any(other != word and other.startswith(word) for other in words)]
