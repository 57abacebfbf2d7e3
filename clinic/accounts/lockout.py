"""Lockout after too many wrong passwords, counted in the database for all workers: docs/decisions/013-login.md."""

import datetime as dt
import operator
from collections.abc import Iterable
from functools import reduce
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from clinic.accounts.known_devices import count_key
from clinic.accounts.models import User
from clinic.accounts.sign_ins import record_failed_sign_in, record_locked_attempt
from clinic.core.client_address import subscriber_of
from clinic.core.names import fold
from clinic.db.batches import delete_in_batches
from clinic.db.transactions import retrying

MAX_FOR_USER = 15  # whatever the addresses, but without known devices
MAX_FROM_ADDRESS = 30  # for any users: all desks of a clinic may share one address
DEVICE_MARK = ":"  # between the keys of user and device


class LockoutHandler(AxesDatabaseHandler):
    """Adds to axes' limit per user and address a larger one per user and one per address.

    On a device that knows the user, only the attempts there count.
    """

    def filter_user_attempts(self, request: HttpRequest, credentials: Any = None) -> list[QuerySet]:
        """Return the attempts of the first limit: for a user on a known device, or from an address."""
        key = username_key(request, credentials)
        attempts = AccessAttempt.objects.filter(username=key)
        return [attempts if DEVICE_MARK in key else attempts.filter(ip_address=_address_of(request))]

    def is_locked(self, request: HttpRequest, credentials: Any = None) -> bool:
        return super().is_locked(request, credentials) or bool(self._larger_lock(request, credentials))

    def _larger_lock(self, request: HttpRequest, credentials: Any) -> str:
        """Return what one of the larger limits locks, `user` or `address`; empty if nothing. At most one query."""
        key, address = username_key(request, credentials), _address_of(request)
        if DEVICE_MARK in key:
            return ""
        since = request.axes_attempt_time - settings.AXES_COOLOFF_TIME  # type: ignore[attr-defined]  # axes sets it
        of_user, of_address = Q(username=key), Q(ip_address=address) & ~Q(username__contains=DEVICE_MARK)
        failed = AccessAttempt.objects.filter(of_user | of_address, attempt_time__gte=since).aggregate(
            user=Sum("failures_since_start", filter=of_user, default=0),
            address=Sum("failures_since_start", filter=of_address, default=0),
        )
        if failed["user"] >= MAX_FOR_USER:
            return "user"
        return "address" if failed["address"] >= MAX_FROM_ADDRESS else ""

    def user_login_failed(self, sender: Any, credentials: Any, request: Any = None, **kwargs: Any) -> None:
        """Count a failure, mark the request if it was the last one allowed, and record it.

        An attempt during a lock was not checked. It neither extends the lock nor has an audit entry of its own.
        """
        address = _address_of(request)
        if request.axes_locked_out:
            record_locked_attempt(address=address)
            return
        locks = self._count_failure(sender, credentials, request, **kwargs)
        request.axes_locked_out = bool(locks)
        record_failed_sign_in(_looked_up(request, credentials)[1], address=address, locks=locks)

    @retrying
    def _count_failure(self, sender: Any, credentials: Any, request: Any, **kwargs: Any) -> str:
        """Count a failure and return what it has locked: `device`, `user_here`, `user` or `address`; else empty."""
        super().user_login_failed(sender, credentials, request, **kwargs)
        if request.axes_locked_out:
            return "device" if DEVICE_MARK in username_key(request, credentials) else "user_here"
        return self._larger_lock(request, credentials)


def username_key(request: HttpRequest, credentials: Any = None) -> str:
    """Return the key by which failures are counted: the same for every spelling that finds the same user.

    On a device that knows the user, it has the key of the device as well. Use the matching user's key (the database may
    treat ß as s); for unknown users, the text as typed. One query a request either way, so that timing does not reveal
    who exists.
    """
    return _looked_up(request, credentials)[0]


def _looked_up(request: HttpRequest, credentials: Any) -> tuple[str, int | None]:
    """Return the key of what was typed, and the id of its user, if there is one. One query a request."""
    typed = (credentials or request.POST).get("username") or ""
    known: dict[str, tuple[str, int | None]] = request.__dict__.setdefault("lockout_keys", {})
    if typed not in known:
        found = User.objects.filter(username=typed).values_list("pk", "username", "password").first()
        known[typed] = _key_on_device(request, *found) if found else (_key_of(typed), None)
    return known[typed]


def _key_on_device(request: HttpRequest, user_id: int, username: str, password: str) -> tuple[str, int]:
    device = count_key(request, user_id=user_id, password=password)
    return _key_of(username) + (DEVICE_MARK + device if device else ""), user_id


def _key_of(name: str) -> str:
    """Return a keyed hash of a name: what was typed may be a password."""
    return salted_hmac(__name__, fold(name), algorithm="sha256").hexdigest()


def _address_of(request: Any) -> str:
    address: str = request.axes_ip_address
    return address


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
    """Reset the count of one user from one address or on a known device, as signing in does."""
    AxesProxyHandler.update_request(request)
    AxesProxyHandler.get_implementation().reset_user_attempts(request, {"username": user.get_username()})


def locked_out(users: Iterable[AbstractBaseUser], *, at: dt.datetime) -> set[int]:
    """Return the ids of users locked out at `at` by their own failures, not by others' at their address. One query."""
    ids = {_key_of(user.get_username()): user.pk for user in users}
    if not ids:
        return set()
    of_users = reduce(operator.or_, (Q(username__startswith=key) for key in ids))
    attempts = AccessAttempt.objects.filter(of_users, attempt_time__gte=at - settings.AXES_COOLOFF_TIME).order_by()
    failed: dict[str, list[int]] = {}
    on_devices: dict[str, int] = {}
    for name, _address, count in attempts.values_list("username", "ip_address").annotate(Sum("failures_since_start")):
        key, _mark, device = name.partition(DEVICE_MARK)
        if device:
            on_devices[name] = on_devices.get(name, 0) + count
        else:
            failed.setdefault(key, []).append(count)
    locked = {
        key
        for key, counts in failed.items()
        if max(counts) >= settings.AXES_FAILURE_LIMIT or sum(counts) >= MAX_FOR_USER
    } | {name.partition(DEVICE_MARK)[0] for name, count in on_devices.items() if count >= settings.AXES_FAILURE_LIMIT}
    # MariaDB finds more names equal than `fold` does, such as with trailing spaces.
    return {pk for key, pk in ids.items() if key in locked}


def allow_again(user: AbstractBaseUser) -> None:
    AccessAttempt.objects.filter(username__startswith=_key_of(user.get_username())).delete()


def allow_address_again(address: str) -> int:
    """Forget the failures from an address, and return how many attempts were counted. Raises ValueError if invalid."""
    attempts = AccessAttempt.objects.filter(ip_address=subscriber_of(address))
    attempts = attempts.exclude(username__contains=DEVICE_MARK)
    failures: int = attempts.aggregate(number=Sum("failures_since_start", default=0))["number"]
    attempts.delete()
    return failures


def delete_ended() -> int:
    """Delete counts that no longer matter, and return how many there were."""
    return delete_in_batches(AccessAttempt.objects.filter(attempt_time__lt=timezone.now() - settings.AXES_COOLOFF_TIME))


def locked_error() -> ValidationError:
    return ValidationError(_("Too many attempts. Wait 15 minutes, or ask an administrator."), code="locked")
