"""Audit entries of sign-ins, failed sign-ins and sign-outs, by Django's signals."""

from typing import Any

from django.http import HttpRequest

from clinic.accounts.confirmation import has_shown_second_factor
from clinic.accounts.models import User
from clinic.audit.actor import acting
from clinic.audit.models import AuditEntry, Event


def record_sign_in(*, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Record a sign-in with its user as actor: the request is still anonymous."""
    details = {"second_factor": True} if has_shown_second_factor(request) else {}
    with acting(user):
        AuditEntry.objects.record(Event.SIGN_IN, user, **details)


def record_failed_sign_in(*, credentials: dict[str, Any], **kwargs: Any) -> None:
    """Record a failed sign-in without what was typed. Always two queries: timing must not reveal who exists."""
    typed = credentials.get(User.USERNAME_FIELD) or ""
    user = User.objects.filter(**{User.USERNAME_FIELD: typed}).first()
    AuditEntry.objects.record(Event.SIGN_IN_FAILED, user or User)


def record_sign_out(*, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        with acting(user):
            AuditEntry.objects.record(Event.SIGN_OUT, user)
