"""Doctors in the admin: edited, deactivated, and deleted only without appointments."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry
from clinic.tests.factories import UserFactory
from clinic.tests.kit import codes_at
from doctors import rules
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory, TimetableFactory

pytestmark = pytest.mark.usefixtures("db", "now")

LIST = "/admin/doctors/doctor/"
ZERO_WIDTH = "\u200b\u200b"


@pytest.fixture
def okafor():
    return DoctorFactory(full_name="Dr Okafor", specialization="Cardiology")


def typed(**changes):
    return {
        "full_name": "Dr Lindgren",
        "specialization": "Dermatology",
        "is_active": "on",
        "usual_minutes": "20",
        "gap_minutes": "5",
    } | changes


REFUSALS = [
    ({"full_name": ""}, "full_name", "required"),
    ({"full_name": ZERO_WIDTH}, "full_name", "blank_name"),
    ({"full_name": "x" * 101}, "full_name", "max_length"),
    ({"full_name": "a\0b"}, "full_name", "null_characters_not_allowed"),
    ({"specialization": "  "}, "specialization", "required"),
    ({"specialization": ZERO_WIDTH}, "specialization", "blank_name"),
    ({"user": "999"}, "user", "invalid_choice"),
]


def listed(response):
    return list(response.context["cl"].result_list)


def act(client, action, *doctors, **more):
    return client.post(LIST, {"action": action, "_selected_action": [each.pk for each in doctors]} | more, follow=True)


def statuses_of_pages(client, doctor):
    pages = ["", "add/", f"{doctor.pk}/change/", f"{doctor.pk}/history/", f"{doctor.pk}/delete/"]
    return {page: client.get(LIST + page).status_code for page in pages}


def test_pages_open(in_admin, okafor):
    statuses = statuses_of_pages(in_admin, okafor)

    assert statuses == dict.fromkeys(statuses, 200)


@pytest.mark.both_databases
def test_search_finds_by_name_and_specialization(in_admin, okafor):
    for query, is_found in {"okafor": True, "cardio": True, "lindgren": False}.items():
        assert listed(in_admin.get(LIST, {"q": query})) == ([okafor] if is_found else []), query


def test_add_saves_with_its_user(in_admin, administrator, doctor_user):
    response = in_admin.post(f"{LIST}add/", typed(full_name="  Dr   Lindgren ", user=doctor_user.pk))

    assert response["Location"] == LIST
    doctor = Doctor.objects.get()
    assert (doctor.full_name, doctor.specialization, doctor.is_active, doctor.user) == (
        "Dr Lindgren",
        "Dermatology",
        True,
        doctor_user,
    )
    assert AuditEntry.objects.get_for_object(doctor).get().actor == administrator


def test_saving_a_doctor_without_hours_says_so(in_admin):
    response = in_admin.post(f"{LIST}add/", typed(), follow=True)

    doctor = Doctor.objects.get()
    messages = [str(message) for message in response.context["messages"]]
    assert f"/doctors/{doctor.pk}/hours/" in "".join(messages)


def test_saving_a_doctor_with_hours_or_inactive_says_nothing_of_hours(in_admin, okafor):
    TimetableFactory(doctor=okafor, week={0: [(dt.time(8), dt.time(12))]})
    inactive = typed(full_name="Dr Gone")
    del inactive["is_active"]
    for url, values in ((f"{LIST}{okafor.pk}/change/", typed()), (f"{LIST}add/", inactive)):
        response = in_admin.post(url, values, follow=True)

        assert len(response.context["messages"]) == 1
        assert "hours" not in str(next(iter(response.context["messages"])))


def test_add_is_refused_at_its_field(in_admin):
    for changes, field, code in REFUSALS:
        response = in_admin.post(f"{LIST}add/", typed(**changes))

        assert codes_at(response, field) == [code], changes
        assert not Doctor.objects.exists(), changes


def test_change_is_refused_at_its_field(in_admin, okafor):
    for changes, field, code in REFUSALS:
        response = in_admin.post(f"{LIST}{okafor.pk}/change/", typed(**changes))

        assert codes_at(response, field) == [code], changes
        okafor.refresh_from_db()
        assert (okafor.full_name, okafor.specialization) == ("Dr Okafor", "Cardiology"), changes


def test_change_saves_and_leaves_the_diary_version(in_admin, okafor):
    AppointmentFactory(doctor=okafor)
    version = Doctor.objects.get().diary_version

    in_admin.post(f"{LIST}{okafor.pk}/change/", typed())

    okafor.refresh_from_db()
    assert (okafor.full_name, okafor.diary_version) == ("Dr Lindgren", version)


def test_login_of_another_doctor_is_refused(in_admin, okafor, doctor_user):
    DoctorFactory(user=doctor_user)

    response = in_admin.post(f"{LIST}{okafor.pk}/change/", typed(user=doctor_user.pk))

    assert codes_at(response, "user") == ["unique"]


@pytest.mark.parametrize(("action", "before"), [("deactivate", True), ("reactivate", False)])
def test_action_sets_active_with_an_audit_entry_each(in_admin, administrator, action, before):
    selected = DoctorFactory.create_batch(2, is_active=before)
    other = DoctorFactory(is_active=before)

    response = act(in_admin, action, *selected)

    assert [message.level_tag for message in response.context["messages"]] == ["success"]
    assert list(Doctor.objects.filter(is_active=not before).order_by("pk")) == selected
    assert Doctor.objects.get(is_active=before) == other
    for doctor in selected:
        entry = AuditEntry.objects.get_for_object(doctor).latest("pk")
        assert entry.actor == administrator
        assert entry.changes_dict == {"is_active": [str(before), str(not before)]}


def test_action_without_effect_adds_no_audit_entry(in_admin, okafor):
    act(in_admin, "reactivate", okafor)

    assert AuditEntry.objects.get_for_object(okafor).count() == 1


def test_deactivation_keeps_booked_appointments(in_admin, okafor):
    appointment = AppointmentFactory(doctor=okafor)

    act(in_admin, "deactivate", okafor)

    appointment.refresh_from_db()
    assert (appointment.doctor, appointment.status) == (okafor, "booked")


# Delete


def test_delete_removes_a_doctor_without_appointments(in_admin, okafor):
    in_admin.post(f"{LIST}{okafor.pk}/delete/", {"post": "yes"})

    assert not Doctor.objects.exists()


def test_delete_of_a_doctor_with_appointments_is_refused_with_advice(in_admin, okafor):
    AppointmentFactory(doctor=okafor, status="cancelled", cancelled_by="clinic", cancel_reason="Ill")

    response = in_admin.post(f"{LIST}{okafor.pk}/delete/", {"post": "yes"})

    assert response.context["protected"][0] == rules.LINKED
    assert str(rules.LINKED) in response.content.decode()
    assert Doctor.objects.get() == okafor


@pytest.mark.both_databases
def test_bulk_delete_with_one_linked_doctor_deletes_none(in_admin, okafor):
    AppointmentFactory(doctor=okafor)

    response = act(in_admin, "delete_selected", okafor, DoctorFactory(), post="yes")

    assert response.context["protected"][0] == rules.LINKED
    assert Doctor.objects.count() == 2


# Permissions and queries


def test_autocomplete_finds_the_login(in_admin, doctor_user):
    response = in_admin.get(
        "/admin/autocomplete/",
        {"app_label": "doctors", "model_name": "doctor", "field_name": "user", "term": "doct"},
    )

    assert [each["text"] for each in response.json()["results"]] == ["doctor"]


def test_receptionist_is_refused(at_desk, okafor):
    statuses = statuses_of_pages(at_desk, okafor)

    assert statuses == dict.fromkeys(statuses, 403)


def test_list_makes_the_same_queries_for_3_and_30_rows(in_admin):
    for _number in range(3):
        DoctorFactory(user=UserFactory())
    in_admin.get(LIST)
    with CaptureQueriesContext(connection) as few:
        in_admin.get(LIST)
    for _number in range(27):
        DoctorFactory(user=UserFactory())

    with CaptureQueriesContext(connection) as many:
        response = in_admin.get(LIST)

    assert len(listed(response)) == 30
    assert len(few) == len(many)
