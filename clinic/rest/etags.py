"""ETags, against overwriting a change that the client has not seen."""

import hashlib
from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Header, Schema

from clinic.db.versions import check_unchanged

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="The ETag of the record as it was read; 412 if the record has changed."),
]

_ETAG = {"ETag": {"description": "The state of the record, for If-Match.", "schema": {"type": "string"}}}

_LOCATION = {"Location": {"description": "The address of the new record.", "schema": {"type": "string"}}}
CREATED = 201


def has_etag(status: int = 200) -> dict[str, Any]:
    """Return the OpenAPI description of a response with an ETag; for a new record also with its Location."""
    return {"responses": {status: {"headers": _ETAG | (_LOCATION if status == CREATED else {})}}}


def etag_of(record: Schema) -> str:
    """Return the ETag of a record as the API shows it: it changes with any field."""
    return f'"{hashlib.sha256(record.model_dump_json().encode()).hexdigest()[:20]}"'


def with_etag(response: HttpResponse, record: Schema) -> Any:
    """Set the response's ETag and return the record."""
    response["ETag"] = etag_of(record)
    return record


def check_if_match(if_match: str | None, record: Schema) -> None:
    """Raise `stale` unless If-Match, if given, names the record's present ETag."""
    if if_match is None or if_match.strip() == "*":
        return
    # A compressing proxy weakens ETags; these identify the record, not its bytes.
    current, seen = etag_of(record), {each.strip().removeprefix("W/") for each in if_match.split(",")}
    message = "Somebody else has changed this record. Read it again before you change it."
    check_unchanged(current, seen=current if current in seen else if_match, message=message)
