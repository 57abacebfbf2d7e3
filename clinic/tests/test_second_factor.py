"""The second factor: set up, required at login, lost, and mandatory for administrators."""

import base64
import datetime as dt
import random
import re

import pytest
from django.contrib.auth import get_user
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from clinic.accounts import second_factor
from clinic.accounts.recovery_codes import CODE_COUNT, PBKDF2PasswordHasher
from clinic.models import AuditEntry, Event, RecoveryCode
from clinic.tests.api_client import token_of
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases

pytestmark = pytest.mark.usefixtures("db", "now")

PASSWORD = "demo-clinic-2026"
STEP = dt.timedelta(seconds=30)
PAGE = "/accounts/second-factor/"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch):
    """Hash recovery codes with fewer rounds."""
    monkeypatch.setattr("clinic.accounts.recovery_codes.ROUNDS", 10)


def code_of(device, steps=0):
    """The code that the app shows now, or some steps later."""
    totp = TOTP(device.bin_key)
    totp.drift = steps
    return f"{totp.token():06}"


def wrong(code):
    return f"{(int(code) + 1) % 1_000_000:06}"


@pytest.fixture
def device(receptionist, now):
    """The receptionist's confirmed app."""
    made = second_factor.new_device(receptionist)
    made.save()
    return made


@pytest.fixture
def codes(device, receptionist):
    return RecoveryCode.objects.renew(receptionist)


@pytest.fixture
def half_way(device):
    """A client that has sent the receptionist's password, but no code."""
    return password_sent()


def password_sent(**sent):
    client = Client()
    sent = {"username": "reception", "password": PASSWORD} | sent
    assert client.post("/accounts/login/", sent)["Location"] == "/accounts/login/code/"
    return client


def enter(client, code):
    return client.post("/accounts/login/code/", {"code": code})


def is_in(client):
    return get_user(client).is_authenticated


def error_codes(response):
    return {error.code for errors in response.context["form"].errors.as_data().values() for error in errors}


def credential_events(user):
    entries = AuditEntry.objects.filter(event=Event.CREDENTIAL, object_id=user.pk).order_by("pk")
    return [(entry.actor, entry.additional_data["what"]) for entry in entries]


# Signing in


def test_password_alone_gives_no_access(half_way):
    assert not is_in(half_way)
    assert half_way.get("/patients/")["Location"] == "/accounts/login/?next=/patients/"
    assert half_way.get("/accounts/login/code/").status_code == 200


def test_app_code_signs_in_and_redirects(device):
    client = password_sent(next="/patients/")

    assert enter(client, code_of(device))["Location"] == "/patients/"
    assert is_in(client)


def test_code_may_be_typed_in_groups(half_way, device):
    code = code_of(device)

    enter(half_way, f" {code[:3]} {code[3:]} ")

    assert is_in(half_way)


def test_code_does_not_redirect_to_another_host(device):
    client = password_sent(next="https://evil.example/")

    assert enter(client, code_of(device))["Location"] == "/"


def test_code_one_step_early_or_late_signs_in(half_way, device):
    with Cases(client=half_way) as case:
        for steps in [-1, 0, 1]:
            with case(steps):
                enter(half_way, code_of(device, steps))

                assert is_in(half_way)


@pytest.mark.parametrize("steps", [-2, 2])
def test_code_two_steps_away_does_not_sign_in(half_way, device, steps):
    response = enter(half_way, code_of(device, steps))

    assert error_codes(response) == {"wrong_code"}
    assert not is_in(half_way)


def test_accepted_codes_do_not_drift_with_the_clock(device, now):
    for _ in range(3):
        client = password_sent()
        enter(client, code_of(device, 1))
        assert is_in(client)
        now.shift(3 * STEP)

    device.refresh_from_db()
    assert device.drift == 0


@pytest.mark.both_databases
def test_code_works_once(half_way, device):
    enter(half_way, code_of(device))
    again = password_sent()

    enter(again, code_of(device))

    assert not is_in(again)


def test_invalid_code_is_refused(half_way):
    with Cases(client=half_way) as case:
        for code in ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "-12345", "1_2_3_4"]:
            with case(code):
                response = enter(half_way, code)

                assert response.status_code == 200
                assert not is_in(half_way)


