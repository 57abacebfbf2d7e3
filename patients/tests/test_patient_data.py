"""The export of one patient's data: everything about this patient, and nothing about others."""

import json

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry, Event
from clinic.tests.kit import elements
from patients.models import Patient
from patients.privacy.anonymise import anonymise
from patients.privacy.subject_access import export_patient_data
from patients.tests.a_patients_life import FORMER, day
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("lived", "db")

OTHERS = ["Ottoline", "Brackwater", "555 000 111"]
DERIVED = {"name_key", "diary_version", "last_contact"}


@pytest.fixture
def data(life):
    return export_patient_data(life.patient)


def texts_of(life):
    """Return the text of both files."""
    address = f"/patients/{life.patient.pk}/data/"
    return [life.admin_client.get(f"{address}?as={each}").content.decode() for each in ("json", "html")]


@pytest.mark.both_databases
def test_files_contain_all_present_and_former_values(life):
    spelled_otherwise = {"2079460123", "13/02/1961", "13 February 1961", "1961-02-13"}
    wanted = set(FORMER) - spelled_otherwise

    for text in texts_of(life):
        assert {value for value in wanted if value not in text} == set()


@pytest.mark.both_databases
def test_files_contain_nothing_about_another_patient(life):
    for text in texts_of(life):
        assert [value for value in OTHERS if value in text] == []


def test_files_do_not_name_staff(life):
    life.desk.first_name, life.desk.last_name = "Gwendolen", "Quickfoot"
    life.desk.save()

    for text in texts_of(life):
        assert "Gwendolen" not in text
        assert life.desk.username not in text
        assert "Receptionist" in text


def test_history_has_no_ids_of_staff_or_other_patients(data):
    histories = [data["record_history"], *(appointment["history"] for appointment in data["appointments"])]
    histories += [notice["history"] for appointment in data["appointments"] for notice in appointment["notices"]]
    histories += [appointment["history"] for appointment in data["appointments_no_longer_yours"]]

    changed = {field for history in histories for entry in history for field in entry["changed"]}

    assert {"reason", "start_time", "informed_at"} <= changed
    assert changed.isdisjoint({"patient", "booked_by", "informed_by"})


def test_record_has_every_field(data):
    assert set(data["record"]) == {field.name for field in Patient._meta.concrete_fields} - DERIVED


def test_appointments_have_every_field(life, data):
    names = {field.name for field in Appointment._meta.concrete_fields} - {"patient"}

    assert len(data["appointments"]) == Appointment.objects.for_patient(life.patient.pk).count()
    for appointment in data["appointments"]:
        assert names <= set(appointment)


@pytest.mark.both_databases
def test_history_shows_changes_with_time_and_role(data):
    edit = data["record_history"][1]

    assert edit["changed"]["last_name"] == ["Featherby", "Zoë-Featherby"]
    assert edit["by"] == "Receptionist"
    assert edit["at"] == day(2, 8)


def test_history_has_instants_and_omits_fields_that_stay_empty(life):
    data = export_patient_data(life.patient)
    changes = [entry["changed"] for appointment in data["appointments"] for entry in appointment["history"]]

    move = next(each for each in changes if set(each) >= {"start_time", "doctor"} and None not in each["start_time"])
    assert move["start_time"] == [day(3), day(4)]
    assert not [values for change in changes for values in change.values() if not any(values)]


def test_history_can_contain_a_field_that_was_renamed(life):
    entry = AuditEntry.objects.get_for_object(life.patient).order_by("pk").first()
    changes = {"former_name": ["None", "Quill"]}
    QuerySet(AuditEntry).filter(pk=entry.pk).update(changes=changes)

    data = export_patient_data(life.patient)

    assert data["record_history"][0]["changed"] == {"former_name": [None, "Quill"]}


def test_history_of_an_anonymised_patient_can_be_made(life):
    anonymise(life.patient, by=life.admin)

    assert export_patient_data(life.patient)["appointments"]


def test_history_names_changes_by_programs(data):
    assert data["record_history"][0]["by"] == "Receptionist, by a program"


def test_move_has_old_and_new_values_and_the_reason(life, data):
    (appointment,) = (each for each in data["appointments"] if each["id"] == life.appointment.pk)
    (move,) = (each for each in appointment["history"] if "why" in each)

    assert move["changed"]["doctor"] == [life.doctor.full_name, life.stand_in.full_name]
    assert move["why"] == "Moved-for-a-christening"


def test_history_of_a_transferred_appointment_ends_there(life, data):
    (given,) = data["appointments_no_longer_yours"]

    assert given["id"] == life.given.pk
    assert [each["event"] for each in given["history"]] == ["create", "the appointment became another patient's"]
    assert given["history"][-1]["changed"]["reason"] == ["Handed-over-by-mistake", None]


