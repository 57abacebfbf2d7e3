"""Sessions: duration, end, the list of own sessions, and cookies."""

import datetime as dt
import re
import runpy
import string
from pathlib import Path
from unittest.mock import Mock

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.contrib.sessions.backends.base import UpdateError
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clinic.accounts.roles import MANAGER
from clinic.core.user_agent import UNKNOWN, browser_of
from clinic.models import AuditEntry, Event, Session, User
from clinic.sessions.models import SessionQuerySet
from clinic.sessions.store import SessionStore
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases, elements, fresh
from doctors.tests.factories import DoctorFactory
from patients.models import Patient

pytestmark = pytest.mark.usefixtures("db", "now")

PAGE = "/patients/"
LEFT, STAY, LIST = "/accounts/sessions/left/", "/accounts/stay/", "/accounts/sessions/"
VERSION = "/schedule/2026-11-24/version/"
PASSWORD = "demo-clinic-2026"
NEW_PASSWORD = "quartz lantern over marsh"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
)
MINUTE, HOUR = 60, 3600


def is_signed_in(client):
    return client.get(LEFT).status_code == 200


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def session_of(client):
    return Session.objects.get(pk=client.session.session_key)


# The idle limit


def test_session_lasts_just_until_the_idle_limit(at_desk, now):
    now.shift(15 * MINUTE - 1)

    assert is_signed_in(at_desk)


@pytest.mark.both_databases
def test_session_ends_at_the_idle_limit(at_desk, now):
    now.shift(15 * MINUTE)

    assert at_desk.get(PAGE)["Location"] == "/accounts/login/?next=/patients/"


def test_idle_limit_is_a_setting(at_desk, now, settings):
    settings.SESSION_IDLE_MINUTES = 5
    now.shift(5 * MINUTE)

    assert not is_signed_in(at_desk)


@pytest.mark.both_databases
def test_ended_session_is_empty(at_desk, now):
    at_desk.post(PAGE, {"query": "Maria Santos"})
    now.shift(15 * MINUTE)

    at_desk.get(PAGE)

    assert Session.objects.get().session_data == ""


def test_ended_session_cannot_be_restored(at_desk, now, settings):
    now.shift(15 * MINUTE)
    at_desk.get(PAGE)

    settings.SESSION_IDLE_MINUTES = 60

    assert not is_signed_in(at_desk)


def test_every_page_postpones_the_end(at_desk, now):
    for _page in range(4):
        now.shift(14 * MINUTE)
        assert at_desk.get(PAGE).status_code == 200


@pytest.mark.both_databases
def test_activity_is_recorded_once_a_minute(at_desk, now):
    seen = []
    for _page in range(3):
        now.shift(20)
        with CaptureQueriesContext(connection) as queries:
            at_desk.get(PAGE)
        seen.append(sum(query["sql"].startswith("UPDATE") for query in queries))

    assert seen == [0, 0, 1]


@pytest.mark.both_databases
def test_locked_activity_update_does_not_fail_the_page(at_desk, now, monkeypatch):
    now.shift(2 * MINUTE)
    monkeypatch.setattr(SessionQuerySet, "update", Mock(side_effect=OperationalError("database is locked")))

    assert at_desk.get(PAGE).status_code == 200


def test_background_requests_do_not_postpone_the_end(at_desk, now):
    table = [
        (VERSION, {}),
        (LEFT, {}),
        ("/schedule/2026-11-24/", {"HX-Request": "true", "X-Background": "1"}),
        ("/accounts/login/", {}),
        ("/livez", {}),
        ("/api/doctors", {}),
    ]
    with Cases(client=at_desk, now=now) as case:
        for url, headers in table:
            with case(url, headers):
                for _poll in range(14):
                    now.shift(MINUTE)
                    at_desk.get(url, headers=headers)
                assert is_signed_in(at_desk)

                now.shift(MINUTE)

                assert not is_signed_in(at_desk)


def test_livez_reads_no_session(at_desk, django_assert_num_queries):
    with django_assert_num_queries(0):
        at_desk.get("/livez")


# The absolute limit


def keep_busy(client, now, hours):
    for _ten_minutes in range(hours * 6):
        now.shift(10 * MINUTE)
        client.get(PAGE)
        client.post(PAGE, {"query": "Maria"})  # which saves the session


