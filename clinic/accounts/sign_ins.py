"""Who signs in, who fails to and who signs out, in the audit trail. Connected to Django's signals in `clinic.apps`."""

from typing import Any

from django.http import HttpRequest

from clinic.accounts.confirmation import has_shown_second_factor
from clinic.accounts.models import User
from clinic.audit.actor import acting
from clinic.audit.models import AuditEntry, Event


def record_sign_in(*, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Write that somebody has signed in, and whether by a second factor; the request is still a stranger's."""
    told = {"second_factor": True} if has_shown_second_factor(request) else {}
    with acting(user):
        AuditEntry.objects.record(Event.SIGN_IN, user, **told)


def record_failed_sign_in(*, credentials: dict[str, Any], **kwargs: Any) -> None:
    """Write that somebody has failed to sign in, and as whom if there is such a user.

    What was typed is not kept: it may be a password. Two queries either way, so that time does not tell who exists.
    """
    typed = credentials.get(User.USERNAME_FIELD) or ""
    user = User.objects.filter(**{User.USERNAME_FIELD: typed}).first()
    AuditEntry.objects.record(Event.SIGN_IN_FAILED, user or User)


def record_sign_out(*, user: User | None, **kwargs: Any) -> None:
    """Write that somebody has signed out."""
    if user is not None:
        with acting(user):
            AuditEntry.objects.record(Event.SIGN_OUT, user)
