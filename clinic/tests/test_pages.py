"""Common to all pages: login and logout, error pages, headers, and nothing inline."""

import pytest
from django.contrib.auth import get_user
from django.db import InterfaceError, OperationalError
from django.test import Client

from appointments.tests.factories import AppointmentFactory
from clinic.accounts.roles import DOCTOR, MANAGER, RECEPTIONIST
from clinic.db.transactions import RETRY_AFTER_SECONDS
from clinic.models import User
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases, elements, markup
from clinic.web import error_pages
from doctors import views as doctor_views

pytestmark = pytest.mark.usefixtures("db", "now")

PASSWORD = "demo-clinic-2026"
NEW_PASSWORD = "blue-heron-4711"


def stylesheets(response):
    return [attrs["href"] for tag, attrs in elements(response) if tag == "link" and attrs["rel"] == "stylesheet"]


def error_codes(form, field):
    return {error.code for error in form.errors.as_data().get(field, [])}


# Login and logout


def test_login_goes_to_the_schedule(client, receptionist):
    response = client.post("/accounts/login/", {"username": "reception", "password": PASSWORD})

    assert response["Location"] == "/"
    assert get_user(client) == receptionist


def test_login_redirects_to_the_requested_page(client, receptionist):
    response = client.post(
        "/accounts/login/?next=/patients/", {"username": "reception", "password": PASSWORD, "next": "/patients/"}
    )

    assert response["Location"] == "/patients/"


def test_login_does_not_redirect_to_another_host(client, receptionist):
    with Cases(client=client) as case:
        for target in ["https://evil.example/", "//evil.example/", "javascript:alert(1)"]:
            with case(target):
                response = client.post(
                    f"/accounts/login/?next={target}", {"username": "reception", "password": PASSWORD, "next": target}
                )

                assert response["Location"] == "/"
                assert get_user(client) == receptionist


def test_login_with_a_wrong_password_is_refused_and_keeps_the_name(client, receptionist):
    response = client.post("/accounts/login/", {"username": "reception", "password": "wrong"})

    assert error_codes(response.context["form"], "__all__") == {"invalid_login"}
    inputs = {attrs["name"]: attrs for tag, attrs in elements(response) if tag == "input"}
    assert inputs["username"]["value"] == "reception"
    assert "value" not in inputs["password"]
    assert get_user(client).is_anonymous


def test_login_of_a_deactivated_user_is_refused(client, receptionist):
    receptionist.is_active = False
    receptionist.save()

    response = client.post("/accounts/login/", {"username": "reception", "password": PASSWORD})

    assert error_codes(response.context["form"], "__all__") == {"invalid_login"}
    assert get_user(client).is_anonymous


def test_login_page_redirects_signed_in_users(at_desk):
    response = at_desk.get("/accounts/login/")

    assert response["Location"] == "/"


def test_login_without_a_form_token_is_refused(receptionist):
    client = Client(enforce_csrf_checks=True)

    response = client.post("/accounts/login/", {"username": "reception", "password": PASSWORD})

    assert response.status_code == 403
    assert "403_csrf.html" in [template.name for template in response.templates]
    assert get_user(client).is_anonymous


def test_logout_goes_to_the_login(at_desk):
    response = at_desk.post("/accounts/logout/")

    assert response["Location"] == "/accounts/login/"
    assert get_user(at_desk).is_anonymous


def test_every_page_has_a_button_to_log_out(in_admin):
    with Cases(client=in_admin) as case:
        for url in ["/", "/patients/", "/patients/new/", "/doctors/", "/accounts/", "/audit/", "/admin/", "/nowhere/"]:
            with case(url):
                actions = [attrs.get("action") for tag, attrs in elements(in_admin.get(url)) if tag == "form"]

                # One is in the top bar, and one in the dialog before the session ends.
                assert actions.count("/accounts/logout/") == 2


def test_logout_by_get_is_refused(at_desk, receptionist):
    response = at_desk.get("/accounts/logout/")

    assert response.status_code == 405
    assert get_user(at_desk) == receptionist


# Change password


def new_password(**changes):
    return {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD} | changes


def test_password_is_changed(at_desk, receptionist):
    response = at_desk.post("/accounts/password_change/", new_password())

    assert response["Location"] == "/accounts/password_change/done/"
    assert User.objects.get(username="reception").check_password(NEW_PASSWORD)
    assert get_user(at_desk) == receptionist


