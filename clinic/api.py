"""The JSON API: the routers of all apps."""

from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from ninja import NinjaAPI

import appointments.api.appointments
import appointments.api.free_times  # its import adds to the router of doctors
import doctors.api
import patients.api
from clinic.rest.errors import add_handlers
from clinic.rest.queries import refusing_unknown_names
from clinic.rest.strict_json import StrictParser
from clinic.rest.tokens import BearerToken

DESCRIPTION = """
Patients, doctors and appointments of the clinic, with the same rules and safeguards as in the portal.

- **Tokens**: an administrator creates one with a user's permissions. Send `Authorization: Bearer <token>`.
- **Times** have an offset from UTC; responses are in UTC. Dates are in the clinic's time zone.
- **Errors** all have the same body: `detail` for people, and `errors` with field, code and message.
- **Lists** are paginated: send the header `Next-Cursor` as `cursor` to get the next page.
- **Repeats**: a POST with an `Idempotency-Key` is carried out once, however often it is sent.
- **Changes**: send the record's ETag as `If-Match`, so that you do not overwrite another user's change.
- **Limits**: 100,000 bytes per body, and a number of calls per token and minute, then 429 with `Retry-After`.

FHIR clients have their own interface at `/api/fhir/`, described by its CapabilityStatement.
"""


_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
_AUTHENTICATE = {"WWW-Authenticate": {"description": "Always `Bearer`.", "schema": {"type": "string"}}}
REFUSAL_HEADERS: dict[int, Any] = {401: _AUTHENTICATE, 429: _RETRY_AFTER, 503: _RETRY_AFTER}


class ClinicAPI(NinjaAPI):
    """The API with a corrected OpenAPI schema."""

    @cached_property
    def description_of_all(self) -> Any:
        """The schema, made once. Optional query parameters are not nullable: a URL cannot express null."""
        schema = super().get_openapi_schema()
        for operation in (each for path in schema["paths"].values() for each in path.values()):
            for parameter in operation["parameters"]:
                parameter["schema"] = _without_null(parameter["schema"])
            for status, header in REFUSAL_HEADERS.items():
                operation["responses"][status]["headers"] = header
        return schema

    def get_openapi_schema(self, **kwargs: Any) -> Any:
        return self.description_of_all


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return {**{name: value for name, value in schema.items() if name != "anyOf"}, **kinds[0]} if kinds else schema


api = ClinicAPI(
    title="Patient Encounter System",
    version="1.0.0",
    description=DESCRIPTION.strip(),
    urls_namespace="api",
    auth=BearerToken(),
    parser=StrictParser(),
    docs_url="/docs",
    servers=[{"url": "/", "description": "This portal"}],
    openapi_url="/openapi.json",
)
add_handlers(api)
api.add_decorator(refusing_unknown_names, mode="view")
api.add_router("/patients", patients.api.router)
api.add_router("/doctors", doctors.api.router)
api.add_router("/appointments", appointments.api.appointments.router)


def to_docs(request: HttpRequest) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("api:openapi-view"))
