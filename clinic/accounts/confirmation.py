"""When the user last proved who they are in this session: by signing in or by confirming."""

import datetime as dt
import time
from typing import Any

from django.http import HttpRequest

CONFIRMED_FOR = dt.timedelta(minutes=10)
_CONFIRMED_AT = "confirmed_at"
_BY_SECOND_FACTOR = "by_second_factor"


def stamp_sign_in(request: HttpRequest, **kwargs: Any) -> None:
    """Store the time of the sign-in. A handler of Django's signal."""
    request.session[_CONFIRMED_AT] = time.time()


def confirm_session(request: HttpRequest, *, by_second_factor: bool) -> None:
    """Store the time under a new session key, so that a stolen key does not get confirmed too."""
    request.session.cycle_key()
    request.session[_CONFIRMED_AT] = time.time()
    if by_second_factor:
        record_second_factor(request)


def record_second_factor(request: HttpRequest, *, used: bool = True) -> None:
    request.session[_BY_SECOND_FACTOR] = used


def has_shown_second_factor(request: HttpRequest) -> bool:
    """Return whether the second factor was used in this session. No query."""
    return request.session.get(_BY_SECOND_FACTOR) is True


def is_confirmed(request: HttpRequest) -> bool:
    """Return whether the user proved who they are in the last ten minutes."""
    age = time.time() - request.session.get(_CONFIRMED_AT, 0)
    return age <= CONFIRMED_FOR.total_seconds()
