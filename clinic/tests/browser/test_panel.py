"""The panel of an appointment beside the schedule, and that nothing moves under the mouse."""

import datetime as dt
import re

import pytest
from playwright.sync_api import expect

from appointments.booking import actions
from appointments.tests.factories import AppointmentFactory
from clinic.tests.browser.checks import assert_accessible, assert_no_sideways_scroll
from clinic.tests.browser.scene import at
from doctors.tests.factories import DoctorFactory

POLL_MS = 13_000  # an open day asks for changes at least this often
WINDOWS = [(390, 844), (768, 1024), (1366, 768), (1440, 900), (1920, 1080), (720, 450)]  # the last: 1440 at 200 % zoom

# Collects from now on what moves on the page without having been replaced.
WATCH_SHIFTS = """() => {
  window.shifts = [];
  const text = ({ node, previousRect, currentRect }) => {
    const [before, after] = [previousRect, currentRect].map(({ x, y, width, height }) => [x, y, width, height].join());
    return `${node?.parentElement?.outerHTML.slice(0, 200)}: ${before} -> ${after}`;
  };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.shifts.push([entry.value, ...entry.sources.map(text)]);
  }).observe({ type: "layout-shift", buffered: false });
}"""


def block(page, appointment):
    return page.locator(f"#v{appointment.pk}")


def link(page, appointment):
    return block(page, appointment).locator(".open")


def panel(page):
    return page.locator("#appointment-panel")


def name_in(page):
    return panel(page).locator("#appointment-name")


def open_address(appointment):
    return re.compile(rf"\?open={appointment.pk}$")


def test_click_opens_the_panel_with_an_address_of_its_own(desk, clinic):
    desk.goto("/schedule/2026-11-24/")

    link(desk, clinic.booked).click()

    expect(name_in(desk)).to_have_text("Maria Santos")
    expect(desk).to_have_url(open_address(clinic.booked))
    expect(panel(desk).get_by_role("link", name="+351 912 345 001")).to_have_attribute("href", "tel:+351912345001")
    desk.reload()
    expect(name_in(desk)).to_have_text("Maria Santos")
    link(desk, clinic.later).click()
    expect(name_in(desk)).to_have_text("Olive Brown")
    desk.go_back()
    expect(name_in(desk)).to_have_text("Maria Santos")
    desk.go_back()
    expect(panel(desk)).to_be_hidden()
    desk.go_forward()
    expect(name_in(desk)).to_have_text("Maria Santos")


def test_panel_by_keyboard_only(desk, clinic):
    desk.goto("/schedule/2026-11-24/")
    link(desk, clinic.booked).focus()

    desk.keyboard.press("Enter")
    expect(name_in(desk)).to_be_focused()
    desk.keyboard.press("j")
    expect(name_in(desk)).to_have_text("Olive Brown")
    desk.keyboard.press("k")
    expect(name_in(desk)).to_have_text("Maria Santos")
    desk.keyboard.press("e")
    expect(desk.get_by_label("Reason")).to_be_focused()
    desk.keyboard.type("Results of the X-ray")
    desk.keyboard.press("Enter")
    expect(desk.locator("#messages")).to_contain_text("Maria Santos: reason saved.")
    desk.keyboard.press("Escape")  # out of the field
    desk.keyboard.press("a")
    expect(panel(desk)).to_contain_text("Undo “arrived”")
    desk.keyboard.press("Escape")

    expect(panel(desk)).to_be_hidden()
    expect(link(desk, clinic.booked)).to_be_focused()
    clinic.booked.refresh_from_db()
    assert (clinic.booked.reason, clinic.booked.status) == ("Results of the X-ray", "arrived")


def test_keys_of_a_block_act_on_it_and_not_on_the_open_panel(desk, clinic):
    desk.goto(f"/schedule/2026-11-24/?open={clinic.booked.pk}")
    link(desk, clinic.due).focus()

    desk.keyboard.press("a")

    expect(desk.locator("#messages")).to_contain_text("Zoë Müller: arrived.")
    expect(name_in(desk)).to_have_text("Maria Santos")
    desk.keyboard.press("c")
    expect(desk).to_have_url(re.compile(f"/appointments/{clinic.due.pk}/cancel/"))


def test_saved_reason_shows_in_the_schedule_at_once(desk, clinic):
    desk.goto(f"/schedule/2026-11-24/?open={clinic.booked.pk}")

    desk.get_by_label("Reason").fill("Second opinion")
    panel(desk).get_by_role("button", name="Save").click()

    expect(block(desk, clinic.booked)).to_contain_text("Second opinion")
    expect(panel(desk).get_by_text("Saved", exact=True)).to_be_visible()


