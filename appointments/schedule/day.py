"""What the day view shows: a column a doctor. What a column shows is in `columns`."""

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils import timezone

from appointments.availability.search import BEGIN_STEP, NO_GAP, with_gap
from appointments.models import Appointment
from appointments.permissions import is_own_diary
from appointments.schedule.columns import Block, Column, ColumnBuilder, Row, read_rows, status_counts
from appointments.schedule.grid import Grid, Mark, Place
from appointments.statuses import Status
from clinic.core import clinic_time
from clinic.core.appointment_length import MIN_MINUTES
from doctors.availability_loader import load_availability
from doctors.models import Doctor
from patients.models import Patient

# The tabs of the list: who is still to come, who is here, and who is no longer.
TABS = {
    "remaining": frozenset({Status.BOOKED}),
    "arrived": frozenset({Status.ARRIVED, Status.IN_CONSULTATION}),
    "done": frozenset({Status.COMPLETED, Status.NO_SHOW, Status.CANCELLED}),
}


@dataclass(frozen=True)
class Day:
    """The schedule of one clinic-local date, as it stands at an instant."""

    date: dt.date
    at: dt.datetime
    grid: Grid
    columns: list[Column]
    doctors: list[Doctor]  # also those whom a filter leaves out
    version: str

    @cached_property
    def listed(self) -> list[Block]:
        """All appointments, in order of time."""
        return sorted((block for column in self.columns for block in column.listed), key=lambda it: it.place.minute)

    @property
    def counts(self) -> list[tuple[Status, int]]:
        """How many appointments there are of each status that occurs."""
        return status_counts(self.listed)

    @property
    def hours(self) -> list[Mark]:
        """The hours on the time axis."""
        return list(self.grid.hour_marks())

    @property
    def length(self) -> Place:
        """The whole grid."""
        return self.grid.length

    @property
    def now(self) -> Mark | None:
        """Where the day stands, if it is drawn."""
        return self.grid.mark_at(self.at)

    @property
    def specializations(self) -> list[str]:
        """The specializations of the day's doctors, in alphabetical order."""
        return sorted({doctor.specialization for doctor in self.doctors})

    def tab(self, name: str) -> list[Block]:
        """Return the appointments of one tab of the list, one of `TABS`; under any other name all."""
        statuses = TABS.get(name)
        return [block for block in self.listed if statuses is None or block.status in statuses]

    @property
    def tabs(self) -> list[tuple[str, int]]:
        """The tabs of the list, each with its number of appointments."""
        return [(name, len(self.tab(name))) for name in (*TABS, "all")]


def day_view(
    day: dt.date,
    *,
    user: Any,
    doctor_id: int | None = None,
    specialization: str = "",
    room_for: int = MIN_MINUTES,
    patient: Patient | None = None,
    moving: Appointment | None = None,
    shows_names: bool = False,
    at: dt.datetime | None = None,
) -> Day:
    """Return what a user sees of a day, for all doctors, one, or one specialization. Five queries, however many rows.

    Free times are those at which an appointment of `room_for` minutes would fit, for the `patient` too if one is given;
    the appointment that is `moving` takes no time from itself. The user's own column comes first, the others in order
    of the doctors' names; blocks come in order of time. `shows_names` is for emergency access.
    """
    at = at or timezone.now()
    known = list(Doctor.objects.all())  # before the appointments: what is booked between the two shows as a change
    rows = _read(day, longest_gap=max((doctor.gap for doctor in known), default=NO_GAP))
    start, end = clinic_time.day_bounds(day)
    seen = {pk for pk, diary in rows.items() if any(row.start_time < end and start < row.end_time for row in diary)}
    doctors = [doctor for doctor in known if doctor.is_active or doctor.pk in seen]
    doctors.sort(key=lambda doctor: not is_own_diary(doctor, user))
    times = load_availability([doctor.pk for doctor in doctors], day, day)
    hours = [span for doctor in doctors if doctor.is_active for span in times[doctor.pk].offered_on(day)]
    grid = Grid.around(day, hours, [(row.start_time, row.end_time) for diary in rows.values() for row in diary])
    own = [row for diary in rows.values() for row in diary if patient is not None and row.patient_id == patient.pk]
    desk = ColumnBuilder(user, grid, at=at, room_for=room_for, own=own, moving=moving, shows_names=shows_names)
    columns = [
        desk.column(doctor, rows[doctor.pk], times[doctor.pk])
        for doctor in doctors
        if doctor_id in (None, doctor.pk) and specialization in ("", doctor.specialization)
    ]
    return Day(day, at, grid, columns, doctors, version_of(known, day, at=at))


def day_version(day: dt.date, *, at: dt.datetime | None = None) -> str:
    """Return a text that is another one when the day view would be, short of a corrected record. One query.

    It is, too, when a doctor's diary changes on another day: the counter is one a diary. Today it changes every
    `BEGIN_STEP` besides, as free times pass and appointments become no-shows.
    """
    return _version(Doctor.objects.values_list(*_DOCTOR_SAYS), day, at=at or timezone.now())


def version_of(doctors: Iterable[Doctor], day: dt.date, *, at: dt.datetime) -> str:
    """Return the same text, of doctors who have been read already."""
    return _version((tuple(getattr(doctor, name) for name in _DOCTOR_SAYS) for doctor in doctors), day, at=at)


# What of a doctor the day view depends on.
_DOCTOR_SAYS = ("pk", "diary_version", "is_active", "usual_minutes", "gap_minutes")


def _version(doctors: Iterable[tuple[Any, ...]], day: dt.date, *, at: dt.datetime) -> str:
    today = clinic_time.today(at=at)
    clock = int(at.timestamp() // BEGIN_STEP.total_seconds()) if today == day else ""
    said = f"{today} {clock} {sorted(tuple(doctor) for doctor in doctors)}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _read(day: dt.date, *, longest_gap: dt.timedelta) -> dict[int, list[Row]]:
    """Return the appointments by doctor, in order of time: the day's, and its neighbours' that reach into it."""
    found = Appointment.objects.overlapping(*with_gap(clinic_time.day_bounds(day), longest_gap))
    rows: dict[int, list[Row]] = defaultdict(list)
    for row in read_rows(found):
        rows[row.doctor_id].append(row)
    return rows
