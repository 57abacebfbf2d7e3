"""Errors of the API. Body: `{"detail", "errors": [{"field", "code", "message"}]}`, and sometimes more fields."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError
from ninja.errors import ValidationError as ShapeError
from ninja.responses import Response

from clinic.rest.outcomes import outcome_response
from clinic.rest.strict_json import AmbiguousBody

API_ROOT = "/api/"
FHIR_ROOT = "/api/fhir/"
# Below the API's URL, but for people, who use a browser's session.
DESCRIPTION = "/api/openapi.json"
READ_BY_PEOPLE = frozenset({API_ROOT, "/api/docs"})

CONFLICT, UNPROCESSABLE = 409, 422
MAX_ERRORS = 20  # per request, so that the response is not many times as large

# HTTP status by error code; 422 for all others.
_STATUS = {
    "email_taken": 400,
    "outside_hours_denied": 403,
    "gone": 404,
    "not_found": 404,
    "stale": 412,
    **dict.fromkeys(
        (
            "doctor_overlap",
            "patient_overlap",
            "gap",
            "inactive",
            "hours",
            "leave",
            "closed",
            "transition",
            "not_today",
            "not_started",
            "not_over",
            "not_movable",
            "hits",
            "anonymised",
            "idempotency_key_used",
        ),
        CONFLICT,
    ),
}
# With several errors, the first of these is the status: permanent ones before those that may pass at another time.
_FIRST = (UNPROCESSABLE, 404, 403, 400, 412, CONFLICT)

_FIELDS = {"patient": "patient_id", "doctor": "doctor_id", NON_FIELD_ERRORS: None}

_DETAIL = {
    400: "The request could not be understood.",
    401: "Send a valid token: Authorization: Bearer <token>.",
    403: "The token's user may not do this.",
    404: "There is no such record or address.",
    405: "This address does not accept that method.",
    411: "Send the length of the body, not the body in chunks.",
    409: "This conflicts with an existing record.",
    412: "The record has changed since the ETag in If-Match. Read it again.",
    413: "The request is too large.",
    415: "Send the body as application/json.",
    422: "The request is not valid. See the errors.",
    429: "Too many requests. Wait for the time in Retry-After.",
    500: "Something went wrong on our side. It has been logged.",
    503: "The database is busy or unavailable. Send the same request again after Retry-After.",
}

# The same for FHIR clients, as codes of FHIR's issue-type.
_ISSUES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    411: "not-supported",
    413: "too-long",
    415: "not-supported",
    429: "throttled",
    500: "exception",
    503: "transient",
}
# In place of Pydantic's own wording.
_SHAPES = {
    "missing": "This is required",
    "extra_forbidden": "There is no such field",
    "model_attributes_type": "Send an object, as in {…}",
    "string_pattern_mismatch": "This has the wrong format, or characters that cannot be shown",
    "string_unicode": "This has characters that cannot be shown",
}
_FHIR_DETAIL = {415: "Send a search as a form: application/x-www-form-urlencoded."}


class RefusalWithDetails(ValidationError):
    """A rule's error with extra fields for the response, such as `alternatives`."""

    def __init__(self, refusal: ValidationError, **extra: Any) -> None:
        super().__init__(refusal)
        self.extra = extra


def is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(API_ROOT)


def refuse(field: str | None, code: str, message: str) -> ValidationError:
    error = ValidationError(message, code=code)
    return ValidationError({field: [error]}) if field else error


def refusal(
    status: int,
    errors: Iterable[Mapping[str, Any]] = (),
    *,
    detail: str = "",
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> HttpResponse:
    body = {"detail": detail or _DETAIL[status], "errors": list(errors), **extra}
    return Response(body, status=status, headers=headers)


def refuse_call(
    request: HttpRequest, status: int, headers: Mapping[str, str] | None = None, *, detail: str = ""
) -> HttpResponse:
    """Return the error response for a call that reached no operation, as JSON or for FHIR clients."""
    if request.path_info.startswith(FHIR_ROOT):
        detail = detail or _FHIR_DETAIL.get(status, _DETAIL[status])
        return outcome_response(status, _ISSUES[status], detail, headers)
    return refusal(status, detail=detail, headers=headers)


def refusal_of(error: ValidationError) -> HttpResponse:
    errors = list(_messages_by_field(error))
    detail = " ".join(dict.fromkeys(each["message"] for each in errors))
    return refusal(status_of(error), errors, detail=detail, **getattr(error, "extra", {}))


def status_of(error: ValidationError) -> int:
    found = {_STATUS.get(each["code"], UNPROCESSABLE) for each in _messages_by_field(error)}
    return next(status for status in _FIRST if status in found)


def _messages_by_field(error: ValidationError) -> Iterator[dict[str, Any]]:
    """Yield the messages by field; with start and end for an appointment in the way."""
    by_field = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
    for field, errors in by_field.items():
        for each in errors:
            params: Any = each.params or {}
            instants = {name: params[name] for name in ("start_time", "end_time") if name in params}
            message = " ".join(each.messages)
            yield {"field": _FIELDS.get(field, field), "code": each.code or "invalid", "message": message, **instants}


def shape_refusal(error: ShapeError) -> HttpResponse:
    errors = [
        {"field": _place(each["loc"]), "code": each["type"], "message": _SHAPES.get(each["type"], each["msg"])}
        for each in error.errors[:MAX_ERRORS]
    ]
    detail = " ".join(f"{each['field'] or 'The request'}: {each['message']}." for each in errors)
    return refusal(UNPROCESSABLE, errors, detail=detail.replace("..", "."))


def _place(loc: Iterable[Any]) -> str | None:
    """Return the field's name from ninja's path to it: source, argument, names."""
    source, *names = map(str, loc)
    return ".".join(names[1:] if source == "body" else names) or None


def add_handlers(api: NinjaAPI) -> None:
    """Answer every error of an operation in the one form; unexpected ones go to Django."""
    answers: dict[type[Exception], Callable[[Any], HttpResponse]] = {
        ValidationError: refusal_of,
        ShapeError: shape_refusal,
        PermissionDenied: lambda error: refusal(403),
        Http404: lambda error: refusal(404),
        HttpError: _http_refusal,
        Exception: _go_on,
    }
    for kind, answer in answers.items():
        api.add_exception_handler(kind, partial(_handle, answer))


def _http_refusal(error: HttpError) -> HttpResponse:
    """Return the error response; the cause is why ninja could not read the body."""
    detail = str(error.__cause__) if isinstance(error.__cause__, AmbiguousBody) else ""
    return refusal(error.status_code, detail=detail)


def _handle(answer: Callable[[Any], HttpResponse], request: HttpRequest, error: Any) -> HttpResponse:
    return answer(error)


def _go_on(error: Exception) -> HttpResponse:
    raise error
