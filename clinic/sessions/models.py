import datetime as dt
import secrets
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.db import DatabaseError, models
from django.utils import timezone

from clinic.accounts.models import User
from clinic.db.batches import delete_in_batches
from clinic.db.transactions import is_lock_conflict, retrying

ENDED_SESSION_LASTS = dt.timedelta(hours=1)


def idle_limit() -> dt.timedelta:
    return dt.timedelta(minutes=settings.SESSION_IDLE_MINUTES)


def new_handle() -> str:
    """Return a public id for a session, which does not give access to it."""
    return secrets.token_urlsafe(12)


class SessionQuerySet(models.QuerySet["Session"]):
    def in_force(self, *, at: dt.datetime) -> "SessionQuerySet":
        """Return those within their limits at `at`, as `Session.is_over` does for one."""
        within = self.filter(expire_date__gt=at, last_seen_at__gt=at - idle_limit())
        return within.exclude(session_data="")

    def over(self, *, at: dt.datetime) -> "SessionQuerySet":
        """Return those past one of their limits at `at`."""
        return self.filter(models.Q(expire_date__lte=at) | models.Q(last_seen_at__lte=at - idle_limit()))

    def purge(self) -> int:
        """Empty ended sessions, and delete them after an hour: until then an open form can still be saved.

        Return how many were deleted.
        """
        now = timezone.now()
        deleted = delete_in_batches(self.over(at=now - ENDED_SESSION_LASTS))
        retrying(self.over(at=now).exclude(session_data="").update)(session_data="")
        return deleted


class Session(AbstractBaseSession):
    """A session. It ends after the idle limit, and at the latest at `expire_date`, which is set at sign-in."""

    handle = models.CharField(max_length=16, unique=True, default=new_handle, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    signed_in_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(default=timezone.now, db_index=True)
    address = models.GenericIPAddressField(null=True)
    browser = models.CharField(max_length=50, blank=True)

    objects: ClassVar[Any] = BaseSessionManager.from_queryset(SessionQuerySet)()

    @classmethod
    def get_session_store_class(cls) -> Any:
        from clinic.sessions.store import SessionStore

        return SessionStore

    def ends_at(self) -> dt.datetime:
        """Return when the session ends if it is not used before."""
        return min(self.expire_date, self.last_seen_at + idle_limit())

    def is_over(self, *, at: dt.datetime) -> bool:
        """Return whether the session has ended, by a limit or because it was emptied."""
        return not self.session_data or self.ends_at() <= at

    def end(self) -> None:
        """Empty the session, but leave the row, which says whose it was."""
        if self.session_data:
            Session.objects.filter(pk=self.pk).update(session_data="")
            self.session_data = ""

    def record_seen(self, at: dt.datetime) -> None:
        """Record activity. Not worth failing for: a locked row is skipped."""
        try:
            Session.objects.filter(pk=self.pk, last_seen_at__lt=at).update(last_seen_at=at)
        except DatabaseError as error:
            if not is_lock_conflict(error):
                raise
        self.last_seen_at = max(at, self.last_seen_at)
