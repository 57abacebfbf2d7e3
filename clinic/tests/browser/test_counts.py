"""Frequent tasks take no more clicks and keys than documented in docs/front-desk.md."""

import datetime as dt
import re

import pytest
from playwright.sync_api import expect

from appointments.models import Appointment
from appointments.statuses import Status
from appointments.tests.factories import AppointmentFactory
from clinic.tests.browser.counted import clicks_of, keys_of
from clinic.tests.browser.hands import Hands
from clinic.tests.browser.scene import TOMORROW, at

QUARTER = dt.timedelta(minutes=15)


@pytest.fixture
def hands(desk):
    return Hands(desk)


def block(page, appointment):
    return page.locator(f"#v{appointment.pk}")


def assert_status(page, appointment, status):
    expect(block(page, appointment)).to_have_class(re.compile(f"status-{status}"))
    appointment.refresh_from_db()
    assert appointment.status == status


# By mouse


def test_mark_arrived(desk, clinic, hands):
    desk.goto("/")

    hands.click(block(desk, clinic.booked).get_by_role("button", name="Arrived"))

    assert_status(desk, clinic.booked, Status.ARRIVED)
    assert hands.clicks == clicks_of("Mark arrived")


def test_undo(desk, clinic, hands):
    desk.goto("/")
    block(desk, clinic.booked).get_by_role("button", name="Arrived").click()

    hands.click(desk.locator("#messages").get_by_role("button", name="Undo"))

    assert_status(desk, clinic.booked, Status.BOOKED)
    assert hands.clicks == clicks_of("Undo")


def test_no_show(desk, clinic, hands):
    desk.goto("/")
    block(desk, clinic.overdue).hover()

    hands.click(block(desk, clinic.overdue).get_by_role("button", name="No-show"))

    assert_status(desk, clinic.overdue, Status.NO_SHOW)
    assert hands.clicks == clicks_of("No-show")


def test_book_a_known_patient_from_the_grid(desk, clinic, hands):
    desk.goto("/")

    hands.click(desk.get_by_role("link", name="Book 13:00, Dr James Okafor"))
    expect(desk.get_by_label("Patient's name, phone or e-mail")).to_be_focused()
    hands.type("wozniak")
    hands.click(desk.get_by_role("main").get_by_role("button", name="Łucja Woźniak"))
    hands.click(desk.get_by_role("main").get_by_role("button", name="Book", exact=True))

    expect(desk.locator("#messages")).to_contain_text("Booked: Łucja Woźniak")
    booked = Appointment.objects.get(patient=clinic.patients.wozniak, start_time=at("13:00"))
    assert booked.doctor == clinic.doctors.okafor
    assert hands.clicks == clicks_of("Book a known patient from the grid")


@pytest.mark.parametrize("page", ["/", "/patients/", "/doctors/", "/appointments/book/", "/accounts/password_change/"])
def test_find_the_next_free_time(desk, clinic, hands, page):
    desk.goto(page)

    hands.click(desk.get_by_role("link", name="Free times"))

    today = desk.get_by_role("region", name="Tuesday 24 November 2026")
    expect(today.get_by_role("link", name=re.compile("^10:")).first).to_be_visible()
    assert hands.clicks == clicks_of("Find the next free time")


def test_register_and_book(desk, clinic):
    desk.goto(f"/appointments/book/?doctor={clinic.doctors.okafor.pk}&date=2026-11-25&time=11:00")
    desk.get_by_label("Patient's name, phone or e-mail").fill("Nadia Costa")
    desk.get_by_role("button", name="New patient").click()
    desk.get_by_role("textbox", name="E-mail").fill("nadia.costa@example.org")
    desk.get_by_role("main").get_by_role("button", name="Book", exact=True).click()

    expect(desk.locator("#messages")).to_contain_text("Booked: Nadia Costa")
    assert Appointment.objects.get(patient__email="nadia.costa@example.org").start_time == at("11:00", TOMORROW)


def test_take_an_offered_time_after_a_refusal(desk, clinic, hands):
    okafor, brown = clinic.doctors.okafor, clinic.patients.brown
    desk.goto(f"/appointments/book/?doctor={okafor.pk}&date=2026-11-24&time=10:30&patient={brown.pk}")
    desk.get_by_role("main").get_by_role("button", name="Book", exact=True).click()
    expect(desk.get_by_text("Dr James Okafor is booked 10:30–11:00")).to_be_visible()

    hands.click(desk.get_by_role("group", name="Free times near it").get_by_role("button").first)

    expect(desk.locator("#messages")).to_contain_text("Booked: Olive Brown")
    assert hands.clicks == clicks_of("Take an offered time after a refusal")