def test_refused_length_is_said_at_its_field_and_keeps_the_text(desk, clinic):
    desk.goto(f"/schedule/2026-11-24/?open={clinic.booked.pk}")

    desk.get_by_label("Notes").fill("Needs a lift")
    desk.get_by_label("Minutes").fill("60")
    panel(desk).get_by_role("button", name="Save").click()

    expect(panel(desk)).to_contain_text("Dr Ana Ferreira is booked 11:00–11:30")
    expect(desk.get_by_label("Minutes")).to_be_focused()
    expect(desk.get_by_label("Notes")).to_have_value("Needs a lift")
    assert_accessible(desk)


def test_two_desks_edit_one_appointment(desk, second_desk, clinic):
    for page in (desk, second_desk):
        page.goto(f"/schedule/2026-11-24/?open={clinic.booked.pk}")
    desk.get_by_label("Notes").fill("Mine")
    second_desk.get_by_label("Notes").fill("Theirs")
    second_desk.get_by_label("Notes").press("Control+Enter")
    expect(second_desk.locator("#messages")).to_contain_text("notes saved")

    panel(desk).get_by_role("button", name="Save").click()

    expect(panel(desk).get_by_role("alert")).to_contain_text("Theirs")
    expect(desk.get_by_label("Notes")).to_have_value("Mine")
    panel(desk).get_by_role("button", name="Save").click()
    expect(desk.locator("#messages")).to_contain_text("notes saved")
    clinic.booked.refresh_from_db()
    assert clinic.booked.notes == "Mine"


def test_panel_follows_what_a_colleague_does(desk, clinic, receptionist):
    desk.goto(f"/schedule/2026-11-24/?open={clinic.booked.pk}")
    actions.mark_arrived(clinic.booked, by=receptionist)

    expect(panel(desk)).to_contain_text("Undo “arrived”", timeout=POLL_MS)


def test_text_being_typed_survives_what_a_colleague_does(desk, clinic, receptionist):
    desk.goto(f"/schedule/2026-11-24/?open={clinic.booked.pk}")
    desk.get_by_label("Notes").fill("Half a sent")
    actions.mark_arrived(clinic.booked, by=receptionist)
    expect(block(desk, clinic.booked)).to_have_class(re.compile("status-arrived"), timeout=POLL_MS)

    expect(panel(desk)).to_contain_text("Undo “arrived”")
    expect(desk.get_by_label("Notes")).to_have_value("Half a sent")
    expect(desk.get_by_label("Notes")).to_be_focused()
    desk.keyboard.type("ence")
    panel(desk).get_by_role("button", name="Save").click()

    expect(desk.locator("#messages")).to_contain_text("notes saved")
    clinic.booked.refresh_from_db()
    assert clinic.booked.notes == "Half a sentence"


def test_length_changed_while_a_note_is_typed_stays_changed(desk, clinic):
    desk.goto(f"/schedule/2026-11-24/?open={clinic.due.pk}")
    desk.get_by_label("Notes").fill("Needs a lift")
    link(desk, clinic.due).focus()
    desk.keyboard.press("-")
    expect(desk.locator("#messages")).to_contain_text("now 25 minutes long")
    expect(desk.get_by_label("Minutes")).to_have_value("25")

    panel(desk).get_by_role("button", name="Save").click()

    expect(desk.locator("#messages")).to_contain_text("Zoë Müller: notes saved.")
    clinic.due.refresh_from_db()
    assert (clinic.due.notes, clinic.due.duration_minutes) == ("Needs a lift", 25)


def test_page_is_not_left_with_typed_text_without_asking(desk, clinic):
    desk.goto(f"/schedule/2026-11-24/?open={clinic.booked.pk}")
    desk.get_by_label("Notes").press_sequentially("Half a sentence")
    asked = []
    desk.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))

    desk.get_by_role("link", name="Waiting", exact=True).click(no_wait_after=True)
    desk.wait_for_timeout(300)

    assert asked == ["beforeunload"]
    expect(desk.get_by_label("Notes")).to_have_value("Half a sentence")


def test_press_on_the_lower_edge_that_moves_nothing_opens_the_panel(desk, clinic):
    desk.goto("/schedule/2026-11-24/")
    block(desk, clinic.due).scroll_into_view_if_needed()

    desk.mouse.click(*lower_edge(desk, clinic.due))

    expect(name_in(desk)).to_have_text("Zoë Müller")


