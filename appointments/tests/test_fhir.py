"""The FHIR façade: resources, permissions and refusals."""

import datetime as dt
import json

import pytest
from django.test import Client
from django.utils.http import http_date
from pydantic import ValidationError

from appointments.models import Appointment
from appointments.statuses import BLOCKING, Status
from appointments.tests.booking_form import at
from appointments.tests.factories import AppointmentFactory
from appointments.tests.fhir_answers import BASE, HERE, checked, found, ids, link, post, read, refused
from clinic.accounts.roles import ADMINISTRATOR, DOCTOR, MANAGER, RECEPTIONIST
from clinic.rest.outcomes import outcome_response
from clinic.tests.api_client import token_of
from clinic.tests.factories import UserFactory
from doctors.tests.factories import DoctorFactory
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

NEVER = 999_999


@pytest.fixture
def appointment(maria, okafor):
    return AppointmentFactory(patient=maria, doctor=okafor, reason="Sore knee", notes="Ground floor")


# Tests of the checks


def test_model_refuses_invalid_r4(fhir, appointment, isolated):
    for change in [{"status": None}, {"start": "24/11/2026"}, {"cancellationReason": {"text": "Ill"}}]:
        with isolated(change=change):
            resource = read(fhir.get(f"{BASE}/Appointment/{appointment.pk}"))

            with pytest.raises(ValidationError):
                checked(resource | change)


# Resources


def test_patient_has_name_contact_and_birth_date(fhir, maria):
    maria.date_of_birth = dt.date(1980, 5, 17)
    maria.first_name = "Maria João"
    maria.save()

    response = fhir.get(f"{BASE}/Patient/{maria.pk}")

    assert read(response) == {
        "resourceType": "Patient",
        "id": str(maria.pk),
        "meta": {"lastUpdated": "2026-11-24T09:00:00Z"},
        "identifier": [{"system": "urn:patient-encounter-system:patient", "value": str(maria.pk)}],
        "active": True,
        "name": [{"text": "Maria João Santos", "family": "Santos", "given": ["Maria", "João"]}],
        "telecom": [
            {"system": "email", "value": "maria@example.org"},
            {"system": "phone", "value": "+351 912 345 678"},
        ],
        "birthDate": "1980-05-17",
    }
    assert response["Last-Modified"] == http_date(maria.updated_at.timestamp())
    assert not response.has_header("ETag")


def test_patient_omits_unknown_fields(fhir):
    patient = PatientFactory(phone_number="")

    resource = read(fhir.get(f"{BASE}/Patient/{patient.pk}"))

    assert "birthDate" not in resource
    assert [each["system"] for each in resource["telecom"]] == ["email"]


def test_practitioner_has_the_specialization_as_qualification(fhir):
    doctor = DoctorFactory(full_name="Dr Lindgren", specialization="Dermatology", is_active=False)

    assert read(fhir.get(f"{BASE}/Practitioner/{doctor.pk}")) == {
        "resourceType": "Practitioner",
        "id": str(doctor.pk),
        "active": False,
        "name": [{"text": "Dr Lindgren"}],
        "qualification": [{"code": {"text": "Dermatology"}}],
    }


def test_schedule_belongs_to_the_doctor(fhir, okafor):
    assert read(fhir.get(f"{BASE}/Schedule/{okafor.pk}")) == {
        "resourceType": "Schedule",
        "id": str(okafor.pk),
        "active": True,
        "specialty": [{"text": "General practice"}],
        "actor": [{"reference": f"Practitioner/{okafor.pk}", "display": "Dr Okafor"}],
        "planningHorizon": {"start": "2026-11-24"},
    }


def test_appointment_has_participants_time_and_reason_but_no_notes(fhir, appointment):
    minutes = int(appointment.start_time.timestamp()) // 60

    response = fhir.get(f"{BASE}/Appointment/{appointment.pk}")

    assert read(response) == {
        "resourceType": "Appointment",
        "id": str(appointment.pk),
        "meta": {"versionId": "1", "lastUpdated": "2026-11-24T09:00:00Z"},
        "status": "booked",
        "start": "2026-11-24T10:00:00Z",
        "end": "2026-11-24T10:30:00Z",
        "minutesDuration": 30,
        "created": "2026-11-24T09:00:00Z",
        "participant": [
            {
                "actor": {"reference": f"Patient/{appointment.patient_id}", "display": "Maria Santos"},
                "required": "required",
                "status": "accepted",
            },
            {
                "actor": {"reference": f"Practitioner/{appointment.doctor_id}", "display": "Dr Okafor"},
                "required": "required",
                "status": "accepted",
            },
        ],
        "description": "Sore knee",
        "slot": [{"reference": f"Slot/{appointment.doctor_id}-{minutes}-30"}],
    }
    assert response["ETag"] == 'W/"1"'