@pytest.mark.both_databases
def test_wrong_codes_count_as_wrong_passwords(half_way, device, now):
    statuses = []
    for _ in range(5):
        statuses.append(enter(half_way, wrong(code_of(device))).status_code)
        now.shift(dt.timedelta(seconds=20))
    locked = enter(half_way, code_of(device))

    assert statuses == [200, 200, 200, 200, 429]
    assert locked.status_code == 429
    assert error_codes(locked) == {"locked"}
    assert not is_in(half_way)
    assert Client().post("/accounts/login/", {"username": "reception", "password": PASSWORD}).status_code == 429


@pytest.mark.both_databases
def test_right_password_does_not_reset_the_count_of_wrong_codes(device, now):
    statuses = []
    for _ in range(4):
        statuses.append(enter(password_sent(), wrong(code_of(device))).status_code)
        now.shift(dt.timedelta(seconds=20))

    assert enter(password_sent(), wrong(code_of(device))).status_code == 429


def test_code_right_after_a_wrong_one_has_to_wait(half_way, device, now):
    enter(half_way, wrong(code_of(device)))

    enter(half_way, code_of(device))
    assert not is_in(half_way)
    now.shift(dt.timedelta(seconds=2))
    enter(half_way, code_of(device))

    assert is_in(half_way)


@pytest.mark.parametrize("has_token", [True, False])
def test_login_button_pressed_twice_redirects_signed_in_user(device, has_token):
    client = Client(enforce_csrf_checks=True)
    client.force_login(device.user)
    client.get("/accounts/second-factor/")
    token = client.cookies["csrf"].value if has_token else "a" * 64

    response = client.post("/accounts/login/code/", {"code": "123456", "csrfmiddlewaretoken": token})

    assert response["Location"] == client.get("/accounts/login/code/")["Location"] == "/"


def test_code_without_csrf_token_does_not_sign_in(half_way, device):
    half_way.handler.enforce_csrf_checks = True

    assert enter(half_way, code_of(device)).status_code == 403
    assert not is_in(half_way)


def test_code_redirects_to_first_page_if_next_page_is_not_allowed(device):
    client = password_sent(next="/admin/")

    assert enter(client, code_of(device))["Location"] == "/"


def test_second_step_expires_after_five_minutes(half_way, device, now):
    now.shift(dt.timedelta(minutes=5, seconds=1))

    response = enter(half_way, code_of(device))

    assert response.templates[0].name == "accounts/login_late.html"
    assert half_way.get("/accounts/login/code/")["Location"] == "/accounts/login/"
    assert not is_in(half_way)


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "md5$other$hash"}])
def test_second_step_ends_when_the_user_is_changed(half_way, device, receptionist, change):
    type(receptionist).objects.filter(pk=receptionist.pk).update(**change)

    response = enter(half_way, code_of(device))

    assert response.templates[0].name == "accounts/login_late.html"
    assert not is_in(half_way)


def test_code_without_the_password_gives_no_access(client, device):
    enter(client, code_of(device))

    assert not is_in(client)


def test_session_key_changes_at_each_step(device):
    client = Client()
    client.session.save()
    keys = [client.session.session_key]
    client.post("/accounts/login/", {"username": "reception", "password": PASSWORD})
    keys.append(client.session.session_key)

    enter(client, code_of(device))

    assert len({*keys, client.session.session_key}) == 3
    assert "second_step" not in client.session


# Recovery codes


@pytest.mark.both_databases
def test_recovery_code_signs_in_once(codes, receptionist):
    first, again = password_sent(), password_sent()

    enter(first, codes[3])
    enter(again, codes[3])

    assert (is_in(first), is_in(again)) == (True, False)
    assert RecoveryCode.objects.unused().count() == CODE_COUNT - 1
    assert credential_events(receptionist) == [(receptionist, "recovery_code_used")]


def test_recovery_code_is_accepted_in_any_spelling(codes):
    client = password_sent()

    enter(client, f" {codes[0].upper().replace('-', ' ')} ")

    assert is_in(client)


