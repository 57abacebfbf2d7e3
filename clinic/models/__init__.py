"""All models of the clinic app, imported here because Django looks for them here."""

from clinic.accounts.models import TEMPORARY_PASSWORD_LASTS, User
from clinic.accounts.recovery_codes import RecoveryCode
from clinic.administration.models import TidyRun
from clinic.audit.models import AuditEntry, Event, SeenPatient
from clinic.audit.try_counts import TryCount
from clinic.rest.models import DEFAULT_LIFETIME, ApiToken, StoredResponse, digest_of
from clinic.sessions.models import ENDED_SESSION_LASTS, Session, idle_limit
from clinic.sessions.saved_forms import FORM_LASTS, SavedForm
from clinic.spreadsheets.models import DRAFT_LASTS, ImportDraft, ImportRow, Verdict

__all__ = [
    "DEFAULT_LIFETIME",
    "DRAFT_LASTS",
    "ENDED_SESSION_LASTS",
    "FORM_LASTS",
    "TEMPORARY_PASSWORD_LASTS",
    "ApiToken",
    "AuditEntry",
    "Event",
    "ImportDraft",
    "ImportRow",
    "RecoveryCode",
    "SavedForm",
    "SeenPatient",
    "Session",
    "StoredResponse",
    "TidyRun",
    "TryCount",
    "User",
    "Verdict",
    "digest_of",
    "idle_limit",
]
