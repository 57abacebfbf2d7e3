"""Session engine: no session is read past its limits."""

import datetime as dt
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.http import HttpRequest
from django.utils import timezone

from clinic.core.client_address import client_address
from clinic.core.user_agent import browser_of

SEEN_RECORDED_EVERY = dt.timedelta(minutes=1)
_SIGN_IN = "sign_in"
# Not `last_seen_at`, which other requests write meanwhile.
_WRITTEN = ("session_data", "expire_date", "user_id", "signed_in_at", "address", "browser")


class SessionStore(DatabaseStore):
    """Django's database session with the clinic's table. `row` is what was loaded, `user` the user in it.

    Sign-in details live in the session data, so that they survive a change of key, and in columns for lists. Once a
    limit has ended the session, only `ended_for`, the id of its user, is left.
    """

    row: Any = None
    _user: Any = None
    ended_for: int | None = None

    @classmethod
    def get_model_class(cls) -> Any:
        from clinic.sessions.models import Session

        return Session

    def load(self) -> dict[str, Any]:
        """Return the session's data; empty the session if it is over or its user not active. One or two queries.

        A user can become inactive without `User.save`, which deletes their sessions: by an update of a queryset.
        """
        from clinic.sessions.signed_in import session_and_user

        row, user = session_and_user(str(self.session_key))
        is_of_inactive = user is not None and not user.is_active
        if row is not None and not is_of_inactive and not row.is_over(at=timezone.now()):
            self.row, self._user = row, user
            return self.decode(row.session_data)
        if row is None or row.user_id is None:
            self._session_key = None
        else:
            row.end()
            self.ended_for = row.user_id
        return {}

    @property
    def user(self) -> Any:
        """The user in the session's row. Whether the user is signed in is for Django's `get_user` to check."""
        return self._user if SESSION_KEY in self else None

    def save(self, must_create: bool = False) -> None:
        """Save; if the session is over, start a new one."""
        if self.ended_for is not None and not must_create:
            self._session_key = None
        self.ended_for = None
        if must_create or self.session_key is None:
            super().save(must_create)
        else:
            self._update()

    def _update(self) -> None:
        """Write the row, in one statement and without the transaction that Django opens for it.

        Raises:
            UpdateError: the row is gone.
            DatabaseError: as it is. Django would say of this, too, that the session is gone.
        """
        row = self.create_model_instance(self._session)  # type: ignore[attr-defined]  # Django's own: the data
        updated = self.model.objects.filter(pk=row.pk).update(**{name: getattr(row, name) for name in _WRITTEN})
        if not updated:
            raise UpdateError

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row: Any = super().create_model_instance(data)
        sign_in = data.get(_SIGN_IN, {})
        row.user_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        row.signed_in_at = dt.datetime.fromisoformat(sign_in["at"]) if sign_in else None
        row.address = sign_in.get("address")
        row.browser = sign_in.get("browser", "")
        return row

    async def aload(self) -> dict[str, Any]:
        return await sync_to_async(self.load)()

    async def asave(self, must_create: bool = False) -> None:
        await sync_to_async(self.save)(must_create)

    @classmethod
    def clear_expired(cls) -> None:
        cls.get_model_class().objects.purge()

    def get_expire_at_browser_close(self) -> bool:
        """Return True: the cookie ends with the browser, although the session has an expiry date."""
        return True

    def begin(self, request: HttpRequest) -> None:
        """Store when and where the user signed in, and start the maximum length of the session."""
        now = timezone.now()
        self[_SIGN_IN] = {
            "at": now.isoformat(),
            "address": client_address(request),
            "browser": browser_of(request.headers.get("User-Agent", "")),
        }
        self.set_expiry(now + dt.timedelta(seconds=settings.SESSION_COOKIE_AGE))

    def record_seen(self, at: dt.datetime | None = None, *, at_once: bool = False) -> None:
        """Record activity, at most once a minute unless `at_once`, so that reading does not write each time."""
        at = at or timezone.now()
        if self.row is not None and (at_once or at - self.row.last_seen_at >= SEEN_RECORDED_EVERY):
            self.row.record_seen(at)

    def seconds_left(self) -> int:
        if self.row is None:
            return 60 * settings.SESSION_IDLE_MINUTES
        return max(0, int((self.row.ends_at() - timezone.now()).total_seconds()))

    def can_stay(self) -> bool:
        return self.row is None or self.row.ends_at() < self.row.expire_date
