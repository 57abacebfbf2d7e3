"""A change of doctors' availability that is not saved yet: what `load_availability` needs to work out its effect."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, Union

from django.core.exceptions import ValidationError
from django.db import models

from clinic.db.transactions import LostRace
from doctors.availability import Span

if TYPE_CHECKING:
    from doctors.models import AvailabilityRecord, Doctor
    from doctors.querysets import DoctorQuerySet

Row = TypeVar("Row", bound=models.Model)


@dataclass(frozen=True)
class AvailabilityChange:
    """Records that would be saved or deleted: those of one doctor, or closures of the clinic.

    Its effect on other records, as on hours that make room for new ones, is read once: lock the doctors before.
    """

    saved: Sequence[Union["AvailabilityRecord", "Doctor"]] = ()
    deleted: Sequence["AvailabilityRecord"] = ()

    @property
    def doctors(self) -> "DoctorQuerySet":
        return (*self.saved, *self.deleted)[0].diaries()

    def touched(self) -> list[Span] | None:
        """Return the time in which appointments may be displaced; None is any time."""
        if self.deleted:
            return None
        touched: list[Span] = []
        for record in self.saved:
            spans = record.touched()
            if spans is None:
                return None
            touched += spans
        return touched

    def check(self) -> None:
        """Check under the lock that the records may still be saved. Raises LostRace with the rules' codes."""
        try:
            for record in self.saved:
                record.check_under_lock()
        except ValidationError as error:
            raise LostRace(error) from error

    def put(self, kind: type[Row]) -> list[Row]:
        """Return the rows of a kind as they would be written."""
        return [row for row in self._effect[0] if isinstance(row, kind)]

    def replaced_ids(self, kind: type[models.Model]) -> list[int]:
        """Return the ids of a kind's rows in the database that would be changed or gone."""
        put, gone = self._effect
        return [row.pk for row in (*put, *gone) if isinstance(row, kind) and row.pk is not None]

    @cached_property
    def _effect(self) -> tuple[list[Any], list[Any]]:
        put: list[Any] = []
        gone: list[Any] = []
        for record in self.saved:
            put += record.rows_after_saving()
        for record in self.deleted:
            written, deleted = record.rows_after_deleting()
            put += written
            gone += deleted
        return put, gone
