"""Error pages reveal nothing about the software, personal data or the database."""

import re
from contextlib import contextmanager

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.core.exceptions import DisallowedHost, SuspiciousOperation
from django.db import InterfaceError, OperationalError, connection
from django.test import Client
from django.utils.html import escape

from clinic.sessions.store import SessionStore
from clinic.tests.api_client import token_of
from clinic.tests.kit import Cases, elements
from clinic.web.error_pages import refusal_page
from doctors import views as doctor_views

pytestmark = pytest.mark.usefixtures("db", "now")

SECRET = "Maria Santos at 10.0.0.1"
GIVEN_AWAY = ("Traceback", "Exception", "Error at", "django", "sqlite", "MySQL", "SELECT", "/clinic/", ".py", SECRET)


def broken(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@contextmanager
def database_down(error=None):
    """Let every query fail as if the server had gone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "cursor", broken(error or OperationalError(2013, SECRET)))
        yield


@pytest.fixture
def quiet(at_desk):
    """A receptionist's client that gets error responses, as a browser does."""
    at_desk.raise_request_exception = False
    return at_desk


def assert_styled_and_silent(response, status):
    asked = escape(response.wsgi_request.get_full_path()) if hasattr(response, "wsgi_request") else ""
    # Without the names of files that every page has, and the address itself, to which forms of the page lead back.
    text = re.sub(r'"/static/[^"]*"', "", response.content.decode()).replace(asked, "")
    assert response.status_code == status
    styles = [attrs["href"] for tag, attrs in elements(response) if tag == "link" and attrs["rel"] == "stylesheet"]
    assert "/static/css/portal.css" in styles
    assert [word for word in GIVEN_AWAY if word.lower() in text.lower()] == []


def test_every_page_is_503_with_the_database_down(quiet):
    table = [
        ("/", "GET", {}),
        ("/patients/7/", "GET", {}),
        ("/patients/new/", "POST", {}),
        ("/nowhere/", "GET", {}),
        ("/accounts/logout/", "GET", {}),  # 405 otherwise
        ("/accounts/logout/", "POST", {}),
        ("/admin/", "GET", {}),
        ("/admin/nowhere/", "GET", {}),
        ("/doctors/3/week/2026-11-24/", "GET", {}),
    ]
    with Cases(client=quiet) as case:
        for address, method, sent in table:
            for error in [OperationalError(2013, SECRET), InterfaceError(0, SECRET)]:
                with case(address, method, sent, error):
                    with database_down(error):
                        response = quiet.generic(method, address, **sent)

                    assert_styled_and_silent(response, 503)
                    assert response["Retry-After"]
                    assert "no-store" in response["Cache-Control"]


def test_public_pages_without_queries_work_with_the_database_down():
    table = [
        ("/accounts/login/", "GET", 200),
        ("/nowhere/", "GET", 404),
        ("/", "GET", 302),
        ("/livez", "GET", 200),
        ("/livez", "POST", 405),
    ]
    with Cases() as case:
        for address, method, status in table:
            with case(address, method, status):
                with database_down():
                    response = Client(raise_request_exception=False).generic(method, address)

                assert response.status_code == status


def test_login_with_the_database_down_is_503():
    with database_down():
        response = Client(raise_request_exception=False).post(
            "/accounts/login/", {"username": "reception", "password": "x"}
        )

    assert_styled_and_silent(response, 503)


def test_forged_form_with_the_database_down_is_503(receptionist):
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(receptionist)
    with database_down():
        response = client.post("/patients/new/", {"first_name": "x"})

    assert_styled_and_silent(response, 503)


def test_api_with_the_database_down_answers_in_its_own_form(receptionist):
    with Cases() as case:
        for address in ["/api/doctors", "/api/fhir/Practitioner", "/api/nowhere"]:
            with case(address):
                headers = {"Authorization": f"Bearer {token_of(receptionist)}"}
                with database_down():
                    response = Client(raise_request_exception=False).get(address, headers=headers)

                assert response.status_code == 503
                assert "json" in response["Content-Type"]
                assert SECRET not in response.content.decode()


def test_calendar_feed_with_the_database_down_is_503():
    with database_down():
        assert Client(raise_request_exception=False).get("/calendar/x.ics").status_code == 503


def test_error_page_reveals_no_details(quiet, monkeypatch):
    table = [
        (ZeroDivisionError(SECRET), 500),
        (SuspiciousOperation(SECRET), 400),
        (DisallowedHost(SECRET), 400),
        (PermissionError(SECRET), 500),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, SECRET), 500),
        (RecursionError(SECRET), 500),
    ]
    with Cases(client=quiet) as case:
        for error, status in table:
            with case(error, status):
                monkeypatch.setattr(doctor_views, "render", broken(error))

                assert_styled_and_silent(quiet.get("/doctors/"), status)


