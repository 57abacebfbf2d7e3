"""The day view: one clinic-local date with a column for each doctor."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from operator import attrgetter
from typing import Any

from django.db.models import Count
from django.utils import timezone

from appointments.availability.search import NO_GAP, with_gap
from appointments.models import Appointment
from appointments.permissions import is_own_diary
from appointments.querysets import AppointmentQuerySet
from appointments.schedule.blocks import Block, ColumnRow, Viewer, read_rows, status_counts
from appointments.schedule.columns import ANY_TIME, Column, ColumnBuilder, FreeTimeQuery
from appointments.schedule.grid import Grid, Mark, Place
from appointments.schedule.keeping import keep
from appointments.schedule.versions import SHOWN_OF_DOCTOR, Versions, day_versions, doctors_on, read_doctors
from appointments.statuses import Status
from clinic.core import clinic_time
from doctors.availability import Opening
from doctors.availability_loader import LOOK_AHEAD_DAYS, load_availability, working_day_after
from doctors.models import Doctor

# The tabs of the list layout.
TABS = {
    "remaining": frozenset({Status.BOOKED}),
    "arrived": frozenset({Status.ARRIVED}),
    "in_consultation": frozenset({Status.IN_CONSULTATION}),
    "done": frozenset({Status.COMPLETED, Status.NO_SHOW, Status.LEFT, Status.CANCELLED}),
}


@dataclass(frozen=True)
class Day:
    """The schedule of one clinic-local date, as it stands at `at`."""

    date: dt.date
    at: dt.datetime
    grid: Grid
    columns: list[Column]
    doctors: list[Doctor]  # also those that the filter hides
    versions: Versions

    @cached_property
    def listed(self) -> list[Block]:
        """All appointments, in order of time, cancelled ones too; first those that last from the day before."""
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
    def away(self) -> list[Column]:
        """The columns of doctors who are not in and have no appointments."""
        return [column for column in self.columns if column.is_away]

    def tab(self, name: str) -> list[Block]:
        """Return the appointments of one of `TABS`; for any other name, all."""
        statuses = TABS.get(name)
        return [block for block in self.listed if statuses is None or block.status in statuses]

    @property
    def tabs(self) -> list[tuple[str, int]]:
        return [(name, sum(not block.is_continued for block in self.tab(name))) for name in (*TABS, "all")]


@dataclass(frozen=True)
class DayFilters:
    """Which doctors' columns of a day to show: all, or some of them, or those with one specialization."""

    doctor_ids: tuple[int, ...] = ()  # none means all
    specialization: str = ""

    def suits(self, doctor: Doctor) -> bool:
        return self._suits(doctor.pk, doctor.specialization)

    def _suits(self, doctor_id: int, specialization: str) -> bool:
        if self.doctor_ids and doctor_id not in self.doctor_ids:
            return False
        return self.specialization in ("", specialization)

    def versions(self, day: dt.date, viewer: Viewer, *, moving: Appointment | None, at: dt.datetime) -> Versions:
        """Return the versions of what is shown. One query."""
        return self._versions(read_doctors(day), viewer, moving=moving, at=at)

    def versions_of(
        self, doctors: Iterable[Doctor], viewer: Viewer, *, moving: Appointment | None, at: dt.datetime
    ) -> Versions:
        """Return the same from all doctors of `doctors_on`."""
        return self._versions(map(attrgetter(*SHOWN_OF_DOCTOR), doctors), viewer, moving=moving, at=at)

    def _versions(
        self, rows: Iterable[tuple[Any, ...]], viewer: Viewer, *, moving: Appointment | None, at: dt.datetime
    ) -> Versions:
        if moving is None:
            return day_versions([row for row in rows if self._suits(row[0], row[-2])], viewer, at=at)
        # The patient may be booked with any doctor.
        return day_versions(rows, viewer, at=at, more=(self.doctor_ids, self.specialization, moving.version))

    def appointments(self) -> AppointmentQuerySet:
        found = Appointment.objects.all()
        if self.doctor_ids:
            found = found.filter(doctor__in=self.doctor_ids)
        return found.filter(doctor__specialization=self.specialization) if self.specialization else found


ALL_DOCTORS = DayFilters()


def day_view(
    day: dt.date,
    *,
    user: Any,
    filters: DayFilters = ALL_DOCTORS,
    free_time: FreeTimeQuery = ANY_TIME,
    shows_names: bool = False,
    at: dt.datetime | None = None,
) -> Day:
    """Return what a user sees of a day, for all doctors, some, or one specialization.

    The user's own column comes first, the others in order of the doctors' names. `shows_names` is for emergency access.
    Two queries, and three more for doctors whose hours are not kept in memory.
    """
    at = at or timezone.now()
    viewer = Viewer(user, sees_all_patients=shows_names)
    all_doctors = list(doctors_on(day))  # before the appointments: a booking in between shows as a change
    versions = filters.versions_of(all_doctors, viewer, moving=free_time.moving, at=at)
    rows = _read(Appointment.objects.all(), day, all_doctors)
    doctors = _doctors_of(day, all_doctors, rows, user)
    openings = openings_on(day, doctors)
    builder = _builder(viewer, _grid(day, doctors, rows, openings), rows, free_time, at)
    shown = filter(filters.suits, doctors)
    return Day(day, at, builder.grid, _columns(shown, rows, openings, builder, versions), doctors, versions)


