"""Size limits of pages; those of the API are in `clinic.rest.bodies`."""

from django.http import HttpRequest

MAX_FORM = 1_000_000  # bytes; a hundred times the largest form, an import preview
MAX_FILE = 5 * 1024 * 1024  # bytes; of a file to import
MAX_UPLOAD = MAX_FILE + 64 * 1024  # with the form around it
MAX_LENGTH = 12  # digits; Python refuses to parse thousands of them
UPLOADS = frozenset({"patients:patient_import", "doctors:doctor_import"})


def refused_length(request: HttpRequest) -> int:
    """Return the status that refuses the request for the length its headers give, or 0."""
    if "Transfer-Encoding" in request.headers:
        return 411  # Django would treat such a body as empty
    page = request.resolver_match
    largest = MAX_UPLOAD if page and page.view_name in UPLOADS else MAX_FORM
    length = length_of(request)
    return 413 if length is None or length > largest else 0


def length_of(request: HttpRequest) -> int | None:
    """Return the body's length by its header; None if that is not a number, or an absurd one."""
    length = request.headers.get("Content-Length") or "0"
    is_number = length.isascii() and length.isdecimal() and len(length) <= MAX_LENGTH
    return int(length) if is_number else None
