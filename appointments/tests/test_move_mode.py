"""Moving an appointment by picking a free time in the day view."""

import datetime as dt

import pytest

from appointments.availability.search import slot_query
from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.tests.factories import UserFactory
from clinic.tests.kit import at, codes_at, elements
from doctors.tests.factories import DoctorFactory

pytestmark = pytest.mark.usefixtures("db", "now")

TODAY, TOMORROW = "/schedule/2026-11-24/", "/schedule/2026-11-25/"


@pytest.fixture
def appointment(maria, okafor):
    """Booked for 10:00 today, 45 minutes long."""
    return AppointmentFactory(doctor=okafor, patient=maria, start_time=at(10), duration_minutes=45)


def picking(at_desk, appointment, day=TODAY, **filters):
    return at_desk.get(day, {"move": appointment.pk} | filters)


def cells(response):
    """Return the buttons that move the appointment, by time and doctor."""
    columns = response.context["day"].columns if response.context["moving"] else []
    offered = {f"{free.time}, {column.doctor}": free.take for column in columns for free in column.free}
    sent = [
        attrs["value"]
        for tag, attrs in elements(response)
        if tag == "button" and attrs.get("form") == "move" and attrs.get("name") == "at"
    ]
    assert sent == list(offered.values())
    return offered


def form_of(response):
    return {"version": response.context["moving"].version, "next": response.context["not_moving_url"]}


def links(response):
    return [attrs.get("href", "") for tag, attrs in elements(response) if tag == "a"]


# Offered times


def test_free_times_are_buttons_that_move_the_appointment(at_desk, appointment, okafor):
    response = picking(at_desk, appointment)

    offered = cells(response)
    assert offered["14:30, Dr Okafor"] == slot_query(okafor.pk, at(14, 30))
    (form,) = [attrs for tag, attrs in elements(response) if tag == "form" and attrs.get("id") == "move"]
    assert (form["method"], form["action"]) == ("post", f"/appointments/{appointment.pk}/move/")
    assert not [href for href in links(response) if href.startswith("/appointments/book/?slot")]


def test_day_view_without_an_appointment_to_move_has_no_such_buttons(at_desk, appointment):
    response = at_desk.get(TODAY)

    assert response.context["moving"] is None
    assert cells(response) == {}


def test_only_times_with_room_for_the_appointment_are_offered(at_desk, appointment, okafor):
    AppointmentFactory(doctor=okafor, start_time=at(11, 30), duration_minutes=180)

    offered = cells(picking(at_desk, appointment))

    assert [label.split(",")[0] for label in offered][:3] == ["09:05", "09:30", "10:30"]
    assert "11:00, Dr Okafor" not in offered  # 30 minutes: too short
    assert "14:30, Dr Okafor" in offered


def test_times_at_which_the_patient_is_elsewhere_are_not_offered(at_desk, appointment, maria):
    zola = DoctorFactory(full_name="Dr Zola")
    AppointmentFactory(doctor=zola, patient=maria, start_time=at(14), duration_minutes=60)

    offered = cells(picking(at_desk, appointment))

    assert "15:00, Dr Okafor" in offered
    for time in ("13:30", "14:00", "14:30"):
        assert f"{time}, Dr Okafor" not in offered
        assert f"{time}, Dr Zola" not in offered


def test_its_own_time_is_offered_with_other_doctors_only(at_desk, appointment):
    DoctorFactory(full_name="Dr Zola")

    offered = cells(picking(at_desk, appointment))

    assert "10:00, Dr Zola" in offered
    assert "10:00, Dr Okafor" not in offered


def test_links_to_other_days_and_doctors_keep_the_appointment_to_move(at_desk, appointment, okafor):
    response = picking(at_desk, appointment, doctor=okafor.pk)

    query = f"?doctor={okafor.pk}&move={appointment.pk}"
    assert f"{TOMORROW}{query}" in links(response)
    assert f"/schedule/{query}" in links(response)
    assert ("input", {"type": "hidden", "name": "move", "value": str(appointment.pk)}) in elements(response)
    assert response.context["not_moving_url"] == f"{TODAY}?doctor={okafor.pk}"
    assert f"{TODAY}?doctor={okafor.pk}#v{appointment.pk}" in links(response)


def test_blocks_have_no_buttons_in_move_mode(at_desk, appointment):
    page = picking(at_desk, appointment).content.decode()

    assert "is-moving" in page
    assert f"/appointments/{appointment.pk}/arrive/" not in page


# Picking one


def test_picked_time_keeps_the_length_and_shows_the_appointment(at_desk, receptionist, appointment):
    zola = DoctorFactory(full_name="Dr Zola")
    response = picking(at_desk, appointment, day=TOMORROW)

    picked = {"at": cells(response)["14:30, Dr Zola"]}
    moved = at_desk.post(f"/appointments/{appointment.pk}/move/", form_of(response) | picked)

    assert moved["Location"] == f"{TOMORROW}#v{appointment.pk}"
    appointment.refresh_from_db()
    assert (appointment.doctor, appointment.start_time, appointment.duration_minutes) == (zola, at(14, 30, day=25), 45)
    assert Appointment.objects.count() == 1


def test_picked_time_keeps_the_filters_that_show_the_appointment(at_desk, appointment, okafor):
    zola = DoctorFactory(full_name="Dr Zola")
    address = f"/appointments/{appointment.pk}/move/"
    origin_url = f"{TODAY}?doctor={okafor.pk}&layout=list"

    stays = at_desk.post(
        address, {"version": 1, "next": origin_url, "at": f"doctor={okafor.pk}&date=2026-11-25&time=11:00"}
    )
    leaves = at_desk.post(
        address, {"version": 2, "next": origin_url, "at": f"doctor={zola.pk}&date=2026-11-25&time=11:00"}
    )

    assert stays["Location"] == f"{TOMORROW}?doctor={okafor.pk}&layout=list#v{appointment.pk}"
    assert leaves["Location"] == f"{TOMORROW}?layout=list#v{appointment.pk}"


