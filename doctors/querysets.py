import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Any

from django.db import models, transaction

from clinic.db.local_dates import LocalDates
from clinic.db.protected import ProtectedQuerySet

if TYPE_CHECKING:
    from doctors.models import Closure, Doctor, Leave, Timetable  # noqa: F401 -- for the annotations below only


class DoctorQuerySet(ProtectedQuerySet, LocalDates, models.QuerySet["Doctor"]):
    def active(self) -> "DoctorQuerySet":
        return self.filter(is_active=True)

    def specialized_in(self, specialization: str) -> "DoctorQuerySet":
        return self.filter(specialization=specialization)

    def having_hours(self) -> "DoctorQuerySet":
        """Return the doctors with any hours, past ones too; one without any can be booked at any time."""
        return self.filter(timetables__working_hours__isnull=False).distinct()

    def with_has_hours(self) -> "DoctorQuerySet":
        """Add `has_hours`, whether a doctor is one of `having_hours`. No query of its own."""
        same_doctor = self.model._default_manager.having_hours().filter(pk=models.OuterRef("pk"))
        return self.annotate(has_hours=models.Exists(same_doctor))

    def lock_diaries(self) -> None:
        """Lock the doctors' rows, in order of their ids as bookings do, to change when they can be booked."""
        raised = {name: models.F(name) + 1 for name in ("diary_version", "schedule_version")}
        for pk in sorted(self.order_by().values_list("pk", flat=True)):
            self.model._default_manager.filter(pk=pk).update(**raised)


class LockedQuerySet:
    """Deletes rows one by one, each under its own lock."""

    def delete(self: Any) -> tuple[int, dict[str, int]]:
        counts: Counter[str] = Counter()
        with transaction.atomic():
            for row in self:
                counts.update(row.delete()[1])
        return counts.total(), dict(counts)

    delete.queryset_only = True  # type: ignore[attr-defined]  # Django's own mark: not for managers


class TimetableQuerySet(LockedQuerySet, models.QuerySet["Timetable"]):
    def for_doctor(self, doctor_id: int) -> "TimetableQuerySet":
        return self.filter(doctor_id=doctor_id)

    def valid_within(self, first: dt.date | None, last: dt.date | None) -> "TimetableQuerySet":
        """Return the timetables that apply on some date from first to last, both included; None is no bound."""
        found = self
        if last is not None:
            found = found.filter(models.Q(valid_from=None) | models.Q(valid_from__lte=last))
        if first is not None:
            found = found.filter(models.Q(valid_until=None) | models.Q(valid_until__gte=first))
        return found


class LeaveQuerySet(LockedQuerySet, LocalDates, models.QuerySet["Leave"]):
    def for_doctor(self, doctor_id: int) -> "LeaveQuerySet":
        return self.filter(doctor_id=doctor_id)

    def overlapping(self, start_time: dt.datetime, end_time: dt.datetime) -> "LeaveQuerySet":
        """Return the leaves that share time with `[start_time, end_time)`."""
        return self.filter(start_time__lt=end_time, end_time__gt=start_time)


class ClosureQuerySet(LockedQuerySet, models.QuerySet["Closure"]):
    def within(self, first: dt.date, last: dt.date) -> "ClosureQuerySet":
        """Return the closures from the first date to the last, both included."""
        return self.filter(date__gte=first, date__lte=last)

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
        """Raise TypeError: each closure must lock the diaries and write its audit entry."""
        raise TypeError("Closures are saved one by one.")
