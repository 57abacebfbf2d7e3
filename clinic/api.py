"""The JSON API: the routers of all apps, as one address and one description."""

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
from clinic.rest.tokens import BearerToken

DESCRIPTION = """
Patients, doctors and appointments of the clinic, under the same rules and the same safety as in the portal.

- **Tokens**: an administrator makes one for a user, whose rights it has. Send `Authorization: Bearer <token>`.
- **Times** are instants with an offset from UTC; answers are in UTC. Dates are clinic-local days.
- **Errors** all have one body: `detail` for people, and `errors` with field, code and message.
- **Lists** come in pages: the header `Next-Cursor` says where the next one begins.
- **Repeats**: send a POST with an `Idempotency-Key` and it is carried out once, however often it is sent.
- **Changes**: send `If-Match` with the ETag of what was read, and nobody's change is overwritten.
- **Limits**: a body of 100,000 bytes; so many calls a minute and token, then 429 with `Retry-After`.

FHIR clients find their own interface below `/api/fhir/`, described by its CapabilityStatement.
"""


_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
_AUTHENTICATE = {"WWW-Authenticate": {"description": "Always `Bearer`.", "schema": {"type": "string"}}}
REFUSAL_HEADERS: dict[int, Any] = {401: _AUTHENTICATE, 429: _RETRY_AFTER, 503: _RETRY_AFTER}


class ClinicAPI(NinjaAPI):
    """The API, described as it is."""

    @cached_property
    def description_of_all(self) -> Any:
        """The description, made once. What may be left out is not called null: no address can say that."""
        schema = super().get_openapi_schema()
        for operation in (each for path in schema["paths"].values() for each in path.values()):
            for parameter in operation["parameters"]:
                parameter["schema"] = _without_null(parameter["schema"])
            for status, header in REFUSAL_HEADERS.items():
                operation["responses"][status]["headers"] = header
        return schema

    def get_openapi_schema(self, **kwargs: Any) -> Any:
        """Return the description."""
        return self.description_of_all


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return {**{name: said for name, said in schema.items() if name != "anyOf"}, **kinds[0]} if kinds else schema


api = ClinicAPI(
    title="Patient Encounter System",
    version="1.0.0",
    description=DESCRIPTION.strip(),
    urls_namespace="api",
    auth=BearerToken(),
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
    """Lead on to the description for people."""
    return HttpResponseRedirect(reverse("api:openapi-view"))