def test_move(desk, clinic, hands):
    desk.goto("/")

    hands.click(block(desk, clinic.booked).get_by_role("link"))
    hands.click(desk.get_by_role("link", name="Move"))
    hands.click(desk.get_by_role("button", name="Move to 14:00, Dr Ingrid Lindqvist"))

    expect(desk.locator("#messages")).to_contain_text("Moved: Maria Santos")
    clinic.booked.refresh_from_db()
    assert (clinic.booked.start_time, clinic.booked.doctor) == (at("14:00"), clinic.doctors.lindqvist)
    assert hands.clicks == clicks_of("Move")


def test_cancel(desk, clinic, hands):
    desk.goto("/")

    hands.click(block(desk, clinic.booked).get_by_role("link"))
    hands.click(desk.get_by_role("link", name="Cancel…"))
    hands.click(desk.get_by_role("button", name="Feels better"))

    expect(desk.locator("#messages")).to_contain_text("cancelled")
    clinic.booked.refresh_from_db()
    assert (clinic.booked.status, clinic.booked.cancelled_by, clinic.booked.cancel_reason) == (
        Status.CANCELLED,
        "patient",
        "Feels better",
    )
    assert hands.clicks == clicks_of("Cancel, with reason and by whom")


def test_change_the_reason(desk, clinic, hands):
    desk.goto("/")

    hands.click(block(desk, clinic.booked).get_by_role("link"))
    hands.click(desk.get_by_label("Reason"))
    desk.keyboard.press("Control+a")
    hands.type("Second opinion")
    desk.keyboard.press("Enter")

    expect(desk.locator("#messages")).to_contain_text("reason saved")
    assert hands.clicks == clicks_of("Change the reason")


def test_another_length(desk, clinic, hands):
    desk.goto("/")
    box = block(desk, clinic.due).bounding_box()
    edge = box["x"] + box["width"] / 3, box["y"] + box["height"] - 3

    desk.mouse.move(*edge)
    desk.mouse.down()
    desk.mouse.move(edge[0], edge[1] + 30, steps=3)
    desk.mouse.up()
    hands.clicks += 1

    expect(desk.locator("#messages")).to_contain_text("now 45 minutes long")
    assert hands.clicks == clicks_of("Another length")


def test_walk_in(desk, clinic, hands):
    desk.goto("/patients/")
    desk.get_by_label("Find patient").focus()
    hands.type("wozniak")

    hands.click(desk.get_by_role("link", name="Book for Łucja Woźniak"))
    hands.click(desk.get_by_role("button", name="Walk-in now").first)

    expect(desk.locator("#messages")).to_contain_text("Walk-in: Łucja Woźniak")
    walk_in = Appointment.objects.get(patient=clinic.patients.wozniak, status=Status.ARRIVED)
    assert at("10:00") < walk_in.start_time <= at("10:10")
    assert hands.clicks == clicks_of("Walk-in, already arrived")


def test_when_is_my_appointment(desk, clinic, hands):
    desk.goto("/doctors/")
    desk.get_by_label("Find patient").focus()
    hands.type("brown")

    expect(desk.locator("#found")).to_contain_text("11:00")
    assert hands.clicks == clicks_of("“When is my appointment?”")


def test_how_long_has_he_waited(desk, clinic, hands):
    desk.goto("/")

    expect(block(desk, clinic.arrived)).to_contain_text(re.compile(r"waiting [01] min"))
    assert hands.clicks == clicks_of("“How long has he waited?”")
    assert hands.keys == keys_of("“How long has he waited?”")


def test_print_the_next_working_day(desk, clinic, hands):
    desk.add_init_script(
        "window.print = () => { document.body.dataset.printed = (document.body.dataset.printed ?? '') + 'x'; };"
    )
    desk.goto("/")

    hands.click(desk.get_by_role("link", name="Print next day"))

    expect(desk.get_by_text("Wednesday 25 November 2026").first).to_be_visible()
    expect(desk.locator("body")).to_have_attribute("data-printed", "x")
    assert hands.clicks == clicks_of("Print the next working day")


