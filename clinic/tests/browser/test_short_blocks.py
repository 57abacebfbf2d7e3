"""The buttons of a short appointment stay inside its block, so that no click lands on another one."""

import re

import pytest
from playwright.sync_api import expect

from appointments.statuses import Status
from appointments.tests.factories import AppointmentFactory
from clinic.tests.browser.scene import THURSDAY, TODAY, at
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

# The block at each point around a block, on a grid finer than the smallest button, 24 by 24 pixels.
# The rounded corners of a block are outside it.
OWNERS = """(of) => Object.fromEntries([...document.querySelectorAll(".block")].flatMap((block) => {
  const { left, right, top, bottom } = block.getBoundingClientRect();
  const near = of.getBoundingClientRect();
  const points = [];
  for (let x = left + 3; x < right - 3; x += 20) {
    for (let y = top + 1; y < bottom - 2; y += 9) {
      if (y < near.top - 40 || y > near.bottom + 40) continue;
      const owner = document.elementFromPoint(x, y)?.closest(".block");
      if (owner) points.push([`${Math.round(x)},${Math.round(y)}`, owner.id]);
    }
  }
  return points;
}))"""

# Problems that hide the patient's name or a button of the block.
OBSTACLES = """(block) => {
  const found = [];
  const at = (x, y) => document.elementFromPoint(x, y);
  const buttons = [...block.querySelectorAll(".block-buttons button")];
  const shown = buttons.filter((button) => button.checkVisibility());
  if (!shown.length) found.push("no button is shown");
  for (const button of shown) {
    const { left, right, top, bottom, width, height } = button.getBoundingClientRect();
    const name = button.getAttribute("aria-label");
    if (getComputedStyle(button.parentElement).opacity !== "1") found.push(`${name}: not seen`);
    if (width < 24 || height < 24) found.push(`${name}: ${width} × ${height} is too small`);
    const corners = [[left + 3, top + 3], [right - 3, top + 3], [left + 3, bottom - 3], [right - 3, bottom - 3]];
    if (!corners.every(([x, y]) => at(x, y) === button)) found.push(`${name}: clipped, or under something`);
  }
  const range = document.createRange();
  range.selectNodeContents(block.querySelector(".who"));
  const line = range.getClientRects()[0];
  const box = block.querySelector(".open").getBoundingClientRect();
  const seen = Math.min(line.right, box.right) - line.left;
  const middle = (line.top + line.bottom) / 2;
  if (seen < 24 || middle + 4 > box.bottom) found.push(`only ${seen} pixels of the name are seen`);
  for (let x = line.left + 1; x < line.left + seen; x += 3) {
    if (at(x, middle)?.closest(".block-buttons")) { found.push("a button is over the name"); break; }
  }
  return { found, shown: shown.length, all: buttons.length };
}"""


@pytest.fixture
def short(clinic):
    """Short appointments, one right after the other and side by side, by name."""
    patients = [PatientFactory(first_name="Maximiliana", last_name=f"Featherstone-Hughes {n}") for n in range(12)]

    def book(doctor, time, minutes, status=Status.BOOKED, day=TODAY, **details):
        patient = patients.pop()
        start = at(time, day)
        details = {"patient": patient, "doctor": doctor, "start_time": start, "duration_minutes": minutes} | details
        return AppointmentFactory(status=status, **details)

    lindqvist, ferreira = clinic.doctors.lindqvist, clinic.doctors.ferreira
    return {
        "late": book(lindqvist, "09:15", 15),
        "over": book(lindqvist, "09:30", 20),
        "due": book(lindqvist, "09:50", 15),
        "arrived": book(lindqvist, "10:05", 15, Status.ARRIVED, arrived_at=at("09:50")),
        "no-show": book(lindqvist, "10:20", 20, Status.NO_SHOW),
        "given away": book(lindqvist, "10:40", 15, Status.NO_SHOW),
        "in its place": book(lindqvist, "10:40", 15),
        "after it": book(lindqvist, "10:55", 15),
        "beside the first": book(clinic.doctors.okafor, "09:50", 15),
        "own": book(ferreira, "11:30", 15),
        "on Thursday": book(lindqvist, "10:00", 15, day=THURSDAY),
        "next on Thursday": book(lindqvist, "10:15", 15, day=THURSDAY),
    }


