"""The API schema: complete, consistent with the code, and sufficient to write a client."""

import re

import pytest
from django.urls import resolve

from clinic.tests.api_client import ApiClient
from clinic.web.page_access import PAGES

pytestmark = pytest.mark.usefixtures("db", "now")


@pytest.fixture
def description(receptionist):
    response = ApiClient(receptionist).get("/openapi.json")
    assert response.status_code == 200
    return response.json()


def operations(description):
    return [operation for path in description["paths"].values() for operation in path.values()]


def test_schema_lists_every_call_of_the_table(description):
    documented = {
        (resolve(re.sub(r"{\w+}", "7", path)).view_name, method.upper())
        for path, methods in description["paths"].items()
        for method in methods
    }

    assert documented == {
        (name, method)
        for name, methods in PAGES.items()
        for method, permissions in methods.items()
        if name.startswith("api:") and not name.startswith("api:openapi")
    }


def test_every_operation_documents_its_responses(description):
    for operation in operations(description):
        codes = set(operation["responses"])
        assert codes >= {"400", "401", "403", "413", "415", "422", "429", "500", "503"}, operation["operationId"]
        assert codes & {"200", "201"}
        assert operation["description"]
        assert operation["security"] == [{"BearerToken": []}]
        assert "Retry-After" in operation["responses"]["429"]["headers"]
        for code, answer in operation["responses"].items():
            assert answer["content"]["application/json"]["schema"], (operation["operationId"], code)


def test_operation_ids_are_unique(description):
    ids = [operation["operationId"] for operation in operations(description)]

    assert len(set(ids)) == len(ids)


def test_security_scheme_is_a_bearer_token(description):
    assert description["components"]["securitySchemes"] == {"BearerToken": {"type": "http", "scheme": "bearer"}}


def test_request_bodies_have_examples(description):
    for name in ("PatientIn", "DoctorIn", "AppointmentIn", "CancelIn", "PatientSearchIn"):
        schema = description["components"]["schemas"][name]
        examples = [field for field in schema["properties"].values() if "examples" in field]
        assert examples, name


def test_api_docs_load_only_own_files_without_inline_scripts(at_desk):
    page = at_desk.get("/api/docs").content.decode()

    assert "//cdn" not in page
    assert re.findall(r'(?:src|href)="(?!/static/)', page) == []
    assert re.findall(r"<script(?![^>]*(?:src=|application/json))", page) == []


# A client that knows nothing but the description


class Described:
    """Calls operations by their ids, with arguments placed as the schema describes."""

    def __init__(self, description, user):
        self.program = ApiClient(user)
        self.known = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, methods in description["paths"].items()
            for method, operation in methods.items()
        }
        self.schemas = description["components"]["schemas"]

    def __call__(self, operation_id, **given):
        method, path, operation = self.known[operation_id]
        query, headers = {}, {}
        for parameter in operation["parameters"]:
            name = parameter["name"]
            key = name.replace("-", "_").lower()
            if key not in given:
                assert not parameter["required"], name
                continue
            value = given.pop(key)
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", str(value))
            else:
                (query if parameter["in"] == "query" else headers)[name.replace("-", "_")] = value
        if query:
            path += "?" + "&".join(f"{name}={value}" for name, value in query.items())
        takes_body = given or operation.get("requestBody", {}).get("required")
        body = self.checked(operation, given) if takes_body else None
        response = self.program.call(method, path.removeprefix("/api"), body, **headers)
        assert str(response.status_code) in operation["responses"]
        return response

    def checked(self, operation, body):
        """Return the body if it matches the fields of the schema."""
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        schema = self.schemas[reference.rpartition("/")[2]]
        assert set(schema.get("required", ())) <= set(body) <= set(schema["properties"])
        return body


def test_client_written_from_the_description_runs_a_day(description, administrator):
    call = Described(description, administrator)
    doctor = call("add_doctor", full_name="Dr Ngozi Okafor", specialization="Cardiology").json()
    patient = call("register_patient", first_name="Ana", last_name="Lopes", email="ana@example.com").json()
    free = call("list_free_times", doctor_id=doctor["id"], **{"from": "2026-11-24"}, days=1, minutes=30).json()
    appointment = call(
        "book_appointment", patient_id=patient["id"], doctor_id=doctor["id"], start_time=free[0]["start_time"]
    ).json()
    clash = call("book_appointment", patient_id=patient["id"], doctor_id=doctor["id"], start_time=free[0]["start_time"])
    moved = call(
        "move_appointment", appointment_id=appointment["id"], start_time=clash.json()["alternatives"][0]["start_time"]
    )
    stale = call("arrive_appointment", appointment_id=appointment["id"], if_match='"seen before the move"')
    arrived = call("arrive_appointment", appointment_id=appointment["id"], if_match=moved["ETag"])
    started = call("start_appointment", appointment_id=appointment["id"])
    done = call("complete_appointment", appointment_id=appointment["id"])
    listed = call("list_appointments", date="2026-11-24", doctor_id=doctor["id"]).json()
    found = call("search_patients", q="lopes").json()

    assert appointment["end_time"] == free[0]["end_time"]
    assert (clash.status_code, stale.status_code) == (409, 412)
    assert [answer.json()["status"] for answer in (arrived, started, done)] == [
        "arrived",
        "in_consultation",
        "completed",
    ]
    assert listed == [done.json()]
    assert found == [patient]
