"""A record's user and the permissions of the user's roles, as columns of the statement that reads the record."""

import json
from collections.abc import Sequence
from typing import Any

from django.db.models import F, Func, OuterRef, Subquery, TextField, Value
from django.db.models.functions import Concat

from clinic.accounts.models import User

_USER = [field.attname for field in User._meta.concrete_fields]
_BETWEEN = "\n"  # in no name of a permission
_NO_PERMISSION = "."


class _JsonList(Func):
    """The values of all rows as a JSON array. Django's aggregates would group the rows."""

    function = "JSON_ARRAYAGG"
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="JSON_GROUP_ARRAY", **context)


def user_columns() -> list[Any]:
    """Return the last columns of a query for records with a field `user`. They cost no further query."""
    permission = Concat(
        F("group__permissions__content_type__app_label"),
        Value("."),
        F("group__permissions__codename"),
        Value(_BETWEEN),
        F("group__name"),
        output_field=TextField(),
    )
    memberships = User.groups.through.objects.filter(user_id=OuterRef("user_id"))
    return [*(f"user__{name}" for name in _USER), Subquery(memberships.values(roles=_JsonList(permission)))]


def split_user(values: Sequence[Any]) -> tuple[Sequence[Any], User | None]:
    """Return the values before those of `user_columns()`, and the user, with the permissions by role."""
    before, of_user, roles = values[: -len(_USER) - 1], values[-len(_USER) - 1 : -1], values[-1]
    user = User.from_db("default", _USER, of_user)
    if user.username is None:  # there is no such row; the id is the record's own column
        return before, None
    user.permissions_by_role = _permissions_by_role(roles)
    return before, user


def _permissions_by_role(column: str | None) -> dict[str, set[str]]:
    """Return what `User.permissions_by_role` would read."""
    found = [text.partition(_BETWEEN) for text in json.loads(column or "[]")]
    permissions: dict[str, set[str]] = {role: set() for role in sorted({role for *_permission, role in found})}
    for permission, _between, role in found:
        if permission != _NO_PERMISSION:
            permissions[role].add(permission)
    return permissions
