"""The process log: one line of JSON per record, without input or personal data."""

import datetime as dt
import json
import logging
import logging.config
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError
from django.test import Client

from clinic.models import User
from clinic.ops.logs import JsonLines, answering
from clinic.tests.kit import Cases, lines
from patients.models import Patient
from patients.tests.factories import PatientFactory

NAME, EMAIL = "Quillfeather", "quillfeather@example.org"


def empty(log):
    log.seek(0)
    log.truncate()


def line_of(record, **values):
    return JsonLines().format(logging.makeLogRecord({"name": "clinic", "levelno": 20, "msg": record, **values}))


@pytest.fixture
def raising():
    return Client(raise_request_exception=False)


# Which formatter


def test_console_writes_json_lines_and_no_other_handler_writes_anything():
    handlers = settings.LOGGING["handlers"]

    assert list(handlers) == ["console"]
    assert settings.LOGGING["formatters"][handlers["console"]["formatter"]] == {"()": "clinic.ops.logs.JsonLines"}
    assert settings.LOGGING["loggers"]["django"]["handlers"] == []
    assert settings.LOGGING["loggers"]["django.server"]["handlers"] == []


def test_python_warnings_are_logged_with_place_and_without_text():
    program = f"import warnings, django; django.setup(); warnings.warn('{NAME} is naive', RuntimeWarning)"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "clinic.settings", "DEBUG": "on"}

    result = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)

    (line,) = [json.loads(line) for line in result.stderr.splitlines()]
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "py.warnings", "<string>:1: RuntimeWarning")


def test_gunicorn_writes_its_own_log_in_the_same_form():
    config = {}
    exec(compile((settings.BASE_DIR / "gunicorn.conf.py").read_text(), "gunicorn.conf.py", "exec"), config)

    assert config["logconfig_dict"]["formatters"]["json"] == {"()": "clinic.ops.logs.JsonLines"}
    assert config["logconfig_dict"]["loggers"]["gunicorn.access"]["handlers"] == []


def test_statements_of_the_database_are_not_logged():
    logging.config.dictConfig(settings.LOGGING)

    assert not logging.getLogger("django.db.backends").isEnabledFor(logging.ERROR)


# One line


def test_record_is_one_line_of_ascii_whatever_it_says():
    table = [
        "a\nb",
        "a\r\nb",
        "a\u2028b\u2029c",
        "a\x85b",
        "\x1b[2J\x1b[31mred",
        "\x00\x07",
        '"}\n{"level": "CRITICAL"}',
        "é\ud800",
    ]
    with Cases() as case:
        for text in table:
            with case(text):
                line = line_of(text)

                assert line.splitlines() == [line]
                assert line.isascii()
                assert line.isprintable()
                assert json.loads(line)["message"] == text


def test_very_long_message_is_cut():
    assert len(line_of("x" * 100_000)) < 3000


def test_time_is_utc():
    line = json.loads(line_of("x", created=dt.datetime(2026, 7, 1, 12, 0, tzinfo=dt.UTC).timestamp()))

    assert line["time"] == "2026-07-01T12:00:00.000+00:00"


def test_only_known_extra_fields_are_logged():
    line = json.loads(line_of("x", patient=NAME, view="home"))

    assert NAME not in str(line)
    assert line["view"] == "home"


def test_message_that_does_not_fit_its_arguments_is_no_error():
    assert json.loads(line_of("%s and %s", args=("one",)))["message"] == "%s and %s"


def test_messages_of_other_packages_keep_numbers_and_no_texts():
    record = {"name": "gunicorn.error", "levelno": 30, "args": (NAME, 7)}

    assert json.loads(line_of("Invalid request from %s, %s", **record))["message"] == "Invalid request from …, 7"


# Exceptions


def test_exception_is_logged_by_type_and_place_without_message():
    secret = NAME
    try:
        try:
            raise IntegrityError(f"Duplicate entry '{EMAIL}' for key")
        except IntegrityError as error:
            raise ValueError(secret) from error
    except ValueError:
        line = line_of("failed", exc_info=sys.exc_info())

    assert NAME not in line
    assert EMAIL not in line
    chain = json.loads(line)["exception"]
    assert [each["type"] for each in chain] == ["builtins.ValueError", "django.db.utils.IntegrityError"]
    assert "test_exception_is_logged_by_type" in chain[0]["frames"][0]


def test_exception_caused_by_itself_ends():
    error = ValueError("x")
    error.__cause__ = error

    assert json.loads(line_of("failed", exc_info=(ValueError, error, None)))["exception"][0]["frames"] == []


# Requests


@pytest.mark.django_db
def test_request_is_one_line_with_view_user_status_and_ids(log, at_desk, receptionist, patient):
    at_desk.get(f"/patients/{patient.pk}/?name={NAME}")

    (line,) = [line for line in lines(log) if line["logger"] == "clinic.access_log"]
    assert (line["view"], line["method"], line["status"]) == ("patients:patient_detail", "GET", 200)
    assert (line["user"], line["ids"]) == (receptionist.pk, {"pk": str(patient.pk)})
    assert isinstance(line["ms"], int)
    assert len(line["request"]) == 32
    assert NAME not in log.getvalue()


@pytest.mark.django_db
def test_request_of_a_program_names_the_tokens_user(log, api, receptionist, patient):
    api.get(f"/patients/{patient.pk}")

    assert lines(log)[-1]["user"] == receptionist.pk


@pytest.mark.django_db
def test_log_makes_no_query_for_anonymous_requests(log, client, django_assert_num_queries):
    with django_assert_num_queries(0):
        client.get("/livez")

    assert lines(log)[-1]["user"] is None


