"""Browsers in which a user has logged in before, known by a cookie: docs/decisions/013-login.md.

The cookie gives no access. It only decides by which count wrong passwords are limited.
"""

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from clinic.accounts.models import User

LASTS = dt.timedelta(days=180)  # from the last login
MAX_USERS = 20  # of one browser, those who logged in last: the cookie is sent with every request
_SALT = "clinic.known_device"
_NONCE_BYTES = 16
_MARK = 16  # hexadecimal digits of a user's mark


@dataclass(frozen=True)
class Device:
    """What the cookie contains: a random text, and a mark for each user, the last first."""

    nonce: str = ""
    marks: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: HttpRequest) -> "Device":
        """Return the device of a request; without a valid cookie, one that knows nobody."""
        try:
            nonce, marks = signing.loads(
                request.COOKIES.get(settings.DEVICE_COOKIE_NAME, ""), salt=_SALT, max_age=LASTS
            )
        except signing.BadSignature:
            return cls()
        return cls(nonce, tuple(marks[start : start + _MARK] for start in range(0, len(marks), _MARK)))

    def mark_of(self, user_id: int, password: str) -> str:
        """Return a user's mark, which names nobody and is another one after a change of password.

        `password` is the encoded one: without it, not even somebody with the signing key can make a mark.
        """
        return hashlib.sha256(f"{self.nonce}|{user_id}|{password}".encode()).hexdigest()[:_MARK]

    def cookie_text(self) -> str:
        return signing.dumps((self.nonce, "".join(self.marks)), salt=_SALT)


def count_key(request: HttpRequest, *, user_id: int, password: str) -> str | None:
    """Return the key by which wrong passwords for a user are counted on this device; None if they have not met."""
    device = Device.of(request)
    if device.mark_of(user_id, password) not in device.marks:
        return None
    return hashlib.sha256(device.nonce.encode()).hexdigest()[:32]


def remember_device(request: HttpRequest, response: HttpResponse, user: Any) -> None:
    """Set the cookie by which this browser is known for a user who has proved who they are."""
    known = _known(request, user)
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        known.cookie_text(),
        max_age=LASTS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",  # only forms of the portal itself need it
    )


def _known(request: HttpRequest, user: User) -> Device:
    """Return the device as it is after a login of the user."""
    before = Device.of(request)
    device = Device(before.nonce or secrets.token_urlsafe(_NONCE_BYTES))
    own = device.mark_of(user.pk, user.password)
    others = [mark for mark in before.marks if mark != own]
    return Device(device.nonce, (own, *others[: MAX_USERS - 1]))
