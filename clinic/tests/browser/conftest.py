"""Fixtures of the browser tests: an open clinic, and users each with their own browser.

A test takes the people it needs and looks at the page as they do:

    def test_arrived_patient_is_marked_with_one_click(desk, clinic):
        desk.goto("/")
        hands = Hands(desk)
        hands.click(desk.get_by_role("button", name="Arrived"))
        expect(desk.get_by_role("status")).to_contain_text("arrived")
        assert hands.clicks == 1

Whatever a browser complains about during a test fails it; see `Complaints`.
"""

import datetime as dt
import os
import threading
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test import Client

from clinic.accounts.roles import DOCTOR, RECEPTIONIST
from clinic.models import User
from clinic.tests.browser.checks import Complaints
from clinic.tests.browser.database import SavedStates
from clinic.tests.browser.scene import open_clinic
from clinic.tests.browser_answers import chromium, why_not
from clinic.tests.factories import UserFactory
from clinic.web import middleware

HERE = Path(__file__).parent

# A Tuesday in winter, when Lisbon's clocks show UTC.
TEN_O_CLOCK = dt.datetime(2026, 11, 24, 10, 0, tzinfo=dt.UTC)

SCREEN = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}

# For a machine that is busy with other things; a quick one never waits so long.
PATIENCE_MS = 15_000


# Which tests run


def pytest_ignore_collect(collection_path, config):
    """Skip the browser tests unless requested by `-m browser` or by path."""
    asked_for = "browser" in config.option.markexpr or any(
        Path(argument.partition("::")[0]).resolve().is_relative_to(HERE) for argument in config.args
    )
    return None if asked_for else True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark every test of this folder, and skip it if there is no browser."""
    reason = why_not()
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("browser")
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


# The portal


@pytest.fixture(scope="session", autouse=True)
def queries_beside_playwright():
    """Let tests use the database although Playwright keeps an event loop running in their thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings, tmp_path_factory):
    """Put a SQLite test database into a file.

    One in memory has a single connection for all threads: two browsers that book at once would share a transaction.
    """
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database.setdefault("TEST", {})["NAME"] = str(tmp_path_factory.mktemp("database") / "clinic.sqlite3")


@pytest.fixture(scope="session")
def base_url(django_db_setup, live_server):
    """The server to which URLs like "/patients/" belong. It starts after its database is set."""
    return live_server.url


@pytest.fixture(autouse=True)
def now():
    """Start the portal's clock at Tuesday 24 November 2026, 10:00 clinic time.

    The browser's clock is the real one: what a page shows of the time must come from the portal.
    """
    with time_machine.travel(TEN_O_CLOCK, tick=True) as traveller:
        yield traveller


@pytest.fixture(scope="session")
def saved_states():
    states = SavedStates()
    yield states
    states.close()


@pytest.fixture
def fresh_database(request, now, django_db_setup, django_db_blocker, saved_states):
    """A database for this test only, with the clinic's records if the test uses `clinic`."""
    if connection.vendor != "sqlite":
        # On database servers, pytest-django flushes.
        request.getfixturevalue("_django_db_helper")
        yield None
        return
    with django_db_blocker.unblock():
        if "clinic" in request.fixturenames:
            yield saved_states.begin_with("clinic", lambda: open_clinic(doctor_login()))
        else:
            yield saved_states.begin_with("empty", None)
        saved_states.empty()


@pytest.fixture
def transactional_db(fresh_database):
    """Replace pytest-django's fixture, which `live_server` uses."""


@pytest.fixture
def db(fresh_database):
    """Replace pytest-django's fixture, which other fixtures use."""


@pytest.fixture
def doctor_user(fresh_database):
    return User.objects.filter(username="doctor").first() or doctor_login()


def doctor_login():
    return UserFactory(username="doctor", role=DOCTOR)


@pytest.fixture
def clinic(fresh_database, doctor_user):
    """Doctors, patients and a busy day; `doctor_user` is the login of the first doctor."""
    return fresh_database or open_clinic(doctor_user)


@pytest.fixture
def before_answering(monkeypatch):
    """A function that makes the portal do something, such as wait, before each answer.

    It happens in the request's own thread.
    """

    def arrange(do):
        # Looked up by the running server at each request; its middleware is bound at the start.
        refused_length = middleware.refused_length

        def do_first(request):
            do(request)
            return refused_length(request)

        monkeypatch.setattr(middleware, "refused_length", do_first)

    return arrange


@pytest.fixture
def answers_to(before_answering):
    """A function that delays the answers to some requests until the returned event is set."""

    def hold(is_one):
        may_go = threading.Event()
        before_answering(lambda request: is_one(request) and may_go.wait(timeout=10))
        return may_go

    return hold


# The browser


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    # The browser's own language decides in which order a date is typed into a date field.
    return browser_type_launch_args | {
        "executable_path": chromium(),
        "args": ["--lang=en-GB"],
        "env": os.environ | {"LANGUAGE": "en_GB", "LANG": "en_GB.UTF-8"},
    }


@pytest.fixture(scope="session", autouse=True)
def patience(queries_beside_playwright):
    # Not at the top: this file is read, too, where the browser tests cannot run.
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    # Without motion, nothing is checked while it is fading in.
    return browser_context_args | {"locale": "en-GB", "timezone_id": "Europe/Lisbon", "reduced_motion": "reduce"}


@pytest.fixture
def complaints():
    """Browser errors of the test so far. A test that provokes some clears it."""
    complaints = Complaints()
    yield complaints
    if complaints:
        pytest.fail("The browser complains:\n" + "\n".join(complaints), pytrace=False)


@pytest.fixture
def open_page(transactional_db, base_url, new_context, complaints):
    """A function that opens a browser for a user or an anonymous visitor, on a SCREEN, a PHONE or other device."""

    def open_page(user=None, **options):
        context = new_context(**(SCREEN | options))
        context.set_default_timeout(PATIENCE_MS)
        complaints.listen(context, base_url)
        if user:
            context.add_cookies([session_cookie(user, base_url)])
        return context.new_page()

    return open_page


def session_cookie(user, url):
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": url}


# The people


@pytest.fixture
def stranger(open_page):
    """An anonymous visitor's page."""
    return open_page()


@pytest.fixture
def desk(open_page, receptionist):
    """The receptionist's page."""
    return open_page(receptionist)


@pytest.fixture
def second_desk(open_page, transactional_db):
    """Another receptionist's page, in a separate browser."""
    return open_page(UserFactory(username="second", role=RECEPTIONIST))


@pytest.fixture
def phone_desk(open_page, receptionist):
    """The receptionist's page on a phone, 390 pixels wide."""
    return open_page(receptionist, **PHONE)


@pytest.fixture
def plain_desk(open_page, receptionist):
    """The receptionist's page with JavaScript off."""
    return open_page(receptionist, java_script_enabled=False)


@pytest.fixture
def doctors_page(open_page, doctor_user):
    """The page of the clinic's first doctor."""
    return open_page(doctor_user)


@pytest.fixture
def managers_page(open_page, manager):
    return open_page(manager)


@pytest.fixture
def admins_page(open_page, administrator):
    return open_page(administrator)
