"""The button of an appointment stands in its own block, beside its words: no click lands on another patient."""

import re

import pytest
from playwright.sync_api import expect

from appointments.statuses import Status
from appointments.tests.factories import AppointmentFactory
from clinic.tests.browser.conftest import PHONE
from clinic.tests.browser.scene import TODAY, at
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

WINDOWS = {"1440": (1440, 900), "1366": (1366, 768), "768": (768, 1024)}

# What is wrong with the buttons that are shown: smaller than 24 pixels, partly outside their block, under something,
# over words of their own block, or over another appointment or free time.
PROBLEMS = """(centred) => {
  const wrong = [];
  const meets = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  const others = [...document.querySelectorAll(".lane > .block, .lane > .free")];
  for (const block of document.querySelectorAll(".lane > .block")) {
    const buttons = [...block.querySelectorAll("button")].filter((button) => button.checkVisibility());
    if (buttons.length > 1) wrong.push(`${block.id} has ${buttons.length} buttons`);
    for (const button of buttons) {
      const box = button.getBoundingClientRect();
      const own = block.getBoundingClientRect();
      const say = (text) => wrong.push(`${block.innerText.replaceAll("\\n", " ")}: ${text}`);
      if (box.width < 24 || box.height < 24) say(`${box.width} × ${box.height} is too small`);
      if (box.left < own.left || box.right > own.right || box.top < own.top || box.bottom > own.bottom) say("outside");
      const words = document.createRange();
      words.selectNodeContents(block.querySelector(".open"));
      const link = block.querySelector(".open").getBoundingClientRect();
      for (const line of words.getClientRects()) {
        if (meets(box, { ...line.toJSON(), right: Math.min(line.right, link.right) })) say("over its own words");
      }
      for (const other of others) {
        if (other !== block && meets(box, other.getBoundingClientRect())) say(`over ${other.innerText}`);
      }
      const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
      if (block.id === centred && document.elementFromPoint(x, y) !== button) say("under something");
    }
  }
  return wrong;
}"""

# How many pixels of the patient's name can be read.
NAME_WIDTH = """(block) => {
  const name = document.createRange();
  name.selectNodeContents(block.querySelector(".who"));
  const line = name.getClientRects()[0];
  return Math.min(line.right, block.querySelector(".open").getBoundingClientRect().right) - line.left;
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
        "later": book(lindqvist, "13:00", 15),
        "cancelled": book(lindqvist, "10:55", 15, Status.CANCELLED, cancelled_by="patient", cancel_reason="Ill"),
        "beside the first": book(clinic.doctors.okafor, "09:50", 15),
        "own": book(ferreira, "11:30", 15),
    }


def deviations(page, appointments):
    """Return what is wrong with the buttons: as they are, with each block pointed at, and with each in focus."""
    wrong = page.evaluate(PROBLEMS)
    for appointment in appointments:
        block = page.locator(f"#v{appointment.pk}")
        centred = f"v{appointment.pk}"
        block.evaluate("(block) => block.scrollIntoView({ block: 'center', inline: 'center' })")
        block.hover(position={"x": 8, "y": 8})
        wrong += page.evaluate(PROBLEMS, centred)
        page.mouse.move(1, 1)
        block.get_by_role("link").focus()
        wrong += page.evaluate(PROBLEMS, centred)
    return sorted(set(wrong))


def test_button_is_never_outside_its_block_or_over_anything(open_page, receptionist, clinic, short):
    pages = {name: open_page(receptionist, viewport={"width": w, "height": h}) for name, (w, h) in WINDOWS.items()}
    pages["390"] = open_page(receptionist, **PHONE)
    wrong = []
    for name, page in pages.items():
        for url in ("/", f"/doctors/{clinic.doctors.lindqvist.pk}/week/2026-11-24/"):
            page.goto(url)
            shown = [each for each in short.values() if page.locator(f"#v{each.pk}").count()]
            wrong += [f"{name} {url}: {each}" for each in deviations(page, shown)]

    assert not wrong, "\n".join(wrong)


def test_button_in_a_narrow_column_is_never_over_anything(admins_page, short):
    """More columns make each as narrow as possible."""
    for number in range(5):
        DoctorFactory(full_name=f"Dr Colleague {number}")
    admins_page.goto("/")

    wrong = deviations(admins_page, short.values())

    assert not wrong, "\n".join(wrong)


def test_name_can_be_read_beside_the_button(desk, phone_desk, short):
    for page, least in ((desk, 60), (phone_desk, 120)):
        page.goto("/")
        for name in ("late", "due", "after it"):
            block = page.locator(f"#v{short[name].pk}")
            assert block.get_by_role("button").is_visible()
            assert block.evaluate(NAME_WIDTH) >= least


def test_button_shows_from_an_hour_before_and_on_pointing(desk, short):
    desk.goto("/")
    due, later = (desk.locator(f"#v{short[name].pk}") for name in ("due", "later"))
    expect(due.get_by_role("button", name="Arrived")).to_be_visible()
    expect(later.locator("button")).to_be_hidden()

    later.hover()

    expect(later.get_by_role("button", name="Arrived")).to_be_visible()


def test_button_shows_always_where_fingers_do_not_hover(phone_desk, short):
    phone_desk.goto("/")

    expect(phone_desk.locator(f"#v{short['later'].pk}").get_by_role("button", name="Arrived")).to_be_visible()


def test_now_line_stops_behind_the_words(desk, clinic):
    desk.goto("/")

    in_front = desk.locator(f"#v{clinic.arrived.pk}").evaluate(
        """(block) => {
          const line = block.closest(".lane").querySelector(".now-line").getBoundingClientRect();
          const crossed = [...block.querySelectorAll(".open > span")].find((words) => {
            const { top, bottom } = words.getBoundingClientRect();
            return top <= line.top && line.top < bottom;
          });
          block.closest(".lane").querySelector(".now-line").style.pointerEvents = "auto";
          return crossed?.contains(document.elementFromPoint(crossed.getBoundingClientRect().left + 4, line.top + 1));
        }"""
    )

    assert in_front is True


def test_ghost_of_a_cancelled_appointment_can_be_opened(desk, short):
    desk.goto("/")
    ghost, beside = (desk.locator(f"#v{short[name].pk}") for name in ("cancelled", "after it"))
    assert ghost.bounding_box()["x"] >= beside.bounding_box()["x"] + beside.bounding_box()["width"]

    ghost.click()

    expect(desk).to_have_url(re.compile(rf"[?&]open={short['cancelled'].pk}$"))


def test_click_below_a_short_block_is_for_the_next_patient(desk, short):
    desk.goto("/")
    first, second = (desk.locator(f"#v{short[name].pk}") for name in ("late", "over"))
    first.hover()
    place = second.bounding_box()

    desk.mouse.move(place["x"] + 20, place["y"] + place["height"] / 2, steps=5)
    desk.mouse.down()
    desk.mouse.up()

    expect(desk).to_have_url(re.compile(rf"[?&]open={short['over'].pk}$"))
