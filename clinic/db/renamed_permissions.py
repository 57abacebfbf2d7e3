from typing import Any

from django.db.migrations import RunPython

_ACTIONS = ("add", "change", "delete", "view")


def rename_permissions(app_label: str, old: str, new: str) -> RunPython:
    """Return a reversible operation that renames a model's four permissions, to follow `RenameModel`.

    Django renames only the content type. `old` and `new` are verbose names, such as "saved form". Groups keep their
    permissions, because the rows stay. A new database has none yet, and nothing happens.
    """

    def renaming(old: str, new: str) -> Any:
        def rename(apps: Any, schema_editor: Any) -> None:
            permissions = apps.get_model("auth", "Permission").objects.using(schema_editor.connection.alias)
            for action in _ACTIONS:
                found = permissions.filter(content_type__app_label=app_label, codename=f"{action}_{_joined(old)}")
                found.update(codename=f"{action}_{_joined(new)}", name=f"Can {action} {new}")

        return rename

    return RunPython(renaming(old, new), renaming(new, old))


def _joined(verbose_name: str) -> str:
    return verbose_name.replace(" ", "")