def test_appointment_in_summer_has_its_times_in_utc(fhir):
    appointment = AppointmentFactory(
        start_time=dt.datetime(2026, 7, 1, 9, 0, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    )

    assert read(fhir.get(f"{BASE}/Appointment/{appointment.pk}"))["start"] == "2026-07-01T08:00:00Z"


def test_appointment_that_has_changed_has_another_version(fhir, appointment):
    appointment.reason = "Other knee"
    appointment.save()

    response = fhir.get(f"{BASE}/Appointment/{appointment.pk}")

    assert read(response)["meta"]["versionId"] == "2"
    assert response["ETag"] == 'W/"2"'


STATUSES = [
    ("booked", "booked"),
    ("arrived", "arrived"),
    ("in_consultation", "checked-in"),
    ("completed", "fulfilled"),
    ("no_show", "noshow"),
    ("left", "cancelled"),
    ("cancelled", "cancelled"),
]


def test_statuses_are_all_mapped():
    assert [ours for ours, _theirs in STATUSES] == Status.values


def test_status_is_mapped(fhir, appointment, isolated):
    for ours, theirs in STATUSES:
        with isolated(ours=ours, theirs=theirs):
            cancelled = {"cancelled_by": "patient", "cancel_reason": "Ill"} if ours == "cancelled" else {}
            here = AppointmentFactory(start_time=at(10), status=ours, **cancelled)
            other = next(each for each, _theirs in STATUSES[:2] if each != ours)
            AppointmentFactory(start_time=at(11), status=other)

            resource = read(fhir.get(f"{BASE}/Appointment/{here.pk}"))
            response = fhir.get(f"{BASE}/Appointment?date=2026-11-25&status={theirs}")

            assert resource["status"] == theirs
            assert ("slot" in resource) == (ours in BLOCKING)
            assert ("cancelationReason" in resource) == (theirs == "cancelled")
            assert ids(response) == [here.pk]


def test_cancelled_appointment_has_reason_and_cancelled_by(fhir, isolated):
    for by, code, display in [("patient", "pat", "Patient"), ("clinic", "prov", "Provider")]:
        with isolated(by=by, code=code, display=display):
            appointment = AppointmentFactory(status="cancelled", cancelled_by=by, cancel_reason="Strike")

            assert read(fhir.get(f"{BASE}/Appointment/{appointment.pk}"))["cancelationReason"] == {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason",
                        "code": code,
                        "display": display,
                    }
                ],
                "text": "Strike",
            }


def test_cancelled_appointment_without_details_can_be_read(fhir):
    appointment = AppointmentFactory(status="cancelled")

    assert "cancelationReason" not in read(fhir.get(f"{BASE}/Appointment/{appointment.pk}"))


# The statement


def test_metadata_lists_the_search_parameters(fhir):
    statement = read(fhir.get(f"{BASE}/metadata"))

    (rest,) = statement["rest"]
    offered = {each["type"]: {every["name"] for every in each["searchParam"]} for each in rest["resource"]}
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["implementation"] == {"description": "Test Clinic", "url": HERE}
    assert offered == {
        "Patient": {"_id", "identifier", "name", "family", "given", "birthdate", "email", "phone", "telecom"},
        "Practitioner": {"_id", "active"},
        "Schedule": {"_id", "active", "actor"},
        "Slot": {"schedule", "start", "status"},
        "Appointment": {"_id", "date", "status", "actor", "patient", "practitioner"},
    }
    assert {every["code"] for each in rest["resource"] for every in each["interaction"]} == {"read", "search-type"}


def test_metadata_is_available_to_every_role_only(fhir_client):
    for role in (RECEPTIONIST, MANAGER, DOCTOR, ADMINISTRATOR):
        read(fhir_client(UserFactory(role=role)).get(f"{BASE}/metadata"))

    refused(fhir_client(UserFactory(is_staff=True)).get(f"{BASE}/metadata"), 403, "forbidden")


# Rights


@pytest.fixture
def own(doctor_user, maria):
    """An appointment in the doctor's own diary."""
    return AppointmentFactory(doctor=DoctorFactory(user=doctor_user), patient=maria, reason="Sore knee")


