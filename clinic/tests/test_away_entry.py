"""Receptionists get the role "Away entry" beside their own, unless an administrator takes it from them."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group

from clinic.accounts.roles import AWAY_ENTRY, MANAGER, RECEPTIONIST
from clinic.models import User

pytestmark = pytest.mark.usefixtures("db", "now")

ADD = "/admin/clinic/user/add/"


def roles_of(user):
    return set(user.groups.values_list("name", flat=True))


def new_user(role, **ticked):
    password = {"password1": "blue-heron-4711", "password2": "blue-heron-4711"}
    return {"username": "nuno", "groups": [Group.objects.get(name=role).pk], **password, **ticked}


def test_tick_box_of_a_new_user_is_ticked(in_admin):
    form = in_admin.get(ADD).context["adminform"].form

    assert form["away_entry"].value() is True


@pytest.mark.parametrize(
    ("role", "ticked", "roles"),
    [
        (RECEPTIONIST, {"away_entry": "on"}, {RECEPTIONIST, AWAY_ENTRY}),
        (RECEPTIONIST, {}, {RECEPTIONIST}),
        (MANAGER, {"away_entry": "on"}, {MANAGER}),
    ],
)
@pytest.mark.both_databases
def test_new_receptionist_gets_the_role_if_it_is_ticked(in_admin, role, ticked, roles):
    in_admin.post(ADD, new_user(role, **ticked))

    assert roles_of(User.objects.get(username="nuno")) == roles


@pytest.mark.both_databases
def test_migration_gives_the_role_to_receptionists_only(receptionist, manager):
    Group.objects.get(name=AWAY_ENTRY).delete()  # as before the migration

    import_module("clinic.migrations.0013_away_entry").give(apps, None)

    assert roles_of(receptionist) == {RECEPTIONIST, AWAY_ENTRY}
    assert roles_of(manager) == {MANAGER}


def test_migration_of_an_empty_database_makes_no_group():
    Group.objects.get(name=AWAY_ENTRY).delete()

    import_module("clinic.migrations.0013_away_entry").give(apps, None)

    assert not Group.objects.filter(name=AWAY_ENTRY).exists()