def test_password_change_is_refused(at_desk):
    table = [
        ({"old_password": "wrong"}, "old_password", "password_incorrect"),
        ({"new_password2": "another-heron-4711"}, "new_password2", "password_mismatch"),
        ({"new_password1": "blue", "new_password2": "blue"}, "new_password2", "password_too_short"),
        (
            {"new_password1": "qwerty123456", "new_password2": "qwerty123456"},
            "new_password2",
            "password_too_common",
        ),
        ({"new_password1": "reception-1", "new_password2": "reception-1"}, "new_password2", "password_too_similar"),
    ]
    with Cases(client=at_desk) as case:
        for changes, field, code in table:
            with case(changes, field, code):
                response = at_desk.post("/accounts/password_change/", new_password(**changes))

                assert code in error_codes(response.context["form"], field)
                assert User.objects.get(username="reception").check_password(PASSWORD)


# Error pages


def broken(error):
    def view(*args, **kwargs):
        raise error

    return view


def assert_is_ours(response, status, heading):
    assert response.status_code == status
    assert f"<h1>{heading}</h1>" in markup(response)
    assert "/static/css/portal.css" in stylesheets(response)


def test_unknown_address_shows_our_page(client):
    assert_is_ours(client.get("/nowhere/"), 404, "Not found")


def test_unknown_record_shows_our_page(at_desk):
    assert_is_ours(at_desk.get("/patients/999/"), 404, "Not found")


def test_unknown_host_shows_our_page(client):
    assert_is_ours(client.get("/livez/", headers={"host": "evil.example"}), 400, "Bad request")


def test_page_of_another_role_shows_our_page(client, manager):
    client.force_login(manager)

    assert_is_ours(client.get("/patients/"), 403, "You don't have access to this page")


def test_internal_error_shows_our_page(at_desk, monkeypatch):
    at_desk.raise_request_exception = False
    monkeypatch.setattr(doctor_views, "render", broken(ZeroDivisionError("Maria Santos")))

    response = at_desk.get("/doctors/")

    assert_is_ours(response, 500, "Something went wrong")
    assert "Maria Santos" not in response.content.decode()
    assert not response.has_header("Retry-After")


@pytest.mark.parametrize("error", [OperationalError(2013, "Lost connection"), InterfaceError(0, "Maria Santos")])
def test_unavailable_database_shows_our_page_with_retry_after(at_desk, monkeypatch, error):
    at_desk.raise_request_exception = False
    monkeypatch.setattr(doctor_views, "render", broken(error))

    response = at_desk.get("/doctors/")

    assert_is_ours(response, 503, "The clinic's records are not available at the moment")
    assert response["Retry-After"] == str(RETRY_AFTER_SECONDS)
    assert "Maria Santos" not in response.content.decode()


def test_error_pages_need_no_database(at_desk, monkeypatch, django_assert_num_queries):
    request = at_desk.get("/doctors/").wsgi_request

    with django_assert_num_queries(0):
        response = error_pages.server_error(request)

    assert response.status_code == 500


# Headers


def test_headers_of_a_signed_in_page(at_desk):
    with Cases(client=at_desk) as case:
        for address in ["/", "/patients/", "/nowhere/", "/accounts/password_change/"]:
            with case(address):
                response = at_desk.get(address)

                assert response["X-Content-Type-Options"] == "nosniff"
                assert response["X-Frame-Options"] == "DENY"
                assert response["Referrer-Policy"] == "same-origin"
                assert "no-store" in response["Cache-Control"]
                assert "private" in response["Cache-Control"]


def test_headers_of_a_public_page(client):
    with Cases(client=client) as case:
        for address in ["/accounts/login/", "/livez", "/nowhere/"]:
            with case(address):
                response = client.get(address)

                assert response["X-Content-Type-Options"] == "nosniff"
                assert response["X-Frame-Options"] == "DENY"


def test_security_policy_allows_nothing_inline_and_no_other_host(at_desk):
    response = at_desk.get("/")

    policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy.pop("img-src") == "'self' data:"
    assert set(policy.values()) == {"'self'", "'none'"}
    assert "unsafe" not in response["Content-Security-Policy"]
    assert "http" not in response["Content-Security-Policy"]


