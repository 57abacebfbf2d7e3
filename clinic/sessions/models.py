"""The sessions of people who are signed in."""

import datetime as dt
import secrets
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.db import DatabaseError, models
from django.utils import timezone

from clinic.accounts.models import User
from clinic.db.transactions import is_lock_conflict

ENDED_KEPT = dt.timedelta(hours=1)


def idle_limit() -> dt.timedelta:
    """Return how long a session lasts without anybody being there."""
    return dt.timedelta(minutes=settings.SESSION_IDLE_MINUTES)


def new_handle() -> str:
    """Return a name for a session that opens nothing."""
    return secrets.token_urlsafe(12)


class SessionQuerySet(models.QuerySet["Session"]):
    """Sessions."""

    def in_force(self, *, at: dt.datetime) -> "SessionQuerySet":
        """Return those within their limits at `at`, as `Session.is_over` says of one."""
        within = self.filter(expire_date__gt=at, last_seen_at__gt=at - idle_limit())
        return within.exclude(session_data="")

    def over(self, *, at: dt.datetime) -> "SessionQuerySet":
        """Return those past one of their limits at `at`."""
        return self.filter(models.Q(expire_date__lte=at) | models.Q(last_seen_at__lte=at - idle_limit()))

    def purge(self) -> None:
        """Empty the sessions that are over, and delete those that nobody comes back to.

        What is left of one for a while says whose it was, so that the form that was open then can be kept.
        """
        now = timezone.now()
        self.over(at=now - ENDED_KEPT).delete()
        self.over(at=now).exclude(session_data="").update(session_data="")


class Session(AbstractBaseSession):
    """A session, and of somebody who is signed in, whose it is and from where. Its key stays with the browser.

    It ends when nobody has been there for the idle limit, and at the latest at `expire_date`, which the sign-in sets.
    """

    handle = models.CharField(max_length=16, unique=True, default=new_handle, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    signed_in_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(default=timezone.now, db_index=True)
    address = models.GenericIPAddressField(null=True)
    browser = models.CharField(max_length=50, blank=True)

    objects: ClassVar[Any] = BaseSessionManager.from_queryset(SessionQuerySet)()

    @classmethod
    def get_session_store_class(cls) -> Any:
        """Return the engine that reads and writes these."""
        from clinic.sessions.store import SessionStore

        return SessionStore

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; of one that exists, what the session says, and not when it was seen, which others note meanwhile."""
        if kwargs.get("force_update"):
            kwargs["update_fields"] = (
                "session_data",
                "expire_date",
                "user",
                "signed_in_at",
                "address",
                "browser",
            )
        super().save(*args, **kwargs)

    def ends_at(self) -> dt.datetime:
        """Return when the session ends unless somebody is there before."""
        return min(self.expire_date, self.last_seen_at + idle_limit())

    def is_over(self, *, at: dt.datetime) -> bool:
        """Return whether the session has ended, by a limit or because it was emptied."""
        return not self.session_data or self.ends_at() <= at

    def end(self) -> None:
        """Empty the session: what is left says whose it was, and opens nothing."""
        if self.session_data:
            Session.objects.filter(pk=self.pk).update(session_data="")
            self.session_data = ""

    def record_seen(self, at: dt.datetime) -> None:
        """Note that somebody was there; not worth failing for, so who finds the row locked leaves it."""
        try:
            Session.objects.filter(pk=self.pk, last_seen_at__lt=at).update(last_seen_at=at)
        except DatabaseError as error:
            if not is_lock_conflict(error):
                raise
        self.last_seen_at = max(at, self.last_seen_at)
