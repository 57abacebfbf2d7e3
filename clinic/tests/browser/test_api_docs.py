"""The documentation of the API in a browser: offline, under the content security policy, and with a real call."""

import pytest
from playwright.sync_api import expect

from clinic.tests.api_client import token_of
from clinic.tests.browser.conftest import PHONE, SCREEN
from doctors.tests.factories import DoctorFactory

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("screen", [SCREEN, PHONE], ids=["1440 pixels", "390 pixels"])
def test_documentation_calls_the_api(open_page, receptionist, screen):
    DoctorFactory(full_name="Dr Ngozi Okafor")
    token = token_of(receptionist)
    page = open_page(receptionist, **screen)
    asked = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto("/api/docs")
    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".auth-container input").fill(token)
    page.locator(".auth-btn-wrapper").get_by_role("button", name="Apply credentials").click()
    page.locator(".btn-done").click()
    operation = page.locator("#operations-doctors-list_doctors")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()

    expect(operation.locator(".live-responses-table")).to_contain_text("Dr Ngozi Okafor")
    host = page.url.partition("/api/")[0]
    assert [url for url in asked if not url.startswith((host, "data:"))] == []
