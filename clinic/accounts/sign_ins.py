"""Audit entries of sign-ins, failed sign-ins and sign-outs, by Django's signals."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from clinic.accounts.confirmation import has_shown_second_factor
from clinic.accounts.models import User
from clinic.audit.actor import acting
from clinic.audit.models import AuditEntry, Event
from clinic.audit.try_counts import TryCount


def record_sign_in(*, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Record a sign-in with its user as actor: the request is still anonymous."""
    details = {"second_factor": True} if has_shown_second_factor(request) else {}
    with acting(user):
        AuditEntry.objects.record(Event.SIGN_IN, user, **details)


def record_failed_sign_in(user_id: int | None, *, address: str, locks: str) -> None:
    """Record a failed sign-in without what was typed, and what it has locked; beyond a limit, count it only.

    Two queries whether the user exists or not: timing must not reveal who does.
    """
    now = timezone.now()
    if TryCount.objects.has_room(Event.SIGN_IN_FAILED, at=now):
        details = {"locks": locks} if locks else {}
        AuditEntry.objects.record_by_id(Event.SIGN_IN_FAILED, User, pk=user_id, patient_id=None, **details)
    else:
        TryCount.objects.add(Event.SIGN_IN_FAILED, User, address=address, at=now)


def record_locked_attempt(*, address: str) -> None:
    """Count an attempt during a lock. By address only: names are what a stranger types. One query, mostly."""
    TryCount.objects.add(Event.SIGN_IN_FAILED, User, address=address, at=timezone.now())


def record_sign_out(*, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        with acting(user):
            AuditEntry.objects.record(Event.SIGN_OUT, user)
