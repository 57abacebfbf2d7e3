"""Records that know what their row held, so that rules can ask what a change changes."""

from collections.abc import Collection
from typing import Any, ClassVar, Self

from django.db import models


class TrackedFields(models.Model):
    """A record that remembers the columns `TRACKED_FIELDS` as they were read or last saved."""

    TRACKED_FIELDS: ClassVar[tuple[str, ...]] = ()

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: str | None, field_names: Any, values: Any, **kwargs: Any) -> Self:
        """Make a record of a row and remember what it held."""
        record = super().from_db(db, field_names, values, **kwargs)
        record.remember()
        return record

    def refresh_from_db(self, using: Any = None, fields: Any = None, from_queryset: Any = None) -> None:
        """Read the row again, or some of its columns, and remember what was read.

        Django comes here for a deferred column too: what else has been changed meanwhile must stay known as changed.
        """
        super().refresh_from_db(using, fields, from_queryset)
        self.remember(
            None if fields is None else [getattr(self._meta.get_field(name), "attname", name) for name in fields]
        )

    def remember(self, names: Collection[str] | None = None) -> None:
        """Take the present values of these columns, default all, for what the row holds."""
        read = {name: self.__dict__[name] for name in self.TRACKED_FIELDS if name in self.__dict__}
        if names is None:
            self._held = read
        else:
            self._held = getattr(self, "_held", {}) | {name: read[name] for name in names if name in read}

    @property
    def held(self) -> dict[str, Any]:
        """What the row held, by column; nothing for a new record. One query, if some of it was deferred."""
        if self._state.adding:
            return {}
        if deferred := set(self.TRACKED_FIELDS) - self._held.keys():
            self._held |= type(self)._default_manager.filter(pk=self.pk).values(*deferred).get()
        return self._held

    def changes(self, *names: str) -> bool:
        """Return whether one of these columns differs from what was held; a new record differs in all."""
        held = self.held
        return any(name not in held or held[name] != getattr(self, name) for name in names)