@pytest.mark.django_db
def test_each_request_has_an_id_that_the_client_does_not_choose(log, client):
    for _ in range(2):
        client.get("/livez", headers={"X-Request-Id": NAME})

    first, second = (line["request"] for line in lines(log))
    assert first != second
    assert NAME not in log.getvalue()


def test_request_id_is_set_only_inside_the_request(log):
    class Request:
        pass

    with answering(Request(), "abc"):
        logging.getLogger("clinic").info("inside")
    logging.getLogger("clinic").info("outside")

    assert [line["request"] for line in lines(log)] == ["abc", None]


# Forbidden content


def planted(monkeypatch, error):
    from patients import views

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(views, "initial_from_query", fail)


FAILURES = {
    "500": ValueError(f"{NAME} <{EMAIL}>"),
    "database": IntegrityError(1062, f"Duplicate entry '{EMAIL}' for key 'patient_email_unique'"),
}


@pytest.mark.django_db
def test_failure_does_not_log_input(log, raising, receptionist, monkeypatch):
    with Cases() as case:
        for name in FAILURES:
            with case(name):
                empty(log)
                raising.force_login(receptionist)
                planted(monkeypatch, FAILURES[name])

                response = raising.post("/patients/new/", {"query": NAME}, headers={"User-Agent": NAME})

                assert response.status_code == 500
                assert NAME.lower() not in log.getvalue().lower()
                (error,) = [line for line in lines(log) if line["level"] == "ERROR"]
                assert error["view"] == "patients:patient_register"
                assert error["exception"][0]["frames"]
                assert error["request"] == lines(log)[-1]["request"]


TYPED = {
    "404": lambda client: client.get(f"/{NAME}/?q={NAME}"),
    "404 of a known view": lambda client: client.get(f"/calendar/{NAME}.ics"),
    "400, host": lambda client: client.get("/", headers={"Host": f"{NAME}.example"}),
    "403, CSRF": lambda client: client.post("/patients/", {"query": NAME}),
    "403, CSRF by its origin": lambda client: client.post("/patients/", headers={"Origin": f"https://{NAME}.example"}),
    "405": lambda client: client.generic(NAME, f"/patients/?q={NAME}"),
    "form": lambda client: client.post("/patients/new/", {"first_name": NAME, "email": NAME}),
    "search": lambda client: client.post("/patients/", {"query": NAME}),
    "login": lambda client: client.post("/accounts/login/", {"username": NAME, "password": NAME}),
    "admin search": lambda client: client.get(f"/admin/patients/patient/?q={NAME}"),
    "admin, nonsense": lambda client: client.get(f"/admin/patients/patient/?created_at__year={NAME}"),
    "too many fields": lambda client: client.post("/patients/new/", {f"{NAME}{n}": "" for n in range(2000)}),
    "API": lambda client: client.get(f"/api/patients/{NAME}"),
}


@pytest.mark.django_db
def test_input_never_reaches_the_log(log, administrator):
    with Cases() as case:
        for checks_csrf in [True, False]:
            for name in TYPED:
                with case(name, checks_csrf):
                    empty(log)
                    client = Client(raise_request_exception=False, enforce_csrf_checks=checks_csrf)
                    client.force_login(administrator)

                    TYPED[name](client)

                    assert lines(log)
                    assert NAME.lower() not in log.getvalue().lower()


@pytest.mark.django_db
def test_no_line_is_forged_by_an_address_or_a_header(log, at_desk):
    table = [
        "/patients/%0a%7B%22level%22:%22CRITICAL%22%7D/",
        "/%1b[31m",
        "/%e2%80%a8forged",
        "/calendar/%0aforged.ics",
    ]
    with Cases(client=at_desk) as case:
        for path in table:
            with case(path):
                empty(log)
                at_desk.get(path, headers={"User-Agent": 'x\\n{"level": "CRITICAL"}', "X-Forwarded-For": "forged"})

                raw = log.getvalue()
                assert all(line["level"] != "CRITICAL" for line in lines(log))
                assert "forged" not in raw
                assert raw.isascii()
                assert len(lines(log)) == 2  # the request, and Django's message


@pytest.mark.django_db
def test_unknown_host_lockout_and_rate_limit_are_logged(log, raising, at_desk, receptionist, now, settings):
    cache.clear()
    raising.get("/", headers={"Host": "elsewhere.example"})
    for _ in range(settings.AXES_FAILURE_LIMIT):
        raising.post("/accounts/login/", {"username": receptionist.username, "password": "wrong"})
    settings.PAGES_A_MINUTE = 1
    for _ in range(2):
        at_desk.get("/doctors/")

    answered = [line for line in lines(log) if line["logger"] == "clinic.access_log"]
    assert [(line["view"], line["status"], line["user"]) for line in answered if line["status"] >= 400] == [
        (None, 400, None),
        ("login", 429, None),
        ("doctors:doctor_list", 429, receptionist.pk),
    ]


@pytest.mark.django_db
def test_log_of_a_working_day_contains_no_names(log, at_desk):
    sent = {"first_name": NAME, "last_name": NAME, "email": EMAIL}
    at_desk.post("/patients/new/", sent)
    patient = Patient.objects.get(email=EMAIL)
    at_desk.get(patient.get_absolute_url())
    at_desk.post("/patients/", {"query": NAME}, follow=True)
    at_desk.post("/patients/new/", sent)
    PatientFactory()
    User.objects.create_user(NAME)

    assert [line["status"] for line in lines(log) if "status" in line] == [302, 200, 302, 200, 200]
    assert NAME.lower() not in log.getvalue().lower()