def changed_columns(
    day: dt.date, doctor_ids: Collection[int], grid: Grid, *, user: Any, at: dt.datetime, versions: Versions
) -> list[Column] | None:
    """Return some doctors' columns for a page that shows all others; None if `grid`, that of the page, is too small.

    Two queries, and three more for doctors whose hours are not kept in memory.
    """
    doctors = list(Doctor.objects.filter(pk__in=doctor_ids))
    rows = _read(Appointment.objects.filter(doctor__in=doctor_ids), day, doctors)
    openings = openings_on(day, doctors)
    needed = _grid(day, doctors, rows, openings)
    if needed.start < grid.start or grid.end < needed.end:
        return None
    viewer = Viewer(user)
    builder = ColumnBuilder(viewer, grid, at=at, offers_absence=_offers_absence(viewer, day, at))
    return _columns(doctors, rows, openings, builder, versions)


def counts_on(day: dt.date, filters: DayFilters) -> list[tuple[Status, int]]:
    """Return the same as `Day.counts`. One query."""
    rows = filters.appointments().on_day(day).order_by().values_list("status").annotate(count=Count("pk"))
    counts = dict(rows)
    return [(status, counts[status]) for status in Status if counts.get(status)]


_Rows = dict[int, list[ColumnRow]]  # by doctor, in order of time


def _columns(
    doctors: Iterable[Doctor], rows: _Rows, openings: Mapping[int, Opening], builder: ColumnBuilder, versions: Versions
) -> list[Column]:
    return [
        Column(builder, doctor, rows[doctor.pk], openings[doctor.pk], versions.columns.get(doctor.pk))
        for doctor in doctors
    ]


def _read(appointments: AppointmentQuerySet, day: dt.date, doctors: Iterable[Doctor]) -> _Rows:
    """Return the day's appointments, and those of its neighbours whose gap reaches into it. One query."""
    max_gap = max((doctor.gap for doctor in doctors), default=NO_GAP)
    rows: _Rows = defaultdict(list)
    for row in read_rows(appointments.overlapping(*with_gap(clinic_time.day_bounds(day), max_gap))):
        rows[row.doctor_id].append(row)
    return rows


def _doctors_of(day: dt.date, all_doctors: list[Doctor], rows: _Rows, user: Any) -> list[Doctor]:
    """Return the active doctors, and inactive ones with appointments; first the user, if a doctor."""
    start, end = clinic_time.day_bounds(day)
    booked = {row.doctor_id for row in chain(*rows.values()) if row.is_shown_on(start, end)}
    doctors = [doctor for doctor in all_doctors if doctor.is_active or doctor.pk in booked]
    return sorted(doctors, key=lambda doctor: not is_own_diary(doctor, user))


def openings_on(day: dt.date, doctors: Collection[Doctor]) -> dict[int, Opening]:
    """Return when each of the doctors can be booked on a date. Three queries, unless all of it is kept in memory."""

    def load(doctor_ids: list[int]) -> dict[int, Opening]:
        return {pk: times.opening_on(day) for pk, times in load_availability(doctor_ids, day, day).items()}

    return keep({doctor.pk: ("opening", doctor.pk, doctor.schedule_version, day) for doctor in doctors}, load)


def _grid(day: dt.date, doctors: list[Doctor], rows: _Rows, openings: Mapping[int, Opening]) -> Grid:
    hours = [span for doctor in doctors if doctor.is_active for span in openings[doctor.pk].hours]
    midnights = clinic_time.day_bounds(day)
    shown = (row for row in chain(*rows.values()) if row.is_shown_on(*midnights))
    return Grid.around(day, hours, [(row.start_time, row.end_time) for row in shown])


def _builder(viewer: Viewer, grid: Grid, rows: _Rows, free_time: FreeTimeQuery, at: dt.datetime) -> ColumnBuilder:
    patient_id = free_time.patient and free_time.patient.pk
    patient_rows = [row for row in chain(*rows.values()) if patient_id and row.patient_id == patient_id]
    offers_absence = _offers_absence(viewer, clinic_time.local_date(grid.start), at)
    return ColumnBuilder(viewer, grid, at=at, query=free_time, patient_rows=patient_rows, offers_absence=offers_absence)


def _offers_absence(viewer: Viewer, day: dt.date, at: dt.datetime) -> bool:
    """Return whether the user may enter an absence on this day: today or the next working day.

    Four queries for the days after tomorrow on which that is not plain.
    """
    ahead = (day - clinic_time.today(at=at)).days
    if not viewer.can_enter_absence or not 0 <= ahead <= LOOK_AHEAD_DAYS:
        return False
    return ahead <= 1 or day == working_day_after(clinic_time.today(at=at))