def test_security_policy_holds_on_the_error_page(at_desk, monkeypatch):
    at_desk.raise_request_exception = False
    monkeypatch.setattr(doctor_views, "render", broken(ZeroDivisionError()))

    response = at_desk.get("/doctors/")

    assert response.status_code == 500
    assert "default-src 'none'" in response["Content-Security-Policy"]


def test_cookies_are_out_of_reach_of_scripts(client, receptionist):
    client.get("/accounts/login/")
    client.post("/accounts/login/", {"username": "reception", "password": PASSWORD})

    for name in ("session", "csrf"):
        assert client.cookies[name]["httponly"]
        assert client.cookies[name]["samesite"] in {"Lax", "Strict"}


# Nothing inline


def assert_nothing_inline(response):
    found = elements(response)
    inline = [
        (tag, name)
        for tag, attrs in found
        for name, value in attrs.items()
        if name == "style" or name.startswith("on") or (value or "").lower().startswith("javascript:")
    ]
    assert inline == []
    assert "style" not in [tag for tag, _attrs in found]
    assert [attrs for tag, attrs in found if tag == "script" and "src" not in attrs] == []
    loaded = [attrs.get("src") or attrs["href"] for tag, attrs in found if tag in {"script", "link", "img", "iframe"}]
    assert loaded
    assert [address for address in loaded if not address.startswith("/static/")] == []


@pytest.fixture
def appointment(receptionist):
    return AppointmentFactory(reason="Sore knee", booked_by=receptionist)


def test_page_has_nothing_inline(at_desk, appointment):
    table = [
        ("/", 200),
        ("/?date=nonsense", 302),
        ("/schedule/2026-11-24/?layout=list", 200),
        ("/schedule/2026-11-25/", 200),
        ("/appointments/book/?patient={patient}&doctor={doctor}&date=2026-11-25&time=10:00", 200),
        ("/appointments/{appointment}/", 200),
        ("/appointments/{appointment}/move/", 200),
        ("/appointments/{appointment}/cancel/", 200),
        ("/patients/", 200),
        ("/patients/new/", 200),
        ("/patients/{patient}/", 200),
        ("/patients/{patient}/edit/", 200),
        ("/doctors/", 200),
        ("/doctors/{doctor}/", 200),
        ("/accounts/password_change/", 200),
        ("/accounts/password_change/done/", 200),
        ("/admin/", 403),
        ("/nowhere/", 404),
    ]
    with Cases(client=at_desk) as case:
        for address, status in table:
            with case(address, status):
                address = address.format(
                    appointment=appointment.pk, patient=appointment.patient_id, doctor=appointment.doctor_id
                )

                response = at_desk.get(address)

                assert response.status_code == status
                if status != 302:
                    assert_nothing_inline(response)


def test_refused_form_has_nothing_inline(at_desk, appointment):
    table = [
        ("/appointments/book/", {"doctor": "", "date": "2026-02-30", "time": "x", "duration_minutes": "1"}),
        ("/appointments/book/", {"doctor": "{doctor}", "date": "2027-10-31", "time": "01:30"}),
        ("/appointments/{appointment}/move/", {"doctor": "", "date": "", "version": "1"}),
        ("/appointments/{appointment}/cancel/", {"cancelled_by": "", "version": "1"}),
        ("/appointments/{appointment}/cancel/", {"cancelled_by": "patient", "cancel_reason": "Ill", "version": "9"}),
        ("/patients/new/", {"first_name": "", "email": "x"}),
        ("/patients/{patient}/edit/", {"first_name": "", "date_of_birth": "x"}),
        ("/accounts/password_change/", {"old_password": "x"}),
    ]
    with Cases(client=at_desk) as case:
        for address, typed in table:
            with case(address, typed):
                ids = {
                    "appointment": appointment.pk,
                    "patient": appointment.patient_id,
                    "doctor": appointment.doctor_id,
                }

                response = at_desk.post(
                    address.format(**ids), {name: value.format(**ids) for name, value in typed.items()}
                )

                assert response.context["form"].errors
                assert_nothing_inline(response)


def test_search_result_has_nothing_inline(at_desk, appointment):
    with Cases(client=at_desk) as case:
        for query in ["santos", "nobody"]:
            for address in ["/patients/", "/appointments/book/"]:
                with case(address, query):
                    response = at_desk.post(address, {"find": "1", "query": query, "patient_query": query}, follow=True)

                    assert bool(response.context["found"]) is (query == "santos")
                    assert_nothing_inline(response)


