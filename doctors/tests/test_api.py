"""Doctors in the JSON API. Free times, and the appointments that a change affects, are tested with appointments."""

import pytest

from clinic.models import AuditEntry
from clinic.tests.api_client import error_codes
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory

pytestmark = pytest.mark.usefixtures("db", "now")

OKAFOR = {"full_name": "Dr Ngozi Okafor", "specialization": "Cardiology"}


def test_adding_answers_201_with_id_and_is_active(admin_api, administrator):
    response = admin_api.post("/doctors", OKAFOR)

    assert response.status_code == 201
    doctor = Doctor.objects.get()
    assert response.json() == OKAFOR | {
        "id": doctor.pk,
        "is_active": True,
        "usual_minutes": 30,
        "gap_minutes": 0,
        "created_at": "2026-11-24T09:00:00Z",
    }
    assert response["Location"] == f"/api/doctors/{doctor.pk}"
    assert AuditEntry.objects.get_for_object(doctor).get().actor == administrator


def test_adding_refused(admin_api):
    refusals = [
        ({"full_name": 7}, [("full_name", "string_type")]),
        ({"full_name": "\u200b"}, [("full_name", "blank_name")]),
        ({"specialization": ""}, [("specialization", "string_too_short")]),
        ({"is_active": "yes"}, [("is_active", "bool_type")]),
        ({"is_active": 1}, [("is_active", "bool_type")]),
        ({"usual_minutes": 14}, [("usual_minutes", "duration")]),
        ({"gap_minutes": 61}, [("gap_minutes", "gap_minutes")]),
        ({"gap_minutes": -1}, [("gap_minutes", "gap_minutes")]),
    ]
    for changes, expected in refusals:
        response = admin_api.post("/doctors", OKAFOR | changes)

        assert response.status_code == 422, changes
        assert set(expected) <= set(error_codes(response)), changes
        assert not Doctor.objects.exists(), changes


def test_receptionist_adds_and_changes_no_doctor(api, doctor):
    assert api.post("/doctors", OKAFOR).status_code == 403
    assert api.patch(f"/doctors/{doctor.pk}", {"full_name": "Dr Who"}).status_code == 403


def test_reading_answers_200_or_404(api, doctor):
    assert api.get(f"/doctors/{doctor.pk}").json()["full_name"] == doctor.full_name
    assert api.get("/doctors/999999").status_code == 404


def test_list_is_by_id_and_can_be_filtered(api):
    heart, skin = (
        DoctorFactory(specialization="Cardiology"),
        DoctorFactory(specialization="Dermatology", is_active=False),
    )

    def listed(query):
        return [each["id"] for each in api.get(f"/doctors{query}").json()]

    assert listed("") == [heart.pk, skin.pk]
    assert listed("?specialization=Dermatology") == [skin.pk]
    assert listed("?is_active=true") == [heart.pk]
    assert listed("?is_active=false") == [skin.pk]
    assert api.get("/doctors?is_active=perhaps").status_code == 422


def test_list_in_pages(api):
    doctors = DoctorFactory.create_batch(3)

    first = api.get("/doctors?limit=2")
    rest = api.get(f"/doctors?limit=2&cursor={first['Next-Cursor']}")

    assert [each["id"] for each in first.json() + rest.json()] == [doctor.pk for doctor in doctors]
    assert "Next-Cursor" not in rest


def test_change_keeps_omitted_fields(admin_api, doctor):
    response = admin_api.patch(f"/doctors/{doctor.pk}", {"specialization": "Cardiology", "usual_minutes": 20})

    assert response.status_code == 200
    assert response.json() | {"specialization": "Cardiology", "usual_minutes": 20} == response.json()
    assert response.json()["full_name"] == doctor.full_name


def test_change_of_an_outdated_version_answers_412(admin_api, doctor):
    etag = admin_api.get(f"/doctors/{doctor.pk}")["ETag"]
    admin_api.patch(f"/doctors/{doctor.pk}", {"gap_minutes": 5})

    refused = admin_api.patch(f"/doctors/{doctor.pk}", {"gap_minutes": 10}, If_Match=etag)

    assert (refused.status_code, error_codes(refused)) == (412, [(None, "stale")])
    doctor.refresh_from_db()
    assert doctor.gap_minutes == 5


def test_booking_does_not_change_a_doctors_etag(api, doctor, patient):
    etag = api.get(f"/doctors/{doctor.pk}")["ETag"]

    api.post(
        "/appointments",
        {
            "patient_id": patient.pk,
            "doctor_id": doctor.pk,
            "start_time": "2026-11-24T10:00:00Z",
            "duration_minutes": 30,
        },
    )

    assert api.get(f"/doctors/{doctor.pk}")["ETag"] == etag
