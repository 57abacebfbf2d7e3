"""Devices: a browser in which a user has logged in has a lockout of its own."""

import datetime as dt
import re

import pytest
from axes.models import AccessAttempt
from django.core.signing import loads
from django.test import Client

from clinic.accounts import known_devices, second_factor
from clinic.accounts.lockout import MAX_FOR_USER, MAX_FROM_ADDRESS
from clinic.models import AuditEntry, Event
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases
from clinic.tests.test_login import (
    COOL_OFF,
    MAX_FROM_ONE_FOR_ONE,
    PASSWORD,
    can_log_in,
    locked_in_list,
    sign_in,
    unlock_user,
)
from clinic.tests.test_second_factor import code_of

pytestmark = pytest.mark.usefixtures("db", "now")

NEW_PASSWORD = "quartz lantern over marsh"


def device_of(*usernames, **options):
    """Return a browser in which these users have logged in, and out again."""
    client = Client()
    for username in usernames:
        assert sign_in(username=username, password=PASSWORD, client=client, **options).status_code == 302
        client.post("/accounts/logout/")
    return client


@pytest.fixture
def desk(receptionist):
    return device_of("reception")


def lock_address(address="10.0.0.1"):
    """Try as a stranger on the guests' Wi-Fi, which has the address of the clinic."""
    for number in range(MAX_FROM_ADDRESS):
        sign_in(username=f"somebody{number}", address=address)
    assert sign_in(username="somebody else", address=address).status_code == 429


def status_at(client, username="reception", password=PASSWORD, **options):
    return sign_in(username=username, password=password, client=client, **options).status_code


@pytest.mark.both_databases
def test_known_device_logs_in_from_a_locked_address(desk):
    lock_address()

    assert status_at(desk) == 302
    assert sign_in(username="somebody else").status_code == 429  # the stranger stays locked out
    assert not can_log_in()


def test_known_device_logs_in_although_strangers_have_locked_its_user(desk):
    with Cases(client=desk) as case:
        for name, addresses in [("here", ["10.0.0.1"]), ("everywhere", [f"10.0.1.{number}" for number in range(15)])]:
            with case(name):
                for number in range(MAX_FOR_USER):
                    sign_in(address=addresses[number % len(addresses)])

                assert not can_log_in()
                assert status_at(desk) == 302
                assert not can_log_in()


def test_known_device_of_one_user_is_unknown_for_another(desk, manager):
    lock_address()

    assert status_at(desk, "manager") == 429


def test_shared_desk_knows_all_who_have_logged_in(receptionist, manager, administrator):
    desk = device_of("reception", "manager")
    lock_address()

    assert status_at(desk, "manager") == 302
    desk.post("/accounts/logout/")
    assert status_at(desk) == 302


@pytest.mark.both_databases
def test_guessing_on_a_known_device_ends_too(desk):
    statuses = [status_at(desk, password=f"guess {number}", address=f"10.0.3.{number}") for number in range(7)]

    assert statuses == [200] * (MAX_FROM_ONE_FOR_ONE - 1) + [429] * 3
    assert status_at(desk) == 429


def test_lock_of_a_known_device_ends_after_15_minutes(desk, now):
    for _ in range(MAX_FROM_ONE_FOR_ONE):
        status_at(desk, password="wrong")
    now.shift(COOL_OFF + dt.timedelta(seconds=1))

    assert status_at(desk) == 302


def test_login_on_a_known_device_resets_its_count_only(desk):
    for _ in range(MAX_FROM_ONE_FOR_ONE - 1):
        sign_in()
        status_at(desk, password="wrong")
    status_at(desk)
    desk.post("/accounts/logout/")

    assert status_at(desk, password="wrong") == 200
    assert sign_in().status_code == 429


def test_failures_on_known_devices_lock_neither_address_nor_user(desk, receptionist):
    others = [device_of("reception") for _ in range(8)]
    for device in [desk, *others]:
        for _ in range(MAX_FROM_ONE_FOR_ONE - 1):
            status_at(device, password="wrong")

    assert can_log_in()
    assert can_log_in(address="10.0.0.9")


def test_stolen_cookie_gives_no_access_and_as_few_tries_as_its_device(desk):
    thief = Client()
    thief.cookies["device"] = desk.cookies["device"].value

    statuses = [status_at(thief, password=f"guess {number}", address=f"10.0.4.{number}") for number in range(6)]

    assert thief.get("/patients/").status_code == 302
    assert statuses == [200] * (MAX_FROM_ONE_FOR_ONE - 1) + [429] * 2