@pytest.mark.both_databases
def test_session_ends_twelve_hours_after_sign_in_despite_activity(at_desk, now):
    keep_busy(at_desk, now, 11)
    for _ten_minutes in range(5):
        now.shift(10 * MINUTE)
        at_desk.get(PAGE)
    now.shift(10 * MINUTE - 1)
    assert is_signed_in(at_desk)

    now.shift(1)

    assert not is_signed_in(at_desk)


def test_changed_password_does_not_extend_the_session(client, receptionist, now):
    client.force_login(receptionist)
    keep_busy(client, now, 11)
    client.post(
        "/accounts/password_change/",
        {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD},
    )
    assert is_signed_in(client)
    assert session_of(client).signed_in_at == dt.datetime(2026, 11, 24, 9, 0, tzinfo=dt.UTC)

    for _minutes in range(5):
        now.shift(12 * MINUTE)
        client.get("/accounts/password_change/")

    assert not is_signed_in(client)


# Effects at the next request


@pytest.mark.both_databases
def test_logout_deletes_the_session(at_desk):
    key = at_desk.cookies["session"].value

    response = at_desk.post("/accounts/logout/")

    assert not Session.objects.exists()
    assert response["Clear-Site-Data"] == '"cache"'
    at_desk.cookies["session"] = key
    assert not is_signed_in(at_desk)


def test_logout_of_the_admin_is_the_same(in_admin):
    response = in_admin.post("/admin/logout/")

    assert response["Location"] == "/accounts/login/"
    assert response["Clear-Site-Data"] == '"cache"'
    assert not Session.objects.exists()


def test_deactivated_user_is_logged_out_at_the_next_request(at_desk, receptionist):
    receptionist.is_active = False
    receptionist.save()

    assert not is_signed_in(at_desk)


@pytest.mark.parametrize("is_saved", [True, False])
def test_reactivated_user_has_to_log_in_again(at_desk, receptionist, is_saved):
    key = at_desk.cookies["session"].value
    if is_saved:
        receptionist.is_active = False
        receptionist.save(update_fields=["is_active"])
    else:
        User.objects.filter(pk=receptionist.pk).update(is_active=False)
        is_signed_in(at_desk)

    receptionist.is_active = True
    receptionist.save()

    at_desk.cookies["session"] = key
    assert not is_signed_in(at_desk)


def test_administrator_who_deactivates_a_user_ends_their_sessions(administrator, receptionist):
    in_admin = signed_in(administrator)
    signed_in(receptionist)
    form = {"username": receptionist.username, "first_name": "", "last_name": "", "email": ""}

    in_admin.post(f"/admin/clinic/user/{receptionist.pk}/change/", form)

    assert not fresh(receptionist).is_active
    assert not Session.objects.filter(user=receptionist).exists()
    entry = AuditEntry.objects.filter(event=Event.SIGN_OUT).latest("pk")
    assert entry.additional_data["ended_by"] == "deactivation"


def test_changed_password_ends_the_other_sessions(receptionist):
    here, there = signed_in(receptionist), signed_in(receptionist)

    here.post(
        "/accounts/password_change/",
        {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD},
    )

    assert is_signed_in(here)
    assert not is_signed_in(there)


def test_password_set_by_an_administrator_ends_the_sessions(at_desk, receptionist):
    receptionist.set_password(NEW_PASSWORD)
    receptionist.save()

    assert not is_signed_in(at_desk)


def test_removed_role_gives_no_access_at_the_next_request(at_desk, receptionist):
    assert at_desk.get(PAGE).status_code == 200

    receptionist.groups.set([Group.objects.get(name=MANAGER)])

    assert at_desk.get(PAGE).status_code == 403


def test_token_has_no_session_to_end(api, now):
    DoctorFactory()

    for _day in range(3):
        now.shift(13 * HOUR)
        assert api.get("/doctors").status_code == 200

    assert not Session.objects.exists()


# Messages at the login


def reports_the_ended_session(client, **options):
    response = client.get("/accounts/login/?next=/patients/", **options)
    return "has ended" in response.content.decode()


