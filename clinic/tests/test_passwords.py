"""Passwords: validation, temporary passwords, and who may set them."""

import datetime as dt
import gzip
import re
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import get_user, password_validation
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from clinic.accounts.passwords import GUESSED_CHARACTERS
from clinic.accounts.roles import ADMINISTRATOR, RECEPTIONIST
from clinic.audit.actor import acting
from clinic.models import AuditEntry, Event, User
from clinic.tests.api_client import token_of
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases

pytestmark = pytest.mark.usefixtures("db", "now")

PASSWORD = "demo-clinic-2026"
GOOD = "umbrella kettle 71 granite"
LEAST, MOST = 12, 128


def codes(password, user=None):
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        return {each.code for each in error.error_list}
    return set()


# Good enough


def test_password_needs_no_character_classes():
    table = [
        "umbrella kettle 71 granite",
        "vkq7hz2mwx9d",
        "ünter den Brücken läuft's",
        "  blanks at both ends stay  ",
        "شمس وقمر وحجر أخضر",
        "🦉🪨☂️ owl stone umbrella",
        "onlylowercaselettersbutlongandodd",
    ]
    with Cases() as case:
        for password in table:
            with case(password):
                assert codes(password) == set()


def test_password_of_minimum_and_maximum_length_is_accepted():
    assert codes("vkq7hz2mwx9d") == codes(("vkq7 hz2m wx9d " * 9)[:MOST]) == set()


def test_password_shorter_or_longer_is_refused():
    assert "password_too_short" in codes("vkq7hz2mwx9")
    assert "password_too_long" in codes(("vkq7 hz2m wx9d " * 9)[: MOST + 1])


def test_guessable_password_is_refused():
    table = [
        "aaaaaaaaaaaaaaaa",
        "a" * MOST,
        "abcdefghijklmnop",
        "qwertyuiop[]asdf",
        "passwordpassword",
        "P4$$w0rd2026!",
        "Password2026!",
        "November 2026",
        "Test Clinic 2026",
        "test-clinic-doctor-1",
        "T3st-Clinic!!",
        "            ",
    ]
    with Cases() as case:
        for password in table:
            with case(password):
                assert "password_guessable" in codes(password)


def test_password_made_of_the_users_own_names_is_refused():
    with Cases() as case:
        for password in ["Ana-Beatriz-1984", "silva.silva.2026", "anabeatriz.silva", "asilva@example.org"]:
            with case(password):
                user = UserFactory.build(
                    username="asilva", first_name="Ana Beatriz", last_name="Silva", email="asilva@example.org"
                )

                assert codes(password, user)
                assert "password_guessable" in codes(password, user)


