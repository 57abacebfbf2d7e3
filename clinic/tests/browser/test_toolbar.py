"""The toolbar of the day in a browser: its room, its menus, and a clinic of thirty doctors."""

import pytest
from playwright.sync_api import expect

from clinic.tests.browser.checks import assert_accessible, assert_no_sideways_scroll
from clinic.tests.browser.conftest import PHONE
from doctors.tests.factories import DoctorFactory

SIZES = {
    "desk": (1440, 900),
    "wide desk": (1920, 1080),
    "low laptop": (1366, 768),
    "laptop at 200 %": (720, 450),
    "tablet": (768, 1024),
}
LONG_NAME = "Oral and maxillofacial surgery with reconstructive implantology"

MEASURE = """() => {
  const box = (name) => document.querySelector(name).getBoundingClientRect();
  const grid = box("#day-grid");
  const shown = Math.min(grid.bottom, innerHeight) - Math.max(grid.top, 0);
  return { share: shown / innerHeight, toolbar: box(".toolbar").height };
}"""

HEADS_AND_GUTTER = """() => {
  const grid = document.getElementById("day-grid");
  grid.scrollTo(600, 300);
  const place = (element) => element.getBoundingClientRect();
  const columns = [...grid.querySelectorAll(".column")].map((column) => place(column).width);
  return {
    narrowest: Math.min(...columns),
    gutter: place(grid.querySelector(".gutter")).left - place(grid).left,
    head: place(grid.querySelector(".column .column-head")).top - place(grid).top,
  };
}"""


@pytest.fixture
def thirty_doctors(clinic):
    """Thirty doctors, one of them with a long specialization."""
    for number in range(26):
        DoctorFactory(full_name=f"Dr Extra {number:02}", specialization=f"Ward {number % 7}")
    return DoctorFactory(full_name="Dr Long", specialization=LONG_NAME)


def doctors_menu(page):
    return page.locator(".tools summary").first


def test_most_of_the_window_is_schedule(open_page, receptionist, clinic, subtests):
    for name, (width, height) in SIZES.items():
        page = open_page(receptionist, viewport={"width": width, "height": height})
        page.goto("/")
        expect(page.get_by_role("link", name="without outcome")).to_be_attached()
        page.wait_for_load_state()

        measured = page.evaluate(MEASURE)

        with subtests.test(size=name):
            assert measured["share"] >= 0.6
            assert measured["toolbar"] <= (44 if width >= 1100 else 88)
            assert_no_sideways_scroll(page)


def test_toolbar_of_a_phone_is_low_and_its_targets_are_high(phone_desk, clinic, subtests):
    # The longest of dates, and the name of a doctor.
    for address in ("/", f"/schedule/2026-12-30/?doctor={clinic.doctors.lindqvist.pk}"):
        with subtests.test(address=address):
            phone_desk.goto(address)

            assert phone_desk.evaluate(MEASURE)["toolbar"] <= 120
    heights = phone_desk.locator(".toolbar :is(a, summary)").evaluate_all(
        "each => each.filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect().height)"
    )
    assert min(heights) >= 44
    assert_no_sideways_scroll(phone_desk)


def test_toolbar_does_not_wrap_because_of_one_long_name(desk, thirty_doctors):
    desk.goto(f"/schedule/?specialization={LONG_NAME}")

    assert desk.evaluate(MEASURE)["toolbar"] == 44
    assert_no_sideways_scroll(desk)


def test_thirty_doctors_have_wide_columns_and_heads_that_stay(desk, thirty_doctors):
    desk.goto("/")

    measured = desk.evaluate(HEADS_AND_GUTTER)

    assert measured["narrowest"] >= 148
    assert (measured["gutter"], measured["head"]) == (1, 1)  # its border


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}, PHONE])
def test_several_doctors_are_ticked(open_page, receptionist, clinic, options):
    page = open_page(receptionist, **options)
    page.goto("/")

    doctors_menu(page).click()
    for name in ("Dr Ana Ferreira", "Dr Ingrid Lindqvist"):
        page.get_by_role("checkbox", name=name).check()
    page.get_by_role("button", name="Show ticked").click()

    expect(page.get_by_role("region", name="Dr Ingrid Lindqvist")).to_be_attached()
    expect(page.get_by_role("region", name="Dr James Okafor")).to_have_count(0)
    page.goto("/")
    expect(page.get_by_role("region", name="Dr James Okafor")).to_have_count(0)
    expect(doctors_menu(page)).to_have_text("2 of 3 doctors")


def test_menus_are_accessible_and_close(desk, clinic):
    desk.goto(f"/?move={clinic.booked.pk}")

    for menu in desk.locator(".toolbar summary").all():
        menu.click()
        expect(desk.locator(".toolbar details[open]")).to_have_count(1)  # opening one closes the other
        assert_accessible(desk)
    desk.keyboard.press("Escape")
    expect(desk.locator(".toolbar details[open]")).to_have_count(0)
    expect(desk.locator(".toolbar summary").last).to_be_focused()
    expect(desk.get_by_text("Moving Maria Santos")).to_be_visible()  # Escape did not leave the move, too
    doctors_menu(desk).click()
    desk.locator(".gutter").first.click()
    expect(desk.locator(".toolbar details[open]")).to_have_count(0)


def test_chip_fades_the_others_and_stays_readable(desk, clinic):
    desk.goto("/")

    desk.locator("#only-booked").click()

    faded, chosen = (desk.locator(f"#v{each.pk}") for each in (clinic.completed, clinic.booked))
    expect(faded).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(chosen).not_to_have_css("background-color", "rgb(255, 255, 255)")
    assert_accessible(desk)


def test_chip_keeps_count_after_an_action(desk, clinic):
    desk.goto("/?layout=list")
    booked = desk.locator("#only-booked b")
    number = int(booked.text_content())

    desk.locator(f"#v{clinic.booked.pk}").get_by_role("button", name="Arrived").click()

    expect(booked).to_have_text(str(number - 1))


def test_compact_day_is_lower_accessible_and_remembered(desk, clinic):
    desk.goto("/")
    lane = desk.locator("#day-grid .column .lane").first
    height = lane.bounding_box()["height"]

    desk.get_by_role("link", name="Compact").click()

    expect(desk.locator("#day-grid.is-compact")).to_be_visible()
    assert lane.bounding_box()["height"] == pytest.approx(height * 26 / 32, abs=1)
    assert_accessible(desk)
    desk.goto("/")
    expect(desk.locator("#day-grid.is-compact")).to_be_visible()


def test_second_skip_link_focuses_the_first_stop(desk, clinic):
    desk.goto("/")
    desk.keyboard.press("Tab")
    desk.keyboard.press("Tab")
    expect(desk.get_by_role("link", name="Skip to the schedule")).to_be_focused()

    desk.keyboard.press("Enter")

    expect(desk.locator("#day-grid .free").first).to_be_focused()
