"""The engine of sessions: no session is read past its limits, whoever asks for it.

Django's own engine with the clinic's table. What was noted at the sign-in lies in the session itself, so that it
stays when the key changes; the columns of the table say it again, to be listed.
"""

import datetime as dt
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.http import HttpRequest
from django.utils import timezone

from clinic.core.client_address import client_address
from clinic.core.user_agent import browser_of

SEEN_NOTED_EVERY = dt.timedelta(minutes=1)
_SIGN_IN = "sign_in"


class SessionStore(DatabaseStore):
    """A session as a request holds it.

    `row` is what was loaded. Of a session that a limit has ended nothing is left but `ended_for`, whose it was.
    """

    row: Any = None
    ended_for: int | None = None

    @classmethod
    def get_model_class(cls) -> Any:
        """Return the clinic's own table."""
        from clinic.sessions.models import Session

        return Session

    def load(self) -> dict[str, Any]:
        """Return what the session holds; of one that is over, nothing, and it is emptied. One query, or two."""
        row = self.get_model_class().objects.filter(session_key=self.session_key).first()
        if row is not None and not row.is_over(at=timezone.now()):
            self.row = row
            return self.decode(row.session_data)
        if row is None or row.user_id is None:
            self._session_key = None
        else:
            row.end()
            self.ended_for = row.user_id
        return {}

    def save(self, must_create: bool = False) -> None:
        """Save; what is put into a session that is over begins a new one."""
        if self.ended_for is not None and not must_create:
            self._session_key = None
        self.ended_for = None
        super().save(must_create)

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        """Return the row of the session, with what was noted at the sign-in."""
        row: Any = super().create_model_instance(data)
        noted = data.get(_SIGN_IN, {})
        row.user_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        row.signed_in_at = dt.datetime.fromisoformat(noted["at"]) if noted else None
        row.address = noted.get("address")
        row.browser = noted.get("browser", "")
        return row

    async def aload(self) -> dict[str, Any]:
        """Load in the same way."""
        return await sync_to_async(self.load)()

    async def asave(self, must_create: bool = False) -> None:
        """Save in the same way."""
        await sync_to_async(self.save)(must_create)

    @classmethod
    def clear_expired(cls) -> None:
        """Clear what is over, also of sessions that nobody asks for any more."""
        cls.get_model_class().objects.purge()

    def get_expire_at_browser_close(self) -> bool:
        """Let no cookie outlive the browser, although the session has a date."""
        return True

    def begin(self, request: HttpRequest) -> None:
        """Note who signs in from where, and from now on how long the session may last, whatever it is used for."""
        now = timezone.now()
        self[_SIGN_IN] = {
            "at": now.isoformat(),
            "address": client_address(request),
            "browser": browser_of(request.headers.get("User-Agent", "")),
        }
        self.set_expiry(now + dt.timedelta(seconds=settings.SESSION_COOKIE_AGE))

    def record_seen(self, at: dt.datetime | None = None, *, at_once: bool = False) -> None:
        """Note that somebody is there: to the minute, so that reading does not write each time, unless `at_once`."""
        at = at or timezone.now()
        if self.row is not None and (at_once or at - self.row.last_seen_at >= SEEN_NOTED_EVERY):
            self.row.record_seen(at)

    def seconds_left(self) -> int:
        """Return how long the session lasts unless somebody is there before."""
        if self.row is None:
            return 60 * settings.SESSION_IDLE_MINUTES
        return max(0, int((self.row.ends_at() - timezone.now()).total_seconds()))

    def can_stay(self) -> bool:
        """Return whether the session lasts longer if somebody is there."""
        return self.row is None or self.row.ends_at() < self.row.expire_date