def test_password_with_repeated_first_72_characters_is_refused():
    assert "password_guessable" in codes("ab" * (GUESSED_CHARACTERS // 2) + "vkq7hz2mwx9d")


def common_passwords():
    file = Path(password_validation.__file__).parent / "common-passwords.txt.gz"
    words = gzip.decompress(file.read_bytes()).decode().split("\n") + FREQUENCY_LISTS["passwords"]
    return sorted({word.strip() for word in words if len(word.strip()) >= LEAST})


def test_every_common_password_that_is_long_enough_is_refused():
    common = common_passwords()
    assert len(common) > 250

    assert [word for word in common if not codes(word)] == []


# On every way in


def error_codes(form):
    return {error.code for errors in form.errors.as_data().values() for error in errors}


def test_password_change_refuses_a_guessable_one(at_desk):
    sent = {"old_password": PASSWORD, "new_password1": "Test Clinic 2026", "new_password2": "Test Clinic 2026"}

    response = at_desk.post("/accounts/password_change/", sent)

    assert "password_guessable" in error_codes(response.context["form"])


def test_admin_refuses_a_guessable_one_for_a_new_user(in_admin):
    response = in_admin.post("/admin/clinic/user/add/", new_user("Test Clinic 2026"))

    assert "password_guessable" in error_codes(response.context["adminform"].form)
    assert not User.objects.filter(username="nuno").exists()


def test_admin_refuses_a_guessable_one_set_for_a_user(in_admin, receptionist):
    response = in_admin.post(password_page(receptionist), set_to("Test Clinic 2026"))

    assert "password_guessable" in error_codes(response.context["form"])


def test_createsuperuser_refuses_a_guessable_one(monkeypatch):
    answers = iter(["Test Clinic 2026", "Test Clinic 2026", GOOD, GOOD])
    monkeypatch.setattr("getpass.getpass", lambda *args: next(answers))
    monkeypatch.setattr("builtins.input", lambda *args: "n")
    stdin = type("Terminal", (StringIO,), {"isatty": lambda self: True})()

    call_command("createsuperuser", username="root", email="root@example.org", stdin=stdin, stderr=StringIO())

    user = User.objects.get(username="root")
    assert user.check_password(GOOD)
    assert not user.password_is_temporary


@pytest.mark.both_databases
def test_password_is_not_normalised(at_desk, receptionist):
    typed = "  Ünter den   Brücken 🦉  "
    at_desk.post(
        "/accounts/password_change/", {"old_password": PASSWORD, "new_password1": typed, "new_password2": typed}
    )

    receptionist.refresh_from_db()
    assert receptionist.check_password(typed)
    assert not receptionist.check_password(typed.strip())
    assert Client().post("/accounts/login/", {"username": "reception", "password": typed}).status_code == 302


def test_guesses_at_the_old_password_count(at_desk):
    sent = {"old_password": "wrong", "new_password1": GOOD, "new_password2": GOOD}
    statuses = [at_desk.post("/accounts/password_change/", sent).status_code for _ in range(5)]

    response = at_desk.post("/accounts/password_change/", sent | {"old_password": PASSWORD})

    assert statuses == [200, 200, 200, 200, 429]
    assert response.status_code == 429
    assert "locked" in error_codes(response.context["form"])


# Set by another user


def new_user(password):
    return {"username": "nuno", "password1": password, "password2": password}


def password_page(user):
    return reverse("admin:auth_user_password_change", args=[user.pk])


def set_to(password):
    return {"password1": password, "password2": password}


@pytest.fixture
def newcomer(in_admin):
    """A user just created by an administrator, with a role."""
    in_admin.post("/admin/clinic/user/add/", new_user(GOOD))
    user = User.objects.get(username="nuno")
    user.groups.add(Group.objects.get(name=RECEPTIONIST))
    return user


@pytest.fixture
def newcomers_client(newcomer):
    client = Client()
    client.post("/accounts/login/", {"username": "nuno", "password": GOOD})
    return client


def test_user_with_temporary_password_must_change_it_first(newcomers_client):
    with Cases(client=newcomers_client) as case:
        for page in ["/", "/patients/", "/accounts/", "/accounts/second-factor/", "/doctors/"]:
            with case(page):
                assert newcomers_client.get(page)["Location"] == "/accounts/password_change/"


def test_user_with_temporary_password_can_post_nothing_else(newcomers_client):
    response = newcomers_client.post("/patients/new/", {"first_name": "Ana"})

    assert response["Location"] == "/accounts/password_change/"


def test_user_with_temporary_password_and_no_role_must_change_it_first(newcomers_client, newcomer):
    newcomer.groups.clear()
    first = newcomers_client.get("/")
    other = "lantern cobalt 5 meadow"

    newcomers_client.post(first["Location"], {"old_password": GOOD, "new_password1": other, "new_password2": other})

    assert first["Location"] == "/accounts/password_change/"
    refused = newcomers_client.get("/")
    assert refused.status_code == 403
    assert 'href="/accounts/"' in refused.content.decode().partition("<main")[2]


def test_api_refuses_user_with_temporary_password_and_no_role(newcomer, client):
    newcomer.groups.clear()

    response = client.get("/api/doctors", headers={"Authorization": f"Bearer {token_of(newcomer)}"})

    assert response.status_code == 403


def test_user_with_temporary_password_can_log_out(newcomers_client):
    newcomers_client.post("/accounts/logout/")

    assert not get_user(newcomers_client).is_authenticated


def test_changing_the_own_password_opens_the_portal(newcomers_client, newcomer):
    other = "lantern cobalt 5 meadow"
    sent = {"old_password": GOOD, "new_password1": other, "new_password2": other}

    response = newcomers_client.post("/accounts/password_change/", sent)

    assert response["Location"] == "/accounts/password_change/done/"
    assert newcomers_client.get("/patients/").status_code == 200
    newcomer.refresh_from_db()
    assert not newcomer.password_is_temporary


def test_password_from_somebody_else_cannot_be_changed_to_itself(newcomers_client, newcomer):
    sent = {"old_password": GOOD, "new_password1": GOOD, "new_password2": GOOD}

    response = newcomers_client.post("/accounts/password_change/", sent)

    assert response.context["form"].has_error("new_password1", "password_unchanged")
    newcomer.refresh_from_db()
    assert newcomer.password_is_temporary


def test_own_password_does_not_expire(at_desk, now):
    at_desk.post("/accounts/password_change/", {"old_password": PASSWORD, "new_password1": GOOD, "new_password2": GOOD})

    now.shift(dt.timedelta(days=5 * 365))

    assert Client().post("/accounts/login/", {"username": "reception", "password": GOOD}).status_code == 302


def test_password_set_by_an_administrator_is_temporary(in_admin, receptionist):
    client = Client()
    client.force_login(receptionist)

    in_admin.post(password_page(receptionist), set_to(GOOD))

    receptionist.refresh_from_db()
    assert receptionist.password_is_temporary
    assert client.get("/patients/")["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("page", ["/admin/clinic/user/add/", None])
def test_admin_explains_that_a_set_password_is_temporary(in_admin, receptionist, page):
    text = in_admin.get(page or password_page(receptionist)).content.decode()

    assert "The password is temporary: it expires after 3 days" in text


def test_admin_does_not_call_the_own_password_temporary(in_admin, administrator):
    assert "temporary" not in in_admin.get(password_page(administrator)).content.decode()


def test_admin_creates_no_user_without_a_password(in_admin, receptionist):
    for page in ("/admin/clinic/user/add/", password_page(receptionist)):
        assert 'name="usable_password"' not in in_admin.get(page).content.decode()
    in_admin.post("/admin/clinic/user/add/", {"username": "nuno", "usable_password": "false"})
    response = in_admin.post(password_page(receptionist), {"usable_password": "false", "unset-password": "1"})

    receptionist.refresh_from_db()
    assert not User.objects.filter(username="nuno").exists()
    assert response.context["form"].has_error("password1", "required")
    assert receptionist.has_usable_password()


def test_list_of_users_shows_temporary_and_expired_passwords(in_admin, administrator, newcomer, now):
    def states():
        return re.findall(r'field-password_state">([^<]*)<', in_admin.get("/admin/clinic/user/").content.decode())

    assert states() == ["-", "temporary until Fri 27 Nov 2026 09:00"]

    now.shift(dt.timedelta(days=3))
    in_admin.force_login(administrator)  # the session is over by now, too

    assert states() == ["-", "over since Fri 27 Nov 2026 09:00"]


def test_password_set_in_the_admin_for_oneself_is_not_temporary(in_admin, administrator):
    in_admin.post(password_page(administrator), set_to(GOOD))

    administrator.refresh_from_db()
    assert administrator.check_password(GOOD)
    assert not administrator.password_is_temporary


def test_temporary_password_saved_by_itself_is_temporary_too(receptionist, administrator):
    with acting(administrator):
        receptionist.set_password(GOOD)
        receptionist.save(update_fields=["password"])

    receptionist.refresh_from_db()
    assert receptionist.password_is_temporary


@pytest.mark.both_databases
def test_temporary_password_ends_after_three_days(newcomer, now):
    now.shift(dt.timedelta(days=3) - dt.timedelta(seconds=1))
    assert Client().post("/accounts/login/", {"username": "nuno", "password": GOOD}).status_code == 302

    now.shift(dt.timedelta(seconds=1))
    response = Client().post("/accounts/login/", {"username": "nuno", "password": GOOD})

    assert response.status_code == 200
    assert error_codes(response.context["form"]) == {"invalid_login"}


def test_token_of_a_user_with_a_temporary_password_works(newcomer, client):
    response = client.get("/api/doctors", headers={"Authorization": f"Bearer {token_of(newcomer)}"})

    assert response.status_code == 200


# Temporary passwords


def credential_entries(user):
    return AuditEntry.objects.filter(event=Event.CREDENTIAL, object_id=user.pk).order_by("pk")


def test_own_change_is_in_the_audit_trail_without_the_password(at_desk, receptionist):
    at_desk.post("/accounts/password_change/", {"old_password": PASSWORD, "new_password1": GOOD, "new_password2": GOOD})

    entry = credential_entries(receptionist).get()
    assert (entry.actor, entry.additional_data, entry.changes) == (receptionist, {"what": "password_set"}, None)


def test_password_set_by_an_administrator_is_in_the_audit_trail(in_admin, administrator, receptionist):
    in_admin.post(password_page(receptionist), set_to(GOOD))

    assert credential_entries(receptionist).get().actor == administrator
    assert GOOD not in str(list(AuditEntry.objects.values()))


def test_password_of_a_new_user_is_in_the_audit_trail(newcomer, administrator):
    assert credential_entries(newcomer).get().actor == administrator


# Administrators' permissions


@pytest.fixture
def superuser(db):
    return UserFactory(username="root", is_superuser=True)


def change_page(user):
    return reverse("admin:clinic_user_change", args=[user.pk])


def as_changed(user, **changes):
    groups = list(user.groups.values_list("pk", flat=True))
    return {"username": user.username, "is_active": "on", "groups": groups} | changes


def test_administrator_cannot_change_a_superuser(in_admin, superuser):
    changed = in_admin.post(change_page(superuser), {"username": "toor"})
    password_set = in_admin.post(password_page(superuser), set_to(GOOD))

    assert (changed.status_code, password_set.status_code) == (403, 403)
    superuser.refresh_from_db()
    assert (superuser.username, superuser.is_active, superuser.check_password(PASSWORD)) == ("root", True, True)


def test_superuser_changes_a_superuser(client, superuser):
    client.force_login(UserFactory(is_superuser=True))

    assert client.post(change_page(superuser), as_changed(superuser, username="toor")).status_code == 302
    superuser.refresh_from_db()
    assert superuser.username == "toor"


def test_administrator_cannot_create_a_superuser(in_admin, receptionist):
    response = in_admin.post(change_page(receptionist), as_changed(receptionist, is_superuser="on", is_staff="on"))

    assert response.status_code == 302
    receptionist.refresh_from_db()
    assert (receptionist.is_superuser, receptionist.is_staff) == (False, False)


def test_administrator_cannot_deactivate_themselves(in_admin, administrator):
    response = in_admin.post(change_page(administrator), as_changed(administrator, is_active=""))

    assert error_codes(response.context["adminform"].form) == {"own_access"}
    administrator.refresh_from_db()
    assert administrator.is_active


def test_administrator_cannot_remove_their_own_role(in_admin, administrator):
    other = Group.objects.get(name=RECEPTIONIST).pk

    response = in_admin.post(change_page(administrator), as_changed(administrator, groups=[other]))

    assert error_codes(response.context["adminform"].form) == {"own_access"}
    assert administrator.groups.get().name == ADMINISTRATOR


def test_administrator_changes_other_roles_and_the_own_name(in_admin, administrator):
    colleague = UserFactory(role=ADMINISTRATOR)

    taken = in_admin.post(change_page(colleague), as_changed(colleague, groups=[], is_active=""))
    renamed = in_admin.post(change_page(administrator), as_changed(administrator, first_name="Helena"))

    assert (taken.status_code, renamed.status_code) == (302, 302)
    colleague.refresh_from_db()
    assert (colleague.is_active, colleague.groups.count()) == (False, 0)
