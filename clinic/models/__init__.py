"""Users, the tokens of programs that act for them, the audit trail, and what is about to be imported."""

from clinic.models.api_token import USUAL_LIFE, ApiToken, KeptAnswer, digest_of
from clinic.models.audit_entry import AuditEntry
from clinic.models.import_draft import DRAFT_LASTS, ImportDraft, ImportRow, Verdict
from clinic.models.user import User

__all__ = [
    "DRAFT_LASTS",
    "USUAL_LIFE",
    "ApiToken",
    "AuditEntry",
    "ImportDraft",
    "ImportRow",
    "KeptAnswer",
    "User",
    "Verdict",
    "digest_of",
]
