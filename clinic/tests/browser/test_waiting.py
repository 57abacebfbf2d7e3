"""The page of the patients who are waiting now."""

import re

import pytest
from playwright.sync_api import expect

from appointments.booking import actions
from appointments.statuses import Status

POLL_MS = 13_000  # longer than the page waits between two questions
MINUTE_MS = 60_000


@pytest.fixture
def two_waiting(clinic):
    """Kovács has been waiting since ten o'clock, and Santos is early for half past ten."""
    actions.mark_arrived(clinic.booked, by=None)
    return clinic


def row(page, appointment):
    return page.locator(f"#v{appointment.pk}")


def assert_status(appointment, status):
    appointment.refresh_from_db()
    assert appointment.status == status


def test_wait_becomes_a_long_and_a_very_long_one_by_itself(desk, clinic):
    desk.clock.install()
    desk.goto("/waiting/")
    since = row(desk, clinic.arrived).locator(".since")
    expect(since).to_have_text(re.compile(r"waiting [01] min"))

    for minutes, words, css in [(15, "long wait: 1", "is-long"), (16, "very long: 3", "is-very-long")]:
        desk.clock.fast_forward(minutes * MINUTE_MS)

        expect(since).to_have_text(re.compile(f"^{words}[0-9] min$"))
        expect(since).to_have_class(f"since {css}")


def test_patient_who_is_early_is_not_waiting_yet(desk, two_waiting):
    desk.clock.install()
    desk.goto("/waiting/")
    since = row(desk, two_waiting.booked).locator(".since")
    expect(since).to_have_text(re.compile(r"here since 10:0\d"))

    desk.clock.fast_forward(31 * MINUTE_MS)

    expect(since).to_have_text(re.compile(r"waiting [01] min"))


def test_page_shows_who_arrives_meanwhile(desk, clinic):
    desk.clock.install()
    desk.goto("/waiting/")
    link = row(desk, clinic.arrived).get_by_role("link", name="István Kovács")
    link.focus()
    actions.mark_arrived(clinic.booked, by=None)

    desk.clock.fast_forward(POLL_MS)

    expect(row(desk, clinic.booked)).to_contain_text("Maria Santos")
    expect(link).to_be_focused()


def test_patient_leaves_unseen_by_key_and_comes_back_by_another(desk, two_waiting):
    desk.goto("/waiting/")
    row(desk, two_waiting.arrived).get_by_role("link").first.focus()

    desk.keyboard.press("l")

    expect(row(desk, two_waiting.arrived)).to_have_count(0)
    assert_status(two_waiting.arrived, Status.LEFT)
    expect(row(desk, two_waiting.booked).get_by_role("link").first).to_be_focused()

    desk.keyboard.press("u")

    expect(row(desk, two_waiting.arrived)).to_be_visible()
    assert_status(two_waiting.arrived, Status.ARRIVED)
    assert_status(two_waiting.booked, Status.ARRIVED)


def test_last_patient_leaves_and_nobody_is_waiting(desk, clinic):
    desk.goto("/waiting/")

    row(desk, clinic.arrived).get_by_role("button", name="Left unseen").click()

    expect(desk.get_by_text("Nobody is waiting.")).to_be_visible()
    expect(desk.locator("#messages")).to_contain_text("István Kovács: left unseen.")


def test_doctor_starts_the_consultation_of_the_patient_who_waits(doctors_page, clinic):
    doctors_page.goto("/waiting/")

    row(doctors_page, clinic.arrived).get_by_role("button", name="Start").click()

    expect(row(doctors_page, clinic.arrived)).to_have_count(0)
    assert_status(clinic.arrived, Status.IN_CONSULTATION)


def test_key_opens_the_page_from_anywhere(desk, clinic):
    desk.goto("/doctors/")
    desk.get_by_role("heading", name="Doctors").click()

    desk.keyboard.press("w")

    expect(row(desk, clinic.arrived)).to_be_visible()


def test_page_works_without_javascript(plain_desk, clinic):
    plain_desk.goto("/waiting/")

    row(plain_desk, clinic.arrived).get_by_role("button", name="Left unseen").click()

    expect(plain_desk.get_by_text("Nobody is waiting.")).to_be_visible()
    assert_status(clinic.arrived, Status.LEFT)


def test_appointment_is_left_unseen_from_the_day_and_brought_back(desk, clinic):
    desk.goto("/")
    block = row(desk, clinic.arrived)
    block.get_by_role("link").first.focus()

    desk.keyboard.press("l")

    expect(block).to_have_class(re.compile("status-left"))
    assert_status(clinic.arrived, Status.LEFT)
    desk.locator("#messages").get_by_role("button", name="Undo").click()
    expect(block).to_have_class(re.compile("status-arrived"))
