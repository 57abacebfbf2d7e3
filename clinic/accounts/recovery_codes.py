import secrets

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import models, transaction
from django.utils import timezone

from clinic.accounts.models import User

CODE_COUNT = 10
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without letters that look alike
RANDOM_LETTERS = 12  # 59 bits
# Fewer than for passwords: the codes are random, and ten are hashed at once.
ROUNDS = 100_000


class RecoveryCodeQuerySet(models.QuerySet["RecoveryCode"]):
    def unused(self) -> "RecoveryCodeQuerySet":
        return self.filter(used_at=None)

    def renew(self, user: User) -> list[str]:
        """Replace the user's codes by ten new ones, and return their texts, which are not stored."""
        texts = [_new_text(number) for number in range(CODE_COUNT)]
        codes = [RecoveryCode(user=user, number=number, digest=_digest(text)) for number, text in enumerate(texts)]
        with transaction.atomic():
            self.filter(user=user).delete()
            RecoveryCode.objects.bulk_create(codes)
        return [f"{text[:5]}-{text[5:9]}-{text[9:]}" for text in texts]

    def use(self, user: User, typed: str) -> bool:
        """Return whether the text is an unused code of the user, and mark it used. One hash at most."""
        text = "".join(char for char in typed.casefold() if char in LETTERS)
        if len(text) != RANDOM_LETTERS + 1:
            return False
        code = self.unused().filter(user=user, number=LETTERS.index(text[0])).first()
        if code is None or not PBKDF2PasswordHasher().verify(text, code.digest):
            return False
        # Only one of two simultaneous requests finds it unused.
        return bool(self.unused().filter(pk=code.pk).update(used_at=timezone.now()))


class RecoveryCode(models.Model):
    """A code, stored as a salted hash. Its first letter is its number, so that checking it takes one hash."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes")
    number = models.PositiveSmallIntegerField()
    digest = models.CharField(max_length=128)
    used_at = models.DateTimeField(null=True)

    objects = RecoveryCodeQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "number"], name="recovery_code_number_unique")]

    def __str__(self) -> str:
        return f"recovery code {self.pk}"


def _new_text(number: int) -> str:
    return LETTERS[number] + "".join(secrets.choice(LETTERS) for _ in range(RANDOM_LETTERS))


def _digest(text: str) -> str:
    hasher = PBKDF2PasswordHasher()
    return hasher.encode(text, hasher.salt(), iterations=ROUNDS)