def test_close_out_a_past_appointment(desk, clinic, hands):
    desk.goto("/appointments/close-out/")

    hands.click(desk.locator(".open-appointment").filter(has_text="Kovács").get_by_role("button", name="Attended"))

    expect(desk.locator("#messages")).to_contain_text("István Kovács: completed")
    assert hands.clicks == clicks_of("Close out a past appointment")


def test_close_out_a_whole_list(desk, clinic, hands):
    okafor = clinic.doctors.okafor
    past = [
        AppointmentFactory(doctor=okafor, start_time=at("06:00") + number * QUARTER, duration_minutes=15)
        for number in range(11)
    ]
    desk.goto("/schedule/?layout=list")

    hands.click(desk.get_by_label("Select all: No outcome yet"))
    hands.click(desk.locator("#bulk").get_by_role("button", name="Attended"))

    expect(desk.locator("#messages")).to_contain_text("12 marked as attended.")
    for appointment in [*past, clinic.overdue]:
        assert_status(desk, appointment, Status.COMPLETED)
    assert hands.clicks == clicks_of("Close out a whole list of 12 as attended")


# By keyboard


@pytest.mark.parametrize(
    ("task", "key", "name", "status"),
    [
        ("Mark arrived", "a", "booked", Status.ARRIVED),
        ("No-show", "n", "overdue", Status.NO_SHOW),
        ("Undo", "u", "arrived", Status.BOOKED),
    ],
)
def test_action_by_key(desk, clinic, hands, task, key, name, status):
    appointment = getattr(clinic, name)
    desk.goto("/")
    block(desk, appointment).get_by_role("link").focus()

    hands.press(key)

    assert_status(desk, appointment, status)
    expect(block(desk, appointment).get_by_role("link")).to_be_focused()
    assert hands.keys == keys_of(task)


def test_change_the_reason_by_keys(desk, clinic, hands):
    desk.goto("/")
    block(desk, clinic.booked).get_by_role("link").focus()

    hands.press("e")
    expect(desk.get_by_label("Reason")).to_be_focused()
    hands.type("Second opinion")
    hands.press("Enter")

    expect(desk.locator("#messages")).to_contain_text("reason saved")
    assert hands.keys == keys_of("Change the reason")


def test_another_length_by_key(desk, clinic, hands):
    desk.goto("/")
    block(desk, clinic.due).get_by_role("link").focus()

    hands.press("+")

    expect(desk.locator("#messages")).to_contain_text("now 35 minutes long")
    assert hands.keys == keys_of("Another length")


def test_book_a_known_patient_by_keys(desk, clinic, hands):
    desk.goto("/")

    hands.press("ArrowDown")  # to the first free time
    hands.press("Enter")
    expect(desk.get_by_label("Patient's name, phone or e-mail")).to_be_focused()
    hands.type("woz")
    hands.press("Enter")  # the only one of that name
    expect(desk.get_by_role("main").get_by_role("button", name="Book", exact=True)).to_be_focused()
    hands.press("Enter")

    expect(desk.locator("#messages")).to_contain_text("Booked: Łucja Woźniak")
    assert hands.keys + hands.typed <= keys_of("Book a known patient from the grid")


def test_find_the_next_free_time_by_key(desk, clinic, hands):
    desk.goto("/patients/")
    desk.get_by_role("heading", name="Patients").click()

    hands.press("f")

    expect(desk.get_by_role("heading", name="Free times")).to_be_visible()
    assert hands.keys == keys_of("Find the next free time")


def test_move_by_keys(desk, clinic, hands):
    desk.goto("/")
    block(desk, clinic.booked).get_by_role("link").focus()

    hands.press("m")
    expect(desk.get_by_text("Moving Maria Santos")).to_be_visible()
    desk.wait_for_load_state()  # arrows lead through the grid once its script is there
    hands.press("ArrowDown")
    hands.press("Enter")

    expect(desk.locator("#messages")).to_contain_text("Moved: Maria Santos")
    assert hands.keys == keys_of("Move")


def test_cancel_by_keys(desk, clinic, hands):
    desk.goto("/")
    block(desk, clinic.booked).get_by_role("link").focus()

    hands.press("c")
    expect(desk.get_by_role("button", name="Cannot come")).to_be_focused()
    hands.press("Tab")  # to "Feels better"
    hands.press("Enter")

    expect(desk.locator("#messages")).to_contain_text("cancelled")
    assert hands.keys == keys_of("Cancel, with reason and by whom")