def test_login_reports_an_expired_session_without_its_user(at_desk, receptionist, now):
    now.shift(15 * MINUTE)
    page = at_desk.get(at_desk.get(PAGE)["Location"]).content.decode()

    assert "has ended" in page
    assert receptionist.username not in page


def test_login_reports_no_expired_session_to_others_or_after_logout(client, at_desk, now):
    assert not reports_the_ended_session(client)

    at_desk.post("/accounts/logout/")

    assert not reports_the_ended_session(at_desk)


# How long is left


@pytest.mark.both_databases
def test_session_left_returns_seconds_and_user(at_desk, receptionist, now, django_assert_num_queries):
    now.shift(10 * MINUTE)

    with django_assert_num_queries(1):
        response = at_desk.get(LEFT)

    assert response.json() == {"seconds": 5 * MINUTE, "can_stay": True, "user": receptionist.pk}


def test_page_has_the_remaining_session_time(at_desk, now):
    now.shift(10 * MINUTE)

    (dialog,) = [attrs for tag, attrs in elements(at_desk.get(PAGE)) if attrs.get("id") == "session"]

    assert dialog["data-seconds"] == "900"


def test_every_kind_of_page_warns(in_admin):
    with Cases(client=in_admin) as case:
        for url in ["/admin/", "/schedule/2026-11-24/print/", "/accounts/sessions/"]:
            with case(url):
                found = elements(in_admin.get(url))

                assert [tag for tag, attrs in found if attrs.get("id") == "session"] == ["dialog"]
                assert any(attrs.get("src") == "/static/js/session.js" for _tag, attrs in found)


def test_anonymous_user_is_not_warned(client):
    assert b"session.js" not in client.get("/accounts/login/").content


def test_staying_postpones_the_end_at_once(at_desk, now):
    now.shift(30)
    at_desk.post(STAY)
    now.shift(15 * MINUTE - 1)

    assert is_signed_in(at_desk)


def test_staying_counts_from_the_last_activity(at_desk, now):
    now.shift(10 * MINUTE)

    response = at_desk.post(STAY, {"ago": "120"})

    assert response.json()["seconds"] == 13 * MINUTE


def test_staying_ignores_invalid_input(at_desk, now):
    with Cases(client=at_desk, now=now) as case:
        for ago, seconds in [("700", 5 * MINUTE), ("9" * 18, 5 * MINUTE), ("-5", 15 * MINUTE), ("much", 15 * MINUTE)]:
            with case(ago, seconds):
                now.shift(10 * MINUTE)

                assert at_desk.post(STAY, {"ago": ago}).json()["seconds"] == seconds


def test_staying_never_shortens_the_session(at_desk, now):
    now.shift(MINUTE)
    at_desk.get(PAGE)

    assert at_desk.post(STAY, {"ago": "300"}).json()["seconds"] == 15 * MINUTE


def test_session_limit_cannot_be_postponed(at_desk, now):
    keep_busy(at_desk, now, 11)
    for _minutes in range(5):
        now.shift(10 * MINUTE)
        at_desk.get(PAGE)

    data = at_desk.post(STAY).json()

    assert (data["seconds"], data["can_stay"]) == (10 * MINUTE, False)


def test_staying_needs_a_session(client, now, receptionist):
    client.force_login(receptionist)
    now.shift(15 * MINUTE)

    assert client.post(STAY)["Location"].startswith("/accounts/login/")


# The table


@pytest.mark.both_databases
def test_login_time_is_recorded(client, receptionist):
    client.post(
        "/accounts/login/",
        {"username": "reception", "password": PASSWORD},
        headers={"User-Agent": CHROME},
        REMOTE_ADDR="10.1.2.3",
    )

    session = Session.objects.get()
    assert session.user == receptionist
    assert session.signed_in_at == session.last_seen_at == dt.datetime(2026, 11, 24, 9, 0, tzinfo=dt.UTC)
    assert session.expire_date == dt.datetime(2026, 11, 24, 21, 0, tzinfo=dt.UTC)
    assert (session.address, session.browser) == ("10.1.2.3", "Chrome on Windows")


@pytest.mark.both_databases
def test_saving_a_session_keeps_its_last_activity(at_desk, now):
    store = SessionStore(at_desk.session.session_key)
    store["patient_query"] = "Maria"
    now.shift(10 * MINUTE)

    store.save()

    assert Session.objects.get().last_seen_at == dt.datetime(2026, 11, 24, 9, 0, tzinfo=dt.UTC)


