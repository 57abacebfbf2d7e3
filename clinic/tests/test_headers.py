"""Headers of errors, refusals and files in production, and the score. Other pages are in the crawl."""

from dataclasses import replace
from http.cookies import SimpleCookie

import pytest
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError
from django.test import Client

from appointments.models import CalendarFeed
from clinic.tests.crawl import ELSEWHERE
from clinic.tests.crawl_checks import ALWAYS, header_faults
from clinic.tests.header_score import MODIFIERS, Answer, results, score
from clinic.tests.kit import Cases, close
from doctors import views as doctor_views
from doctors.tests.factories import DoctorFactory

pytestmark = pytest.mark.usefixtures("db", "now", "production")


@pytest.fixture
def production(settings):
    """The portal behind HTTPS, as `make serve` serves it."""
    settings.USE_HTTPS = settings.SECURE_SSL_REDIRECT = settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = (
        True
    )


@pytest.fixture
def visitor():
    """A client whose requests come from a page of another site."""
    return Client(raise_request_exception=False, headers={"Origin": ELSEWHERE})


def test_feed_is_not_stored_by_shared_caches(visitor):
    token = CalendarFeed.make(DoctorFactory(), by=None)

    response = visitor.get(f"/calendar/{token}.ics", secure=True)

    assert response["Cache-Control"] == "private, no-cache"
    assert response["Referrer-Policy"] == "no-referrer"


def fail_with(error):
    def fail(*args, **kwargs):
        raise error

    return fail


def test_error_scores_100_and_more(visitor, administrator, monkeypatch):
    with Cases(client=visitor) as case:
        for error, status in [(ZeroDivisionError(), 500), (OperationalError(2013), 503), (SuspiciousOperation(), 400)]:
            with case(error, status):
                visitor.force_login(administrator)
                monkeypatch.setattr(doctor_views, "render", fail_with(error))

                response = visitor.get("/doctors/", secure=True)

                assert response.status_code == status
                assert_whole(response, visitor.get("/doctors/"))


def assert_whole(response, plain):
    assert header_faults(response, plain) == {}


def test_refusal_scores_100_and_more(visitor):
    table = [
        (404, {"path": "/nowhere/"}),
        (302, {"path": "/patients"}),  # the slash that is missing
        (405, {"path": "/livez", "method": "POST"}),
        (413, {"path": "/accounts/login/", "method": "POST", "headers": {"Content-Length": "9" * 9}}),
        (400, {"path": "/", "headers": {"Host": "elsewhere.example"}}),
        (404, {"path": "/api/nowhere"}),
        (401, {"path": "/api/patients/7"}),
        (401, {"path": "/api/openapi.json"}),
        (302, {"path": "/api/docs"}),
    ]
    with Cases() as case:
        for status, sent in table:
            with case(status, sent):
                response = visitor.generic(
                    sent.get("method", "GET"), sent["path"], secure=True, headers=sent.get("headers")
                )

                assert response.status_code in {status, status - 1}
                assert_whole(response, visitor.get("/"))


def test_form_without_a_token_scores_100_and_more():
    client = Client(enforce_csrf_checks=True)

    response = client.post("/accounts/login/", {"username": "x"}, secure=True)

    assert response.status_code == 403
    assert_whole(response, client.get("/"))


def test_redirect_to_https_has_all_headers_except_hsts(client):
    response = client.get("/patients/")

    headers = {name.lower(): value for name, value in response.headers.items()}
    assert (response.status_code, response["Location"]) == (301, "https://testserver/patients/")
    assert "default-src 'none'" in headers["content-security-policy"]
    for name in set(ALWAYS) - {"strict-transport-security"}:
        assert headers.get(name) == ALWAYS[name]


def test_unknown_host_by_plain_http_is_refused_with_all_headers(client):
    response = client.get("/patients/", headers={"Host": "elsewhere.example"})

    assert response.status_code == 400
    for name in set(ALWAYS) - {"strict-transport-security"}:
        assert response[name] == ALWAYS[name]
    assert "default-src 'none'" in response["Content-Security-Policy"]


def test_static_file_has_isolation_headers_and_is_cacheable(client, settings):
    settings.WHITENOISE_USE_FINDERS = True

    response = client.get("/static/css/portal.css", secure=True)
    close(response)

    headers = {name.lower(): value for name, value in response.headers.items()}
    assert response.status_code == 200
    assert {name: headers.get(name) for name in ALWAYS} == ALWAYS
    assert "access-control-allow-origin" not in headers
    assert "max-age" in headers["cache-control"]
    assert "no-store" not in headers["cache-control"]


# The score: points lost for each fault


POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
WHOLE = Answer(
    {
        "content-security-policy": POLICY,
        "content-type": "text/html",
        "referrer-policy": "same-origin",
        "strict-transport-security": "max-age=31536000",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cross-origin-resource-policy": "same-origin",
    },
    text='<script src="/static/js/forms.js"></script>',
    plain_location="https://testserver/",
)


