"""When somebody has last shown who they are: signing in, or confirming it later in the session."""

import datetime as dt
import time
from typing import Any

from django.http import HttpRequest

CONFIRMED_FOR = dt.timedelta(minutes=10)
_CONFIRMED_AT = "confirmed_at"
_BY_SECOND_FACTOR = "by_second_factor"


def stamp_sign_in(request: HttpRequest, **kwargs: Any) -> None:
    """Note that somebody has just signed in. A handler of Django's signal."""
    request.session[_CONFIRMED_AT] = time.time()


def confirm_session(request: HttpRequest, *, by_second_factor: bool) -> None:
    """Note that it is they, under a new key: one that was known before gets nothing out of it."""
    request.session.cycle_key()
    request.session[_CONFIRMED_AT] = time.time()
    if by_second_factor:
        record_second_factor(request)


def record_second_factor(request: HttpRequest, *, used: bool = True) -> None:
    """Note in the session whether its user has shown the second factor."""
    request.session[_BY_SECOND_FACTOR] = used


def has_shown_second_factor(request: HttpRequest) -> bool:
    """Return whether the session's user has shown the second factor in it. No query."""
    return request.session.get(_BY_SECOND_FACTOR) is True


def is_confirmed(request: HttpRequest) -> bool:
    """Return whether somebody has shown who they are a short while ago."""
    age = time.time() - request.session.get(_CONFIRMED_AT, 0)
    return age <= CONFIRMED_FOR.total_seconds()