def test_login_has_nothing_inline(client):
    assert_nothing_inline(client.get("/accounts/login/"))


@pytest.mark.parametrize("error", [ZeroDivisionError(), OperationalError(2013, "Lost connection")])
def test_error_page_has_nothing_inline(at_desk, monkeypatch, error):
    at_desk.raise_request_exception = False
    monkeypatch.setattr(doctor_views, "render", broken(error))

    assert_nothing_inline(at_desk.get("/doctors/"))


def test_password_fields_are_masked_and_known_to_password_managers(client, receptionist):
    pages = {
        "/accounts/login/": {"password": "current-password"},
        "/accounts/confirm/": {"password": "current-password"},
        "/accounts/password_change/": {
            "old_password": "current-password", "new_password1": "new-password", "new_password2": "new-password",
        },
    }  # fmt: skip
    for page, expected in pages.items():
        if page != "/accounts/login/":
            client.force_login(receptionist)

        fields = [
            attrs for tag, attrs in elements(client.get(page)) if tag == "input" and "password" in attrs.get("name", "")
        ]

        assert {field["name"]: field["autocomplete"] for field in fields} == expected, page
        assert {field["type"] for field in fields} == {"password"}, page


def test_page_shows_what_was_typed_as_text(at_desk, appointment):
    appointment.reason = "<script>alert(1)</script>"
    appointment.save()

    response = at_desk.get("/schedule/2026-11-24/")

    assert "<script>alert" not in response.content.decode()
    assert "&lt;script&gt;alert" in response.content.decode()


# Which keys there are


def test_keyboard_shortcuts_match_the_role(client):
    table = [
        (RECEPTIONIST, {"find a patient", "book", "move, cancel, edit the reason", "undo, tick in the list"}),
        (DOCTOR, {"undo, tick in the list"}),
        (MANAGER, set()),
    ]
    with Cases(client=client) as case:
        for role, expected in table:
            with case(role, expected):
                client.force_login(UserFactory(role=role))

                page = markup(client.get("/doctors/"))

                keys = {"find a patient", "book", "move, cancel, edit the reason", "undo, tick in the list"}
                assert {key for key in keys if f"<dd>{key}</dd>" in page} == expected


# Browser storage, and expired sessions


def test_message_naming_a_patient_is_stored_in_the_session_only(at_desk):
    response = at_desk.post(
        "/patients/new/", {"first_name": "Secret", "last_name": "Name", "email": "secret@example.org"}
    )
    at_desk.post("/accounts/logout/")

    assert "messages" not in response.cookies
    assert "Secret" not in at_desk.get("/accounts/login/").content.decode()


def test_anonymous_post_returns_to_the_schedule_after_login(client):
    response = client.post("/accounts/logout/")

    assert response["Location"] == "/accounts/login/?next=/"


def test_anonymous_htmx_request_redirects_the_whole_page_to_login(client):
    response = client.post("/appointments/book/", {"find": "1"}, headers={"HX-Request": "true"})

    assert response["HX-Redirect"] == "/accounts/login/?next=/&sent=lost"


@pytest.mark.parametrize("method", ["get", "post"])
def test_late_htmx_request_returns_to_its_page_after_login(client, method):
    page = "http://testserver/schedule/2026-11-24/?layout=list"

    response = getattr(client, method)("/appointments/book/", headers={"HX-Request": "true", "HX-Current-URL": page})

    sent = "&sent=lost" if method == "post" else ""
    assert response["HX-Redirect"] == f"/accounts/login/?next=/schedule/2026-11-24/%3Flayout%3Dlist{sent}"


def test_htmx_request_from_another_host_does_not_return_there(client):
    with Cases(client=client) as case:
        for page in ["http://evil.example/schedule/", "//evil.example/", "http://[bad", "", "\\evil"]:
            with case(page):
                headers = {"HX-Request": "true", "HX-Current-URL": page}

                response = client.get("/schedule/", headers=headers)

                assert response["HX-Redirect"] == "/accounts/login/?next=/"


def test_unsupported_method_shows_an_error_page(at_desk):
    response = at_desk.get("/accounts/logout/")

    assert response.status_code == 405
    assert "This page can't be used that way" in response.content.decode()


def test_user_without_a_role_sees_a_message(client, db):
    client.force_login(UserFactory())

    assert "You have no role yet" in client.get("/schedule/").content.decode()
