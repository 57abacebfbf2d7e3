"""Everything that expires, deleted by `manage.py tidy` and at each sign-in."""

from collections.abc import Callable

from django.utils import timezone

from clinic.accounts import lockout
from clinic.audit.try_counts import TryCount
from clinic.rest.models import StoredResponse
from clinic.sessions.models import Session
from clinic.sessions.saved_forms import SavedForm
from clinic.spreadsheets.models import ImportDraft

# By the words that the command prints.
_PURGES: dict[str, Callable[[], int]] = {
    "rows and drafts of imports": ImportDraft.objects.purge,
    "half-filled forms": SavedForm.objects.purge,
    "stored API responses": StoredResponse.objects.purge,
    "ended sessions": Session.objects.purge,
    "counts of wrong passwords": lockout.delete_ended,
    "counts of attempts, now in the audit trail": lambda: TryCount.objects.close(at=timezone.now()),
}


def delete_expired_data() -> dict[str, int]:
    """Delete what has expired, in batches, and return how much of each kind. Safe to run twice at once."""
    return {kind: purge() for kind, purge in _PURGES.items()}
