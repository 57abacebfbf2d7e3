"""Many API clients want the same time, or send the same request at once."""

import uuid
from collections import Counter

import pytest
from django.db import connection

from appointments.models import Appointment
from appointments.tests.test_stress_threads import CROWD, START, at_once, doubles
from clinic.models import StoredResponse
from clinic.rest.models import StoredResponseQuerySet
from clinic.tests.api_client import ApiClient, error_codes
from doctors.models import Doctor
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = [
    pytest.mark.both_databases,
    pytest.mark.stress,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="threads share one in-memory SQLite database"),
]


@pytest.fixture
def programs(receptionist):
    """One API client per thread, each with its own token."""
    return [ApiClient(receptionist) for _ in range(CROWD)]


def test_fifty_clients_at_one_time_book_once(programs, doctor):
    patients = PatientFactory.create_batch(CROWD)

    def book(number):
        sent = {"patient_id": patients[number].pk, "doctor_id": doctor.pk, "start_time": START.isoformat()}
        return programs[number].post("/appointments", sent)

    answers = at_once(CROWD, book)

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: CROWD - 1}
    refusals = [answer for answer in answers if answer.status_code == 409]
    assert {code for answer in refusals for _field, code in error_codes(answer)} == {"doctor_overlap"}
    assert all(answer.json()["alternatives"] for answer in refusals)
    assert (Appointment.objects.count(), doubles()) == (1, 0)


@pytest.mark.parametrize("is_saved", [True, False], ids=["as it is", "without the key's row"])
def test_simultaneous_repeats_of_a_request_run_once(administrator, monkeypatch, is_saved):
    program = ApiClient(administrator)
    key = str(uuid.uuid4())
    if not is_saved:

        def do_not_save(*args, defaults, **key):
            return unsaved_response(**defaults), True

        monkeypatch.setattr(StoredResponseQuerySet, "get_or_create", do_not_save)

    answers = at_once(
        CROWD,
        lambda number: program.post("/doctors", {"full_name": "Dr A", "specialization": "B"}, Idempotency_Key=key),
    )

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == Doctor.objects.count() == (1 if is_saved else CROWD)


def unsaved_response(digest):
    """A stored response that is never saved."""
    answer = StoredResponse(digest=digest)
    answer.save = lambda: None
    return answer


def test_one_version_of_a_record_is_changed_once(programs, patient):
    etag = programs[0].get(f"/patients/{patient.pk}")["ETag"]

    answers = at_once(
        CROWD,
        lambda number: programs[number].patch(
            f"/patients/{patient.pk}", {"phone_number": f"9120000{number:02}"}, If_Match=etag
        ),
    )

    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: CROWD - 1}


def test_same_patient_registered_simultaneously_is_saved_once(programs):
    ana = {"first_name": "Ana", "last_name": "Lopes", "email": "ana@example.com"}

    answers = at_once(CROWD, lambda number: programs[number].post("/patients", ana))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 400: CROWD - 1}
    assert Patient.objects.count() == 1
