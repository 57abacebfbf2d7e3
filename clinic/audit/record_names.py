"""Names of the records that audit entries mention, as they are now."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models

from clinic.audit.former_names import changes_of

# Each of these has a name that needs no other record.
NAMED_MODELS = frozenset({"patients.Patient", "doctors.Doctor", "clinic.User", "clinic.ApiToken"})


class RecordNames:
    """Looks up all names at once, with one query for each model."""

    def __init__(self, wanted: Iterable[tuple[type[models.Model], int]]) -> None:
        ids: dict[type[models.Model], set[int]] = defaultdict(set)
        for kind, pk in wanted:
            ids[kind].add(pk)
        self._found = {kind: kind._base_manager.in_bulk(pks) for kind, pks in ids.items()}

    def record(self, kind: type[models.Model], pk: int) -> models.Model | None:
        return self._found.get(kind, {}).get(pk)

    def name(self, kind: type[models.Model], pk: int) -> str:
        """Return the record's name; for one that is deleted or has none, its model and id, as `patient 7`."""
        record = self.record(kind, pk)
        return getattr(record, "display_name", str(record)) if record else f"{kind._meta.verbose_name} {pk}"


def field_values(
    entry: Any, kind: type[models.Model] | None, *, hidden: frozenset[str]
) -> Iterator[tuple[str, Any, list[Any]]]:
    """Yield the name, the field and the stored old and new value of each changed field.

    The field is None if it no longer exists. A new record has no old values, a deleted one no new values.
    """
    for name, values in changes_of(entry).items():
        # Old entries of many-to-many fields are in the library's own format, a dict.
        if name not in hidden and isinstance(values, list):
            yield name, _field(kind, name), _without_none(entry, *values)


def _without_none(entry: Any, old: Any, new: Any) -> list[Any]:
    # A missing value is stored as "None", which elsewhere may be text that a user typed.
    is_new, is_deleted = entry.action == entry.Action.CREATE, entry.action == entry.Action.DELETE
    return [None if is_new and old == "None" else old, None if is_deleted and new == "None" else new]


def records_in_changes(
    entry: Any, kind: type[models.Model] | None, *, hidden: frozenset[str]
) -> Iterator[tuple[type[models.Model], int]]:
    """Yield the model and id of the named records that are old or new values in an entry."""
    for _name, field, values in field_values(entry, kind, hidden=hidden):
        if related := named_model(field):
            yield from ((related, int(value)) for value in values if str(value).isdecimal())


def named_model(field: Any) -> type[models.Model] | None:
    """Return the model that a foreign key points to, if its records have names."""
    related: Any = field.related_model if isinstance(field, models.ForeignKey) else None
    return related if related is not None and related._meta.label in NAMED_MODELS else None


def _field(kind: type[models.Model] | None, name: str) -> Any:
    try:
        return kind._meta.get_field(name) if kind else None
    except FieldDoesNotExist:
        return None