def test_undo_is_not_about_another_patient_than_the_one_in_focus(desk, clinic):
    desk.goto(f"/schedule/2026-11-24/?open={clinic.booked.pk}")
    name_in(desk).focus()
    desk.keyboard.press("a")
    expect(desk.locator("#messages")).to_contain_text("Maria Santos: arrived.")
    desk.keyboard.press("j")
    expect(name_in(desk)).to_have_text("Olive Brown")

    desk.keyboard.press("u")
    desk.wait_for_timeout(500)

    clinic.booked.refresh_from_db()
    assert clinic.booked.status == "arrived"


def test_typed_text_is_not_left_without_asking(desk, clinic):
    desk.goto(f"/schedule/2026-11-24/?open={clinic.booked.pk}")
    desk.get_by_label("Notes").fill("Half a sentence")
    asked = []
    desk.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))

    link(desk, clinic.later).click()

    expect(name_in(desk)).to_have_text("Maria Santos")
    expect(desk.get_by_label("Notes")).to_have_value("Half a sentence")
    assert len(asked) == 1


def test_wrong_patient_is_exchanged_and_back(desk, clinic):
    desk.goto(f"/schedule/2026-11-24/?open={clinic.booked.pk}")
    panel(desk).get_by_role("link", name="Wrong patient?").click()
    desk.get_by_label("Patient's name, phone or e-mail").press_sequentially("brown")
    desk.get_by_role("button", name="Olive Brown").click()

    expect(desk).to_have_url(open_address(clinic.booked))
    expect(name_in(desk)).to_have_text("Olive Brown")
    desk.locator("#messages").get_by_role("button", name="Undo").click()
    expect(name_in(desk)).to_have_text("Maria Santos")


def test_without_javascript_the_panel_is_a_page(plain_desk, clinic):
    plain_desk.goto("/schedule/2026-11-24/")
    link(plain_desk, clinic.booked).click()
    expect(plain_desk.get_by_role("heading", name="Maria Santos")).to_be_visible()
    plain_desk.get_by_label("Notes").fill("Ground floor")
    plain_desk.get_by_role("button", name="Save").click()
    expect(plain_desk.locator("#messages")).to_contain_text("notes saved")

    plain_desk.goto(f"/schedule/2026-11-24/?open={clinic.booked.pk}")
    plain_desk.get_by_label("Reason").fill("Second opinion")
    panel(plain_desk).get_by_role("button", name="Save").click()

    expect(plain_desk).to_have_url(open_address(clinic.booked))
    clinic.booked.refresh_from_db()
    assert (clinic.booked.reason, clinic.booked.notes) == ("Second opinion", "Ground floor")


def test_panel_is_a_sheet_on_a_phone(phone_desk, clinic):
    phone_desk.goto(f"/schedule/2026-11-24/?doctor={clinic.doctors.ferreira.pk}")
    link(phone_desk, clinic.booked).click()

    expect(name_in(phone_desk)).to_be_focused()
    box = panel(phone_desk).bounding_box()
    assert (box["x"], box["y"], box["width"]) == (0, 0, 390)
    assert_no_sideways_scroll(phone_desk)
    panel(phone_desk).get_by_role("link", name="Close").click()
    expect(panel(phone_desk)).to_be_hidden()
    expect(link(phone_desk, clinic.booked)).to_be_focused()


@pytest.mark.parametrize(("width", "height"), WINDOWS)
def test_panel_is_accessible_in_every_window(open_page, receptionist, clinic, width, height):
    page = open_page(receptionist, viewport={"width": width, "height": height})
    clinic.patients.haddad.appointments.update(notes="לא לשכוח")
    page.goto(f"/schedule/2026-11-24/?open={clinic.cancelled.pk}")

    expect(name_in(page)).to_have_text("سمير حداد")
    assert_accessible(page)
    assert_no_sideways_scroll(page)


def test_three_patients_arrive_while_nothing_moves(desk, clinic):
    desk.goto("/schedule/2026-11-24/")
    desk.evaluate(WATCH_SHIFTS)

    for appointment in (clinic.due, clinic.booked, clinic.later):
        block(desk, appointment).get_by_role("button", name="Arrived").click()
        expect(block(desk, appointment)).to_have_class(re.compile("status-arrived"))
        expect(desk.locator("#messages")).to_contain_text("arrived")

    assert desk.evaluate("window.shifts") == []


