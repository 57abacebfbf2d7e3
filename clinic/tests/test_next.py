"""Redirects after login, forms and logout, and the host and scheme of a request."""

from urllib.parse import quote, urlsplit

import pytest
from django.test import Client, RequestFactory

from appointments.tests.factories import AppointmentFactory
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases
from clinic.web.return_url import return_url

pytestmark = pytest.mark.usefixtures("db", "now")

PASSWORD = "demo-clinic-2026"
TRICKS = [
    "https://evil.example/",
    "http://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "////evil.example",
    "/\\evil.example/",
    "\\\\evil.example/",
    "\\/evil.example/",
    "/\t/evil.example/",
    "/\n/evil.example/",
    "\t//evil.example/",
    " //evil.example/",
    "\x00//evil.example/",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "ftp://evil.example/",
    "http://testserver@evil.example/",
    "http://testserver.evil.example/",
    "https://evil.example\\@testserver/",
    "http://testserver:80@evil.example/",
    "//evil。example/",
    "/／evil.example/",
    "／／evil.example/",
    "https://еvil.example/",
    "%2f%2fevil.example/",
    "//%65vil.example/",
    "http://[::1]@evil.example/",
    "http://[evil.example/",
    "?next=//evil.example/",
    "evil.example",
    "x" * 5000,
]


def assert_stays(location):
    """Assert that a browser following this URL stays on the portal; browsers ignore tabs and line breaks."""
    seen = "".join(char for char in location if char not in "\t\r\n").strip().replace("\\", "/")
    parts = urlsplit(seen)
    assert parts.scheme in {"", "http"}
    assert parts.netloc in {"", "testserver"}
    assert not seen.startswith("//")
    assert not any(char in location for char in "\r\n")


def test_login_never_redirects_to_another_host(receptionist):
    with Cases() as case:
        for target in TRICKS:
            with case(target):
                sent = {"username": "reception", "password": PASSWORD, "next": target}

                response = Client().post(f"/accounts/login/?next={quote(target)}", sent)

                if response.status_code == 302:
                    assert_stays(response["Location"])


def test_login_page_never_redirects_signed_in_user_to_another_host(at_desk):
    with Cases(client=at_desk) as case:
        for target in TRICKS:
            with case(target):
                response = at_desk.get(f"/accounts/login/?next={quote(target)}")

                if response.status_code == 302:
                    assert_stays(response["Location"])


def test_login_form_sent_twice_never_redirects_to_another_host(receptionist):
    with Cases() as case:
        for target in TRICKS:
            with case(target):
                client = Client(enforce_csrf_checks=True)
                client.force_login(receptionist)

                response = client.post(
                    "/accounts/login/", {"username": "reception", "password": PASSWORD, "next": target}
                )

                assert response["Location"] == "/"


def test_logout_never_redirects_to_another_host(at_desk):
    with Cases(client=at_desk) as case:
        for target in TRICKS:
            with case(target):
                response = at_desk.post(f"/accounts/logout/?next={quote(target)}", {"next": target})

                assert response.status_code == 302
                assert_stays(response["Location"])


def test_button_never_redirects_to_another_host(at_desk):
    with Cases(client=at_desk) as case:
        for target in TRICKS:
            with case(target):
                appointment = AppointmentFactory()

                response = at_desk.post(
                    f"/appointments/{appointment.pk}/arrive/", {"version": appointment.version, "next": target}
                )

                assert_stays(response["Location"])
                assert urlsplit(response["Location"]).path != target or target.startswith("/")


def test_admin_login_never_redirects_to_another_host(in_admin):
    with Cases(client=in_admin) as case:
        for target in TRICKS:
            with case(target):
                assert_stays(in_admin.get(f"/admin/login/?next={quote(target)}")["Location"])
                assert_stays(Client().get(f"/admin/login/?next={quote(target)}")["Location"])


def test_next_url_of_the_portal_is_followed():
    with Cases() as case:
        for target in ["/patients/", "/schedule/2026-11-24/?layout=list", "/appointments/7/"]:
            with case(target):
                assert return_url(RequestFactory().post("/", {"next": target}), "/other/") == target
                assert return_url(RequestFactory().get("/", {"next": target}), "/other/") == target