def test_forged_or_foreign_cookies_are_those_of_unknown_devices(desk, receptionist):
    lock_address()
    value = desk.cookies["device"].value
    with Cases(client=desk) as case:
        for forged in ["", "x", value[:-1], f"x{value}", value.replace(":", ".", 1)]:
            with case(forged):
                desk.cookies["device"] = forged

                assert status_at(desk) == 429


def test_device_is_unknown_after_180_days(desk, now):
    now.shift(known_devices.LASTS + dt.timedelta(seconds=1))
    lock_address()

    assert status_at(desk) == 429


@pytest.mark.both_databases
def test_new_password_makes_other_devices_unknown(desk, receptionist):
    other = device_of("reception")
    status_at(other)
    sent = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    other.post("/accounts/password_change/", sent)
    other.post("/accounts/logout/")
    lock_address()

    assert status_at(desk, password=NEW_PASSWORD) == 429
    assert status_at(other, password=NEW_PASSWORD) == 302


def test_device_stays_known_while_the_key_is_rotated(desk, settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another-" * 9, [settings.SECRET_KEY]
    lock_address()

    assert status_at(desk) == 302


def test_logout_and_ended_sessions_leave_the_device_known(desk, in_admin, receptionist):
    in_admin.post("/admin/clinic/user/", {"action": "end_sessions", "_selected_action": [receptionist.pk]})
    lock_address()

    assert status_at(desk) == 302


def test_password_without_second_factor_makes_no_device_known(receptionist):
    app = second_factor.new_device(receptionist)
    app.save()
    client = Client()

    status_at(client)
    assert "device" not in client.cookies
    client.post("/accounts/login/code/", {"code": code_of(app)})

    assert "device" in client.cookies


def test_wrong_password_makes_no_device_known(receptionist):
    client = Client()

    status_at(client, password="wrong")

    assert "device" not in client.cookies


def test_device_cookie_names_no_user_and_stays_small(receptionist):
    users = [UserFactory(username=f"colleague{number}") for number in range(known_devices.MAX_USERS + 5)]
    client = device_of(*(user.username for user in users))

    value = client.cookies["device"].value
    _nonce, marks = loads(value, salt="clinic.known_device")
    assert len(value) < 700
    assert len(marks) == 16 * known_devices.MAX_USERS
    assert re.fullmatch("[0-9a-f]*", marks)
    lock_address()
    assert status_at(client, users[-1].username) == 302
    client.post("/accounts/logout/")
    assert status_at(client, users[0].username) == 429


def test_device_cookie_is_for_this_host_and_no_script(client, receptionist, settings):
    settings.DEVICE_COOKIE_NAME, settings.SESSION_COOKIE_SECURE = "__Host-device", True
    client.post("/accounts/login/", {"username": "reception", "password": PASSWORD}, secure=True)

    cookie = client.cookies["__Host-device"]
    assert cookie["secure"]
    assert cookie["httponly"]
    assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", "Strict")
    assert cookie["max-age"] == known_devices.LASTS.total_seconds()


def test_wrong_codes_and_confirmations_on_a_known_device_count_there(desk, receptionist):
    status_at(desk)
    lock_address()

    statuses = [desk.post("/accounts/confirm/", {"password": "wrong"}).status_code for _ in range(6)]

    assert statuses == [200] * (MAX_FROM_ONE_FOR_ONE - 1) + [429] * 2


def test_nobody_learns_who_exists_with_a_cookie_of_another_user(desk, manager):
    lock_address()

    answers = {
        (response.status_code, str(response.context["form"].non_field_errors()))
        for response in [sign_in(username=name, client=desk) for name in ["manager", "unknown"]]
    }

    assert len(answers) == 1


# An administrator or operator helps


@pytest.mark.both_databases
def test_administrator_sees_and_unlocks_a_locked_device(desk, in_admin, receptionist):
    for _ in range(MAX_FROM_ONE_FOR_ONE):
        status_at(desk, password="wrong")
    assert locked_in_list(in_admin) == {"reception"}

    unlock_user(in_admin, receptionist)

    assert locked_in_list(in_admin) == set()
    assert status_at(desk) == 302
    assert not AccessAttempt.objects.exists()


def test_lock_entry_says_what_it_locks(desk, receptionist):
    for _ in range(MAX_FROM_ONE_FOR_ONE):
        status_at(desk, password="wrong")

    last = AuditEntry.objects.filter(event=Event.SIGN_IN_FAILED).latest("pk")
    assert (last.object_id, last.additional_data) == (receptionist.pk, {"locks": "device"})