@pytest.fixture
def other():
    """An appointment with another doctor, whose patient has never seen the first."""
    return AppointmentFactory(doctor=DoctorFactory(full_name="Dr Other"), start_time=at(10))


def test_doctor_reads_their_own_patients_and_appointments(fhir_client, doctor_user, own, other):
    client = fhir_client(doctor_user)

    assert ids(client.get(f"{BASE}/Appointment")) == [own.pk]
    resource = read(client.get(f"{BASE}/Appointment/{own.pk}"))
    assert resource["description"] == "Sore knee"
    assert resource["participant"][0]["actor"]["display"] == "Maria Santos"
    read(client.get(f"{BASE}/Patient/{own.patient_id}"))


def test_doctor_cannot_read_other_doctors_patients(fhir_client, doctor_user, own, other):
    client = fhir_client(doctor_user)

    refused(client.get(f"{BASE}/Patient/{other.patient_id}"), 404, "not-found")
    refused(client.get(f"{BASE}/Appointment/{other.pk}"), 404, "not-found")
    assert ids(client.get(f"{BASE}/Appointment?patient={other.patient_id}")) == []


def test_doctor_searches_no_patients_as_in_the_portal(fhir_client, doctor_user, own):
    client = fhir_client(doctor_user)

    refused(client.get(f"{BASE}/Patient"), 403, "forbidden")
    refused(post(client, "Patient", family=own.patient.last_name), 403, "forbidden")


def test_shared_patient_is_shown_without_the_other_doctors_appointments(fhir_client, doctor_user, own, other):
    AppointmentFactory(doctor=own.doctor, patient=own.patient, start_time=at(9))
    AppointmentFactory(doctor=other.doctor, patient=own.patient, start_time=at(11))
    client = fhir_client(doctor_user)

    read(client.get(f"{BASE}/Patient/{own.patient_id}"))
    assert len(ids(client.get(f"{BASE}/Appointment?patient={own.patient_id}"))) == 2


def test_manager_sees_no_patients(fhir_client, manager, appointment, isolated):
    cases = [
        ("get", "Patient"),
        ("post", "Patient/_search"),
        ("get", "Patient/{patient}"),
        ("get", "Appointment"),
        ("post", "Appointment/_search"),
        ("get", "Appointment/{pk}"),
    ]
    for method, path in cases:
        with isolated(method=method, path=path):
            address = path.format(pk=appointment.pk, patient=appointment.patient_id)

            response = getattr(fhir_client(manager), method)(f"{BASE}/{address}")

            assert response.status_code == 403
            assert "Santos" not in response.content.decode()


def test_manager_sees_slots_without_patient_data(fhir_client, manager, appointment):
    client = fhir_client(manager)

    slots = found(client.get(f"{BASE}/Slot?schedule={appointment.doctor_id}&start=2026-11-24&status=busy"))

    assert [set(each) for each in slots] == [
        {"resourceType", "id", "schedule", "status", "start", "end"},
    ]


def test_user_with_appointments_but_no_patients_reads_no_names(fhir_client, receptionist, appointment):
    group = receptionist.groups.get()
    group.permissions.remove(*group.permissions.filter(content_type__model="patient"))
    appointment.status, appointment.cancelled_by, appointment.cancel_reason = "cancelled", "patient", "Her mother died"
    appointment.save()

    response = fhir_client(receptionist).get(f"{BASE}/Appointment/{appointment.pk}")

    resource = read(response)
    assert resource["participant"][0]["actor"] == {"reference": f"Patient/{appointment.patient_id}"}
    assert "Santos" not in response.content.decode()
    assert "text" not in resource["cancelationReason"]
    assert "description" not in resource


def test_request_without_a_token_is_refused(client, appointment, isolated):
    for path in ["metadata", "Patient", "Appointment", "Slot", "Observation"]:
        with isolated(path=path):
            response = client.get(f"{BASE}/{path}")

            refused(response, 401, "login")
            assert "Santos" not in response.content.decode()


def test_searches_change_nothing(fhir, appointment):
    before = list(Appointment.objects.values()), list(Patient.objects.values())

    for kind in ("Patient", "Practitioner", "Schedule", "Appointment"):
        read(post(fhir, kind))

    assert (list(Appointment.objects.values()), list(Patient.objects.values())) == before


def test_search_by_post_needs_no_csrf_token(receptionist, maria):
    client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {token_of(receptionist)}"})

    assert ids(post(client, "Patient", family="Santos")) == [maria.pk]


