"""The day as a list: rows and cards, and outcomes for all ticked appointments, with and without JavaScript."""

import datetime as dt

import pytest
from playwright.sync_api import expect

from appointments.booking import actions
from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.tests.browser.checks import assert_accessible, assert_no_sideways_scroll
from clinic.tests.browser.scene import at
from patients.tests.factories import PatientFactory

LIST = "/schedule/?layout=list"
QUARTER = dt.timedelta(minutes=15)
LONG_NAMES = [("Conceição", "de Vasconcelos-Albuquerque"), ("Ayọdélé", "Olúfúnkẹ́"), ("Wolfeschlegelsteinhausen", "Ng")]

# Words of the list that are broken: a word whose letters do not stand on one line.
BROKEN_WORDS = """() => {
  const broken = [];
  const texts = document.createTreeWalker(document.getElementById("day-list"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (!text.parentElement.checkVisibility() || text.parentElement.closest(".visually-hidden, thead")) continue;
    for (const word of text.data.matchAll(/[^\\s\\u2013/-]+/g)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const tops = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
      if (tops.size > 1) broken.push(word[0]);
    }
  }
  return broken;
}"""


def row(page, appointment):
    return page.locator(f"#v{appointment.pk}")


def tick(page, appointment):
    return row(page, appointment).get_by_role("checkbox")


def ask_for_changes(page):
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def statuses(*appointments):
    return [Appointment.objects.get(pk=each.pk).status for each in appointments]


def assert_says(page, text):
    expect(page.locator("#messages")).to_contain_text(text)


@pytest.fixture
def past(clinic):
    """Two appointments of Dr Okafor whose time has passed, without an outcome."""
    early = AppointmentFactory(doctor=clinic.doctors.okafor, patient=clinic.patients.brown, start_time=at("08:00"))
    return [early, clinic.overdue]


# Rows and cards


@pytest.mark.parametrize("width", [390, 720, 768, 999, 1000, 1440])
def test_list_breaks_no_word_at_any_width(desk, clinic, width):
    for minute, (first_name, last_name) in enumerate(LONG_NAMES):
        patient = PatientFactory(first_name=first_name, last_name=last_name)
        AppointmentFactory(doctor=clinic.doctors.lindqvist, patient=patient, start_time=at(f"1{minute}:00"))
    desk.set_viewport_size({"width": width, "height": 900})
    desk.goto(LIST)

    assert desk.evaluate(BROKEN_WORDS) == []
    assert_no_sideways_scroll(desk)
    assert_accessible(desk)
    tick(desk, clinic.booked).check()
    desk.locator("#bulk summary").click()
    assert_no_sideways_scroll(desk)
    assert_accessible(desk)


def test_rows_are_40_pixels_high_on_a_wide_screen_and_cards_below(desk, clinic):
    desk.set_viewport_size({"width": 1440, "height": 900})
    desk.goto(LIST)
    heights = "[...document.querySelectorAll('.day-row')].map((row) => row.getBoundingClientRect().height)"

    assert set(desk.evaluate(heights)) == {40}
    for width, display in [(1000, "table-row"), (999, "grid")]:
        desk.set_viewport_size({"width": width, "height": 900})
        assert row(desk, clinic.booked).evaluate("(row) => getComputedStyle(row).display") == display


def test_list_stays_where_it_is_scrolled_to(desk, clinic):
    for quarter in range(28):
        time = at("11:00") + quarter * QUARTER
        AppointmentFactory(doctor=clinic.doctors.lindqvist, start_time=time, duration_minutes=15)
    desk.goto(LIST)
    desk.mouse.wheel(0, 500)
    desk.wait_for_function("scrollY > 300")
    button = desk.locator(".day-row").nth(20).get_by_role("button", name="Arrived")
    button.scroll_into_view_if_needed()
    before = desk.evaluate("scrollY")

    button.click()

    assert_says(desk, "arrived")
    assert desk.evaluate("scrollY") == before


# Outcomes


def test_ticked_appointments_are_marked_in_place_and_undone(desk, clinic, past):
    desk.goto(LIST)
    for each in past:
        tick(desk, each).check()
    expect(desk.locator(".bulk-count")).to_have_text("2 ticked")

    desk.locator("#bulk").get_by_role("button", name="Attended").click()

    assert_says(desk, "2 marked as attended.")
    assert statuses(*past) == ["completed", "completed"]
    expect(row(desk, past[0])).to_contain_text("Completed")
    expect(desk.locator("#bulk")).to_be_hidden()

    desk.locator("#messages").get_by_role("button", name="Undo").click()

    assert_says(desk, "2 undone.")
    assert statuses(*past) == ["booked", "booked"]


def test_refused_appointment_says_why_in_its_row_and_stays_ticked(desk, clinic, past):
    desk.goto(LIST)
    for each in (*past, clinic.later):
        tick(desk, each).check()

    desk.locator("#bulk").get_by_role("button", name="No-show").click()

    assert_says(desk, "2 marked as no-show, 1 refused: see the reason below.")
    expect(desk.locator(f"#refused-{clinic.later.pk}")).to_contain_text("The appointment starts at 11:00.")
    expect(tick(desk, clinic.later)).to_be_checked()
    expect(tick(desk, clinic.later)).to_be_focused()
    assert_accessible(desk)


def test_refusal_stays_when_the_list_is_refreshed(desk, clinic, receptionist):
    desk.goto(LIST)
    tick(desk, clinic.later).check()
    desk.locator("#bulk").get_by_role("button", name="No-show").click()
    expect(desk.locator(f"#refused-{clinic.later.pk}")).to_be_visible()

    actions.mark_arrived(clinic.due, by=receptionist)
    ask_for_changes(desk)

    expect(row(desk, clinic.due).get_by_role("button", name="Undo")).to_be_visible()
    expect(desk.locator(f"#refused-{clinic.later.pk}")).to_be_visible()
    expect(tick(desk, clinic.later)).to_be_checked()


