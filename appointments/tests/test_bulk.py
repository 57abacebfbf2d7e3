"""Outcomes of many appointments at once."""

from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.bulk.outcomes import MAX_AT_ONCE, Ticked, parse_ticked
from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.models import AuditEntry
from clinic.tests.kit import at, elements, fresh
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = [pytest.mark.usefixtures("db", "now"), pytest.mark.both_databases]

URL = "/appointments/bulk/"
LIST = "/schedule/2026-11-24/?layout=list"
QUERIES_EACH = 12


@pytest.fixture
def past(okafor):
    """Three appointments whose time has passed, without an outcome."""
    return [AppointmentFactory(doctor=okafor, start_time=at(7, minute)) for minute in (0, 30)] + [
        AppointmentFactory(doctor=okafor, start_time=at(8))
    ]


def ticked(*appointments):
    return [str(Ticked(each.pk, each.version)) for each in appointments]


def send(client, appointments, action="attended", **values):
    return client.post(
        URL, {"appointment": ticked(*appointments), "action": action, "next": LIST} | values, follow=True
    )


def statuses(appointments):
    return [fresh(each).status for each in appointments]


def said(response):
    return [str(message).partition("<")[0].strip() for message in response.context["messages"]]


def undo_value(response):
    [message] = response.context["messages"]
    return str(message).partition('name="undo" value="')[2].partition('"')[0]


def rows(response):
    """Return the addresses of elements with an id, and what is ticked."""
    found = elements(response)
    ids = {attrs["id"] for _tag, attrs in found if "id" in attrs}
    boxes = [attrs for _tag, attrs in found if attrs.get("name") == "appointment"]
    return ids, [box["value"] for box in boxes if "checked" in box]


# What is done


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        ({"action": "attended"}, "completed", "3 marked as attended."),
        ({"action": "no_show"}, "no_show", "3 marked as no-show."),
        ({"action": "cancel", "cancelled_by": "clinic", "cancel_reason": "Flood"}, "cancelled", "3 cancelled."),
        ({"action": "", "quick": "patient:Cannot come"}, "cancelled", "3 cancelled."),
    ],
)
def test_action_is_carried_out_on_all_ticked_appointments(at_desk, past, sent, status, words):
    other = AppointmentFactory(start_time=at(7))

    response = send(at_desk, past, **sent)

    assert statuses([*past, other]) == [status] * 3 + ["booked"]
    assert said(response) == [words]
    assert response.redirect_chain == [(LIST, 302)]


def test_cancellation_records_the_reason_and_who_cancels(at_desk, past):
    send(at_desk, past, "cancel", cancelled_by="clinic", cancel_reason="Flood")

    found = {(each.cancelled_by, each.cancel_reason) for each in Appointment.objects.filter(status="cancelled")}
    assert found == {("clinic", "Flood")}


def test_each_change_is_audited_with_its_user(at_desk, past, receptionist):
    before = AuditEntry.objects.count()

    send(at_desk, past)

    entries = AuditEntry.objects.order_by("pk")[before:]
    assert [entry.actor for entry in entries if "status" in (entry.changes or {})] == [receptionist] * 3


def test_undo_restores_all_that_was_done(at_desk, past):
    response = send(at_desk, past, "no_show")

    undone = at_desk.post(URL, {"undo": undo_value(response), "next": LIST}, follow=True)

    assert statuses(past) == ["booked"] * 3
    assert said(undone) == ["3 undone."]


def test_undo_is_offered_for_what_was_done_only(at_desk, past):
    running = AppointmentFactory(start_time=at(8, 45))

    response = send(at_desk, [*past, running])

    assert undo_value(response).split() == ticked(*map(fresh, past))


def test_message_says_what_undo_cannot_bring_back(at_desk):
    begun, ahead = AppointmentFactory(start_time=at(8, 45)), AppointmentFactory(start_time=at(10))

    response = send(at_desk, [begun, ahead], "cancel", cancelled_by="clinic", cancel_reason="Doctor is away")

    assert "1 of these can no longer be undone." in said(response)[0]
    assert undo_value(response).split() == ticked(fresh(ahead))