def room_for_buttons(width):
    """Return the minimum number of buttons shown in a block of this width in pixels."""
    return next((number for limit, number in ((80, 0), (112, 1), (144, 2), (192, 3)) if width <= limit), 4)


def deviations(page, where, short):
    """Point at each short block, then focus its buttons by keyboard, and return the problems."""
    wrong = []

    def compare(block, before, state):
        now = block.evaluate(OWNERS)
        lost = {owner for point, owner in before.items() if now.get(point) != owner}
        wrong.extend(f"{where}, {state}: #{owner} is covered" for owner in sorted(lost))

    for name, appointment in short.items():
        block = page.locator(f"#v{appointment.pk}")
        if not block.locator(".block-buttons").count():  # drawn on another day, or nothing to do
            continue
        room = room_for_buttons(block.evaluate("(block) => block.clientWidth"))
        block.evaluate("(block) => block.scrollIntoView({ block: 'center', inline: 'center' })")
        page.mouse.move(1, 1)
        page.evaluate("document.activeElement.blur()")
        before = block.evaluate(OWNERS)

        block.hover(position={"x": 8, "y": 8})
        compare(block, before, f"{name} pointed at")
        if room:
            found = block.evaluate(OBSTACLES)
            wrong += [f"{where}, {name}: {each}" for each in found["found"]]
            if found["shown"] < min(found["all"], room):
                wrong.append(f"{where}, {name}: {found['shown']} of {found['all']} buttons")

        page.mouse.move(1, 1)
        block.get_by_role("link").focus()
        compare(block, before, f"{name} in focus")
        page.keyboard.press("Tab")
        is_inside = block.evaluate("(block) => block.querySelector('.block-buttons').contains(document.activeElement)")
        if is_inside != bool(room):
            wrong.append(f"{where}, {name}: Tab leads {'past its buttons' if room else 'to a hidden button'}")
        compare(block, before, f"{name} with a button in focus")
        if room:
            wrong += [f"{where}, {name} in focus: {each}" for each in block.evaluate(OBSTACLES)["found"]]
    return wrong


def test_buttons_of_short_block_never_cover_another(desk, clinic, short):
    desk.goto("/")
    wrong = deviations(desk, "day", short)
    desk.goto(f"/doctors/{clinic.doctors.lindqvist.pk}/week/2026-11-24/")
    wrong += deviations(desk, "week", short)

    assert not wrong, "\n".join(wrong)


def test_many_buttons_in_narrow_columns_never_cover_another(admins_page, short):
    """An administrator has the most buttons; more columns make each as narrow as possible."""
    for number in range(5):
        DoctorFactory(full_name=f"Dr Colleague {number}")
    admins_page.goto("/")

    wrong = deviations(admins_page, "day", short)

    assert not wrong, "\n".join(wrong)


def test_buttons_on_a_telephone_never_cover_a_name(phone_desk, short):
    phone_desk.goto("/")
    wrong = []
    for name, appointment in short.items():
        block = phone_desk.locator(f"#v{appointment.pk}")
        if not block.locator(".block-buttons").count():
            continue
        block.evaluate("(block) => block.scrollIntoView({ block: 'center', inline: 'center' })")
        wrong += [f"{name}: {each}" for each in block.evaluate(OBSTACLES)["found"]]

    assert not wrong, "\n".join(wrong)


def test_click_below_a_short_block_is_for_the_next_patient(desk, short):
    desk.goto("/")
    first, second = (desk.locator(f"#v{short[name].pk}") for name in ("late", "over"))
    first.hover()
    place = second.bounding_box()

    desk.mouse.move(place["x"] + 20, place["y"] + place["height"] / 2, steps=5)
    desk.mouse.down()
    desk.mouse.up()

    expect(desk).to_have_url(re.compile(rf"/appointments/{short['over'].pk}/$"))