# Another length


def lower_edge(page, appointment):
    box = block(page, appointment).bounding_box()
    return box["x"] + box["width"] / 3, box["y"] + box["height"] - 3


def test_lower_edge_is_dragged_to_another_length(desk, clinic):
    desk.goto("/schedule/2026-11-24/")
    block(desk, clinic.due).scroll_into_view_if_needed()
    height = block(desk, clinic.due).bounding_box()["height"]
    x, y = lower_edge(desk, clinic.due)

    desk.mouse.move(x, y)
    desk.mouse.down()
    desk.mouse.move(x, y + height / 2, steps=4)
    desk.mouse.up()

    expect(desk.locator("#messages")).to_contain_text("Zoë Müller: now 45 minutes long.")
    expect(panel(desk)).to_be_hidden()
    desk.locator("#messages").get_by_role("button", name="Undo").click()
    expect(desk.locator("#messages")).to_contain_text("now 30 minutes long.")
    clinic.due.refresh_from_db()
    assert clinic.due.duration_minutes == 30


def test_length_is_changed_by_keys(desk, clinic):
    desk.goto("/schedule/2026-11-24/")
    link(desk, clinic.due).focus()

    for key in "++-":
        desk.keyboard.press(key)

    expect(desk.locator("#messages")).to_contain_text("Zoë Müller: now 35 minutes long.")
    expect(link(desk, clinic.due)).to_be_focused()


def test_refused_length_is_said_and_the_block_is_as_before(desk, clinic):
    desk.goto("/schedule/2026-11-24/")
    height = block(desk, clinic.booked).bounding_box()["height"]
    link(desk, clinic.booked).focus()

    desk.keyboard.press("+")

    expect(desk.locator("#messages")).to_contain_text("Dr Ana Ferreira is booked 11:00–11:30")
    expect(block(desk, clinic.booked)).not_to_have_attribute("data-resizing", re.compile("."))
    assert block(desk, clinic.booked).bounding_box()["height"] == height


# Every block of a full day

LENGTHS = (15, 15, 20, 15, 30, 15, 45, 20, 15, 60)


@pytest.fixture
def full_day(clinic):
    """A column without a minute between its appointments, from 8:00 on; it is ten o'clock."""
    doctor, start, booked = DoctorFactory(full_name="Dr Full Day"), at("08:00"), []
    for minutes in LENGTHS:
        booked.append(AppointmentFactory(doctor=doctor, start_time=start, duration_minutes=minutes))
        start += dt.timedelta(minutes=minutes)
    return doctor, booked


def box_of(page, appointment):
    """Return where a block is; while an answer replaces the schedule, it is nowhere for a moment."""
    while (box := block(page, appointment).bounding_box()) is None:
        page.wait_for_timeout(20)
    return box


def part_of(length, place):
    """Return pixels from the start: a share of the length, pixels, or if negative, pixels from the end."""
    if 0 < place < 1:
        return length * place
    return place if place > 0 else length + place


def test_click_acts_only_on_the_patient_under_the_pointer(desk, full_day):
    doctor, booked = full_day
    asked = []
    desk.on("request", lambda request: asked.extend(re.findall(r"/appointments/(\d+)/", request.url)))
    desk.goto(f"/schedule/2026-11-24/?doctor={doctor.pk}")
    acted = set()

    for appointment in booked:  # from top to bottom, as a hand moves down the column
        link(desk, appointment).click(position={"x": 20, "y": 6})
        expect(panel(desk)).to_have_attribute("data-appointment", str(appointment.pk))
        # Over the name, over the words in the middle, on the button at the right, and near the next appointment.
        for across, down in [(12, 6), (0.5, 0.5), (-14, 14), (-14, -9), (12, -9)]:
            asked.clear()
            box = box_of(desk, appointment)
            place = box["x"] + part_of(box["width"], across), box["y"] + part_of(box["height"], down)
            desk.mouse.move(*place, steps=3)
            desk.mouse.click(*place)
            desk.wait_for_timeout(150)
            expect(desk.locator(".htmx-request")).to_have_count(0)

            assert set(asked) <= {str(appointment.pk)}, f"a click at {across}, {down} of {appointment.pk}"
            assert panel(desk).get_attribute("data-appointment") in (None, str(appointment.pk))
            acted.update(asked)  # a button
        desk.keyboard.press("Escape")
        expect(panel(desk)).to_be_hidden()

    assert len(acted) >= len(booked) / 2  # the others are later than their next step
