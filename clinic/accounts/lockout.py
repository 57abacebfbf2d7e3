"""Lockout after too many wrong passwords, counted in the database for all workers: docs/decisions/013-login.md."""

import datetime as dt
import ipaddress
from collections.abc import Iterable
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.db.models import Q, Sum
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.core.client_address import client_address
from clinic.core.names import fold
from clinic.db.transactions import retrying

MAX_FOR_USER = 15  # whatever the addresses
MAX_FROM_ADDRESS = 30  # for any users: all desks of a clinic may share one address
IPV6_SITE = 64  # bits of an address that a subscriber cannot choose
UNKNOWN_ADDRESS = "::"  # behind a Unix socket there is none


class LockoutHandler(AxesDatabaseHandler):
    """Adds to axes' limit per user and address a larger one per user and one per address."""

    def is_locked(self, request: HttpRequest, credentials: Any = None) -> bool:
        if super().is_locked(request, credentials):
            return True
        key, address = username_key(request, credentials), address_key(request)
        since = request.axes_attempt_time - settings.AXES_COOLOFF_TIME  # type: ignore[attr-defined]  # axes sets it
        of_user, of_address = Q(username=key), Q(ip_address=address)
        failed = AccessAttempt.objects.filter(of_user | of_address, attempt_time__gte=since).aggregate(
            user=Sum("failures_since_start", filter=of_user, default=0),
            address=Sum("failures_since_start", filter=of_address, default=0),
        )
        return failed["user"] >= MAX_FOR_USER or failed["address"] >= MAX_FROM_ADDRESS

    @retrying
    def user_login_failed(self, sender: Any, credentials: Any, request: Any = None, **kwargs: Any) -> None:
        """Count a failure, and mark the request if it was the last one allowed."""
        super().user_login_failed(sender, credentials, request, **kwargs)
        if request is not None and not request.axes_locked_out and self.is_locked(request, credentials):
            request.axes_locked_out = True


def username_key(request: HttpRequest, credentials: Any = None) -> str:
    """Return the key by which failures are counted: the same for every spelling that finds the same user.

    Use the matching user's key (the database may treat ß as s); for unknown users, the text as typed. One query a
    request either way, so that timing does not reveal who exists.
    """
    typed = (credentials or request.POST).get("username") or ""
    known: dict[str, str] = request.__dict__.setdefault("lockout_keys", {})
    if typed not in known:
        found = User.objects.filter(username=typed).values_list("username", flat=True).first()
        known[typed] = _key_of(found or typed)
    return known[typed]


def _key_of(name: str) -> str:
    """Return a keyed hash of a name: what was typed may be a password."""
    return salted_hmac(__name__, fold(name), algorithm="sha256").hexdigest()


def address_key(request: HttpRequest) -> str:
    """Return the client's address; for IPv6 the network of one subscriber."""
    address = ipaddress.ip_address(client_address(request) or UNKNOWN_ADDRESS)
    if address.version == 6:
        return str(ipaddress.ip_network((int(address), IPV6_SITE), strict=False).network_address)
    return str(address)


def locked_response(request: HttpRequest, response: HttpResponse, credentials: Any) -> HttpResponse:
    response.status_code = 429
    response["Retry-After"] = str(int(settings.AXES_COOLOFF_TIME.total_seconds()))
    return response


def is_locked_out(request: HttpRequest) -> bool:
    """Return whether this request found somebody locked out, or caused it."""
    return getattr(request, "axes_locked_out", False)


def may_try(request: HttpRequest, user: AbstractBaseUser) -> bool:
    """Return whether the user may try a code now; for passwords `authenticate` asks axes."""
    allowed: bool = AxesProxyHandler.is_allowed(request, {"username": user.get_username()})
    if not allowed:
        request.axes_locked_out = True  # type: ignore[attr-defined]  # what axes' middleware looks for
    return allowed


def record_failure(request: HttpRequest, user: AbstractBaseUser) -> None:
    user_login_failed.send(sender=__name__, credentials={"username": user.get_username()}, request=request)


def forget_failures(request: HttpRequest, user: AbstractBaseUser) -> None:
    """Reset the count of one user from one address, as signing in does."""
    AxesProxyHandler.update_request(request)
    AxesProxyHandler.get_implementation().reset_user_attempts(request, {"username": user.get_username()})


def locked_out(users: Iterable[AbstractBaseUser], *, at: dt.datetime) -> set[int]:
    """Return the ids of users locked out at `at` by their own failures, not by others' at their address. One query."""
    ids = {_key_of(user.get_username()): user.pk for user in users}
    since = at - settings.AXES_COOLOFF_TIME
    attempts = AccessAttempt.objects.filter(username__in=ids, attempt_time__gte=since).order_by()
    failed: dict[str, list[int]] = {}
    for key, _address, count in attempts.values_list("username", "ip_address").annotate(Sum("failures_since_start")):
        failed.setdefault(key, []).append(count)
    return {
        ids[key]
        for key, counts in failed.items()
        # MariaDB finds more names equal than `fold` does, such as with trailing spaces.
        if key in ids and (max(counts) >= settings.AXES_FAILURE_LIMIT or sum(counts) >= MAX_FOR_USER)
    }


def allow_again(user: AbstractBaseUser) -> None:
    AccessAttempt.objects.filter(username=_key_of(user.get_username())).delete()


def locked_error() -> ValidationError:
    return ValidationError(_("Too many attempts. Wait 15 minutes, or ask an administrator."), code="locked")
