"""The week of a doctor in a browser."""

import re

import pytest
from playwright.sync_api import expect

from clinic.tests.browser.scene import at


@pytest.fixture
def week(clinic):
    return f"/doctors/{clinic.doctors.ferreira.pk}/week/2026-11-24/"


def row_of(page, appointment):
    return page.locator(f"#v{appointment.pk}").get_by_role("link")


def column_in_focus(page):
    return page.evaluate("document.activeElement.closest('section').ariaLabel")


def test_arrows_move_through_the_week(desk, clinic, week):
    desk.goto(week)
    row_of(desk, clinic.booked).focus()

    desk.keyboard.press("ArrowDown")
    expect(row_of(desk, clinic.later)).to_be_focused()
    desk.keyboard.press("ArrowRight")
    assert column_in_focus(desk) == "Wednesday 25 November"
    desk.keyboard.press("ArrowLeft")
    assert column_in_focus(desk) == "Tuesday 24 November"


def test_keys_move_from_week_to_week(desk, clinic, week):
    desk.goto(week)

    desk.keyboard.press("Shift+ArrowRight")
    expect(desk.get_by_role("heading", level=1)).to_contain_text("30 Nov – 6 Dec 2026")
    desk.wait_for_load_state()
    desk.keyboard.press("t")

    expect(desk.get_by_role("heading", level=1)).to_contain_text("23 Nov – 29 Nov 2026")


def test_appointment_is_marked_in_the_week(desk, clinic, week):
    desk.goto(week)
    row_of(desk, clinic.booked).focus()

    desk.keyboard.press("a")

    expect(desk.locator(f"#v{clinic.booked.pk}")).to_have_class(re.compile("status-arrived"))
    expect(row_of(desk, clinic.booked)).to_be_focused()
    expect(desk).to_have_url(re.compile(week))


def test_appointment_is_dragged_to_another_day(desk, clinic, week):
    desk.goto(week)

    row_of(desk, clinic.booked).drag_to(desk.get_by_role("link", name="Book 10:30, Thursday 26 November"))

    expect(desk.get_by_role("status").filter(has_text="Moved: Maria Santos")).to_be_visible()
    expect(desk).to_have_url(re.compile(rf"/week/2026-11-26/#v{clinic.booked.pk}$"))
    clinic.booked.refresh_from_db()
    assert clinic.booked.start_time == at("10:30", at("10:30").date().replace(day=26))


def test_key_to_move_opens_the_day_of_the_appointment(desk, clinic, week):
    desk.goto(week)
    row_of(desk, clinic.tomorrow).focus()

    desk.keyboard.press("m")

    expect(desk.get_by_text("Moving Łucja Woźniak")).to_be_visible()
    expect(desk.get_by_role("heading", name="Wednesday 25 November 2026")).to_be_visible()


def test_week_of_another_doctor_is_picked_without_scripts(plain_desk, clinic, week):
    plain_desk.goto(week)

    plain_desk.locator(".date-pick summary").click()
    plain_desk.get_by_label("Doctor", exact=True).select_option("Dr Ingrid Lindqvist")
    plain_desk.get_by_role("button", name="Go").click()

    expect(plain_desk.get_by_role("heading", name="Dr Ingrid Lindqvist")).to_be_visible()
    expect(row_of(plain_desk, clinic.thursday)).to_be_visible()


def test_phone_starts_with_today(phone_desk, clinic, week):
    phone_desk.goto(week)

    expect(phone_desk.get_by_role("region", name="Tuesday 24 November")).to_be_in_viewport(ratio=0.2)
