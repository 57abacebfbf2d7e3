"""Password rules: only length and how easily it is guessed, not what it is made of."""

import re
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from zxcvbn import zxcvbn

if TYPE_CHECKING:
    from clinic.accounts.models import User

GUESSED_CHARACTERS = 72  # zxcvbn reads no more
MIN_SCORE = 3  # of 4: more than 10⁸ guesses
MIN_WORD = 3
_PERSON = ("username", "first_name", "last_name", "email")
_one_at_a_time = threading.Lock()  # zxcvbn stores the words it is given in a global


class LongestPasswordValidator:
    """Refuse an overlong password before the slow checks."""

    def __init__(self, max_length: int = 128) -> None:
        self.max_length = max_length

    def validate(self, password: str, user: "User | None" = None) -> None:
        if len(password) > self.max_length:
            raise ValidationError(
                _("This password is too long. It can have %(most)d characters."),
                code="password_too_long",
                params={"most": self.max_length},
            )

    def get_help_text(self) -> str:
        return _("It can have up to %(most)d characters of any kind, including spaces.") % {"most": self.max_length}


class GuessablePasswordValidator:
    """Refuse common passwords, keyboard walks, dates, and names of the user and the clinic."""

    def validate(self, password: str, user: "User | None" = None) -> None:
        """Check how many guesses the password takes without the words everyone here knows."""
        words = known_words(user)
        if _score(_without(password, words), words) < MIN_SCORE:
            raise ValidationError(
                _("This password is easily guessed. Use several unrelated words."),
                code="password_guessable",
            )

    def get_help_text(self) -> str:
        return _("It must not be easily guessed: several unrelated words are best.")


def known_words(user: "User | None") -> list[str]:
    """Return words that an attacker would try first: names of clinic and user, and the trade's words; longest first."""
    texts = [settings.CLINIC_NAME, "clinic doctor patient password", *(getattr(user, name, "") for name in _PERSON)]
    words = {word for text in texts for word in re.split(r"[\W_]+", str(text).casefold())}
    return sorted((word for word in words if len(word) >= MIN_WORD), key=lambda word: (-len(word), word))


def _without(password: str, words: Iterable[str]) -> str:
    left = password.casefold()
    for word in words:
        left = left.replace(word, "")
    return left


def _score(password: str, words: list[str]) -> int:
    if not password:
        return 0
    with _one_at_a_time:
        score: int = zxcvbn(password[:GUESSED_CHARACTERS], user_inputs=words)["score"]
    return score
