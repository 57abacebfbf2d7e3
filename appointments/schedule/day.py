"""The day view: one clinic-local date with a column for each doctor."""

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

from django.utils import timezone

from appointments.availability.search import BEGIN_STEP, NO_GAP, with_gap
from appointments.models import Appointment
from appointments.permissions import is_own_diary
from appointments.schedule.blocks import Block, ColumnRow, Viewer, read_rows, status_counts
from appointments.schedule.columns import Column, ColumnBuilder, FreeTimeQuery
from appointments.schedule.grid import Grid, Mark, Place
from appointments.statuses import Status
from clinic.core import clinic_time
from doctors.availability import DoctorAvailability
from doctors.availability_loader import load_availability
from doctors.models import Doctor

# The tabs of the list layout.
TABS = {
    "remaining": frozenset({Status.BOOKED}),
    "arrived": frozenset({Status.ARRIVED, Status.IN_CONSULTATION}),
    "done": frozenset({Status.COMPLETED, Status.NO_SHOW, Status.CANCELLED}),
}


@dataclass(frozen=True)
class Day:
    """The schedule of one clinic-local date, as it stands at `at`."""

    date: dt.date
    at: dt.datetime
    grid: Grid
    columns: list[Column]
    doctors: list[Doctor]  # also those that the filter hides
    version: str

    @cached_property
    def listed(self) -> list[Block]:
        """All appointments, in order of time, cancelled ones too."""
        blocks = chain.from_iterable(column.listed for column in self.columns)
        return sorted(blocks, key=lambda block: block.place.minute)

    @property
    def counts(self) -> list[tuple[Status, int]]:
        return status_counts(self.listed)

    @property
    def hours(self) -> list[Mark]:
        return list(self.grid.hour_marks())

    @property
    def length(self) -> Place:
        return self.grid.length

    @property
    def now(self) -> Mark | None:
        return self.grid.mark_at(self.at)

    @property
    def specializations(self) -> list[str]:
        return sorted({doctor.specialization for doctor in self.doctors})

    def tab(self, name: str) -> list[Block]:
        """Return the appointments of one of `TABS`; for any other name, all."""
        statuses = TABS.get(name)
        return [block for block in self.listed if statuses is None or block.status in statuses]

    @property
    def tabs(self) -> list[tuple[str, int]]:
        return [(name, len(self.tab(name))) for name in (*TABS, "all")]


def day_view(
    day: dt.date,
    *,
    user: Any,
    doctor_id: int | None = None,
    specialization: str = "",
    free_time: FreeTimeQuery | None = None,
    shows_names: bool = False,
    at: dt.datetime | None = None,
) -> Day:
    """Return what a user sees of a day, for all doctors, one, or one specialization. Always five queries.

    The user's own column comes first, the others in order of the doctors' names. `shows_names` is for emergency access.
    """
    at = at or timezone.now()
    all_doctors = list(Doctor.objects.all())  # before the appointments: a booking in between shows as a change
    rows = _read(day, max_gap=max((doctor.gap for doctor in all_doctors), default=NO_GAP))
    doctors = _doctors_of(day, all_doctors, rows, user)
    availability = load_availability([doctor.pk for doctor in doctors], day, day)
    viewer = Viewer(user, sees_all_patients=shows_names)
    builder = _builder(viewer, _grid(day, doctors, rows, availability), rows, free_time or FreeTimeQuery(), at)
    columns = [
        builder.column(doctor, rows[doctor.pk], availability[doctor.pk])
        for doctor in doctors
        if doctor_id in (None, doctor.pk) and specialization in ("", doctor.specialization)
    ]
    return Day(day, at, builder.grid, columns, doctors, version_of(all_doctors, day, at=at))


_Rows = dict[int, list[ColumnRow]]  # by doctor, in order of time


def _read(day: dt.date, *, max_gap: dt.timedelta) -> _Rows:
    """Return the day's appointments, and those of its neighbours whose gap reaches into it. One query."""
    appointments = Appointment.objects.overlapping(*with_gap(clinic_time.day_bounds(day), max_gap))
    rows: _Rows = defaultdict(list)
    for row in read_rows(appointments):
        rows[row.doctor_id].append(row)
    return rows


def _doctors_of(day: dt.date, all_doctors: list[Doctor], rows: _Rows, user: Any) -> list[Doctor]:
    """Return the active doctors, and inactive ones with appointments; first the user, if a doctor."""
    start, end = clinic_time.day_bounds(day)
    booked = {row.doctor_id for row in chain(*rows.values()) if row.start_time < end and start < row.end_time}
    doctors = [doctor for doctor in all_doctors if doctor.is_active or doctor.pk in booked]
    return sorted(doctors, key=lambda doctor: not is_own_diary(doctor, user))


def _grid(day: dt.date, doctors: list[Doctor], rows: _Rows, availability: Mapping[int, DoctorAvailability]) -> Grid:
    hours = [span for doctor in doctors if doctor.is_active for span in availability[doctor.pk].offered_on(day)]
    return Grid.around(day, hours, [(row.start_time, row.end_time) for row in chain(*rows.values())])


def _builder(viewer: Viewer, grid: Grid, rows: _Rows, free_time: FreeTimeQuery, at: dt.datetime) -> ColumnBuilder:
    patient_id = free_time.patient and free_time.patient.pk
    patient_rows = [row for row in chain(*rows.values()) if row.patient_id == patient_id]
    return ColumnBuilder(viewer, grid, at=at, query=free_time, patient_rows=patient_rows)


def day_version(day: dt.date, *, at: dt.datetime | None = None) -> str:
    """Return a text that changes whenever the day view does, except for corrected patient records. One query.

    It also changes with a doctor's diary on other days, and today every `BEGIN_STEP`, as free times pass.
    """
    doctors = Doctor.objects.values_list("pk", "diary_version", "is_active", "usual_minutes", "gap_minutes")
    return _version(doctors, day, at=at or timezone.now())


def version_of(doctors: Iterable[Doctor], day: dt.date, *, at: dt.datetime) -> str:
    """Return the same as `day_version`, without a query."""
    values = (
        (doctor.pk, doctor.diary_version, doctor.is_active, doctor.usual_minutes, doctor.gap_minutes)
        for doctor in doctors
    )
    return _version(values, day, at=at)


def _version(doctors: Iterable[tuple[Any, ...]], day: dt.date, *, at: dt.datetime) -> str:
    today = clinic_time.today(at=at)
    clock = int(at.timestamp() // BEGIN_STEP.total_seconds()) if today == day else ""
    text = f"{today} {clock} {sorted(doctors)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