def test_appointments_are_cancelled_with_one_reason(desk, clinic):
    desk.goto(LIST)
    for each in (clinic.booked, clinic.due):
        tick(desk, each).check()
    desk.locator("#bulk summary").click()
    desk.get_by_role("radio", name="The clinic cancels").check()
    desk.get_by_label("Reason", exact=True).fill("Water pipe burst")

    desk.get_by_role("button", name="Cancel them").click()

    assert_says(desk, "2 cancelled.")
    reasons = Appointment.objects.filter(pk__in=[clinic.booked.pk, clinic.due.pk]).values_list(
        "cancelled_by", "cancel_reason"
    )
    assert set(reasons) == {("clinic", "Water pipe burst")}
    expect(desk.get_by_label("Reason", exact=True)).to_have_value("")
    expect(desk.get_by_role("button", name="Cancel them")).to_be_hidden()


def test_reason_that_is_missing_is_asked_for(desk, clinic):
    desk.goto(LIST)
    tick(desk, clinic.booked).check()
    desk.locator("#bulk summary").click()

    desk.get_by_role("button", name="Cancel them").click()

    assert statuses(clinic.booked) == ["booked"]
    expect(desk.get_by_role("radio", name="The patient cancels")).to_be_focused()
    assert_accessible(desk)


def test_double_click_records_each_outcome_once(desk, clinic, past):
    desk.goto(LIST)
    for each in past:
        tick(desk, each).check()

    desk.locator("#bulk").get_by_role("button", name="No-show").dblclick()

    assert_says(desk, "2 marked as no-show.")
    assert statuses(*past) == ["no_show", "no_show"]


# Ticks


def test_all_or_a_group_can_be_ticked(desk, clinic, past):
    desk.goto(LIST)

    desk.get_by_label("Select all: No outcome yet").check()
    expect(desk.locator(".bulk-count")).to_have_text("2 ticked")
    desk.get_by_label("Select all shown").check()

    expect(desk.locator(".bulk-count")).to_have_text("6 ticked")
    desk.get_by_role("button", name="Untick all").click()
    expect(desk.locator("#bulk")).to_be_hidden()


def test_shift_and_click_tick_the_rows_between(desk, clinic):
    desk.goto(LIST)

    tick(desk, clinic.booked).click()
    tick(desk, clinic.later).click(modifiers=["Shift"])

    for each in (clinic.booked, clinic.due, clinic.later):
        expect(tick(desk, each)).to_be_checked()


def test_key_ticks_the_row_that_has_the_focus(desk, clinic):
    desk.goto(LIST)
    row(desk, clinic.booked).locator(".open").focus()

    desk.keyboard.press("x")
    expect(tick(desk, clinic.booked)).to_be_checked()
    desk.keyboard.press("Shift+Tab")
    expect(tick(desk, clinic.booked)).to_be_focused()

    desk.keyboard.press("Space")
    expect(tick(desk, clinic.booked)).not_to_be_checked()


def test_appointment_changed_after_it_was_ticked_is_refused(desk, clinic, past, receptionist):
    desk.goto(LIST)
    for each in past:
        tick(desk, each).check()
    value = tick(desk, past[0]).get_attribute("value")
    changed = Appointment.objects.get(pk=past[0].pk)
    changed.reason = "Another"
    changed.save()
    ask_for_changes(desk)
    expect(row(desk, past[0])).to_contain_text("Another")
    expect(tick(desk, past[0])).to_be_checked()
    expect(tick(desk, past[0])).to_have_attribute("value", value)

    desk.locator("#bulk").get_by_role("button", name="Attended").click()

    assert_says(desk, "1 marked as attended, 1 refused: see the reason below.")
    expect(desk.locator(f"#refused-{past[0].pk}")).to_contain_text("Somebody else has changed this appointment.")
    assert statuses(*past) == ["booked", "completed"]


def test_ones_own_action_unticks_its_row(desk, clinic):
    desk.goto(LIST)
    for each in (clinic.booked, clinic.due):
        tick(desk, each).check()

    row(desk, clinic.booked).get_by_role("button", name="Arrived").click()

    assert_says(desk, "Maria Santos: arrived.")
    expect(tick(desk, clinic.booked)).not_to_be_checked()
    expect(tick(desk, clinic.due)).to_be_checked()


def test_focus_moves_to_the_next_row_when_an_arrived_one_leaves_its_group(desk, clinic):
    desk.goto(LIST)
    row(desk, clinic.booked).locator(".open").focus()

    desk.keyboard.press("a")

    expect(desk.locator("#group-waiting")).to_contain_text("Maria Santos")
    expect(row(desk, clinic.due).locator(".open")).to_be_focused()
    desk.keyboard.press("u")
    assert_says(desk, "Maria Santos: booked.")


# Without JavaScript


def test_ticked_appointments_are_marked_without_javascript(plain_desk, clinic, past):
    page = plain_desk
    page.goto(LIST)
    for each in (*past, clinic.later):
        tick(page, each).check()

    page.locator("#bulk").get_by_role("button", name="No-show").click()

    assert_says(page, "2 marked as no-show, 1 refused: see the reason below.")
    expect(page.locator(f"#refused-{clinic.later.pk}")).to_be_visible()
    expect(tick(page, clinic.later)).to_be_checked()
    assert statuses(*past, clinic.later) == ["no_show", "no_show", "booked"]

    page.locator("#bulk summary").click()
    page.get_by_role("button", name="Cannot come").click()

    assert_says(page, "1 cancelled.")