def test_every_button_of_a_day_works(at_desk, appointment, maria):
    zola = DoctorFactory(full_name="Dr Zola")
    AppointmentFactory(doctor=zola, start_time=at(9, 20, day=25), duration_minutes=100)
    AppointmentFactory(patient=maria, start_time=at(15, 10, day=25), duration_minutes=50)
    offered = cells(picking(at_desk, appointment, day=TOMORROW)).values()
    assert len(offered) > 30

    for value in offered:
        appointment.refresh_from_db()
        response = at_desk.post(
            f"/appointments/{appointment.pk}/move/", {"version": appointment.version, "next": "", "at": value}
        )
        assert response.status_code == 302, value


@pytest.mark.both_databases
def test_picked_time_taken_meanwhile_shows_the_form_with_nearest_times(at_desk, appointment, okafor):
    response = picking(at_desk, appointment)
    AppointmentFactory(doctor=okafor, start_time=at(14, 30))
    value = cells(response)["14:30, Dr Okafor"]

    refused = at_desk.post(f"/appointments/{appointment.pk}/move/", form_of(response) | {"at": value})

    assert refused.status_code == 200
    assert codes_at(refused, "time") == ["doctor_overlap"]
    form = refused.context["form"]
    assert (form["doctor"].value(), form["date"].value(), form["time"].value()) == (
        str(okafor.pk),
        "2026-11-24",
        "14:30:00",
    )
    assert form["duration_minutes"].value() == 45
    assert [slot.time for slot in refused.context["nearest"]] == ["13:30", "15:00", "15:30"]
    appointment.refresh_from_db()
    assert appointment.start_time == at(10)


@pytest.mark.both_databases
def test_picked_time_is_refused_if_the_appointment_changed_meanwhile(at_desk, appointment):
    response = picking(at_desk, appointment)
    sent = form_of(response) | {"at": cells(response)["14:30, Dr Okafor"]}
    Appointment.objects.get(pk=appointment.pk).save()

    refused = at_desk.post(f"/appointments/{appointment.pk}/move/", sent)

    assert codes_at(refused, "__all__") == ["stale"]
    appointment.refresh_from_db()
    assert appointment.start_time == at(10)


def test_invalid_picked_time_moves_nothing(at_desk, appointment, isolated):
    for value in ["nonsense", "", "\0", "=&="]:
        with isolated(value=value):
            response = at_desk.post(f"/appointments/{appointment.pk}/move/", {"version": 1, "next": "", "at": value})

            assert response.status_code == 200
            assert set(response.context["form"].errors) == {"doctor", "date", "time"}
            appointment.refresh_from_db()
            assert (appointment.start_time, appointment.version) == (at(10), 1)


# Permissions and refusals


def test_day_view_refuses_to_move_without_permission(client, manager, doctor_user, appointment, okafor):
    okafor.user = doctor_user
    okafor.save()
    for user, status in ((manager, 404), (doctor_user, 403), (UserFactory(role=None), 403)):
        client.force_login(user)

        assert client.get(TODAY, {"move": appointment.pk}).status_code == status


def test_appointment_that_cannot_be_moved_redirects_to_the_day(at_desk, isolated):
    for status in ["in_consultation", "completed", "no_show", "cancelled"]:
        with isolated(status=status):
            appointment = AppointmentFactory(status=status, cancelled_by="patient", cancel_reason="Ill")

            response = at_desk.get(TODAY, {"move": appointment.pk, "layout": "list"}, follow=True)

            assert response.redirect_chain == [(f"{TODAY}?layout=list", 302)]
            assert response.context["moving"] is None
            assert "can no longer be moved" in response.content.decode()
            assert cells(response) == {}


def test_open_page_ends_move_mode_once_the_appointment_cannot_move(at_desk):
    appointment = AppointmentFactory(status="cancelled", cancelled_by="patient", cancel_reason="Ill")

    response = at_desk.get(TODAY, {"move": appointment.pk}, headers={"HX-Request": "true"})

    assert response["HX-Redirect"] == TODAY


def test_arrived_appointment_may_be_moved_within_its_day(at_desk, appointment):
    appointment.status = "arrived"
    appointment.save()

    value = cells(picking(at_desk, appointment))["14:30, Dr Okafor"]
    moved = at_desk.post(f"/appointments/{appointment.pk}/move/", {"version": 2, "next": "", "at": value})

    assert moved.status_code == 302


def test_unknown_appointment_to_move_is_not_found(at_desk, okafor):
    assert at_desk.get(TODAY, {"move": 999}).status_code == 404


def test_invalid_move_redirects_to_the_day(at_desk, appointment, isolated):
    for value in ["x", "-1", "\0", "²", "99999999999999999999999"]:
        with isolated(value=value):
            response = at_desk.get(TODAY, {"move": value})

            assert (response.status_code, response["Location"]) == (302, TODAY)


def test_picking_changes_nothing(at_desk, appointment):
    before = Appointment.objects.values().get()

    picking(at_desk, appointment)

    assert Appointment.objects.values().get() == before


def test_form_to_enter_a_time_is_one_click_away_and_returns(at_desk, appointment):
    response = picking(at_desk, appointment)
    (typing,) = [href for href in links(response) if href.startswith(f"/appointments/{appointment.pk}/move/")]

    form = at_desk.get(typing).context["form"]

    assert form["next"].value() == TODAY
    assert form["time"].value() == dt.time(10)