@pytest.mark.both_databases
def test_session_ended_during_a_request_is_not_recreated(at_desk, monkeypatch):
    def end_during_request(request, permissions):
        Session.objects.all().delete()
        return True

    monkeypatch.setattr("clinic.web.middleware.is_open_to", end_during_request)

    assert at_desk.post(PAGE, {"query": "Maria"}).status_code == 400
    assert not Session.objects.exists()


@pytest.mark.both_databases
def test_data_for_an_ended_session_starts_a_new_one(at_desk, now):
    old = at_desk.session.session_key
    now.shift(15 * MINUTE)
    store = SessionStore(old)

    store["step"] = 2
    store.save()

    assert store.session_key != old
    assert SessionStore(store.session_key)["step"] == 2
    assert SessionStore(store.session_key).get("_auth_user_id") is None


def test_session_key_is_random_and_in_the_database(receptionist):
    keys = {signed_in(receptionist).cookies["session"].value for _ in range(20)}

    assert len(keys) == 20
    assert all(re.fullmatch("[a-z0-9]{32}", key) for key in keys)
    assert {character for key in keys for character in key} == {*string.ascii_lowercase, *string.digits}
    assert Session.objects.filter(pk__in=keys, user=receptionist).count() == 20


def test_session_key_chosen_by_the_client_is_not_used():
    store = SessionStore("chosen-by-somebody-else")

    store["step"] = 1
    store.save()

    assert Session.objects.get().pk != "chosen-by-somebody-else"


@pytest.mark.both_databases
def test_signing_in_again_uses_a_new_key_and_empty_session(at_desk, receptionist, now):
    old = at_desk.session.session_key
    now.shift(15 * MINUTE)
    at_desk.get(PAGE)

    at_desk.post("/accounts/login/", {"username": "reception", "password": PASSWORD})

    assert [session.pk for session in Session.objects.all()] == [at_desk.session.session_key] != [old]


def test_async_engine_keeps_the_limits(at_desk, now):
    key = at_desk.session.session_key
    assert async_to_sync(SessionStore(key).aget)("_auth_user_id")
    now.shift(15 * MINUTE)

    assert async_to_sync(SessionStore(key).aget)("_auth_user_id") is None


def test_session_saved_asynchronously_records_its_user(receptionist):
    store = SessionStore()
    store["_auth_user_id"] = str(receptionist.pk)

    async_to_sync(store.asave)()

    assert Session.objects.get().user == receptionist


@pytest.mark.both_databases
def test_changed_session_is_saved_in_one_statement(at_desk):
    store = SessionStore(at_desk.session.session_key)
    store["theme"] = "dark"

    with CaptureQueriesContext(connection) as queries:
        store.save()

    assert [query["sql"].split()[0] for query in queries] == ["UPDATE"]
    assert SessionStore(store.session_key)["theme"] == "dark"


@pytest.mark.both_databases
def test_session_deleted_meanwhile_is_not_saved_again(at_desk):
    store = SessionStore(at_desk.session.session_key)
    store["theme"] = "dark"
    Session.objects.all().delete()

    with pytest.raises(UpdateError):
        store.save()

    assert not Session.objects.exists()


@pytest.mark.both_databases
@pytest.mark.parametrize("clear", ["clearsessions", "sign in"])
def test_ended_sessions_are_emptied_and_then_deleted(at_desk, receptionist, now, clear):
    def do_clear():
        call_command("clearsessions") if clear == "clearsessions" else signed_in(UserFactory())
        return list(Session.objects.filter(user=receptionist).values_list("session_data", flat=True))

    now.shift(15 * MINUTE - 1)
    (data,) = do_clear()
    assert data
    now.shift(1)
    assert do_clear() == [""]
    now.shift(HOUR)
    assert do_clear() == []


def test_anonymous_session_ends_too(now):
    store = SessionStore()
    store["step"] = 1
    store.save()
    now.shift(15 * MINUTE)

    assert SessionStore(store.session_key).get("step") is None


# The list of one's own


