"""Login: guessing is locked out, and reveals nothing."""

import datetime as dt
import logging

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import get_user
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from clinic.accounts import lockout
from clinic.accounts.lockout import MAX_FOR_USER, MAX_FROM_ADDRESS
from clinic.models import AuditEntry, Event
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases
from clinic.tests.whole_database import places_of

pytestmark = pytest.mark.usefixtures("db", "now")

PASSWORD = "demo-clinic-2026"
MAX_FROM_ONE_FOR_ONE = 5
COOL_OFF = dt.timedelta(minutes=15)


def sign_in(username="reception", password="wrong", address="10.0.0.1", client=None, **headers):
    client = client or Client()
    sent = {"username": username, "password": password}
    return client.post("/accounts/login/", sent, headers=headers, REMOTE_ADDR=address)


def error_codes(response):
    return [error.code for error in response.context["form"].non_field_errors().as_data()]


def can_log_in(**options):
    client = Client()
    return sign_in(password=PASSWORD, client=client, **options).status_code == 302 and get_user(client).is_authenticated


@pytest.fixture
def hashes(monkeypatch):
    """The number of password hashes, which determines the time of a login."""
    runs = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *args: runs.append(1) or encode(*args))
    return runs


# Lockouts


@pytest.mark.both_databases
def test_only_5_of_30_wrong_passwords_are_checked(receptionist, hashes):
    statuses = [sign_in(password=f"guess {number}").status_code for number in range(30)]

    assert statuses == [200] * (MAX_FROM_ONE_FOR_ONE - 1) + [429] * 26
    assert len(hashes) == MAX_FROM_ONE_FOR_ONE


def test_locked_out_user_cannot_log_in_with_the_right_password(receptionist):
    for _ in range(MAX_FROM_ONE_FOR_ONE):
        sign_in()

    response = sign_in(password=PASSWORD)

    assert response.status_code == 429
    assert response["Retry-After"] == "900"
    assert error_codes(response) == ["locked"]
    assert response.templates[0].name == "registration/login.html"


def test_forged_forwarding_addresses_do_not_multiply_the_tries(receptionist):
    statuses = [sign_in(**{"x-forwarded-for": f"203.0.113.{number}"}).status_code for number in range(30)]

    assert statuses.count(200) == MAX_FROM_ONE_FOR_ONE - 1


def test_behind_a_proxy_the_address_that_it_has_added_counts(receptionist, settings):
    settings.BEHIND_PROXY = True

    for number in range(30):
        sign_in(**{"x-forwarded-for": f"203.0.113.{number}, 198.51.100.7"})

    assert not can_log_in(**{"x-forwarded-for": "198.51.100.7"})
    assert AccessAttempt.objects.values_list("ip_address", flat=True).distinct().get() == "198.51.100.7"
    assert can_log_in(**{"x-forwarded-for": "198.51.100.8"})


def test_other_user_at_the_same_address_can_log_in(receptionist, manager):
    for _ in range(MAX_FROM_ONE_FOR_ONE):
        sign_in()

    assert can_log_in(username="manager")


def test_one_user_from_many_addresses_is_locked_out(receptionist):
    for number in range(MAX_FOR_USER):
        assert sign_in(address=f"10.0.1.{number}").status_code == (429 if number == MAX_FOR_USER - 1 else 200)

    assert not can_log_in(address="10.0.2.1")


def test_one_try_fewer_from_many_addresses_is_not(receptionist):
    for number in range(MAX_FOR_USER - 1):
        sign_in(address=f"10.0.1.{number}")

    assert can_log_in(address="10.0.2.1")


def test_one_address_with_many_users_is_locked_out(receptionist):
    for number in range(MAX_FROM_ADDRESS):
        sign_in(username=f"somebody{number}")

    assert not can_log_in()
    assert can_log_in(address="10.0.0.2")


def test_one_try_fewer_with_many_users_is_not(receptionist):
    for number in range(MAX_FROM_ADDRESS - 1):
        sign_in(username=f"somebody{number}")

    assert can_log_in()


def test_addresses_of_one_ipv6_subscriber_count_as_one(receptionist):
    for number in range(MAX_FROM_ONE_FOR_ONE):
        sign_in(address=f"2001:db8:1:2::{number + 1}")

    assert not can_log_in(address="2001:db8:1:2:ffff::1")
    assert can_log_in(address="2001:db8:1:3::1")


