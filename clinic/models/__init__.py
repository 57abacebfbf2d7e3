"""All models of the clinic app, imported here because Django looks for them here."""

from clinic.accounts.models import TEMPORARY_PASSWORD_LASTS, User
from clinic.accounts.recovery_codes import RecoveryCode
from clinic.audit.models import AuditEntry, Event, SeenPatient
from clinic.rest.models import USUAL_LIFE, ApiToken, KeptAnswer, digest_of
from clinic.sessions.models import ENDED_KEPT, Session, idle_limit
from clinic.sessions.saved_forms import FORM_LASTS, SavedForm
from clinic.spreadsheets.models import DRAFT_LASTS, ImportDraft, ImportRow, Verdict

__all__ = [
    "DRAFT_LASTS",
    "ENDED_KEPT",
    "FORM_LASTS",
    "TEMPORARY_PASSWORD_LASTS",
    "USUAL_LIFE",
    "ApiToken",
    "AuditEntry",
    "Event",
    "ImportDraft",
    "ImportRow",
    "KeptAnswer",
    "RecoveryCode",
    "SavedForm",
    "SeenPatient",
    "Session",
    "User",
    "Verdict",
    "digest_of",
    "idle_limit",
]
