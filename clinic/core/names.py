"""Names of people: cleaned, checked, and folded for search."""

import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from clinic.core.field_errors import FieldErrors

# Letters that Unicode does not decompose, but that people type without their marks.
_FOLDED_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ʼ": ""}
)
_APOSTROPHES = str.maketrans(dict.fromkeys("'`´‘’ʻʼ"))
# Invisible although Unicode does not class them as white space: Hangul fillers and the empty Braille cell.
_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# They change the reading direction of the text around them, and no name needs them.
_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

MAX_SORT_KEY = 255
NO_INITIAL = "–"


def clean_line(text: str) -> str:
    """Return the text on one line, with single spaces."""
    return " ".join(text.split())


def clean_name(name: str) -> str:
    """Return the name composed (NFC) and with single spaces."""
    return clean_line(unicodedata.normalize("NFC", name))


def check_name(name: str) -> None:
    """Check that a name is visible and contains nothing that misleads.

    Raises:
        ValidationError: `blank_name` if only blanks, marks or zero-width characters; `bad_character` for control
            characters, lone surrogates and direction overrides.
    """
    if any(unicodedata.category(char) in {"Cc", "Cs"} or char in _DIRECTION_MARKS for char in name):
        raise ValidationError(
            _("This contains a character that cannot be shown. Please retype it."), code="bad_character"
        )
    if not any(_is_visible(char) for char in name):
        raise ValidationError(_("Enter a readable name."), code="blank_name")


def check_fields_with_names(clean_fields: Callable[..., None], record: Any, names: Iterable[str], exclude: Any) -> None:
    """Run a model's `clean_fields`, then `check_name` on the named fields that passed it; errors by field."""
    errors = FieldErrors()
    refused: dict[str, list[ValidationError]] = {}
    try:
        clean_fields(exclude=exclude)
    except ValidationError as error:
        refused = error.error_dict
    for name in names:
        if name not in (exclude or ()) and name not in refused and getattr(record, name):
            with errors.at(name):
                check_name(getattr(record, name))
    errors.raise_with(refused)


def _is_visible(char: str) -> bool:
    return char not in _INVISIBLE and unicodedata.category(char)[0] not in {"C", "M", "Z"}


def initials(first_name: str, last_name: str) -> str:
    """Return `M. S.`, for users who may not see the name; a name of one letter is shown as a dash."""
    return f"{_initial(first_name)}. {_initial(last_name)}."


def _initial(name: str) -> str:
    letters = [char for char in name if _is_visible(char)]
    return letters[0] if len(letters) > 1 else NO_INITIAL


def fold(text: str) -> str:
    """Return the text for searching: no case, marks or apostrophes, ß as ss, ø as o, words split by one space."""
    # Twice, because decomposing may yield a capital, as in 𝐌aria.
    plain = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES)).casefold()
    decomposed = unicodedata.normalize("NFKD", plain).translate(_FOLDED_LETTERS)
    return clean_line("".join(_folded_char(char) for char in decomposed))


def sort_key(first_name: str, last_name: str) -> str:
    """Return the folded name by which people are sorted: last name, then first name."""
    return fold(f"{last_name} {first_name}")[:MAX_SORT_KEY]


def _folded_char(char: str) -> str:
    category = unicodedata.category(char)
    if category[0] in {"L", "N"} and char not in _INVISIBLE:
        return char
    return "" if category[0] == "M" or category == "Cf" else " "
