"""Chainable words for doctors and their time."""

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Any

from django.db import models, transaction

from clinic.db.local_dates import LocalDates
from clinic.db.protected import ProtectedQuerySet

if TYPE_CHECKING:
    from doctors.models import Closure, Doctor, Leave, Timetable  # noqa: F401 -- for the annotations below only


class DoctorQuerySet(ProtectedQuerySet, LocalDates, models.QuerySet["Doctor"]):
    """Doctors."""

    def active(self) -> "DoctorQuerySet":
        """Return the doctors who can be booked."""
        return self.filter(is_active=True)

    def specialized_in(self, specialization: str) -> "DoctorQuerySet":
        """Return the doctors of a specialization."""
        return self.filter(specialization=specialization)

    def claim(self) -> None:
        """Make every other writer of these diaries wait until this transaction ends; schedules see that they changed.

        Locks: the doctors' rows, in order of their ids, as bookings do.
        """
        for pk in sorted(self.order_by().values_list("pk", flat=True)):
            self.model._default_manager.filter(pk=pk).update(diary_version=models.F("diary_version") + 1)


class LockedQuerySet:
    """For querysets of what decides doctors' time: each row is deleted under its own claim, also from a list."""

    def delete(self: Any) -> tuple[int, dict[str, int]]:
        """Delete the rows, all or none."""
        counts: Counter[str] = Counter()
        with transaction.atomic():
            for row in self:
                counts.update(row.delete()[1])
        return counts.total(), dict(counts)

    delete.queryset_only = True  # type: ignore[attr-defined]  # Django's own mark: not for managers


class TimetableQuerySet(LockedQuerySet, models.QuerySet["Timetable"]):
    """Timetables."""

    def for_doctor(self, doctor_id: int) -> "TimetableQuerySet":
        """Return the timetables of one doctor."""
        return self.filter(doctor_id=doctor_id)

    def valid_within(self, first: dt.date | None, last: dt.date | None) -> "TimetableQuerySet":
        """Return the timetables that are for some date from the first to the last, both included; None is no bound."""
        found = self
        if last is not None:
            found = found.filter(models.Q(valid_from=None) | models.Q(valid_from__lte=last))
        if first is not None:
            found = found.filter(models.Q(valid_until=None) | models.Q(valid_until__gte=first))
        return found


class LeaveQuerySet(LockedQuerySet, LocalDates, models.QuerySet["Leave"]):
    """Leaves."""

    def for_doctor(self, doctor_id: int) -> "LeaveQuerySet":
        """Return the leaves of one doctor."""
        return self.filter(doctor_id=doctor_id)

    def overlapping(self, start_time: dt.datetime, end_time: dt.datetime) -> "LeaveQuerySet":
        """Return the leaves that share time with `[start_time, end_time)`; touching is not sharing."""
        return self.filter(start_time__lt=end_time, end_time__gt=start_time)


class ClosureQuerySet(LockedQuerySet, models.QuerySet["Closure"]):
    """Closures."""

    def within(self, first: dt.date, last: dt.date) -> "ClosureQuerySet":
        """Return the closures from one date to another, both included."""
        return self.filter(date__gte=first, date__lte=last)

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuse: closures are saved one by one, so that each claims the diaries and leaves its audit entry.

        Raises:
            TypeError: always.
        """
        raise TypeError("Closures are saved one by one.")
