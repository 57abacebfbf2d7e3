"""Closing out past appointments: one key each, by mouse, and without JavaScript."""

import datetime as dt

import pytest
from playwright.sync_api import expect

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.tests.browser.checks import assert_accessible
from clinic.tests.browser.hands import Hands
from patients.tests.factories import PatientFactory

URL = "/appointments/close-out/"


@pytest.fixture
def appointments(transactional_db):
    """Yesterday's appointments at 9:00, 10:00, 11:00 and 12:00, without an outcome."""
    return [
        AppointmentFactory(
            start_time=dt.datetime(2026, 11, 23, hour, 0, tzinfo=dt.UTC),
            patient=PatientFactory(first_name=name, last_name="Silva"),
        )
        for hour, name in ((9, "Ana"), (10, "Bento"), (11, "Carla"), (12, "Duarte"))
    ]


def line(page, name):
    return page.get_by_role("listitem").filter(has_text=name)


def statuses(appointments):
    return [Appointment.objects.get(pk=appointment.pk).status for appointment in appointments]


def test_each_appointment_takes_one_key_and_focus_moves_on(desk, appointments):
    desk.goto(URL)
    hands = Hands(desk)
    expect(line(desk, "Ana")).to_be_focused()

    hands.press("d")
    expect(line(desk, "Ana")).to_have_count(0)
    expect(line(desk, "Bento")).to_be_focused()
    hands.press("n")

    expect(line(desk, "Bento")).to_have_count(0)
    expect(line(desk, "Carla")).to_be_focused()
    assert hands.keys == 2
    assert statuses(appointments) == ["completed", "no_show", "booked", "booked"]


def test_fast_key_presses_act_on_the_intended_appointments(desk, appointments):
    desk.goto(URL)

    for key in ("d", "n", "d", "n"):
        desk.keyboard.press(key)

    expect(desk.get_by_text("Every past appointment has an outcome")).to_be_visible()
    expect(desk.get_by_role("heading", name="Close out past appointments")).to_be_focused()
    assert statuses(appointments) == ["completed", "no_show", "completed", "no_show"]


def test_arrows_move_the_focus_and_keys_act_on_it(desk, appointments):
    desk.goto(URL)

    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "n"):
        desk.keyboard.press(key)

    expect(line(desk, "Bento")).to_have_count(0)
    assert statuses(appointments) == ["booked", "no_show", "booked", "booked"]


def test_key_with_a_modifier_or_outside_the_list_does_nothing(desk, appointments):
    desk.goto(URL)

    desk.keyboard.press("Control+d")
    desk.get_by_role("searchbox").fill("d")
    desk.get_by_role("searchbox").press("n")

    expect(desk.get_by_role("searchbox")).to_have_value("dn")
    assert statuses(appointments) == ["booked"] * 4


def test_focus_in_the_search_box_stays_there(desk, appointments, answers_to):
    desk.goto(URL)
    posts = answers_to(lambda request: request.path.endswith("/attended/"))
    desk.keyboard.press("d")
    desk.keyboard.press("/")
    desk.keyboard.type("bran")
    posts.set()
    expect(line(desk, "Ana")).to_have_count(0)

    desk.keyboard.type("don d")

    expect(desk.get_by_role("searchbox")).to_have_value("brandon d")
    assert statuses(appointments) == ["completed", "booked", "booked", "booked"]


def test_page_keeps_its_scroll_position(desk, appointments):
    desk.set_viewport_size({"width": 1440, "height": 340})
    desk.goto(URL)

    desk.keyboard.press("d")

    expect(line(desk, "Ana")).to_have_count(0)
    desk.wait_for_timeout(100)  # longer than htmx takes to settle
    assert desk.evaluate("scrollY") == 0


def test_outcome_is_undone_by_its_button(desk, appointments):
    desk.goto(URL)
    line(desk, "Carla").get_by_role("button", name="No-show").click()
    expect(line(desk, "Carla")).to_have_count(0)

    desk.get_by_role("button", name="Undo").click()

    expect(line(desk, "Carla")).to_be_visible()
    assert statuses(appointments) == ["booked"] * 4


def test_outcome_is_undone_by_its_key(desk, appointments):
    desk.goto(URL)
    desk.keyboard.press("n")
    expect(desk.get_by_text("no-show. Undo")).to_be_visible()

    desk.keyboard.press("u")

    expect(desk.get_by_role("listitem").filter(has_text="Silva")).to_have_count(4)
    assert statuses(appointments) == ["booked"] * 4


def test_unreachable_portal_shows_an_error_and_nothing_is_lost(desk, appointments, complaints):
    desk.goto(URL)
    desk.context.set_offline(True)
    desk.keyboard.press("d")
    expect(desk.get_by_role("alert")).to_contain_text("The portal did not respond")
    desk.context.set_offline(False)
    complaints.clear()

    line(desk, "Ana").get_by_role("button", name="Attended").click()

    expect(line(desk, "Ana")).to_have_count(0)
    assert statuses(appointments) == ["completed", "booked", "booked", "booked"]


def test_without_javascript_each_is_a_click(plain_desk, appointments):
    plain_desk.goto(URL)

    line(plain_desk, "Ana").get_by_role("button", name="Attended").click()
    line(plain_desk, "Bento").get_by_role("button", name="No-show").click()

    expect(plain_desk.get_by_role("listitem").filter(has_text="Silva")).to_have_count(2)
    assert statuses(appointments) == ["completed", "no_show", "booked", "booked"]


def test_page_is_accessible_before_and_after_the_last_appointment(desk, appointments):
    desk.goto(URL)
    assert_accessible(desk)

    for _ in appointments:
        desk.keyboard.press("d")

    expect(desk.get_by_text("Every past appointment has an outcome")).to_be_visible()
    assert_accessible(desk)
