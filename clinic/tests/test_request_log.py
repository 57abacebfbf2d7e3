"""The log says why: numbers of database errors, codes of refused forms, time and queries of slow requests."""

import itertools

import pytest
from django.db import Error, OperationalError, ProgrammingError, connection
from django.middleware import csrf
from django.test import Client
from django.test.utils import CaptureQueriesContext

from appointments.tests.factories import AppointmentFactory
from clinic.ops import request_cost
from clinic.spreadsheets import export
from clinic.tests.kit import Cases, close, lines
from clinic.web.csrf_reasons import csrf_code
from doctors import views as doctor_views

pytestmark = pytest.mark.usefixtures("db", "now")

SECRET = "Quillfeather"
SITE = "clinic.example.org"
EXPORT = "/appointments/export/?first=2026-11-24&last=2026-11-24&as=csv"


def failing(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@pytest.fixture
def quiet(at_desk):
    """A receptionist's client that gets error responses, as a browser does."""
    at_desk.raise_request_exception = False
    return at_desk


def answered(log):
    """Return the only line of a request."""
    (line,) = [line for line in lines(log) if line["logger"] == "clinic.access_log"]
    return line


def empty(log):
    log.seek(0)
    log.truncate()


# Database errors


def test_database_error_is_logged_with_its_number_and_without_its_text(quiet, monkeypatch, log):
    table = [
        (OperationalError(1205, f"Lock wait timeout {SECRET}"), "database 1205", [1205]),
        (ProgrammingError(1146, SECRET), "database 1146", [1146]),
        (OperationalError(f"database is locked {SECRET}"), "database", []),
        (KeyError(7), None, []),
    ]
    with Cases(client=quiet) as case:
        for error, reason, codes in table:
            with case(repr(error)):
                empty(log)
                monkeypatch.setattr(doctor_views, "render", failing(error))

                quiet.get("/doctors/")

                (failed,) = [line for line in lines(log) if line["level"] == "ERROR"]
                assert [each["code"] for each in failed["exception"] if "code" in each] == codes
                assert failed.get("reason") == answered(log).get("reason") == reason
                assert SECRET not in log.getvalue()


@pytest.mark.both_databases
def test_error_from_the_database_itself_has_a_code(quiet, monkeypatch, log):
    def ask(*args, **kwargs):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {SECRET} FROM nowhere")

    monkeypatch.setattr(doctor_views, "render", ask)

    quiet.get("/doctors/")

    assert answered(log)["reason"] == ("database 1146" if connection.vendor == "mysql" else "database SQLITE_ERROR")
    assert SECRET not in log.getvalue()


def test_database_error_behind_another_one_is_found(quiet, monkeypatch, log):
    def fail(*args, **kwargs):
        try:
            raise OperationalError(1213, SECRET)
        except Error as error:
            raise ValueError from error

    monkeypatch.setattr(doctor_views, "render", fail)

    quiet.get("/doctors/")

    assert answered(log)["reason"] == "database 1213"


def test_request_without_failure_has_no_reason(at_desk, log):
    at_desk.get("/doctors/")

    assert "reason" not in answered(log)


# Refused forms


def form_client():
    """Return a client with the cookie of a login form, and the form's data."""
    client = Client(enforce_csrf_checks=True)
    page = client.get("/accounts/login/")
    return client, {"csrfmiddlewaretoken": str(page.context["csrf_token"]), "username": "nobody", "password": SECRET}


# Each behind a proxy that ends HTTPS for SITE: what the portal gets, and the code if the form is refused.
PROXIES = {
    "passes everything on": ({"Host": SITE, "Origin": f"https://{SITE}", "X-Forwarded-Proto": "https"}, None),
    "does not pass HTTPS on": ({"Host": SITE, "Origin": f"https://{SITE}"}, "origin"),
    "changes the host": ({"Host": "127.0.0.1", "Origin": f"https://{SITE}", "X-Forwarded-Proto": "https"}, "origin"),
    "changes the host, no origin": (
        {"Host": "127.0.0.1", "Referer": f"https://{SITE}/accounts/login/", "X-Forwarded-Proto": "https"},
        "referer",
    ),
    "removes the referer, no origin": ({"Host": SITE, "X-Forwarded-Proto": "https"}, "referer"),
    "breaks the referer": ({"Host": SITE, "Referer": "https:/", "X-Forwarded-Proto": "https"}, "referer"),
    "passes a foreign form on": ({"Host": SITE, "Origin": f"https://{SECRET}.example"}, "origin"),
    "passes a sandboxed form on": ({"Host": SITE, "Origin": "null"}, "origin"),
}


def test_form_refused_behind_a_wrong_proxy_is_logged_with_a_code(settings, log):
    settings.ALLOWED_HOSTS = [SITE, "127.0.0.1", "testserver"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    with Cases() as case:
        for name, (headers, code) in PROXIES.items():
            with case(name):
                client, form = form_client()
                empty(log)

                response = client.post("/accounts/login/", form, headers=headers)

                assert response.status_code == (403 if code else 200)
                assert answered(log).get("reason") == code
                assert [line["reason"] for line in lines(log) if line["logger"] == "django.security.csrf"] == (
                    [code] if code else []
                )
                assert SECRET.lower() not in log.getvalue().lower()


def test_form_without_its_cookie_or_token_is_logged_with_a_code(log):
    def without_cookie(client, form):
        client.cookies.clear()

    def with_a_broken_cookie(client, form):
        client.cookies["csrf"] = "short"

    def without_token(client, form):
        del form["csrfmiddlewaretoken"]

    def with_another_token(client, form):
        form["csrfmiddlewaretoken"] = "x" * 64

    def with_a_broken_token(client, form):
        form["csrfmiddlewaretoken"] = SECRET

    table = {
        without_cookie: "cookie",
        with_a_broken_cookie: "cookie",
        without_token: "token",
        with_another_token: "token",
        with_a_broken_token: "token",
    }
    with Cases() as case:
        for change, code in table.items():
            with case(change.__name__):
                client, form = form_client()
                change(client, form)
                empty(log)

                response = client.post("/accounts/login/", form)

                assert (response.status_code, response.context["code"]) == (403, code)
                assert answered(log)["reason"] == code


def test_every_reason_of_django_has_its_code():
    codes = {name: csrf_code(getattr(csrf, name)) for name in vars(csrf) if name.startswith("REASON_")}

    assert codes == {
        "REASON_BAD_ORIGIN": "origin",
        "REASON_NO_REFERER": "referer",
        "REASON_BAD_REFERER": "referer",
        "REASON_MALFORMED_REFERER": "referer",
        "REASON_INSECURE_REFERER": "referer",
        "REASON_NO_CSRF_COOKIE": "cookie",
        "REASON_CSRF_TOKEN_MISSING": "token",
        # Parts of sentences about the cookie or the token.
        "REASON_INCORRECT_LENGTH": "token",
        "REASON_INVALID_CHARACTERS": "token",
    }


def test_page_of_a_refused_form_says_what_to_do_and_reveals_nothing(settings):
    settings.ALLOWED_HOSTS = [SITE, "testserver"]
    client, form = form_client()

    page = client.post(
        "/accounts/login/", form, headers={"Host": SITE, "Origin": f"https://{SECRET}.example"}
    ).content.decode()

    assert "sent from another address" in page
    assert "The code is <strong>origin</strong>" in page
    assert SECRET not in page
    assert form["csrfmiddlewaretoken"] not in page
    assert SITE not in page


def test_request_for_an_unknown_host_is_logged_with_a_code(client, log):
    client.get("/", headers={"Host": f"{SECRET}.example"})

    assert answered(log)["reason"] == "host"


# Slow requests


@pytest.fixture
def slow_clock(monkeypatch):
    """Let every look at the clock take a tenth of a second, so /readyz with its query takes three."""
    looks = itertools.count()
    monkeypatch.setattr(request_cost, "perf_counter", lambda: next(looks) / 10)


@pytest.mark.both_databases
@pytest.mark.usefixtures("slow_clock")
def test_request_over_the_limit_is_a_warning_with_its_cost(client, settings, log):
    table = [(299, "WARNING", "answered slowly"), (300, "INFO", "answered"), (0, "INFO", "answered")]
    with Cases(client=client) as case:
        for limit, level, message in table:
            with case(str(limit)):
                empty(log)
                settings.SLOW_MS = limit

                client.get("/readyz")

                line = answered(log)
                assert (line["level"], line["message"]) == (level, message)
                assert (line["ms"], line["database_ms"], line["queries"]) == (300, 100, 1)


@pytest.mark.both_databases
def test_log_counts_the_queries_of_a_page(at_desk, log):
    with CaptureQueriesContext(connection) as captured:
        at_desk.get("/doctors/")

    assert answered(log)["queries"] == len(captured) > 0
    assert connection.execute_wrappers == []


@pytest.mark.both_databases
def test_streamed_export_is_logged_at_its_end_with_all_its_queries(in_admin, log):
    AppointmentFactory()
    with CaptureQueriesContext(connection) as captured:
        response = in_admin.get(EXPORT)
        before = len(captured)
        assert [line["logger"] for line in lines(log)] == []

        assert response.getvalue()

    line = answered(log)
    assert (line["status"], line["queries"]) == (200, len(captured))
    assert len(captured) > before
    assert {each["request"] for each in lines(log)} == {line["request"]}  # also the line of the export


def test_export_that_the_client_gives_up_is_logged_once(in_admin, log):
    AppointmentFactory()

    close(in_admin.get(EXPORT))

    assert answered(log)["status"] == 200


def test_export_that_fails_midway_is_logged_with_its_reason(in_admin, monkeypatch, log):
    monkeypatch.setattr(export, "_csv_text", failing(OperationalError(2013, SECRET)))
    response = in_admin.get(EXPORT)

    with pytest.raises(OperationalError):
        response.getvalue()

    assert answered(log)["reason"] == "database 2013"
    assert SECRET not in log.getvalue()
