"""The permissions of a user's roles, and their queries."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.accounts.roles import ADMINISTRATOR, DOCTOR, MANAGER, RECEPTIONIST, ROLES
from clinic.models import User
from clinic.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

SESSION_USER_AND_ROLES = 1


def as_read(user):
    """The user as the next request reads it."""
    return User.objects.get(pk=user.pk)


def test_role_and_permissions_are_read_in_one_query(django_assert_num_queries):
    for role in (RECEPTIONIST, MANAGER, DOCTOR, ADMINISTRATOR):
        user = as_read(UserFactory(role=role))

        with django_assert_num_queries(1):
            assert user.has_perm("appointments.view_schedule"), role
            assert not user.has_perm("clinic.delete_user"), role
            assert user.has_module_perms("doctors"), role
            assert user.role == role
            assert user.get_all_permissions() == user.get_group_permissions() == ROLES[role]


def test_two_roles_combine_and_are_listed_in_order():
    user = UserFactory(role=RECEPTIONIST)
    user.groups.add(Group.objects.get(name=DOCTOR))

    user = as_read(user)

    assert user.get_all_permissions() == ROLES[RECEPTIONIST] | ROLES[DOCTOR]
    assert user.role == "Doctor, Receptionist"


def test_group_without_permissions_is_a_role_that_allows_nothing():
    user = UserFactory()
    user.groups.add(Group.objects.create(name="Trainee"))

    user = as_read(user)

    assert user.role == "Trainee"
    assert user.get_all_permissions() == set()


def test_user_without_a_role_has_no_permissions(django_assert_num_queries):
    user = as_read(UserFactory())

    with django_assert_num_queries(1):
        assert user.role == ""
        assert user.get_all_permissions() == set()
        assert not user.has_perm("appointments.view_schedule")


def test_permission_given_to_a_user_without_a_role_allows_nothing():
    user = UserFactory(role=MANAGER)
    user.user_permissions.add(Permission.objects.get(codename="view_patient"))

    user = as_read(user)

    assert not user.has_perm("patients.view_patient")
    assert user.get_user_permissions() == set()


def test_inactive_user_keeps_role_but_has_no_permissions():
    user = as_read(UserFactory(role=ADMINISTRATOR, is_active=False))

    assert not user.has_perm("appointments.view_schedule")
    assert user.get_all_permissions() == set()
    assert user.role == ADMINISTRATOR


def test_superuser_has_all_permissions_without_a_role(django_assert_num_queries):
    user = as_read(UserFactory(is_superuser=True))

    with django_assert_num_queries(1):
        assert user.has_perm("patients.view_patient")
        assert user.role == ""
    assert user.get_all_permissions() == user.get_group_permissions() > ROLES[ADMINISTRATOR]


def test_anonymous_user_has_no_permissions_and_makes_no_query(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert not AnonymousUser().has_perm("appointments.view_schedule")
        assert AnonymousUser().get_all_permissions() == set()


def test_roles_give_no_object_permissions(patient):
    user = as_read(UserFactory(role=RECEPTIONIST))

    assert not user.has_perm("patients.view_patient", patient)


def test_removed_role_is_gone_at_the_next_request(client):
    user = UserFactory(role=RECEPTIONIST)
    client.force_login(user)
    assert client.get("/patients/").status_code == 200

    user.groups.clear()

    assert client.get("/patients/").status_code == 403


def test_page_with_the_top_bar_queries_session_user_and_roles(client):
    for role in (RECEPTIONIST, ADMINISTRATOR):
        client.force_login(UserFactory(role=role))

        with CaptureQueriesContext(connection) as captured:
            response = client.get("/patients/")

        assert role in response.content.decode()
        assert len(captured) == SESSION_USER_AND_ROLES, role
