"""What decides when doctors can be booked: saved under the claim of their diaries.

A booking that looks at the hours while they change waits, and the schedule shows that something has changed. What it
comes to on a date is in `doctors.availability`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction

from clinic.db.transactions import LostRace
from doctors import rules
from doctors.availability import Span
from doctors.querysets import DoctorQuerySet


class AvailabilityRecord(models.Model):
    """What decides when doctors can be booked. Saved and deleted under the claim of the diaries it is about."""

    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        abstract = True

    def diaries(self) -> DoctorQuerySet:
        """Return the doctors whose time it is."""
        raise NotImplementedError

    @property
    def cause(self) -> str:
        """What it is to appointments that it hits, in words."""
        raise NotImplementedError

    def touched(self) -> list[Span] | None:
        """Return the stretches of time that it may take from appointments; None is any time."""
        return None

    def check_apart(self) -> None:
        """Check that it does not contradict other rows.

        Raises:
            ValidationError: by field.
        """
        raise NotImplementedError

    def check_under_lock(self) -> None:
        """Check against earlier changes and other rows what may have changed since the form was checked.

        Raises:
            ValidationError: `stale`, or as `check_apart`.
        """
        if not self._state.adding:
            self.check_unchanged(seen_version=self.version)
        self.check_apart()

    def rows_after_saving(self) -> list[Any]:
        """Return the rows that saving writes, in order, as they will be."""
        return [self]

    def rows_after_deleting(self) -> tuple[list[Any], list[Any]]:
        """Return the rows that deleting writes, as they will be, and those it deletes."""
        return [], [self]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Claim the diaries, check against other rows and earlier changes again, write.

        Raises:
            LostRace: with the rules' codes if somebody else was quicker; `stale` if the row has changed since it was
                read. Nothing is written.
        """
        before = self.version
        try:
            with self._claimed():
                self.check_under_lock()
                if not self._state.adding:
                    self.version += 1
                super().save(*args, **kwargs)
                self.write_parts()
        except BaseException as error:
            self.version = before
            if isinstance(error, ValidationError):
                raise LostRace(error) from error
            raise

    def write_parts(self) -> None:
        """Write the rows that belong to this one."""

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete under the claim."""
        with self._claimed():
            return super().delete(*args, **kwargs)

    @contextmanager
    def _claimed(self) -> Iterator[None]:
        with transaction.atomic():
            self.diaries().claim()
            yield

    def check_unchanged(self, *, seen_version: int) -> None:
        """Check that the row still is as it was in this version. One query.

        Raises:
            ValidationError: `stale`.
        """
        held = type(self)._default_manager.filter(pk=self.pk).values_list("version", flat=True).first()
        rules.check_not_stale(held or 0, seen_version=seen_version)
