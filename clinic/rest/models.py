"""Tokens of programs, and what was answered to them."""

import datetime as dt
import hashlib
import secrets

from auditlog.registry import auditlog
from django.core.exceptions import ValidationError
from django.db import DatabaseError, models
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.access_state import access_state
from clinic.accounts.models import User
from clinic.core.field_errors import FieldErrors
from clinic.core.names import check_name
from clinic.db.atomic_save import AuditedRecord
from clinic.db.transactions import is_lock_conflict

TOKEN_BYTES = 32
MARK = "pes_"  # what every token begins with, so that a scanner for leaked secrets can know them
SHOWN_CHARACTERS = 10  # of a token, to tell it from others
USUAL_LIFE = dt.timedelta(days=365)
USE_NOTED_EVERY = dt.timedelta(minutes=1)
ANSWERS_KEPT = dt.timedelta(days=1)


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Tokens."""

    def in_force(self, text: str, *, at: dt.datetime) -> "ApiToken | None":
        """Return the token with this text, with its user, if it may be used at `at`. At most one query."""
        if not text.startswith(MARK):
            return None
        usable = models.Q(expires_at=None) | models.Q(expires_at__gt=at)
        found = self.filter(usable, digest=digest_of(text), revoked_at=None, user__is_active=True)
        return found.select_related("user").first()


class ApiToken(AuditedRecord):
    """What a program sends to call the API with the rights of a user. Its text is shown once, and nowhere kept."""

    user = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        related_name="api_tokens",
        help_text="What the program does, it does in this person's name and with their rights.",
    )
    name = models.CharField(max_length=100, validators=[check_name], help_text="Of the program that uses it.")
    beginning = models.CharField(max_length=SHOWN_CHARACTERS, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField("expires", null=True, blank=True, help_text="Empty: never.")
    revoked_at = models.DateTimeField("revoked", null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField("last used", null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    text_to_show = ""  # of a token that has just been made

    class Meta:
        verbose_name = "API token"
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.beginning}…)"

    def make_text(self) -> str:
        """Give the token a new secret, of 256 random bits, and return its text. It is not saved yet."""
        text = MARK + secrets.token_urlsafe(TOKEN_BYTES)
        self.beginning, self.digest = text[:SHOWN_CHARACTERS], digest_of(text)
        return text

    def state(self, *, at: dt.datetime) -> str:
        return access_state(self.user, ended_at=self.revoked_at, expires_at=self.expires_at, at=at, ended="revoked")

    def has_ended(self, *, at: dt.datetime) -> bool:
        """Return whether the token is over for good: revoked, or past its date."""
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= at)

    def revoke(self) -> None:
        """End the token for good."""
        if self.revoked_at is None:
            self.revoked_at = timezone.now()
            self.save(update_fields=["revoked_at"])

    def clean(self) -> None:
        """Check that a new token would open something.

        Raises:
            ValidationError: by field: `past`, `inactive_user`.
        """
        if not self._state.adding:
            return
        errors = FieldErrors()
        with errors.at("expires_at"):
            if self.expires_at is not None and self.expires_at <= timezone.now():
                raise ValidationError(_("That has already passed. Check the date."), code="past")
        with errors.at("user"):
            if self.user_id is not None and not self.user.is_active:
                raise ValidationError(
                    _("This user is not active, so a token would open nothing."), code="inactive_user"
                )
        errors.raise_any()

    def record_use(self) -> bool:
        """Note that the token is used, to the minute, so that reading does not write each time; return whether it was.

        It is not worth failing for: who finds the row locked leaves it.
        """
        now = timezone.now()
        if self.last_used_at is not None and now - self.last_used_at < USE_NOTED_EVERY:
            return False
        try:
            ApiToken.objects.filter(pk=self.pk).update(last_used_at=now)
        except DatabaseError as error:
            if not is_lock_conflict(error):
                raise
        return True


def digest_of(text: str) -> str:
    """Return what is kept of a secret that nobody could guess: such a one needs no salt and no slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()


class KeptAnswerQuerySet(models.QuerySet["KeptAnswer"]):
    """Kept answers."""

    def purge(self) -> None:
        """Delete those that nobody can ask for any more: they may name patients."""
        self.filter(created_at__lt=timezone.now() - ANSWERS_KEPT).delete()


class KeptAnswer(models.Model):
    """What was answered to a request that came with a key, for when it is sent again."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = models.UUIDField()
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    objects = KeptAnswerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="kept_answer_key_unique")]

    def __str__(self) -> str:
        return f"answer {self.pk}"


auditlog.register(ApiToken, exclude_fields=["digest", "last_used_at"])
