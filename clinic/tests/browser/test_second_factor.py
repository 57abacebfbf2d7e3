"""The second factor for users: set up with an app, required at login, and lost."""

import base64
import re

from django_otp.oath import TOTP
from playwright.sync_api import expect

from clinic.tests.browser.checks import assert_accessible, assert_no_sideways_scroll
from clinic.tests.browser.conftest import PHONE, SCREEN

PASSWORD = "demo-clinic-2026"


def log_in(page):
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("reception")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def enter(page, code):
    page.get_by_label("Code from the app, or a recovery code").fill(code)
    page.get_by_role("button", name="Log in").click()


def looks_right(page):
    for size in (SCREEN["viewport"], PHONE["viewport"]):
        page.set_viewport_size(size)
        assert_no_sideways_scroll(page)
        assert_accessible(page)


def test_second_factor_is_set_up_asked_for_and_replaced_by_a_recovery_code(open_page, clinic, receptionist, now):
    page = open_page()
    log_in(page)

    page.goto("/accounts/")
    page.get_by_role("link", name="Set up the second factor").click()
    image = page.get_by_role("img", name=re.compile("secret"))
    expect(image).to_be_visible()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 200  # the policy lets it in
    app = TOTP(base64.b32decode(page.locator(".secret").inner_text().replace(" ", "")))
    page.get_by_label("Code that the app shows now").fill(f"{app.token():06}")
    page.get_by_role("button", name="Turn on").dblclick()
    expect(page.get_by_role("heading", name="Save these recovery codes")).to_be_visible()
    expect(page.get_by_role("button", name="Print")).to_be_visible()
    looks_right(page)
    recovery_code = page.locator(".codes code").first.inner_text()
    page.goto("/accounts/second-factor/")
    looks_right(page)

    page.context.clear_cookies()
    log_in(page)
    expect(page.get_by_role("heading", name="Enter the code")).to_be_visible()
    looks_right(page)
    now.shift(60)
    enter(page, f"{app.token():06}")
    expect(page.get_by_role("heading", name="Tuesday 24 November 2026")).to_be_visible()

    page.context.clear_cookies()
    log_in(page)
    enter(page, recovery_code)
    expect(page.get_by_role("heading", name="Tuesday 24 November 2026")).to_be_visible()
    page.goto("/accounts/")
    expect(page.get_by_text("Recovery codes left: 9 of 10")).to_be_visible()


def test_button_pressed_again_before_the_answer_sends_nothing_twice(desk, clinic, answers_to):
    desk.goto("/accounts/second-factor/")
    sent = []
    desk.on("request", lambda request: request.method == "POST" and sent.append(request))
    may_go = answers_to(lambda request: request.method == "POST")
    desk.get_by_label("Code that the app shows now").fill("000")
    button = desk.get_by_role("button", name="Turn on")

    button.evaluate("button => { button.click(); setTimeout(() => button.click(), 300); }")
    desk.wait_for_timeout(800)
    may_go.set()

    expect(desk.get_by_text("This code is wrong")).to_be_visible()
    assert len(sent) == 1