# Refusals


def test_unknown_id_is_not_found(fhir, appointment, subtests):
    for kind in ["Patient", "Practitioner", "Schedule", "Slot", "Appointment"]:
        for key in [NEVER, "abc", "0", "-1", "9" * 18, "9" * 19, "9" * 5000, "%00", "%ED%A0%80", "٣", "1-1"]:
            with subtests.test(kind=kind, key=key):
                refused(fhir.get(f"{BASE}/{kind}/{key}"), 404, "not-found")


def test_unknown_type_or_interaction_is_not_supported(fhir, subtests):
    for path in ["", "Observation", "Observation/1", "Appointment/1/_history", "$export", "Patient/"]:
        with subtests.test(path=path):
            refused(fhir.get(f"{BASE}/{path}"), 404, "not-supported")


def test_writing_is_not_supported(fhir, appointment, isolated):
    for method in ["post", "put", "patch", "delete"]:
        with isolated(method=method):
            for path in (
                "Patient",
                f"Patient/{appointment.patient_id}",
                f"Appointment/{appointment.pk}",
                "Patient/_search",
            ):
                if (method, path) != ("post", "Patient/_search"):
                    assert getattr(fhir, method)(f"{BASE}/{path}").status_code == 405


def test_response_has_the_requested_format(fhir, maria, subtests):
    cases = [
        ("application/fhir+json", "application/fhir+json"),
        ("application/json", "application/json"),
        ("text/json;q=0.5", "application/json"),
        ("application/xml, application/json;q=0.5", "application/json"),
        ("*/*", "application/fhir+json"),
        ("application/*", "application/fhir+json"),
        ("application/fhir+json; fhirVersion=4.0; charset=utf-8", "application/fhir+json"),
    ]
    for accept, answered in cases:
        with subtests.test(accept=accept, answered=answered):
            response = fhir.get(f"{BASE}/Patient/{maria.pk}", headers={"Accept": accept})

            assert (response.status_code, response["Content-Type"]) == (200, answered)
            checked(response.json())


def test_other_media_types_are_not_acceptable(fhir, maria, subtests):
    cases = [
        "application/fhir+xml",
        "text/html",
        "application/fhir+json; fhirVersion=5.0",
        "application/json;q=0",
        ";",
        "\0",
    ]
    for accept in cases:
        with subtests.test(accept=accept):
            refused(fhir.get(f"{BASE}/Patient/{maria.pk}", headers={"Accept": accept}), 406, "not-supported")


def test_format_parameter_overrides_the_header(fhir, subtests):
    cases = [
        ("json", "application/fhir+json"),
        ("application/fhir+json", "application/fhir+json"),
        ("application%2Ffhir%2Bjson", "application/fhir+json"),
        ("application/json", "application/json"),
    ]
    for asked, answered in cases:
        with subtests.test(asked=asked, answered=answered):
            response = fhir.get(f"{BASE}/Patient?_format={asked}", headers={"Accept": "text/html"})

            assert (response.status_code, response["Content-Type"]) == (200, answered)
            assert "_format" not in link(response, "self")


def test_other_formats_are_not_acceptable(fhir, isolated):
    for asked in ["xml", "ttl", "%00"]:
        with isolated(asked=asked):
            refused(fhir.get(f"{BASE}/Patient?_format={asked}"), 406, "not-supported")
            refused(post(fhir, "Patient", _format=asked), 406, "not-supported")


def test_search_by_post_accepts_a_form(fhir, isolated):
    for content_type in ["application/json", "multipart/form-data", "multipart/form-data; boundary=x"]:
        with isolated(content_type=content_type):
            response = fhir.post(f"{BASE}/Patient/_search", b"family=Santos", content_type=content_type)

            refused(response, 415, "not-supported")


def test_form_that_cannot_be_read_is_refused(fhir):
    body = "&".join(f"a{number}=1" for number in range(1001))

    response = fhir.post(f"{BASE}/Patient/_search", body, content_type="application/x-www-form-urlencoded")

    refused(response, 400, "invalid")


def test_operation_outcome_has_its_headers():
    response = outcome_response(401, "login", "Send a token.", headers={"WWW-Authenticate": "Bearer"})

    assert refused_plain(response) == ("login", "Send a token.")
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")


def refused_plain(response):
    (issue,) = checked(json.loads(response.content))["issue"]
    return issue["code"], issue["diagnostics"]
