"""A migration that renames a model renames its permissions, and can be reversed."""

from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import connection

from clinic.db.renamed_permissions import rename_permissions


@pytest.mark.django_db
@pytest.mark.both_databases
def test_group_keeps_permissions_of_a_renamed_model_both_ways():
    permissions = Permission.objects.filter(content_type__app_label="clinic", codename__endswith="_savedform")
    group = Group.objects.create(name="Trainees")
    group.permissions.set(permissions)
    rename = rename_permissions("clinic", "saved form", "stored form")
    editor = SimpleNamespace(connection=connection)

    rename.code(apps, editor)

    names = dict(group.permissions.values_list("codename", "name"))
    assert names == {f"{verb}_storedform": f"Can {verb} stored form" for verb in ("add", "change", "delete", "view")}

    rename.reverse_code(apps, editor)

    assert set(group.permissions.values_list("codename", flat=True)) == {
        f"{verb}_savedform" for verb in ("add", "change", "delete", "view")
    }