def test_form_that_is_sent_twice_is_carried_out_once(at_desk, past):
    send(at_desk, past)
    versions = [fresh(each).version for each in past]

    response = send(at_desk, past)

    assert said(response) == ["3 already were."]
    assert [fresh(each).version for each in past] == versions


def test_undo_that_is_sent_twice_undoes_one_step(at_desk, past):
    value = undo_value(send(at_desk, past, "no_show"))
    at_desk.post(URL, {"undo": value})

    response = at_desk.post(URL, {"undo": value, "next": LIST}, follow=True)

    assert said(response)[-1] == "3 refused: see the reason below."
    assert statuses(past) == ["booked"] * 3


# What is refused


def test_refused_appointment_says_so_in_its_row_and_stays_ticked(at_desk, past):
    running = AppointmentFactory(start_time=at(8, 45))

    response = send(at_desk, [*past, running])

    ids, still_ticked = rows(response)
    assert said(response) == ["3 marked as attended, 1 refused: see the reason below."]
    assert [id_ for id_ in ids if id_.startswith("refused-")] == [f"refused-{running.pk}"]
    assert still_ticked == ticked(running)
    assert "The appointment lasts until" in response.content.decode()


def test_refusals_are_shown_once(at_desk, past):
    running = AppointmentFactory(start_time=at(8, 45))
    send(at_desk, [running])

    assert rows(at_desk.get(LIST))[1] == []


def test_refresh_of_an_open_page_leaves_refusals_to_the_page(at_desk):
    running = AppointmentFactory(start_time=at(8, 45))
    at_desk.post(URL, {"appointment": ticked(running), "action": "attended", "next": LIST})

    at_desk.get(LIST, headers={"X-Background": "1"})

    assert rows(at_desk.get(LIST))[1] == ticked(running)


def test_appointment_that_was_changed_meanwhile_is_refused(at_desk, past):
    seen = ticked(*past)
    Appointment.objects.get(pk=past[1].pk).save()
    changed = fresh(past[1])
    changed.reason = "Another"
    changed.save()

    response = at_desk.post(URL, {"appointment": seen, "action": "attended", "next": LIST}, follow=True)

    assert statuses(past) == ["completed", "booked", "completed"]
    assert "Somebody else has changed this appointment." in response.content.decode()


def test_refused_appointment_can_be_sent_again_as_it_is_now(at_desk, past):
    seen = ticked(*past)
    changed = fresh(past[1])
    changed.reason = "Another"
    changed.save()
    response = at_desk.post(URL, {"appointment": seen, "action": "attended", "next": LIST}, follow=True)

    at_desk.post(URL, {"appointment": rows(response)[1], "action": "attended"})

    assert statuses(past) == ["completed"] * 3


def test_appointment_without_a_version_is_refused(at_desk, past):
    at_desk.post(URL, {"appointment": [str(past[0].pk), f"{past[1].pk}:", f"{past[2].pk}:x"], "action": "attended"})

    assert statuses(past) == ["booked"] * 3


def test_cancellation_without_reason_or_user_who_cancels_is_refused(at_desk, past, isolated):
    for values in [{"cancelled_by": "clinic"}, {"cancel_reason": "Flood"}, {"cancelled_by": "x", "cancel_reason": "y"}]:
        with isolated(values=values):
            response = send(at_desk, past, "cancel", **values)

            assert statuses(past) == ["booked"] * 3
            assert len(rows(response)[1]) == 3


