"""Answers of the FHIR façade, each checked against the model of its type in `fhir.resources`.

Its R4B models are those of R4 in all that the façade uses; they refuse elements that FHIR does not know.
"""

from urllib.parse import urlencode

from fhir.resources.R4B import get_fhir_model_class

BASE = "/api/fhir"
HERE = f"http://testserver{BASE}"


def checked(resource):
    """Return the resource after validating it with its model."""
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    return resource


def post(client, kind, **sought):
    """Search by POST, as personal data are."""
    body = urlencode(sought, doseq=True)
    return client.post(f"{BASE}/{kind}/_search", body, content_type="application/x-www-form-urlencoded")


def read(response, status=200):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/fhir+json"
    return checked(response.json())


def found(response):
    """Return the resources of a searchset, in order."""
    bundle = read(response)
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
    entries = bundle.get("entry", [])
    for entry in entries:
        resource = checked(entry["resource"])
        assert entry["search"] == {"mode": "match"}
        assert entry["fullUrl"] == f"{HERE}/{resource['resourceType']}/{resource['id']}"
    return [entry["resource"] for entry in entries]


def ids(response):
    """Return the ids of the results, in order; numeric ones as int."""
    return [int(each["id"]) if each["id"].isdecimal() else each["id"] for each in found(response)]


def link(response, relation):
    """Return the address of a bundle's link, or None."""
    return next((each["url"] for each in response.json()["link"] if each["relation"] == relation), None)


def pages(client, response):
    """Yield the ids of each page, following the next links."""
    yield ids(response)
    seen = set()
    while (address := link(response, "next")) is not None:
        assert address not in seen, "the pages go round in circles"
        seen.add(address)
        response = client.get(address.removeprefix("http://testserver"))
        yield ids(response)


def refused(response, status, code):
    """Assert that the response is an OperationOutcome with this code; return its text."""
    (issue,) = read(response, status)["issue"]
    assert (issue["severity"], issue["code"]) == ("error", code)
    return issue["diagnostics"]
