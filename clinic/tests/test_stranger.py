"""What somebody hears who is not signed in, and is not on this machine."""

import pytest
from django.contrib.auth import get_user
from django.test import Client

from clinic.models import ApiToken, User
from clinic.tests.api_client import token_of
from clinic.tests.kit import close
from clinic.tests.test_access import TABLE, outcome, walk  # noqa: F401 -- a fixture
from patients.models import Patient

pytestmark = pytest.mark.usefixtures("db", "now")

FAR = "192.0.2.7"
LIVEZ = "livez"
LOGINS = {"registration/login.html", "accounts/login_late.html"}
# A calendar program has no login: who knows the address is no stranger to it.
BY_KEY = "appointments:calendar_feed"
# Not pages of anybody, and what the login page is made with; see docs/security.md.
FEED_OF_NOBODY = "/calendar/" + "A" * 43 + ".ics"


def ask(address, method="GET", *, remote=FAR, **sent):
    return Client(raise_request_exception=False).generic(method, address, REMOTE_ADDR=remote, **sent)


def kind_of(response):
    """Return what an answer is to a stranger: a word, a login, 401, 404, or what it should not be."""
    if response.status_code == 200 and LOGINS & {each.name for each in response.templates}:
        return "a login"
    if outcome(response) == "to the login" or response.headers.get("Location") == "/accounts/login/":
        return "a login"
    return str(response.status_code)


def test_stranger_gets_from_livez_one_word():
    response = ask("/livez")

    assert (response.status_code, response.content) == (200, b"ok")
    assert response["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_stranger_gets_from_all_else_a_login_a_401_or_a_404(walk, method):  # noqa: F811 -- the fixture above
    heard = {
        name: kind_of(ask(address.format(**walk.ids), method))
        for name, (address, _row) in TABLE.items()
        if name not in {LIVEZ, BY_KEY}
    }

    allowed = {"a login", "401", "404"} | ({"405"} if method == "HEAD" else set())
    # HEAD of what is below the API's address, where nobody needs it: nothing is said but that.
    assert {name: said for name, said in heard.items() if said not in allowed} == {}


@pytest.mark.parametrize(
    "address", [FEED_OF_NOBODY, "/nowhere/", "/admin/nowhere/", "/.env", "/.git/config", "/staticfiles/", "/media/"]
)
def test_stranger_finds_nothing_elsewhere(address):
    assert kind_of(ask(address)) in {"a login", "404"}


def test_stranger_gets_static_files_which_the_login_page_is_made_of(settings):
    settings.WHITENOISE_USE_FINDERS = True

    response = ask("/static/css/portal.css")
    close(response)

    assert response.status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_stranger_changes_nothing_by_any_method(walk, method):  # noqa: F811 -- the fixture above
    before = (Patient.objects.count(), User.objects.count(), ApiToken.objects.count())

    heard = {
        name: kind_of(ask(address.format(**walk.ids), method, data=b"x=1"))
        for name, (address, _row) in TABLE.items()
        if name != "login"
    }

    assert set(heard.values()) <= {"a login", "401", "404", "405"}
    assert (Patient.objects.count(), User.objects.count(), ApiToken.objects.count()) == before


# Whether it is ready


@pytest.mark.parametrize(
    ("remote", "networks", "status"),
    [
        ("127.0.0.1", None, 200),
        ("::1", None, 200),
        (FAR, None, 404),
        ("10.20.30.40", None, 404),
        ("10.20.30.40", ["10.20.0.0/16"], 200),
        ("127.0.0.1", ["10.20.0.0/16"], 404),
        ("127.0.0.1", [], 404),
    ],
)
def test_readyz_answers_only_to_probes(settings, remote, networks, status):
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
def test_documentation_sends_a_stranger_to_the_login(address):
    response = ask(address)

    assert (response.status_code, response["Location"]) == (302, f"/accounts/login/?next={address}")


def test_description_tells_a_stranger_to_send_a_token():
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


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("GET", "/api/doctors"),
        ("GET", "/api/patients/{patient}"),
        ("POST", "/api/patients"),
        ("POST", "/api/patients/search"),
        ("GET", "/api/fhir/metadata"),
        ("GET", "/api/fhir/Patient/{patient}"),
        ("POST", "/api/docs"),
        ("POST", "/api/openapi.json"),
    ],
)
def test_session_opens_nothing_else_of_the_api(in_admin, patient, method, address):
    response = in_admin.generic(method, address.format(patient=patient.pk), "{}", content_type="application/json")

    assert get_user(in_admin).is_authenticated
    assert kind_of(response) == "a login"
