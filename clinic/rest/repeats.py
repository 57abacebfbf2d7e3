"""Idempotency keys: a POST with one is carried out once, in one transaction with its stored response."""

import functools
import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from ninja import Header
from ninja.responses import NinjaJSONEncoder, Status
from ninja.utils import contribute_operation_args

from clinic.db.transactions import retrying
from clinic.rest.errors import refuse
from clinic.rest.models import StoredResponse

_STORED_HEADERS = ("ETag", "Location")

_KEY = Header(
    None,
    alias="Idempotency-Key",
    description="A UUID for this request. A repeat within a day gets the same response and does nothing; "
    "with other content it gets 409.",
)
_KeyType: Any = uuid.UUID | None


def repeatable(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate an operation that takes `request` and `response` and returns a record, with or without a Status."""

    @functools.wraps(operation)
    def answer(request: HttpRequest, response: HttpResponse, *, idempotency_key: uuid.UUID | None, **given: Any) -> Any:
        if idempotency_key is None:
            return operation(request, response, **given)
        stored = _run_once(functools.partial(operation, request, response, **given), request, response, idempotency_key)
        return HttpResponse(stored.body, status=stored.status, headers=stored.headers, content_type="application/json")

    contribute_operation_args(answer, "idempotency_key", _KeyType, _KEY)
    return answer


@retrying
def _run_once(operation: Callable[[], Any], request: Any, response: HttpResponse, key: uuid.UUID) -> StoredResponse:
    """Return the response, from the first time the request was sent if it was sent before.

    Locks the key's row: the same request at the same time waits.

    Raises:
        ValidationError: `idempotency_key_used` if the key came with another request; what the operation refuses.
    """
    digest = _digest(request)
    with transaction.atomic():
        stored, is_new = StoredResponse.objects.get_or_create(user=request.user, key=key, defaults={"digest": digest})
        if is_new:
            result = operation()
            status, record = (result.status_code, result.value) if isinstance(result, Status) else (200, result)
            stored.status, stored.body = status, json.dumps(record, cls=NinjaJSONEncoder)
            stored.headers = {name: response[name] for name in _STORED_HEADERS if name in response}
            stored.save()
    if stored.digest != digest:
        raise refuse(None, "idempotency_key_used", "This Idempotency-Key was used for a different request.")
    return stored


def _digest(request: HttpRequest) -> str:
    """Return a hash of the request that ignores key order and white space in its body."""
    body = json.dumps(json.loads(request.body), sort_keys=True) if request.body else ""  # ninja has read it: it is JSON
    return hashlib.sha256(f"{request.path}\n{body}".encode()).hexdigest()