def test_failures_without_an_address_are_counted(receptionist):
    statuses = [sign_in(address="").status_code for _ in range(6)]

    assert statuses == [200, 200, 200, 200, 429, 429]
    assert AccessAttempt.objects.count() == 1


@pytest.mark.both_databases
def test_spellings_of_a_name_do_not_multiply_the_tries(receptionist):
    for variant in ["reception", "Reception", "RECEPTION", "réception", "ｒｅｃｅｐｔｉｏｎ"]:
        sign_in(username=variant)

    assert not can_log_in()


@pytest.fixture
def user_found_by_eszett():
    """A user whom MariaDB finds by names with ß, which it compares as s, while `fold` makes it ss."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite takes no letter for another")
    return UserFactory(username="m.sassos")


@pytest.mark.both_databases
def test_spellings_equal_to_the_database_share_one_lockout(user_found_by_eszett):
    with Cases() as case:
        for spelled in ["m.ßassos", "m.saßsos", "m.sasßos", "m.sassoß", "M.ßaßßoß"]:
            with case(spelled):
                for name in ["m.sassos", spelled] * 3:
                    sign_in(username=name)

                assert AccessAttempt.objects.values_list("username", flat=True).distinct().count() == 1
                assert not can_log_in(username="m.sassos")
                assert not can_log_in(username=spelled)


@pytest.mark.both_databases
def test_failures_by_every_spelling_are_reset_with_the_users(user_found_by_eszett):
    sign_in(username="m.sassos")
    sign_in(username="m.ßaßßoß", address="10.0.0.2")

    lockout.allow_again(user_found_by_eszett)

    assert not AccessAttempt.objects.exists()


@pytest.mark.both_databases
def test_name_as_long_as_the_form_allows_is_counted(receptionist):
    response = sign_in(username="ΐ" * 150)

    assert response.status_code == 200
    assert AccessAttempt.objects.count() == 1


# For how long


def test_lock_ends_after_15_minutes(receptionist, now):
    for _ in range(MAX_FROM_ONE_FOR_ONE):
        sign_in()

    now.shift(COOL_OFF - dt.timedelta(seconds=1))
    assert not can_log_in()
    now.shift(dt.timedelta(seconds=2))

    assert can_log_in()


def test_tries_during_a_lockout_do_not_prolong_it(receptionist, now):
    for _ in range(MAX_FROM_ONE_FOR_ONE):
        sign_in()
    now.shift(COOL_OFF - dt.timedelta(seconds=1))
    sign_in()
    now.shift(dt.timedelta(seconds=2))

    assert can_log_in()


def test_signing_in_resets_the_failure_count(receptionist):
    for _ in range(2):
        for _ in range(MAX_FROM_ONE_FOR_ONE - 1):
            sign_in()
        assert can_log_in()


def test_signing_in_does_not_reset_the_count_of_other_users(receptionist, manager):
    for _ in range(MAX_FROM_ONE_FOR_ONE):
        sign_in(username="manager")
        can_log_in()

    assert not can_log_in(username="manager")


def test_sign_in_at_one_address_keeps_lockout_of_another(receptionist):
    for _ in range(MAX_FROM_ONE_FOR_ONE - 1):
        sign_in(address="10.0.0.2")
    assert can_log_in()

    assert sign_in(address="10.0.0.2").status_code == 429


@pytest.mark.both_databases
def test_failures_that_no_longer_count_are_removed_at_the_next_login(receptionist, now):
    sign_in(username="somebody else", address="10.0.0.9")
    now.shift(COOL_OFF + dt.timedelta(seconds=1))

    assert can_log_in()

    assert not AccessAttempt.objects.exists()


# Messages


@pytest.fixture
def users(receptionist):
    UserFactory(username="inactive", is_active=False)
    unusable = UserFactory(username="unusable")
    unusable.set_unusable_password()
    unusable.save()
    UserFactory(username="overdue", temporary_password_until=dt.datetime(2026, 11, 20, tzinfo=dt.UTC))


REFUSED = ["reception", "unknown", "inactive", "unusable", "overdue"]


def words(response):
    return response.status_code, response.context["form"].non_field_errors()


def test_login_error_is_the_same_for_unknown_users(users):
    with Cases() as case:
        for username in REFUSED:
            with case(username):
                password = "wrong" if username == "reception" else PASSWORD

                assert words(sign_in(username=username, password=password)) == words(
                    sign_in(username="another", password=password)
                )


def test_failed_login_hashes_as_often_for_unknown_users(users, hashes):
    with Cases() as case:
        for username in REFUSED:
            with case(username):
                hashes.clear()

                sign_in(username=username, password="wrong")

                assert len(hashes) == 1


def test_failed_login_makes_the_same_queries_for_unknown_users(users):
    with Cases() as case:
        for username in REFUSED:
            with case(username):
                with CaptureQueriesContext(connection) as for_unknown_user:
                    sign_in(username="another", address="10.0.0.2")

                with CaptureQueriesContext(connection) as made:
                    sign_in(username=username)

                assert len(made) == len(for_unknown_user)


def test_lockout_message_is_the_same_for_unknown_users(users):
    with Cases() as case:
        for username in REFUSED:
            with case(username):
                answers = [words(sign_in(username=username)) for _ in range(7)]

                assert answers == [words(sign_in(username="another")) for _ in range(7)]


def test_neither_log_nor_counter_contains_the_input(receptionist, caplog):
    caplog.set_level(logging.DEBUG)
    client = Client()
    for _ in range(MAX_FROM_ONE_FOR_ONE + 1):
        sign_in(password="guessed-secret", client=client)
    client.force_login(receptionist)
    form = {"old_password": "guessed-secret", "new_password1": "chosen-secret", "new_password2": "chosen-secret"}
    client.post("/accounts/password_change/", form, REMOTE_ADDR="10.0.0.2")
    client.post("/accounts/confirm/", {"password": "guessed-secret"}, REMOTE_ADDR="10.0.0.2")
    can_log_in(address="10.0.0.3")

    stored = str(list(AccessAttempt.objects.values("get_data", "post_data")))
    logged = [record.getMessage() for record in caplog.records if record.name.startswith(("axes", "clinic"))]
    assert AccessAttempt.objects.count() == 2
    assert "secret" not in stored
    assert logged
    assert not [line for line in logged if "reception" in line or "secret" in line]


def test_typed_username_is_not_in_the_counter(receptionist):
    with Cases() as case:
        for typed in ["MySecret-Passphrase 77", "q.featherby@example.org", "reception"]:
            with case(typed):
                for _ in range(2):
                    sign_in(username=typed)

                stored = str(list(AccessAttempt.objects.values())).casefold()
                assert AccessAttempt.objects.get().failures_since_start == 2
                assert not [word for word in ("secret", "passphrase", "featherby", "reception") if word in stored]


def test_password_typed_as_username_is_not_stored():
    sign_in(username="MySecret-Passphrase 77")

    assert places_of("passphrase") == []


def test_axes_checks_pass_with_nothing_silenced(settings):
    assert settings.SILENCED_SYSTEM_CHECKS == []

    call_command("check", tags=["security", "compatibility"], fail_level="WARNING", deploy=False)


# An administrator helps


def unlock_user(client, *users):
    sent = {"action": "allow_again", "_selected_action": [user.pk for user in users]}
    return client.post("/admin/clinic/user/", sent)


def test_administrator_unlocks_a_user(in_admin, receptionist, administrator):
    for _ in range(MAX_FROM_ONE_FOR_ONE):
        sign_in()

    unlock_user(in_admin, receptionist)

    assert can_log_in()
    entry = AuditEntry.objects.filter(event=Event.CREDENTIAL).get()
    assert (entry.actor, entry.object_id) == (administrator, receptionist.pk)
    assert entry.additional_data == {"what": "allowed_again"}


def messages_of(response):
    return [str(message) for message in response.context["messages"]]


def test_administrator_sees_how_many_were_locked_out(in_admin, receptionist, manager):
    for _ in range(MAX_FROM_ONE_FOR_ONE):
        sign_in()
    sign_in(username=manager.username)

    both = in_admin.get(unlock_user(in_admin, receptionist, manager)["Location"])
    neither = in_admin.get(unlock_user(in_admin, receptionist)["Location"])

    assert messages_of(both) == ["1 can log in again.", "1 was not locked out."]
    assert messages_of(neither) == ["1 was not locked out."]


def locked_in_list(client):
    return {user.username for user in client.get("/admin/clinic/user/").context["cl"].result_list if user.is_locked_out}


@pytest.mark.both_databases
def test_list_of_users_shows_lockouts(in_admin, administrator, receptionist, manager, now):
    for _ in range(MAX_FROM_ONE_FOR_ONE):
        sign_in(username="Réception")  # counted as the same name
    for number in range(MAX_FOR_USER):
        sign_in(username=manager.username, address=f"10.0.1.{number % 4}")
    for _ in range(MAX_FROM_ONE_FOR_ONE - 1):
        sign_in(username="admin", address="10.0.2.1")

    assert locked_in_list(in_admin) == {"reception", "manager"}
    assert '<td class="field-has_to_wait">now</td>' in in_admin.get("/admin/clinic/user/").content.decode()

    now.shift(COOL_OFF + dt.timedelta(seconds=1))
    in_admin.force_login(administrator)  # the session is over by now, too

    assert locked_in_list(in_admin) == set()


def test_administrator_cannot_unlock_a_superuser(in_admin):
    superuser = UserFactory(username="root", is_superuser=True)
    for _ in range(MAX_FROM_ONE_FOR_ONE):
        sign_in(username="root")

    unlock_user(in_admin, superuser)

    assert not can_log_in(username="root")


# Where it leads


def test_login_redirects_to_the_requested_page_if_permitted(manager):
    table = [
        ("/schedule/2026-11-24/?layout=list", "/schedule/2026-11-24/?layout=list"),
        ("/accounts/", "/accounts/"),
        ("http://testserver/doctors/", "http://testserver/doctors/"),
        ("/patients/new/", "/"),  # of another role
        ("/admin/", "/"),
        ("/accounts/logout/", "/"),  # nothing to look at
        ("/accounts/login/?next=/", "/"),
        ("/nowhere/", "/"),
    ]
    with Cases() as case:
        for wanted, led_to in table:
            with case(wanted, led_to):
                client = Client()

                signed_in = client.post(
                    "/accounts/login/", {"username": "manager", "password": PASSWORD, "next": wanted}
                )
                again = client.get("/accounts/login/", {"next": wanted})

                assert signed_in["Location"] == led_to
                assert again["Location"] == led_to


def send_stale_form(user, **sent):
    """Send a login form opened before another tab of the browser logged in."""
    client = Client(enforce_csrf_checks=True)
    client.get("/accounts/login/")
    client.force_login(user)
    return client.post("/accounts/login/", {"password": PASSWORD, "csrfmiddlewaretoken": "a" * 64} | sent)


def test_login_in_a_second_tab_redirects_after_the_first(receptionist):
    with Cases() as case:
        for wanted, led_to in [("/patients/", "/patients/"), ("/admin/", "/"), ("", "/")]:
            with case(wanted, led_to):
                response = send_stale_form(receptionist, username="Reception", next=wanted)

                assert (response.status_code, response.get("Location")) == (302, led_to)


def test_other_user_in_second_tab_does_not_continue_the_session(receptionist, manager):
    response = send_stale_form(receptionist, username="manager", next="/patients/")

    assert response.status_code == 403


def test_form_of_another_page_without_its_token_is_still_refused(receptionist):
    client = Client(enforce_csrf_checks=True)
    client.force_login(receptionist)

    assert client.post("/patients/new/", {"username": "reception", "next": "/patients/"}).status_code == 403


# One login everywhere


def test_admin_login_redirects_to_the_portals(in_admin):
    table = [
        ("/admin/password_change/", "/accounts/password_change/"),
        ("/admin/password_change/done/", "/accounts/password_change/done/"),
        ("/admin/login/", "/admin/"),
        ("/admin/login/?next=https://evil.example/", "/admin/"),
    ]
    with Cases(client=in_admin) as case:
        for page, leads_to in table:
            with case(page, leads_to):
                assert in_admin.get(page)["Location"] == leads_to


def test_admin_logout_is_the_portals(in_admin):
    assert in_admin.post("/admin/logout/")["Location"] == "/accounts/login/"
    assert not get_user(in_admin).is_authenticated


def test_account_page_is_in_the_menu(at_desk):
    assert 'href="/accounts/"' in at_desk.get("/patients/").content.decode()
    assert at_desk.get("/accounts/").status_code == 200
