"""The test infrastructure: it detects problems, and two users can work at once."""

import re
import threading

import pytest
from playwright.sync_api import expect

from appointments.models import Appointment
from clinic.tests.browser.checks import assert_accessible, assert_no_sideways_scroll
from clinic.tests.browser.hands import Hands
from clinic.tests.browser.scene import THURSDAY, at


def plant(script):
    """Return a script for the page, as a bug in the portal could run one."""
    return f"() => {{ {script} }}"


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("document.body.innerHTML += '<p style=\"color: red\">'", "Content Security Policy"),
        ("document.body.append(Object.assign(document.createElement('script'), {text: '1'}))", "Content Security"),
        ("document.body.append(Object.assign(new Image(), {src: 'https://elsewhere.example/'}))", "Content Security"),
        ("fetch('https://elsewhere.example/').catch(() => {})", "Content Security Policy"),
        ("fetch('/nowhere/')", "/nowhere/: 404"),
        ("console.error('out of order')", "out of order"),
        ("setTimeout(() => { throw new Error('out of order'); })", "uncaught: out of order"),
    ],
)
def test_browser_errors_are_detected(desk, complaints, script, complaint):
    desk.goto("/doctors/")
    assert complaints == []

    desk.evaluate(plant(script))
    for _ in range(50):
        desk.wait_for_timeout(100)
        if complaints:
            break

    assert complaint in "\n".join(complaints)
    complaints.clear()


def test_requests_to_other_hosts_are_detected(open_page, complaints, receptionist):
    page = open_page(receptionist, bypass_csp=True)
    page.route("https://elsewhere.example/**", lambda route: route.fulfill(body=""))
    page.goto("/doctors/")

    page.evaluate("fetch('https://elsewhere.example/font', {mode: 'no-cors'})")

    assert complaints == ["request to another host: https://elsewhere.example/font"]
    complaints.clear()


def test_accessibility_violation_is_detected(desk):
    desk.goto("/doctors/")
    assert_accessible(desk)

    desk.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<input>')")

    with pytest.raises(AssertionError, match=r"label: Form elements must have labels\n .*input"):
        assert_accessible(desk)


@pytest.mark.parametrize("who", ["desk", "phone_desk"])
def test_horizontal_scrolling_is_detected(request, who):
    page = request.getfixturevalue(who)
    page.goto("/doctors/")
    assert_no_sideways_scroll(page)

    page.evaluate("document.querySelector('main').style.minWidth = '2000px'")

    with pytest.raises(AssertionError, match='<main id="main"'):
        assert_no_sideways_scroll(page)


def test_clicks_and_keys_are_counted(desk):
    desk.goto("/patients/new/")
    hands = Hands(desk)

    hands.click(desk.get_by_label("First name"))
    hands.type("Zoë")
    hands.press("Tab")
    hands.type("Li")
    hands.press("Control+Enter")

    expect(desk.get_by_label("First name")).to_have_value("Zoë")
    expect(desk.get_by_label("Last name")).to_have_value("Li")
    assert (hands.clicks, hands.keys, hands.typed) == (1, 2, 5)


def test_scripts_do_not_run_without_javascript(plain_desk, desk):
    for page, is_hidden in ((plain_desk, True), (desk, False)):
        page.goto("/appointments/book/")

        # The common lengths are shown by the script.
        assert page.locator(".lengths").is_hidden() == is_hidden


def test_two_people_book_at_once_in_a_transaction_each(desk, second_desk, clinic, before_answering):
    okafor, both = clinic.doctors.okafor, (desk, second_desk)
    for page, patient in zip(both, (clinic.patients.brown, clinic.patients.wozniak), strict=True):
        page.goto(f"/appointments/book/?doctor={okafor.pk}&date=2026-11-26&time=09:00&patient={patient.pk}")
    meetings = []
    meeting = threading.Barrier(2, action=lambda: meetings.append("both"), timeout=10)
    before_answering(lambda request: request.method == "POST" and meeting.wait())
    for page in both:
        page.evaluate("setTimeout(() => document.querySelector('[data-default]').click())")
    for page in both:
        expect(page.get_by_text(re.compile("^Booked:|is booked 09:00"))).to_be_visible()

    assert meetings == ["both"]
    assert Appointment.objects.filter(doctor=okafor, start_time=at("09:00", THURSDAY)).count() == 1
    assert [page.get_by_text("is booked 09:00").count() for page in both].count(1) == 1
