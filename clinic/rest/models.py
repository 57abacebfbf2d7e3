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
from clinic.accounts.user_columns import split_user, user_columns
from clinic.core.field_errors import FieldErrors
from clinic.core.names import check_name
from clinic.db.atomic_save import AuditedRecord
from clinic.db.batches import delete_in_batches
from clinic.db.compiled_query import CompiledQuery, Parameter
from clinic.db.transactions import is_lock_conflict

TOKEN_BYTES = 32
MARK = "pes_"  # the prefix by which scanners for leaked secrets can recognise a token
SHOWN_CHARACTERS = 10  # of a token, to distinguish it from others
DEFAULT_LIFETIME = dt.timedelta(days=365)
USE_RECORDED_EVERY = dt.timedelta(minutes=1)
RESPONSE_LASTS = dt.timedelta(days=1)


class ApiToken(AuditedRecord):
    """A program's key to the API, with the permissions of a user. Its text is shown once and not stored."""

    user = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        related_name="api_tokens",
        help_text="The program acts in this user's name and with their permissions.",
    )
    name = models.CharField(max_length=100, validators=[check_name], help_text="Name of the program that uses it.")
    beginning = models.CharField(max_length=SHOWN_CHARACTERS, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(
        "expires", null=True, blank=True, help_text="Leave empty if the token should not expire."
    )
    revoked_at = models.DateTimeField("revoked", null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField("last used", null=True, blank=True, editable=False)

    text_to_show = ""  # of a new token

    class Meta:
        verbose_name = "API token"
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.beginning}…)"

    @classmethod
    def in_force(cls, text: str, *, at: dt.datetime) -> "ApiToken | None":
        """Return the valid token with this text at `at`, with its user and their permissions. At most one query."""
        values = _by_digest.row(digest=digest_of(text)) if text.startswith(MARK) else None
        if values is None:
            return None
        of_token, user = split_user(values)
        token = cls.from_db("default", _TOKEN, of_token)
        if user is None or not user.is_active or token.has_ended(at=at):
            return None
        token.user = user
        return token

    def make_text(self) -> str:
        """Give the token a new secret of 256 random bits, and return its text. The token is not saved."""
        text = MARK + secrets.token_urlsafe(TOKEN_BYTES)
        self.beginning, self.digest = text[:SHOWN_CHARACTERS], digest_of(text)
        return text

    def state(self, *, at: dt.datetime) -> str:
        """Return for display whether the token is valid at `at`, as `in_force` does, or why not."""
        return access_state(self.user, ended_at=self.revoked_at, expires_at=self.expires_at, at=at, ended="revoked")

    def has_ended(self, *, at: dt.datetime) -> bool:
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= at)

    def revoke(self) -> None:
        if self.revoked_at is None:
            self.revoked_at = timezone.now()
            self.save(update_fields=["revoked_at"])

    def clean(self) -> None:
        if not self._state.adding:
            return
        errors = FieldErrors()
        with errors.at("expires_at"):
            if self.expires_at is not None and self.expires_at <= timezone.now():
                raise ValidationError(_("That has already passed. Check the date."), code="past")
        with errors.at("user"):
            if self.user_id is not None and not self.user.is_active:
                raise ValidationError(_("This user is not active, so a token would not work."), code="inactive_user")
        errors.raise_any()

    def record_use(self) -> bool:
        """Record the use, at most once a minute; return whether it was due. A locked row is skipped."""
        now = timezone.now()
        if self.last_used_at is not None and now - self.last_used_at < USE_RECORDED_EVERY:
            return False
        try:
            ApiToken.objects.filter(pk=self.pk).update(last_used_at=now)
        except DatabaseError as error:
            if not is_lock_conflict(error):
                raise
        return True


_TOKEN = [field.attname for field in ApiToken._meta.concrete_fields]
_by_digest = CompiledQuery(
    lambda: ApiToken.objects.filter(digest=Parameter("digest", models.CharField())).values_list(
        *_TOKEN, *user_columns()
    )
)


def digest_of(text: str) -> str:
    """Return the stored hash of a secret: a random one needs no salt and no slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()


class StoredResponseQuerySet(models.QuerySet["StoredResponse"]):
    def purge(self) -> int:
        """Delete expired responses, which may contain patients' names, and return their number."""
        return delete_in_batches(self.filter(created_at__lt=timezone.now() - RESPONSE_LASTS))


class StoredResponse(models.Model):
    """The response to a request with an Idempotency-Key, for when the request is repeated."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = models.UUIDField()
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    objects = StoredResponseQuerySet.as_manager()

    class Meta:
        db_table = "clinic_keptanswer"  # its name when the table was made
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="kept_answer_key_unique")]

    def __str__(self) -> str:
        return f"response {self.pk}"


auditlog.register(ApiToken, exclude_fields=["digest", "last_used_at"])
