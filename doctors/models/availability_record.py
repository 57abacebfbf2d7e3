"""The base of hours, leave and closures, saved under the lock of the diaries: bookings wait, schedules refresh."""

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
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        abstract = True

    def diaries(self) -> DoctorQuerySet:
        """Return the doctors whose availability it decides."""
        raise NotImplementedError

    @property
    def cause(self) -> str:
        """What displaces appointments, in words, without a leave's reason: for everyone who rebooks them."""
        raise NotImplementedError

    def touched(self) -> list[Span] | None:
        """Return the time in which it may displace appointments; None is any time."""
        return None

    def check_apart(self) -> None:
        """Check that it does not contradict other rows. Raises ValidationError by field."""
        raise NotImplementedError

    def check_under_lock(self) -> None:
        """Check again what may have changed since the form was checked. Raises ValidationError."""
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
        """Lock the diaries, check again, write. Raises LostRace with the rules' codes after a lost race."""
        before = self.version
        try:
            with self._locked():
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
        """Write other rows that belong to this one."""

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with self._locked():
            return super().delete(*args, **kwargs)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with transaction.atomic():
            self.diaries().lock_diaries()
            yield

    def check_unchanged(self, *, seen_version: int) -> None:
        """Refuse with `stale` if the row has another version by now. One query."""
        current = type(self)._default_manager.filter(pk=self.pk).values_list("version", flat=True).first()
        rules.check_not_stale(current or 0, seen_version=seen_version)
