from collections.abc import Collection
from typing import Any, ClassVar, Self

from django.db import models


class TrackedFields(models.Model):
    """Remembers `TRACKED_FIELDS` as they were read or last saved: docs/decisions/017-tracked-fields.md."""

    TRACKED_FIELDS: ClassVar[tuple[str, ...]] = ()

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: str | None, field_names: Any, values: Any, **kwargs: Any) -> Self:
        record = super().from_db(db, field_names, values, **kwargs)
        record.track()
        return record

    def refresh_from_db(self, using: Any = None, fields: Any = None, from_queryset: Any = None) -> None:
        """Read the row again, or some columns, and track only those: Django also calls this for a deferred column."""
        super().refresh_from_db(using, fields, from_queryset)
        self.track(
            None if fields is None else [getattr(self._meta.get_field(name), "attname", name) for name in fields]
        )

    def track(self, names: Collection[str] | None = None) -> None:
        """Take the present values of these columns, by default all, as the original ones."""
        present = {name: self.__dict__[name] for name in self.TRACKED_FIELDS if name in self.__dict__}
        if names is None:
            self._original = present
        else:
            tracked = {name: present[name] for name in names if name in present}
            self._original = getattr(self, "_original", {}) | tracked

    @property
    def original(self) -> dict[str, Any]:
        """The row's values by column; empty for a new record. One query if some columns were deferred."""
        if self._state.adding:
            return {}
        if deferred := set(self.TRACKED_FIELDS) - self._original.keys():
            self._original |= type(self)._default_manager.filter(pk=self.pk).values(*deferred).get()
        return self._original

    def changes(self, *names: str) -> bool:
        """Return whether one of these columns differs from its original value; in a new record all do."""
        original = self.original
        return any(name not in original or original[name] != getattr(self, name) for name in names)
