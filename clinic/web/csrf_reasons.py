"""Why a form was refused, as a code for the log and the page. Django's texts may quote what was sent."""

from django.middleware import csrf

ORIGIN, REFERER, COOKIE, TOKEN = "origin", "referer", "cookie", "token"

_BAD_ORIGIN = csrf.REASON_BAD_ORIGIN.partition("%s")[0]
_BAD_REFERER = csrf.REASON_BAD_REFERER.partition("%s")[0]
_REFERER = {csrf.REASON_NO_REFERER, csrf.REASON_MALFORMED_REFERER, csrf.REASON_INSECURE_REFERER}
_COOKIE = {
    csrf.REASON_NO_CSRF_COOKIE,
    # Django's texts for a cookie that it cannot have set.
    *(f"CSRF cookie {fault}." for fault in (csrf.REASON_INCORRECT_LENGTH, csrf.REASON_INVALID_CHARACTERS)),
}


def csrf_code(reason: str) -> str:
    """Return `origin` or `referer` for a form from another address, `cookie` or `token` for one that is missing."""
    if reason.startswith(_BAD_ORIGIN):
        return ORIGIN
    if reason in _REFERER or reason.startswith(_BAD_REFERER):
        return REFERER
    return COOKIE if reason in _COOKIE else TOKEN
