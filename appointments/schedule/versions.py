"""Which state of the schedule a page shows: docs/decisions/022-refresh.md.

Versions are read before the schedule itself: what changes in between is shown, and the next refresh sends it once more.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from django.db.models import DateField, F, FilteredRelation, Q

from appointments.models import DayVersion
from appointments.schedule.blocks import Viewer
from clinic.core import clinic_time
from clinic.db.compiled_query import CompiledQuery, Parameter
from doctors.models import Doctor
from doctors.querysets import DoctorQuerySet

# What the schedule shows of a doctor. Only `schedule_version` sees names, hours, leave and closures.
_DOCTOR = ("pk", "is_active", "usual_minutes", "gap_minutes", "schedule_version")
SHOWN_OF_DOCTOR = (*_DOCTOR, "specialization", "day_version")


@dataclass(frozen=True)
class Versions:
    """`columns` has the version of each active doctor's appointments, and `rest` is that of everything else shown."""

    rest: str
    columns: dict[int, int]

    @property
    def etag(self) -> str:
        return f'"{self.rest}-{_digest(sorted(self.columns.items()))}"'


def doctors_on(day: Any) -> DoctorQuerySet:
    """Return all doctors, each with the version of the appointments on a date as `day_version`, which may be None."""
    on_day = FilteredRelation("day_versions", condition=Q(day_versions__date=day))
    return Doctor.objects.annotate(on_day=on_day).annotate(day_version=F("on_day__version"))


_DOCTORS = CompiledQuery(lambda: doctors_on(Parameter("day", DateField())).order_by().values_list(*SHOWN_OF_DOCTOR))


def read_doctors(day: dt.date) -> list[tuple[Any, ...]]:
    """Return `SHOWN_OF_DOCTOR` of all doctors. One query, which every poll of an open page makes."""
    return [tuple(row) for row in _DOCTORS.rows(day=day)]


def day_versions(doctors: Iterable[tuple[Any, ...]], viewer: Viewer, *, at: dt.datetime, more: Any = "") -> Versions:
    """Return the versions of a day from `SHOWN_OF_DOCTOR` of its doctors, and `more` that is shown."""
    rows = sorted(doctors)
    columns = {pk: version or 0 for pk, is_active, *_doctor, version in rows if is_active}
    rest = [row[:-1] if row[0] in columns else row for row in rows]
    return Versions(_rest_of(viewer, rest, more, at=at), columns)


def week_versions(doctor: Doctor, dates: Sequence[dt.date], viewer: Viewer, *, at: dt.datetime) -> Versions:
    """Return the versions of a doctor's week; a change of any date is one of the rest. One query."""
    days = DayVersion.objects.filter(doctor=doctor, date__in=dates).order_by("date").values_list("date", "version")
    return Versions(_rest_of(viewer, [attrgetter(*_DOCTOR)(doctor), *days], "", at=at), {})


def _rest_of(viewer: Viewer, shown: Iterable[Any], more: Any, *, at: dt.datetime) -> str:
    return _digest((clinic_time.today(at=at), viewer.rights, list(shown), more))


def _digest(shown: Any) -> str:
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:12]