def test_wrong_recovery_code_gets_its_own_message(codes):
    client = password_sent()

    recovery = enter(client, "a2345-6789-abcd").context["form"].errors["code"]
    of_app = enter(client, "000000").context["form"].errors["code"]

    assert "Wait for the next one" not in recovery[0]
    assert "recovery code" in recovery[0]
    assert "Wait for the next one" in of_app[0]


def test_recovery_code_shows_how_many_are_left(codes, device, now):
    client = password_sent()

    enter(client, codes[0])

    assert "9 of 10 are left" in client.get("/patients/").content.decode()
    assert "are left" not in client.get("/patients/").content.decode()

    now.shift(dt.timedelta(minutes=11))
    client.post("/accounts/confirm/", {"password": PASSWORD, "code": codes[1]})

    assert "8 of 10 are left" in client.get("/patients/").content.decode()


def test_app_code_shows_no_message_about_recovery_codes(half_way, device):
    enter(half_way, code_of(device))

    assert "are left" not in half_way.get("/patients/").content.decode()


def test_page_of_recovery_codes_has_username_and_date(at_desk, device):
    text = at_desk.post(PAGE, {"renew": "1"}).content.decode()

    assert "Test Clinic: recovery codes of <b><bdi>reception</bdi></b>, created on 24 November 2026" in text


@pytest.mark.parametrize("page", [PAGE, f"{PAGE}?replace=1"])
def test_setting_up_another_phone_warns_about_the_old_codes(at_desk, device, page):
    assert "your old phone and recovery codes no longer work" in at_desk.get(page).content.decode()


def test_code_page_explains_who_helps_without_codes(half_way):
    assert "ask an administrator" in half_way.get("/accounts/login/code/").content.decode()


def test_recovery_code_of_another_user_does_not_work(device, manager):
    code = RecoveryCode.objects.renew(manager)[0]

    assert not second_factor.accepts(device.user, code)


def test_recovery_codes_do_not_depend_on_pythons_random_numbers(receptionist):
    made = []
    for _ in range(2):
        random.seed(7)
        made.append(RecoveryCode.objects.renew(receptionist))

    assert not set(made[0]) & set(made[1])


def test_recovery_codes_are_stored_as_salted_hashes(codes, receptionist):
    digests = list(RecoveryCode.objects.filter(user=receptionist).values_list("digest", flat=True))

    assert len(digests) == len(set(codes)) == CODE_COUNT
    assert len({digest.split("$")[2] for digest in digests}) == CODE_COUNT
    assert not [code for code in codes for digest in digests if code.replace("-", "") in digest]


def test_checking_a_recovery_code_takes_one_hash(codes, receptionist, monkeypatch):
    runs = []
    encode = PBKDF2PasswordHasher.encode
    monkeypatch.setattr(
        PBKDF2PasswordHasher, "encode", lambda *args, **kwargs: runs.append(1) or encode(*args, **kwargs)
    )

    second_factor.accepts(receptionist, codes[7])

    assert len(runs) == 1


@pytest.mark.both_databases
def test_renewed_recovery_codes_replace_the_old(device, codes, client, receptionist):
    client.force_login(receptionist)

    response = client.post(PAGE, {"renew": "1"})

    new = response.context["codes"]
    assert len(new) == CODE_COUNT
    assert not second_factor.accepts(receptionist, codes[0])
    assert second_factor.accepts(receptionist, new[0])
    assert (receptionist, "recovery_codes_renewed") in credential_events(receptionist)


def test_recovery_codes_are_shown_once(device, at_desk):
    shown = at_desk.post(PAGE, {"renew": "1"})

    assert "no-store" in shown["Cache-Control"]
    for page in (PAGE, "/accounts/"):
        assert shown.context["codes"][0] not in at_desk.get(page).content.decode()


# Setting up


def begin(client, address=PAGE):
    """Open the page, and return its hidden field and the secret it shows."""
    response = client.get(address)
    secret = base64.b32decode(response.context["secret"].replace(" ", ""))
    return response.context["signed"], TOTPDevice(key=secret.hex())