@pytest.fixture
def elsewhere(receptionist):
    """The same receptionist in another browser."""
    client = Client()
    client.post("/accounts/login/", {"username": "reception", "password": PASSWORD}, headers={"User-Agent": CHROME})
    return client


def test_list_shows_only_own_sessions(at_desk, elsewhere, manager):
    signed_in(manager)

    response = at_desk.get(LIST)

    assert {session.pk for session in response.context["sessions"]} == {
        at_desk.session.session_key,
        elsewhere.session.session_key,
    }
    assert "Chrome on Windows" in response.content.decode()


def test_list_omits_ended_sessions(at_desk, elsewhere, now):
    now.shift(10 * MINUTE)
    at_desk.get(PAGE)
    now.shift(6 * MINUTE)

    assert [session.pk for session in at_desk.get(LIST).context["sessions"]] == [at_desk.session.session_key]


def test_page_contains_no_session_key(at_desk, elsewhere):
    page = at_desk.get(LIST).content.decode()

    assert at_desk.session.session_key not in page
    assert elsewhere.session.session_key not in page


@pytest.mark.both_databases
@pytest.mark.parametrize("count", [3, 30])
def test_list_makes_two_queries(at_desk, receptionist, django_assert_num_queries, count):
    for _session in range(count):
        signed_in(receptionist)

    with django_assert_num_queries(2):
        response = at_desk.get(LIST)

    assert len(response.context["sessions"]) == count + 1


def test_session_elsewhere_is_ended_with_a_line_in_the_audit_trail(at_desk, elsewhere, receptionist):
    handle = session_of(elsewhere).handle

    response = at_desk.post(f"/accounts/sessions/{handle}/end/")

    assert response["Location"] == LIST
    assert not is_signed_in(elsewhere)
    assert is_signed_in(at_desk)
    entry = AuditEntry.objects.get(event=Event.SIGN_OUT)
    assert (entry.actor, entry.object_id) == (receptionist, receptionist.pk)


def test_ending_the_current_session_logs_out(at_desk):
    response = at_desk.post(f"/accounts/sessions/{session_of(at_desk).handle}/end/")

    assert response["Location"] == "/accounts/login/"
    assert not is_signed_in(at_desk)


def test_current_session_logs_out_without_confirmation(at_desk, elsewhere, now):
    now.shift(11 * MINUTE)
    forms = [attrs["action"] for tag, attrs in elements(at_desk.get(LIST)) if tag == "form" and "action" in attrs]

    assert f"/accounts/sessions/{session_of(elsewhere).handle}/end/" in forms
    assert f"/accounts/sessions/{session_of(at_desk).handle}/end/" not in forms
    assert forms.count("/accounts/logout/") == 3  # the menu, the warning and the list


def test_session_of_another_user_is_not_found(at_desk, manager):
    theirs = signed_in(manager)

    response = at_desk.post(f"/accounts/sessions/{session_of(theirs).handle}/end/")

    assert response.status_code == 404
    assert is_signed_in(theirs)


def test_session_cannot_be_addressed_by_its_key(at_desk, elsewhere):
    response = at_desk.post(f"/accounts/sessions/{elsewhere.session.session_key}/end/")

    assert response.status_code == 404
    assert is_signed_in(elsewhere)


@pytest.mark.both_databases
def test_ending_all_others_keeps_the_current_one_and_other_users(at_desk, elsewhere, receptionist, manager):
    third, theirs = signed_in(receptionist), signed_in(manager)

    at_desk.post("/accounts/sessions/end-others/")

    assert [is_signed_in(client) for client in (at_desk, elsewhere, third, theirs)] == [True, False, False, True]
    assert AuditEntry.objects.get(event=Event.SIGN_OUT).additional_data == {"ended_by": "user", "sessions": 2}


def test_listing_sessions_neither_ends_nor_postpones_them(at_desk, elsewhere):
    with Cases(client=at_desk) as case:
        for url in ["/accounts/sessions/x/end/", "/accounts/sessions/end-others/", STAY]:
            with case(url):
                assert at_desk.get(url).status_code == 405
                assert is_signed_in(elsewhere)


# The admin


def end_all(client, *users):
    data = {"action": "end_sessions", "_selected_action": [user.pk for user in users]}
    return client.post("/admin/clinic/user/", data)