def test_history_of_a_taken_over_appointment_starts_there(life, data):
    (taken,) = (each for each in data["appointments"] if each["id"] == life.taken.pk)

    assert taken["history"][0]["event"] == "the appointment became yours"
    assert taken["history"][0]["changed"]["reason"] == [None, "Taken-over-and-mine-now"]


@pytest.mark.both_databases
def test_entries_without_a_patient_are_exported(life, data):
    QuerySet(AuditEntry).filter(event="write").update(patient_id=None)

    assert as_json(export_patient_data(life.patient)) == as_json(data)


def as_json(data):
    return json.dumps(data, cls=DjangoJSONEncoder)


def test_notice_shows_whether_the_patient_was_informed(life, data):
    (appointment,) = (each for each in data["appointments"] if each["id"] == life.displaced_appointment.pk)
    (notice,) = appointment["notices"]

    assert (notice["start_time"], notice["informed_by"]) == (day(10), "Receptionist")
    assert notice["informed_at"] == day(2, 8)
    assert notice["history"]


def test_views_and_exports_are_listed(life):
    AuditEntry.objects.record(Event.READ, life.patient)
    AuditEntry.objects.record(Event.READ, life.other)

    data = export_patient_data(life.patient)

    assert [(each["event"], each["by"]) for each in data["who_looked"]] == [("read", "The system")]


def test_search_keys_and_their_purpose_are_exported(life, data):
    assert set(life.patient.search_keys.values_list("key", flat=True)) < set(data["search_keys"]["keys"])
    pairs = {key + others for key, others in life.patient.name_pairs.values_list("key", "others")}
    assert pairs
    assert pairs < set(data["search_keys"]["keys"])
    assert data["search_keys"]["what_for"]
    assert data["retention"]


def test_export_leaves_one_entry_a_file(life):
    texts_of(life)
    life.admin_client.get(f"/patients/{life.patient.pk}/data/")

    entries = AuditEntry.objects.filter(event=Event.EXPORT).order_by("pk")
    assert [(each.patient_id, each.actor, each.additional_data) for each in entries] == [
        (life.patient.pk, life.admin, {"format": "json"}),
        (life.patient.pk, life.admin, {"format": "html"}),
    ]


def test_json_is_a_file_that_a_program_can_read(life):
    response = life.admin_client.get(f"/patients/{life.patient.pk}/data/?as=json")

    assert response["Content-Type"] == "application/json"
    assert response["Content-Disposition"] == f'attachment; filename="patient-{life.patient.pk}.json"'
    assert json.loads(response.content)["record"]["last_name"] == "Zoë-Featherby"


def test_html_loads_nothing_and_runs_nothing(life):
    response = life.admin_client.get(f"/patients/{life.patient.pk}/data/?as=html")

    found = elements(response)
    assert response["Content-Disposition"] == f'attachment; filename="patient-{life.patient.pk}.html"'
    assert {name for name, _attributes in found}.isdisjoint({"script", "style", "link", "img", "iframe", "form"})
    attributes = {name for _name, each in found for name in each}
    assert not any(name.startswith("on") or name in ("style", "src", "href") for name in attributes)


def test_html_escapes_what_was_typed(life):
    Appointment.objects.filter(pk=life.appointment.pk).update(notes="<script>alert(1)</script>")

    text = life.admin_client.get(f"/patients/{life.patient.pk}/data/?as=html").content.decode()

    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_export_of_an_anonymised_patient_has_no_former_values(life):
    anonymise(life.patient, by=life.admin)

    for text in texts_of(life):
        assert [value for value in [*FORMER, *OTHERS] if value in text] == []


def test_unknown_patient_is_not_found(in_admin, isolated):
    for as_format in ["", "?as=json", "?as=html"]:
        with isolated(as_format=as_format):
            assert in_admin.get(f"/patients/999999/data/{as_format}").status_code == 404


def test_export_makes_the_same_queries_for_any_amount_of_data(
    life, django_assert_max_num_queries, django_assert_num_queries
):
    with django_assert_max_num_queries(21) as few:
        export_patient_data(life.patient)
    for hour in range(8, 18):
        appointment = AppointmentFactory(patient=life.patient, doctor=life.doctor, start_time=day(12, hour))
        appointment.reason, appointment.booked_by = "Changed", life.desk
        appointment.save()

    with django_assert_num_queries(len(few)):
        export_patient_data(life.patient)


def test_patient_without_anything_has_a_page(in_admin):
    patient = PatientFactory()

    assert in_admin.get(f"/patients/{patient.pk}/data/").status_code == 200