def test_set_up_page_shows_the_secret_as_image_and_text(at_desk):
    response = at_desk.get(PAGE)

    image = re.search(r'src="(data:image/svg\+xml;base64,([^"]+))"', response.content.decode())
    assert base64.b64decode(image[2]).startswith(b"<?xml")
    assert response.context["secret"] in response.content.decode()
    assert not TOTPDevice.objects.exists()


def test_app_code_turns_the_second_factor_on(at_desk, receptionist):
    signed, app = begin(at_desk)

    response = at_desk.post(PAGE, {"secret": signed, "code": code_of(app)})

    assert len(response.context["codes"]) == CODE_COUNT
    assert second_factor.device_of(receptionist).key == app.key
    assert credential_events(receptionist) == [(receptionist, "second_factor_added")]


def test_set_up_code_cannot_be_reused_to_sign_in(at_desk):
    signed, app = begin(at_desk)
    at_desk.post(PAGE, {"secret": signed, "code": code_of(app)})
    client = password_sent()

    enter(client, code_of(app))

    assert not is_in(client)


def test_wrong_code_turns_nothing_on_and_keeps_the_secret(at_desk):
    signed, app = begin(at_desk)

    response = at_desk.post(PAGE, {"secret": signed, "code": wrong(code_of(app))})

    assert response.status_code == 200
    assert base64.b32decode(response.context["secret"].replace(" ", "")).hex() == app.key
    assert not TOTPDevice.objects.exists()


def test_secret_of_another_user_is_refused(at_desk, manager):
    other = second_factor.new_device(manager)

    response = at_desk.post(PAGE, {"secret": second_factor.as_signed(other), "code": code_of(other)})

    assert response["Location"] == PAGE
    assert not TOTPDevice.objects.exists()


def test_changed_or_expired_secret_is_refused(at_desk, receptionist, now):
    signed, app = begin(at_desk)
    at_desk.post(PAGE, {"secret": signed + "x", "code": code_of(app)})
    now.shift(dt.timedelta(minutes=31))
    at_desk.force_login(receptionist)

    at_desk.post(PAGE, {"secret": signed, "code": code_of(app)})

    assert not TOTPDevice.objects.exists()


@pytest.mark.both_databases
def test_set_up_sent_twice_is_done_once(at_desk):
    signed, app = begin(at_desk)
    first = at_desk.post(PAGE, {"secret": signed, "code": code_of(app)})

    again = at_desk.post(PAGE, {"secret": signed, "code": code_of(app)})

    assert again["Location"] == PAGE
    assert TOTPDevice.objects.count() == 1
    assert second_factor.accepts(get_user(at_desk), first.context["codes"][0])


@pytest.mark.both_databases
def test_another_phone_replaces_the_old_one(at_desk, device, codes, receptionist):
    signed, app = begin(at_desk, PAGE + "?replace=1")

    at_desk.post(PAGE + "?replace=1", {"secret": signed, "code": code_of(app)})

    assert TOTPDevice.objects.get().key == app.key
    assert not second_factor.accepts(receptionist, codes[0])
    assert (receptionist, "second_factor_replaced") in credential_events(receptionist)


@pytest.mark.parametrize("change", ["set up", "turned off"])
def test_change_of_the_second_factor_ends_the_users_other_sessions(at_desk, receptionist, client, change):
    other, somebody = Client(), Client()
    other.force_login(receptionist)
    somebody.force_login(UserFactory())
    if change == "set up":
        signed, app = begin(at_desk)
        at_desk.post(PAGE, {"secret": signed, "code": code_of(app)})
    else:
        second_factor.new_device(receptionist).save()
        at_desk.post(PAGE, {"remove": "1"})

    assert [is_in(each) for each in (at_desk, other, somebody)] == [True, False, True]


def test_login_entry_records_the_second_factor(half_way, device, receptionist):
    enter(half_way, code_of(device))

    entry = AuditEntry.objects.get(event=Event.SIGN_IN)
    assert (entry.actor, entry.additional_data) == (receptionist, {"second_factor": True})


