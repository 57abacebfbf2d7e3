"""Which state of the schedule a page shows: docs/decisions/022-refresh.md.

Versions are read before the schedule itself: what changes in between is shown, and the next refresh sends it once more.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import FilteredRelation, Q

from appointments.models import DayVersion
from appointments.schedule.blocks import Viewer
from clinic.core import clinic_time
from doctors.models import Doctor

# What the schedule shows of a doctor. Only `schedule_version` sees names, hours, leave and closures.
_DOCTOR = ("pk", "is_active", "usual_minutes", "gap_minutes", "schedule_version")


@dataclass(frozen=True)
class Versions:
    """`columns` has the version of each active doctor's appointments, and `rest` is that of everything else shown."""

    rest: str
    columns: dict[int, int]

    @property
    def etag(self) -> str:
        return f'"{self.rest}-{_digest(sorted(self.columns.items()))}"'


def day_versions(
    day: dt.date,
    viewer: Viewer,
    *,
    at: dt.datetime,
    doctor_id: int | None = None,
    specialization: str = "",
    more: Any = "",
) -> Versions:
    """Return the versions of a day for what the filters show. One query. `more` is anything else that is shown."""
    on_day = FilteredRelation("day_versions", condition=Q(day_versions__date=day))
    doctors = Doctor.objects.annotate(on_day=on_day).order_by()
    if doctor_id is not None:
        doctors = doctors.filter(pk=doctor_id)
    if specialization:
        doctors = doctors.specialized_in(specialization)
    rows = list(doctors.values_list(*_DOCTOR, "on_day__version"))
    columns = {pk: version or 0 for pk, is_active, *_doctor, version in rows if is_active}
    rest = [tuple(row[:-1] if row[0] in columns else row) for row in rows]
    return Versions(_rest_of(viewer, sorted(rest), more, at=at), columns)


def week_versions(doctor: Doctor, dates: Sequence[dt.date], viewer: Viewer, *, at: dt.datetime) -> Versions:
    """Return the versions of a doctor's week; a change of any date is one of the rest. One query."""
    days = DayVersion.objects.filter(doctor=doctor, date__in=dates).order_by("date").values_list("date", "version")
    shown = [tuple(getattr(doctor, name) for name in _DOCTOR), *days]
    return Versions(_rest_of(viewer, shown, "", at=at), {})


def _rest_of(viewer: Viewer, shown: Iterable[Any], more: Any, *, at: dt.datetime) -> str:
    return _digest((clinic_time.today(at=at), viewer.rights, list(shown), more))


def _digest(shown: Any) -> str:
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:12]