def with_header(name, value):
    headers = WHOLE.headers | {name: value}
    return replace(WHOLE, headers={each: value for each, value in headers.items() if value is not None})


def with_policy(old, new):
    assert old in POLICY
    return with_header("content-security-policy", POLICY.replace(old, new))


def with_cookie(text):
    return replace(WHOLE, cookies=SimpleCookie(text))


def with_script(tag):
    return replace(WHOLE, text=tag)


FAULTS = {
    "csp-not-implemented": with_header("content-security-policy", None),
    "csp-implemented-with-no-unsafe": with_policy("default-src 'none'", "default-src 'self'"),
    "csp-implemented-with-unsafe-inline": with_policy("script-src 'self'", "script-src 'self' 'unsafe-inline'"),
    "csp-implemented-with-unsafe-eval": with_policy("script-src 'self'", "script-src 'self' 'unsafe-eval'"),
    "csp-implemented-with-insecure-scheme": with_policy("script-src 'self'", "script-src http://cdn.example"),
    "csp-implemented-with-insecure-scheme-in-passive-content-only": with_policy("img-src 'self'", "img-src http://x.y"),
    "csp-implemented-with-unsafe-inline-in-style-src-only": with_policy(
        "style-src 'self'", "style-src 'self' 'unsafe-inline'"
    ),
    "csp-header-invalid": with_policy("script-src 'self'", "script-src 'strict-dynamic'"),
    "cookies-without-secure-flag-but-protected-by-hsts": with_cookie("theme=1; samesite=lax"),
    "cookies-session-without-secure-flag-but-protected-by-hsts": with_cookie("session=1; httponly; samesite=lax"),
    "cookies-session-without-httponly-flag": with_cookie("session=1; secure; samesite=lax"),
    "cookies-anticsrf-without-samesite-flag": with_cookie("csrf=1; secure; httponly"),
    "cookies-samesite-flag-invalid": with_cookie("session=1; secure; httponly; samesite=any"),
    "cross-origin-resource-sharing-implemented-with-universal-access": replace(
        WHOLE,
        headers=WHOLE.headers
        | {"access-control-allow-origin": WHOLE.asked_from, "access-control-allow-credentials": "true"},
    ),
    "redirection-missing": replace(WHOLE, plain_location=""),
    "redirection-not-to-https": replace(WHOLE, plain_location="http://testserver/other/"),
    "redirection-off-host-from-http": replace(WHOLE, plain_location="https://elsewhere.example/"),
    "referrer-policy-not-implemented": with_header("referrer-policy", None),
    "referrer-policy-unsafe": with_header("referrer-policy", "unsafe-url"),
    "referrer-policy-header-invalid": with_header("referrer-policy", "nobody"),
    "hsts-not-implemented": with_header("strict-transport-security", None),
    "hsts-implemented-max-age-less-than-six-months": with_header("strict-transport-security", "max-age=3600"),
    "hsts-header-invalid": with_header("strict-transport-security", "forever"),
    "sri-not-implemented-but-external-scripts-loaded-securely": with_script("<script src='https://cdn.example/a.js'>"),
    "sri-not-implemented-and-external-scripts-not-loaded-securely": with_script("<script src='//cdn.example/a.js'>"),
    "x-content-type-options-not-implemented": with_header("x-content-type-options", None),
    "x-content-type-options-header-invalid": with_header("x-content-type-options", "sniff"),
    "x-frame-options-sameorigin-or-deny": with_policy("; frame-ancestors 'none'", ""),
    "cross-origin-resource-policy-not-implemented": with_header("cross-origin-resource-policy", None),
    "cross-origin-resource-policy-implemented-with-cross-origin": with_header(
        "cross-origin-resource-policy", "cross-origin"
    ),
    "cross-origin-resource-policy-header-invalid": with_header("cross-origin-resource-policy", "nobody"),
}


def test_answer_without_fault_scores_what_the_observatory_gives():
    assert score(WHOLE) == 130


def test_planted_fault_is_found_and_lowers_the_score():
    with Cases() as case:
        for result in FAULTS:
            with case(result):
                faulty = FAULTS[result]

                assert result in results(faulty)
                assert score(faulty) < score(WHOLE)


def test_frames_allowed_by_both_headers_lower_the_score():
    framed = with_policy("; frame-ancestors 'none'", "")
    del framed.headers["x-frame-options"]

    assert "x-frame-options-not-implemented" in results(framed)
    assert score(framed) == 80


def test_bonus_does_not_offset_more_than_ten_lost_points():
    assert MODIFIERS["hsts-not-implemented"] == -20
    assert score(FAULTS["hsts-not-implemented"]) == 80
    assert score(FAULTS["hsts-implemented-max-age-less-than-six-months"]) == 120
