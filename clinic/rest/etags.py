"""ETags: which state of a record somebody has seen, so that nobody changes what they have not."""

import hashlib
from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Header, Schema

from clinic.db.versions import check_unchanged

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="The ETag of the record as it was read: 412 if it has changed since."),
]

_ETAG = {"ETag": {"description": "The state of the record, for If-Match.", "schema": {"type": "string"}}}

_LOCATION = {"Location": {"description": "The address of the new record.", "schema": {"type": "string"}}}
CREATED = 201


def has_etag(status: int = 200) -> dict[str, Any]:
    """Return what the description of an operation says of the ETag that this answer carries; of a new record, where."""
    return {"responses": {status: {"headers": _ETAG | (_LOCATION if status == CREATED else {})}}}


def etag_of(record: Schema) -> str:
    """Return the ETag of a record as the API shows it: another one whenever anything in it is another."""
    return f'"{hashlib.sha256(record.model_dump_json().encode()).hexdigest()[:20]}"'


def with_etag(response: HttpResponse, record: Schema) -> Any:
    """Return the record, and let the answer carry its ETag."""
    response["ETag"] = etag_of(record)
    return record


def check_if_match(if_match: str | None, record: Schema) -> None:
    """Check that the record is in one of the states that If-Match names; without it, any state will do.

    Raises:
        ValidationError: `stale`.
    """
    if if_match is None or if_match.strip() == "*":
        return
    # A proxy that compresses weakens ETags; ours are of the record, whatever its bytes.
    current, seen = etag_of(record), {each.strip().removeprefix("W/") for each in if_match.split(",")}
    message = "Somebody else has changed this meanwhile. Read it again, then decide again."
    check_unchanged(current, seen=current if current in seen else if_match, message=message)