def test_session_ended_meanwhile_shows_an_error_page(quiet, monkeypatch):
    monkeypatch.setattr(SessionStore, "save", broken(UpdateError(SECRET)))

    response = quiet.post("/patients/", {"query": "santos"})

    assert_styled_and_silent(response, 400)


def test_session_that_cannot_be_saved_shows_an_error_page(quiet, monkeypatch):
    monkeypatch.setattr(SessionStore, "save", broken(OperationalError(2013, SECRET)))

    response = quiet.post("/patients/", {"query": "santos"})

    assert_styled_and_silent(response, 503)
    assert "no-store" in response["Cache-Control"]


def test_refusal_needs_no_database(quiet):
    with Cases(client=quiet) as case:
        for status in [411, 413, 429]:
            with case(status):
                request = quiet.get("/doctors/").wsgi_request
                with database_down():
                    response = refusal_page(request, status, {"Retry-After": "60"})

                assert_styled_and_silent(response, status)
                assert response["Retry-After"] == "60"


def test_foreign_host_gets_no_information(quiet):
    table = [
        "elsewhere.example",
        "testserver.elsewhere.example",
        "testserver@elsewhere.example",
        "a b",
        "[::1",
        "x" * 300,
        "",
    ]
    with Cases(client=quiet) as case:
        for host in table:
            with case(host):
                response = quiet.get("/doctors/", headers={"Host": host})

                assert_styled_and_silent(response, 400)
                assert not host or host not in response.content.decode()


def test_malformed_url_is_not_found(quiet):
    table = [
        "/%00/",
        "/patients/%00/",
        "/patients/1%00/",
        "/%ff%fe/",
        "/patients/%ed%a0%80/",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/../clinic/settings.py",
        "/static/%2e%2e/clinic/settings.py",
        "/calendar/%00.ics",
        "/schedule/2026-13-45/",
        "/patients/99999999999999999999999999/",
        "/" + "a" * 7000,
    ]
    with Cases(client=quiet) as case:
        for address in table:
            with case(address):
                assert_styled_and_silent(quiet.get(address), 404)


def test_malformed_query_is_no_server_error(quiet):
    table = [
        "x=" + "a" * 7000,
        "&".join("a" for _ in range(900)),
        "doctor=%00",
        "doctor=%ff&specialization=%ff",
        "specialization=%00'\"<script>",
        "page=-1&first=%00&last=%ed%a0%80",
        "date=%00",
        "patient=1' OR '1'='1",
    ]
    others = [
        "/",
        "/schedule/2026-11-24/",
        "/appointments/free/",
        "/appointments/book/",
        "/doctors/",
        "/patients/",
    ]
    with Cases(client=quiet) as case:
        for query in table:
            for address in others:
                with case(address, query):
                    response = quiet.get(f"{address}?{query}")

                    assert response.status_code in {200, 302, 404}


def test_query_of_too_many_names_is_too_large(quiet):
    response = quiet.get("/appointments/free/?" + "&".join("a" for _ in range(1500)))

    assert_styled_and_silent(response, 413)


def test_form_without_csrf_token_shows_an_error_page(receptionist):
    client = Client(enforce_csrf_checks=True)
    client.force_login(receptionist)

    response = client.post("/patients/new/", {"first_name": "x"})

    assert_styled_and_silent(response, 403)


def test_form_from_another_origin_shows_an_error_page(receptionist):
    with Cases() as case:
        for origin in ["https://elsewhere.example", "null", "http://testserver.elsewhere.example"]:
            with case(origin):
                client = Client(enforce_csrf_checks=True)
                client.force_login(receptionist)

                response = client.post("/patients/new/", {"first_name": "x"}, headers={"Origin": origin})

                assert_styled_and_silent(response, 403)


def test_forged_session_is_anonymous(client, at_desk):
    key = at_desk.session.session_key
    forged = ["", "x", "x" * 4000, "\x00", "../../x", "é", "' OR 1=1", "%", key[:8], f"{key}x", "x" * len(key)]
    client = Client()
    assert client.get("/", headers={"Cookie": f"session={key}"}).status_code == 200
    with Cases(client=client) as case:
        for cookie in forged:
            with case(cookie):
                response = client.get("/", headers={"Cookie": f"session={cookie}"})

                assert response["Location"] == "/accounts/login/?next=/"
