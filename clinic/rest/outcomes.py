"""OperationOutcomes, FHIR's error responses; also for middleware and error handlers."""

from collections.abc import Mapping

from django.http import HttpResponse, JsonResponse

FHIR_JSON = "application/fhir+json"


class FhirRefused(Exception):
    """A FHIR request that is refused: HTTP status, code of FHIR's issue-type, and text."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


def outcome_response(status: int, code: str, text: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return a response with one issue; `code` is of FHIR's issue-type, as `invalid`, `not-found`, `forbidden`."""
    issue = {"severity": "error", "code": code, "diagnostics": text}
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    return JsonResponse(outcome, status=status, headers=headers, content_type=FHIR_JSON)
