"""The CapabilityStatement, generated from the tables that the searches use."""

from django.conf import settings

from appointments.fhir.parameters import KINDS, Kind
from appointments.fhir.resources import Resource
from clinic.rest.outcomes import FHIR_JSON

FHIR_VERSION = "4.0.1"
LAST_CHANGED = "2026-11-24"  # of this statement


def capability_statement(base: str) -> Resource:
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": LAST_CHANGED,
        "kind": "instance",
        "software": {"name": "Patient Encounter System"},
        "implementation": {"description": settings.CLINIC_NAME, "url": base},
        "fhirVersion": FHIR_VERSION,
        "format": ["json", FHIR_JSON],
        "rest": [
            {
                "mode": "server",
                "documentation": "Read and search. Searches by patients' personal data need POST.",
                "security": {"description": "Authorization: Bearer and an API token, with the rights of its user."},
                "resource": [_resource(kind) for kind in KINDS],
            }
        ],
    }


def _resource(kind: Kind) -> Resource:
    parameters = kind.parameters.items()
    return {
        "type": kind.name,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "versioned" if kind.name == "Appointment" else "no-version",
        "searchParam": [
            {
                "name": name,
                "type": parameter.type,
                "documentation": f"{parameter.documentation} (POST only)"
                if parameter.is_personal
                else parameter.documentation,
            }
            for name, parameter in parameters
        ],
    }
