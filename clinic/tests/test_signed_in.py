"""Session, user and roles are read in one statement, and everything that Django checks stays checked."""

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client

from clinic.accounts.roles import ADMINISTRATOR, DOCTOR, MANAGER, RECEPTIONIST, ROLES
from clinic.models import Session, User
from clinic.sessions.signed_in import read_user, session_and_user
from clinic.sessions.store import SessionStore
from clinic.tests.api_client import ApiClient
from clinic.tests.factories import UserFactory

pytestmark = [pytest.mark.usefixtures("db", "now"), pytest.mark.both_databases]

PAGE, LEFT, ADMIN = "/patients/", "/accounts/sessions/left/", "/admin/"


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def who_is(client):
    """Return the id of the user whom the portal takes the client for, None if signed out."""
    response = client.get(LEFT)
    return response.json()["user"] if response.status_code == 200 else None


def read(client):
    """Return the session and user of a client as the next request reads them."""
    return session_and_user(client.cookies["session"].value)


def test_session_user_and_roles_are_read_in_one_query(django_assert_num_queries):
    for role in (RECEPTIONIST, MANAGER, DOCTOR, ADMINISTRATOR):
        client = signed_in(UserFactory(role=role))

        with django_assert_num_queries(1):
            session, user = read(client)
            assert user.get_all_permissions() == ROLES[role]
            assert (user.role, session.user_id) == (role, user.pk)


def test_session_and_user_are_those_that_the_models_read(receptionist):
    client = signed_in(receptionist)

    session, user = read(client)

    for record, stored in ((session, Session.objects.get()), (user, User.objects.get())):
        fields = [field.attname for field in stored._meta.concrete_fields]
        assert {name: getattr(record, name) for name in fields} == {name: getattr(stored, name) for name in fields}


def test_permissions_of_all_combinations_of_roles_are_those_of_the_model():
    odd = Group.objects.create(name='Ward "3" \\ 50 % Größe, ’s')
    odd.permissions.set(Permission.objects.filter(codename="view_patient"))
    empty = Group.objects.create(name="Trainee")
    users = [UserFactory() for _user in range(5)]
    for user, groups in zip(users, [[], [odd], [empty], [empty, odd], Group.objects.all()], strict=True):
        user.groups.set(groups)

        _session, read_again = read(signed_in(user))

        stored = User.objects.get(pk=user.pk)
        assert read_again.permissions_by_role == stored.permissions_by_role
        assert read_again.get_all_permissions() == stored.get_all_permissions()


def test_superuser_keeps_all_permissions():
    client = signed_in(UserFactory(is_superuser=True))

    assert client.get(ADMIN).status_code == client.get(PAGE).status_code == 200


def test_role_given_and_taken_counts_at_the_next_request(at_desk, receptionist):
    receptionist.groups.clear()
    assert at_desk.get(PAGE).status_code == 403

    receptionist.groups.set([Group.objects.get(name=RECEPTIONIST)])

    assert at_desk.get(PAGE).status_code == 200


def test_permission_taken_from_a_role_counts_at_the_next_request(at_desk, api):
    assert at_desk.get(PAGE).status_code == api.get("/doctors").status_code == 200

    Group.objects.get(name=RECEPTIONIST).permissions.through.objects.all().delete()

    assert at_desk.get(PAGE).status_code == api.get("/doctors").status_code == 403


def test_user_in_the_column_is_not_signed_in_by_it(at_desk, receptionist, administrator):
    Session.objects.update(user=administrator)

    assert who_is(at_desk) == receptionist.pk
    assert at_desk.get(ADMIN).status_code == 403
    assert at_desk.get(PAGE).status_code == 200


def test_user_in_the_column_of_an_anonymous_session_is_not_signed_in(client, administrator):
    session = client.session
    session["step"] = 1
    session.save()
    client.cookies["session"] = session.session_key
    Session.objects.update(user=administrator)

    assert who_is(client) is None


@pytest.fixture
def newcomer():
    """A user whom no audit entry names yet, so that the row can be deleted."""
    return User.objects.bulk_create([UserFactory.build(username="newcomer")])[0]


def in_session(user):
    """Return a client in a session of this user, without the audit entry of a sign-in."""
    client, store = Client(), SessionStore()
    store[SESSION_KEY], store[BACKEND_SESSION_KEY] = str(user.pk), "clinic.backends.RolesBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    client.cookies["session"] = store.session_key
    return client


def test_deleted_user_is_signed_out_at_the_next_request(newcomer):
    client = in_session(newcomer)
    assert who_is(client) == newcomer.pk

    newcomer.delete()

    assert who_is(client) is None


def test_session_without_a_user_in_its_column_is_checked_by_its_data(newcomer):
    client = in_session(newcomer)
    Session.objects.update(user=None)
    assert who_is(client) == newcomer.pk

    newcomer.delete()

    assert Session.objects.exists()
    assert who_is(client) is None


def test_deactivated_user_is_signed_out_at_the_next_request(at_desk, receptionist):
    User.objects.filter(pk=receptionist.pk).update(is_active=False)

    assert who_is(at_desk) is None


def test_deactivated_users_token_is_refused_at_the_next_call(receptionist):
    program = ApiClient(receptionist)
    assert program.get("/doctors").status_code == 200

    User.objects.filter(pk=receptionist.pk).update(is_active=False)

    assert program.get("/doctors").status_code == 401


def test_other_password_hash_signs_out_at_the_next_request(at_desk, receptionist):
    User.objects.filter(pk=receptionist.pk).update(password=UserFactory.build().password + "x")

    assert who_is(at_desk) is None


def test_session_of_a_backend_no_longer_used_is_not_signed_in(at_desk, settings):
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]

    assert who_is(at_desk) is None


def test_session_is_renewed_for_a_new_secret_key(at_desk, receptionist, settings):
    key, old = at_desk.cookies["session"].value, settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 60, [old]
    assert who_is(at_desk) == receptionist.pk
    assert at_desk.cookies["session"].value != key

    settings.SECRET_KEY_FALLBACKS = []

    assert who_is(at_desk) == receptionist.pk


def test_session_with_a_lost_secret_key_is_not_signed_in(at_desk, settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 60, []

    assert who_is(at_desk) is None


def test_user_of_a_request_is_not_left_for_the_next(at_desk, receptionist):
    assert who_is(at_desk) == receptionist.pk

    assert read_user(receptionist.pk) is None


def test_unknown_session_key_reads_no_user(client):
    client.cookies["session"] = "chosen-by-somebody-else"

    assert session_and_user("chosen-by-somebody-else") == (None, None)
    assert who_is(client) is None


def test_permissions_are_never_cut_short():
    if connection.vendor != "mysql":
        pytest.skip("SQLite has no limit on the length of a JSON array")
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@group_concat_max_len")

        assert cursor.fetchone()[0] == 1_048_576