def test_second_factor_is_turned_off(at_desk, device, codes, receptionist):
    response = at_desk.post(PAGE, {"remove": "1"})

    assert response["Location"] == "/accounts/"
    assert not TOTPDevice.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert credential_events(receptionist) == [(receptionist, "second_factor_removed")]


# Mandatory second factor


@pytest.fixture
def required(settings):
    settings.REQUIRE_SECOND_FACTOR = True


def test_administrator_must_set_up_second_factor_first(required, client):
    with Cases(client=client) as case:
        for page in ["/", "/patients/", "/admin/", "/admin/clinic/user/"]:
            for who in [{"role": "Administrator"}, {"is_superuser": True}]:
                with case(page, who):
                    client.force_login(UserFactory(**who))

                    assert client.get(page)["Location"] == PAGE


def test_administrator_without_second_factor_can_post_nothing(required, in_admin):
    response = in_admin.post("/patients/new/", {"first_name": "Ana"})

    assert response["Location"] == PAGE


def test_other_users_are_not_redirected(required, at_desk):
    assert at_desk.get("/patients/").status_code == 200


def test_set_up_gives_the_administrator_access(required, in_admin):
    signed, app = begin(in_admin)
    in_admin.post(PAGE, {"secret": signed, "code": code_of(app)})

    assert in_admin.get("/admin/").status_code == 200
    assert in_admin.get("/patients/").status_code == 200


def test_code_at_login_gives_the_administrator_access(required, administrator, client):
    device = second_factor.new_device(administrator)
    device.save()
    client.post("/accounts/login/", {"username": "admin", "password": PASSWORD})
    enter(client, code_of(device))

    assert client.get("/admin/").status_code == 200


def test_second_factor_is_required_in_each_session(required, in_admin, administrator):
    second_factor.new_device(administrator).save()

    assert in_admin.get("/admin/")["Location"] == "/accounts/confirm/?next=/admin/"


def test_required_second_factor_cannot_be_turned_off(required, in_admin, administrator):
    second_factor.new_device(administrator).save()

    assert in_admin.post(PAGE, {"remove": "1"}).status_code == 403
    assert TOTPDevice.objects.exists()


def test_token_of_an_administrator_needs_no_second_factor(required, administrator, client):
    response = client.get("/api/doctors", headers={"Authorization": f"Bearer {token_of(administrator)}"})

    assert response.status_code == 200


@pytest.mark.both_databases
def test_second_factor_needs_no_query_per_request(required, administrator, client, django_assert_num_queries):
    device = second_factor.new_device(administrator)
    device.save()
    client.post("/accounts/login/", {"username": "admin", "password": PASSWORD})
    enter(client, code_of(device))

    with django_assert_num_queries(1):  # session, user and roles
        client.get("/patients/")


# Lost


def remove_of(client, *users):
    sent = {"action": "remove_second_factor", "_selected_action": [user.pk for user in users]}
    return client.post("/admin/clinic/user/", sent)


def test_administrator_removes_second_factor_of_a_lost_phone(in_admin, administrator, device, codes):
    remove_of(in_admin, device.user)

    assert not TOTPDevice.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert credential_events(device.user) == [(administrator, "second_factor_removed")]


def test_removing_the_second_factor_ends_the_users_sessions(in_admin, device):
    open_one = Client()
    open_one.force_login(device.user)

    remove_of(in_admin, device.user)

    assert [is_in(each) for each in (open_one, in_admin)] == [False, True]


def test_administrator_cannot_remove_the_own_second_factor_in_the_admin(in_admin, administrator):
    second_factor.new_device(administrator).save()

    remove_of(in_admin, administrator)

    assert TOTPDevice.objects.exists()


def test_administrator_cannot_remove_a_superusers_second_factor(in_admin):
    superuser = UserFactory(is_superuser=True)
    second_factor.new_device(superuser).save()

    remove_of(in_admin, superuser)

    assert TOTPDevice.objects.exists()


def test_secrets_have_no_pages_in_the_admin(client):
    client.force_login(UserFactory(is_superuser=True))

    page = client.get("/admin/").content.decode()

    assert "otp" not in page
    assert "axes" not in page
    assert client.get("/admin/otp_totp/totpdevice/").status_code == 404