def test_appointment_of_another_doctor_is_refused_without_details(client, doctor_user, okafor):
    own = AppointmentFactory(doctor=DoctorFactory(user=doctor_user), start_time=at(7))
    patient = PatientFactory(first_name="Zoltan", last_name="Nagy")
    foreign = AppointmentFactory(doctor=okafor, patient=patient, start_time=at(8), reason="Rash")
    client.force_login(doctor_user)

    response = send(client, [own, foreign])
    unknown = send(client, [SimpleNamespace(pk=999_999, version=1)])

    assert statuses([own, foreign]) == ["completed", "booked"]
    assert said(response) == ["1 marked as attended, 1 refused: see the reason below."]
    for page in (response, unknown):
        content = page.content.decode()
        assert "do this to this appointment, or it no longer exists." in content
        assert "Nagy" not in content
        assert "Rash" not in content


def test_doctor_may_not_cancel(client, doctor_user):
    own = AppointmentFactory(doctor=DoctorFactory(user=doctor_user), start_time=at(10))
    client.force_login(doctor_user)

    response = send(client, [own], "cancel", cancelled_by="clinic", cancel_reason="Flood")

    assert statuses([own]) == ["booked"]
    assert said(response) == ["1 refused: see the reason below."]


def test_refused_appointment_that_is_not_in_the_list_is_named_above_it(at_desk, past):
    send(at_desk, past)
    tomorrow = AppointmentFactory(start_time=at(10, day=25))

    response = send(at_desk, [tomorrow], "no_show")

    links = [attrs["href"] for tag, attrs in elements(response) if tag == "a" and "href" in attrs]
    assert f"/appointments/{tomorrow.pk}/" in links
    assert rows(response)[1] == []


def test_nothing_is_done_without_ticks_or_action(at_desk, past, isolated):
    for values in [
        {"action": "attended"},
        {"appointment": ["x", "", ":3"], "action": "attended"},
        {"appointment": ticked(*past), "action": "delete"},
        {"appointment": ticked(*past)},
        {"undo": ""},
    ]:
        with isolated(values=values):
            response = at_desk.post(URL, values, follow=True)

            assert said(response) == ["Nothing was done: tick the appointments first."]
            assert statuses(past) == ["booked"] * 3


def test_too_many_at_once_are_refused_and_stay_ticked(at_desk, past):
    many = [*ticked(*past), *(f"{900_000 + number}:1" for number in range(MAX_AT_ONCE - 2))]

    response = at_desk.post(URL, {"appointment": many, "action": "attended", "next": LIST}, follow=True)

    assert statuses(past) == ["booked"] * 3
    assert said(response) == ["Nothing was done: 101 are ticked, and at most 100 can be."]
    assert rows(response)[1] == ticked(*past)


def test_failure_in_one_appointment_leaves_those_before_done(at_desk, past, monkeypatch):
    """Each is a transaction of its own."""
    monkeypatch.setattr("appointments.models.Appointment.clean_and_save", _fail_for(past[2]))

    with pytest.raises(RuntimeError):
        send(at_desk, past)

    assert statuses(past) == ["completed", "completed", "booked"]


def _fail_for(appointment):
    original = Appointment.clean_and_save

    def save(self, *args, **kwargs):
        if self.pk == appointment.pk:
            raise RuntimeError
        return original(self, *args, **kwargs)

    return save


# Where it leads back to


def test_page_leads_back_to_the_portal_only(at_desk, past):
    response = at_desk.post(URL, {"appointment": ticked(*past), "action": "attended", "next": "//evil.example/"})

    assert response["Location"] == "/schedule/"


# What is sent


def test_ticked_appointments_are_parsed():
    assert parse_ticked(["7:3", "8:0", "9", "7:4", "x", "", "-1:2", "10:x"]) == [(7, 3), (8, 0), (9, 0), (10, 0)]


# Cost


def test_queries_grow_by_a_fixed_number_for_each_appointment(at_desk, past):
    def queries(appointments):
        with CaptureQueriesContext(connection) as asked:
            at_desk.post(URL, {"appointment": ticked(*appointments), "action": "attended"})
        return len(asked)

    one = queries(past[:1])
    two = queries(past[1:])

    assert two - one <= QUERIES_EACH