def test_administrator_ends_all_sessions_of_a_user(in_admin, elsewhere, receptionist, administrator, manager):
    at_desk, theirs = signed_in(receptionist), signed_in(manager)

    end_all(in_admin, receptionist)

    assert [is_signed_in(client) for client in (at_desk, elsewhere, theirs)] == [False, False, True]
    entry = AuditEntry.objects.get(event=Event.SIGN_OUT)
    assert (entry.actor, entry.object_id) == (administrator, receptionist.pk)
    assert entry.additional_data == {"ended_by": "administrator", "sessions": 2}


def test_administrator_stays_logged_in_after_ending_own_sessions(in_admin, administrator):
    other = signed_in(administrator)

    response = end_all(in_admin, administrator)

    assert response.status_code == 302
    assert is_signed_in(in_admin)
    assert not is_signed_in(other)


def test_receptionist_ends_no_sessions_of_others(at_desk, manager):
    theirs = signed_in(manager)

    assert end_all(at_desk, manager).status_code == 403
    assert is_signed_in(theirs)


# User agents


def test_browser_has_a_short_name():
    table = [
        (CHROME, "Chrome on Windows"),
        (CHROME + " Edg/130.0.0.0", "Edge on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1 Version/18.0 Safari/605.1",
            "Safari on Mac",
        ),
        ("Firefox/1", "Firefox"),
        ("curl/8.0", UNKNOWN),
        ("<script>alert(1)</script>", UNKNOWN),
        ("", UNKNOWN),
    ]
    with Cases() as case:
        for user_agent, name in table:
            with case(user_agent, name):
                assert browser_of(user_agent) == name


# Cookies


def settings_with(monkeypatch, **environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(Path(__file__).parent.parent / "settings.py"))


def test_cookies_of_https_are_of_this_host_alone(monkeypatch):
    values = settings_with(monkeypatch, DEBUG="off", USE_HTTPS="on")

    assert (values["SESSION_COOKIE_NAME"], values["CSRF_COOKIE_NAME"]) == ("__Host-session", "__Host-csrf")
    assert (values["DEVICE_COOKIE_NAME"], values["VIEW_COOKIE_NAME"]) == ("__Host-device", "__Host-view")
    for kind in ("SESSION", "CSRF"):
        assert values[f"{kind}_COOKIE_SECURE"]
        assert values[f"{kind}_COOKIE_HTTPONLY"]
        # With the prefix, a browser takes none with a domain or another path.
        assert values.get(f"{kind}_COOKIE_DOMAIN") is None
        assert values.get(f"{kind}_COOKIE_PATH", "/") == "/"
    assert values["CSRF_COOKIE_SAMESITE"] == "Lax"


def test_cookies_without_https_have_plain_names(monkeypatch):
    values = settings_with(monkeypatch, DEBUG="on", USE_HTTPS="off")

    assert (values["SESSION_COOKIE_NAME"], values["CSRF_COOKIE_NAME"]) == ("session", "csrf")


def test_cookies_as_they_are_set(client, receptionist, settings):
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    client.get("/accounts/login/", secure=True)
    client.post("/accounts/login/", {"username": "reception", "password": PASSWORD}, secure=True)

    for name, samesite in (("__Host-session", "Lax"), ("__Host-csrf", "Lax")):
        cookie = client.cookies[name]
        assert cookie["secure"]
        assert cookie["httponly"]
        assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", samesite)


@pytest.mark.parametrize("name", ["session", "csrf"])
def test_cookies_end_with_the_browser(client, receptionist, name):
    client.post("/accounts/login/", {"username": "reception", "password": PASSWORD})

    assert (client.cookies[name]["max-age"], client.cookies[name]["expires"]) == ("", "")


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_session_that_the_database_cannot_write_is_503(at_desk):
    def fail(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and Session._meta.db_table in sql:
            raise OperationalError(2013, "Lost connection")
        return execute(sql, params, many, context)

    at_desk.raise_request_exception = False
    form = {"first_name": "Ana", "last_name": "Silva", "email": "ana@example.org"}

    with connection.execute_wrapper(fail):
        response = at_desk.post("/patients/new/", form)  # “Ana Silva is registered” is written to the session

    assert Patient.objects.filter(email="ana@example.org").exists()
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