def test_return_url_is_never_on_another_host():
    with Cases() as case:
        for target in TRICKS:
            with case(target):
                request = RequestFactory().post("/?next=/patients/", {"next": target})

                assert_stays(return_url(request, "/other/"))
                assert_stays(return_url(RequestFactory().get("/", {"next": target}), "/other/"))


def test_next_in_the_form_wins_over_the_address():
    request = RequestFactory().post("/?next=/patients/", {"next": "/doctors/"})

    assert return_url(request, "/other/") == "/doctors/"


def test_anonymous_user_is_never_redirected_to_another_host(client):
    response = client.get("//evil.example/patients/")

    assert response.status_code in {302, 404}
    if response.status_code == 302:
        assert_stays(response["Location"])


# The host and the scheme


def test_host_is_only_taken_from_the_host_header(client, administrator):
    with Cases(client=client) as case:
        for header in ["X-Forwarded-Host", "X-Host", "X-Forwarded-Server", "Forwarded", "X-Original-Host"]:
            with case(header):
                client.force_login(administrator)

                response = client.get("/admin/r/1/1/", headers={header: "evil.example"})
                allowed = client.get("/doctors/", headers={header: "evil.example"})

                assert "evil.example" not in response.headers.get("Location", "")
                assert allowed.status_code == 200
                assert b"evil.example" not in allowed.content


def test_unknown_host_is_refused(client):
    assert client.get("/livez", headers={"Host": "testserver"}).status_code == 200
    assert client.get("/accounts/login/", headers={"Host": "evil.example"}).status_code == 400


def test_redirect_to_https_keeps_the_host(client, settings):
    settings.SECURE_SSL_REDIRECT = True

    response = client.get("/patients/", headers={"X-Forwarded-Host": "evil.example"})

    assert response["Location"] == "https://testserver/patients/"


@pytest.mark.parametrize(("trusted", "status"), [(None, 301), (("HTTP_X_FORWARDED_PROTO", "https"), 302)])
def test_scheme_is_taken_from_a_proxy_only_if_configured(client, settings, trusted, status):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = trusted

    response = client.get("/patients/", headers={"X-Forwarded-Proto": "https"})

    assert response.status_code == status


def test_other_headers_do_not_set_the_scheme(client, settings):
    with Cases(client=client) as case:
        for header in ["X-Forwarded-Ssl", "X-Forwarded-Protocol", "Front-End-Https", "X-Url-Scheme"]:
            with case(header):
                settings.SECURE_SSL_REDIRECT = True
                settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

                assert client.get("/patients/", headers={header: "on"}).status_code == 301


# Methods


def test_method_cannot_be_overridden(client, receptionist, patient):
    with Cases(client=client) as case:
        for header in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]:
            for method in ["DELETE", "PUT", "GET"]:
                with case(header, method):
                    client.force_login(receptionist)

                    response = client.get("/accounts/logout/", headers={header: "POST"})
                    posted = client.post(f"/patients/{patient.pk}/edit/", {"_method": method}, headers={header: method})

                    assert response.status_code == 405
                    assert posted.status_code == 200
                    assert posted.context["form"].errors  # processed as a form without fields


STOCK_DJANGO_WRITES = "/patients/new/"


def test_trace_without_csrf_token_writes_nothing():
    with Cases() as case:
        for method in ["TRACE", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "BREW"]:
            with case(method):
                client = Client(enforce_csrf_checks=True)
                client.force_login(UserFactory(role="Receptionist"))
                form = b"first_name=Ana&last_name=Silva&email=ana%40example.org"

                response = client.generic(
                    method, STOCK_DJANGO_WRITES, form, content_type="application/x-www-form-urlencoded"
                )

                assert response.status_code == 405
                assert sorted(response["Allow"].split(", ")) == ["GET", "HEAD", "POST"]
                assert b"Silva" not in response.content
