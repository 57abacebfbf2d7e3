"""Responses to anonymous remote users. URLs of the table are in the crawl."""

import pytest
from django.contrib.auth import get_user
from django.test import Client

from clinic.tests.api_client import token_of
from clinic.tests.crawl import FAR
from clinic.tests.crawl_checks import kind_of
from clinic.tests.kit import Cases, close

pytestmark = pytest.mark.usefixtures("db", "now")

# Without a login, and static files of the login page; see docs/security.md.
FEED_OF_NOBODY = "/calendar/" + "A" * 43 + ".ics"


def ask(address, method="GET", *, remote=FAR, **sent):
    return Client(raise_request_exception=False).generic(method, address, REMOTE_ADDR=remote, **sent)


def test_livez_answers_anonymous_users_with_one_word():
    response = ask("/livez")

    assert (response.status_code, response.content) == (200, b"ok")
    assert response["Content-Type"].startswith("text/plain")


def test_anonymous_users_find_nothing_elsewhere():
    files = ["/.env", "/.git/config", "/manage.py", "/clinic/settings.py", "/static/../manage.py"]
    folders = ["/static/", "/static/css/", "/staticfiles/", "/media/"]
    with Cases() as case:
        for address in [FEED_OF_NOBODY, "/nowhere/", "/admin/nowhere/", *files, *folders]:
            with case(address):
                assert kind_of(ask(address)) in {"a login", "404"}


def test_anonymous_users_get_static_files(settings):
    settings.WHITENOISE_USE_FINDERS = True

    response = ask("/static/css/portal.css")
    close(response)

    assert response.status_code == 200


# Whether it is ready


def test_readyz_answers_only_to_probes(settings):
    table = [
        ("127.0.0.1", None, 200),
        ("::1", None, 200),
        (FAR, None, 404),
        ("10.20.30.40", None, 404),
        ("10.20.30.40", ["10.20.0.0/16"], 200),
        ("127.0.0.1", ["10.20.0.0/16"], 404),
        ("127.0.0.1", [], 404),
    ]
    with Cases() as case:
        for remote, networks, status in table:
            with case(remote, networks, status):
                if networks is not None:
                    settings.READY_FROM = networks

                response = ask("/readyz", remote=remote)

                assert response.status_code == status


def test_readyz_is_not_opened_by_a_forged_header(settings):
    settings.BEHIND_PROXY = False
    assert ask("/readyz", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 404

    settings.BEHIND_PROXY = True
    forged = ask("/readyz", headers={"X-Forwarded-For": f"127.0.0.1, {FAR}"}, remote="127.0.0.1")
    assert forged.status_code == 404


# The documentation of the API


@pytest.mark.parametrize("address", ["/api/docs", "/api/"])
def test_documentation_redirects_anonymous_users_to_login(address):
    response = ask(address)

    assert (response.status_code, response["Location"]) == (302, f"/accounts/login/?next={address}")


def test_description_asks_anonymous_callers_for_a_token():
    response = ask("/api/openapi.json")

    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")


def test_session_is_enough_to_read_the_documentation(at_desk):
    assert at_desk.get("/api/docs").status_code == 200
    assert at_desk.get("/api/openapi.json").json()["openapi"]
    assert at_desk.get("/api/")["Location"] == "/api/docs"


def test_token_is_enough_to_read_the_documentation(receptionist):
    headers = {"Authorization": f"Bearer {token_of(receptionist)}"}

    assert ask("/api/docs", headers=headers).status_code == 200
    assert ask("/api/openapi.json", headers=headers).json()["openapi"]


def test_session_gives_no_other_api_access(in_admin, patient):
    table = [
        ("GET", "/api/doctors"),
        ("GET", "/api/patients/{patient}"),
        ("POST", "/api/patients"),
        ("POST", "/api/patients/search"),
        ("GET", "/api/fhir/metadata"),
        ("GET", "/api/fhir/Patient/{patient}"),
        ("POST", "/api/docs"),
        ("POST", "/api/openapi.json"),
    ]
    with Cases(client=in_admin) as case:
        for method, address in table:
            with case(method, address):
                response = in_admin.generic(
                    method, address.format(patient=patient.pk), "{}", content_type="application/json"
                )

                assert get_user(in_admin).is_authenticated
                assert kind_of(response) == "a login"
