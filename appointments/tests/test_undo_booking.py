"""The message that something was booked has an Undo button, which cancels it as booked by mistake."""

from functools import partial

import pytest

from appointments.availability.search import slot_query
from appointments.booking import actions
from appointments.models import Appointment
from appointments.tests.booking_form import BOOK
from appointments.tests.booking_form import at as instant
from clinic.models import AuditEntry
from clinic.tests.kit import elements
from patients.models import Patient

pytestmark = pytest.mark.usefixtures("db", "now")

at = partial(instant, day=24)  # today


def undo_in(response):
    """Return address and value of the message's Undo button."""
    button, *_in_page = [attrs for tag, attrs in elements(response) if tag == "button" and attrs.get("data-key") == "u"]
    return button["formaction"], {button["name"]: button["value"]}


def book(client, data):
    """Book, and return the appointment and its Undo button."""
    response = client.post(BOOK, data, follow=True)
    return Appointment.objects.get(), undo_in(response)


@pytest.fixture
def walk_in_data(form_data, okafor):
    return form_data | {"walk_in": slot_query(okafor.pk, at(9, 5))}


@pytest.fixture
def registered_data(form_data):
    new = {"first_name": "Ana", "last_name": "Silva", "date_of_birth": "1990-02-03", "email": "ana@example.org"}
    return form_data | {"patient": "", "registers": "1"} | {f"new-{name}": value for name, value in new.items()}


@pytest.mark.both_databases
def test_undo_cancels_what_was_booked(at_desk, receptionist, form_data, walk_in_data, registered_data, isolated):
    for kind, data in [("form", form_data), ("walk-in", walk_in_data), ("registered", registered_data)]:
        with isolated(kind):
            booked, undo = book(at_desk, data)

            at_desk.post(*undo)

            booked.refresh_from_db()
            assert (booked.status, booked.cancelled_by) == ("cancelled", "clinic")
            assert booked.cancel_reason == "Booked by mistake"
            assert AuditEntry.objects.get_for_object(booked).latest("pk").actor == receptionist


def test_patient_who_was_registered_stays(at_desk, registered_data):
    _booked, undo = book(at_desk, registered_data)

    at_desk.post(*undo)

    assert Patient.objects.filter(email="ana@example.org").exists()


@pytest.mark.both_databases
def test_undo_is_refused_after_a_change(at_desk, form_data):
    booked, undo = book(at_desk, form_data)
    actions.move(booked, doctor=booked.doctor, start_time=instant(11), duration_minutes=30, by=None)

    response = at_desk.post(*undo, follow=True)

    booked.refresh_from_db()
    assert booked.status == "booked"
    assert [message.level_tag for message in response.context["messages"]] == ["error"]


def test_undo_pressed_twice_cancels_once(at_desk, form_data):
    booked, undo = book(at_desk, form_data)
    at_desk.post(*undo)

    response = at_desk.post(*undo, follow=True)

    *_first, message = map(str, response.context["messages"])
    assert message == "Maria Santos: already cancelled."
    booked.refresh_from_db()
    assert booked.version == 2


def test_undo_can_be_undone(at_desk, form_data):
    booked, undo = book(at_desk, form_data)

    response = at_desk.post(*undo, follow=True)
    at_desk.post(*undo_in(response))

    booked.refresh_from_db()
    assert (booked.status, booked.cancel_reason) == ("booked", "")


def test_undo_without_a_version_is_refused(at_desk, form_data):
    booked, (address, _version) = book(at_desk, form_data)

    at_desk.post(address)

    booked.refresh_from_db()
    assert booked.status == "booked"
