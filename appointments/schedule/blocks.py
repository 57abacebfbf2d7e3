"""One appointment in the schedule, with nothing that the user may not see."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from django.db.models import Case, Value, When

from appointments.detail.buttons import NO_BUTTONS, Buttons, buttons_in
from appointments.navigation import urls_by_id
from appointments.permissions import is_own_diary, rights_of
from appointments.querysets import AppointmentQuerySet
from appointments.schedule.grid import Grid, Place
from appointments.schedule.lanes import WHOLE, Lane, any_overlap, lanes_of
from appointments.statuses import BLOCKING, MOVABLE, Stamped, Status
from appointments.transitions import Moment
from appointments.waiting_time import Waiting, waiting_of
from clinic.core import clinic_time, names
from doctors.availability import Unavailability, Why
from doctors.models import Doctor

DUE_BEFORE = dt.timedelta(minutes=60)  # how long before its start the next step of an appointment is shown


class ColumnRow(NamedTuple):
    """An appointment as values: reading model objects takes three times as long."""

    pk: int
    doctor_id: int
    patient_id: int
    start_time: dt.datetime
    end_time: dt.datetime
    status: str
    arrived_at: dt.datetime | None
    started_at: dt.datetime | None
    completed_at: dt.datetime | None
    left_at: dt.datetime | None
    version: int
    reason: str
    has_notes: int  # 1 or 0, as a bool is converted for each row
    outside_hours_reason: str
    patient__first_name: str
    patient__last_name: str
    patient__phone_number: str
    patient__date_of_birth: dt.date | None

    @property
    def stamped(self) -> Stamped:
        return Stamped(
            self.arrived_at is not None,
            self.started_at is not None,
            self.completed_at is not None,
            self.left_at is not None,
        )

    def is_shown_on(self, midnight: dt.datetime, next_midnight: dt.datetime) -> bool:
        """Return whether a day shows it: it starts then, or it lasts until then and is not cancelled."""
        if self.start_time >= midnight:
            return self.start_time < next_midnight
        return self.end_time > midnight and self.status != Status.CANCELLED


def read_rows(appointments: AppointmentQuerySet) -> Iterator[ColumnRow]:
    """Yield the appointments in their order. One query."""
    # Not the notes themselves, which are long and only the appointment's page shows.
    has_notes = Case(When(notes="", then=Value(0)), default=Value(1))
    return map(ColumnRow._make, appointments.annotate(has_notes=has_notes).values_list(*ColumnRow._fields))


class Viewer:
    """What one user may see and do in the schedule. `sees_all_patients` is for emergency access."""

    def __init__(self, user: Any, *, sees_all_patients: bool = False) -> None:
        self.user = user
        permissions = user.get_all_permissions()
        self.sees_all_patients = sees_all_patients or "patients.view_patient" in permissions
        self.sees_own_patients = "patients.view_own_patient" in permissions
        self.sees_leave_reasons = "doctors.view_leave" in permissions
        self.can_book = "appointments.add_appointment" in permissions
        self.can_enter_absence = {"doctors.enter_absence", "patients.view_patient"} <= permissions
        self.can_enter_hours = "doctors.add_timetable" in permissions
        self._rights = {is_own: rights_of(user, is_own=is_own) for is_own in (False, True)}

    @property
    def rights(self) -> tuple[Any, ...]:
        """Everything that decides what the user sees, as values to compare."""
        seen = (self.sees_all_patients, self.sees_own_patients, self.sees_leave_reasons)
        may = (self.can_book, self.can_enter_absence, self.can_enter_hours)
        return self.user.pk, *seen, *may, *(sorted(self._rights[is_own]) for is_own in (False, True))

    def sees_patients_of(self, doctor: Doctor) -> bool:
        return self.sees_all_patients or (self.sees_own_patients and is_own_diary(doctor, self.user))

    def sees_leave_reasons_of(self, doctor: Doctor) -> bool:
        return self.sees_leave_reasons or is_own_diary(doctor, self.user)

    def rights_for(self, doctor: Doctor) -> frozenset[str]:
        return self._rights[is_own_diary(doctor, self.user)]


class PatientDetails(NamedTuple):
    """`name` is the initials, and the rest is empty, for a user who may not see the patient."""

    name: str
    phone: str = ""
    date_of_birth: dt.date | None = None
    reason: str = ""
    has_notes: bool = False

    @property
    def born(self) -> str:
        """The date of birth, as `24/11/1980`."""
        return f"{self.date_of_birth:%d/%m/%Y}" if self.date_of_birth else ""


class Remarks(NamedTuple):
    """What stands out. Minutes are whole, and None except today."""

    exception: str  # booked outside hours, the doctor is away now, overlaps another, or since the day before
    waiting: Waiting | None  # of a patient who is here
    minutes_late: int | None  # since the start, while the patient has not arrived


class Block(NamedTuple):
    """One appointment. `url` is empty for a user who may not see the patient.

    A button sends `version`, so that it cannot act on a later state. An appointment over midnight has a block on both
    days; that of the second, which is `is_continued`, begins at midnight, counts nowhere and has no buttons: what may
    be done, such as marking arrival, depends on the day it starts.
    """

    pk: int
    url: str
    place: Place
    time: str
    until: str
    doctor_name: str
    status: Status
    patient: PatientDetails
    version: int
    buttons: Buttons
    remarks: Remarks
    is_due: bool = False  # begins within the hour, or has begun
    is_continued: bool = False
    lane: Lane = WHOLE
    ghosts: int = 0  # how many cancelled appointments are drawn beside it


def in_lanes(blocks: list[Block]) -> list[Block]:
    """Return blocks, which are in order of time, with those that overlap in lanes of their own."""
    places = [block.place for block in blocks]
    if not any_overlap(places):
        return blocks
    lanes = lanes_of(places, [block.status in BLOCKING for block in blocks])
    return [block._replace(lane=lane) for block, lane in zip(blocks, lanes, strict=True)]


def beside_ghosts(blocks: list[Block], ghosts: list[Block]) -> list[Block]:
    """Return the blocks, and how many cancelled appointments are drawn beside each. All are in order of time."""
    beside = list(blocks)
    for ghost in ghosts:
        for number, block in enumerate(blocks):
            if ghost.place.overlaps(block.place):
                most = max(beside[number].ghosts, ghost.lane.number + 1)
                beside[number] = beside[number]._replace(ghosts=most)
    return beside


def status_counts(blocks: Iterable[Block]) -> list[tuple[Status, int]]:
    """Return the number of appointments by status, without zeros, in the order of the statuses.

    One over midnight counts on the day it starts.
    """
    counts = Counter(block.status for block in blocks if not block.is_continued)
    return [(status, counts[status]) for status in Status if counts[status]]


class BlockBuilder:
    """Builds the blocks of one day's grid for one user, as they stand at `at`."""

    def __init__(self, viewer: Viewer, grid: Grid, *, at: dt.datetime) -> None:
        self.viewer = viewer
        self.grid = grid
        self.at = at
        day = clinic_time.local_date(grid.start)
        self.is_today = day == clinic_time.today(at=at)
        self.midnight, _ = clinic_time.day_bounds(day)
        self.due_until = at + DUE_BEFORE
        self.url_of = urls_by_id("appointments:appointment_detail")

    def blocks(self, doctor: Doctor, rows: Sequence[ColumnRow], unavailable: list[Unavailability]) -> list[Block]:
        """Return the blocks of a doctor's appointments that the day shows, in their order."""
        is_named, rights = self.viewer.sees_patients_of(doctor), self.viewer.rights_for(doctor)
        overlapping = _overlapping(rows)
        return [
            Block(
                pk=row.pk,
                url=self.url_of(row.pk) if is_named else "",
                place=self.grid.place_of(start := max(row.start_time, self.midnight), row.end_time),
                time=clinic_time.time_text(start),
                until=clinic_time.time_text(row.end_time),
                doctor_name=doctor.full_name,
                status=Status(row.status),
                patient=_patient_details(row, is_named=is_named),
                version=row.version,
                buttons=NO_BUTTONS
                if (is_continued := row.start_time < start)
                else buttons_in(row.status, row.stamped, self._moment_of(row), rights),
                remarks=self._remarks(
                    row,
                    _exception(row, doctor, unavailable, is_named=is_named),
                    "overlaps" if row.pk in overlapping else "",
                    _since_yesterday(row) if is_continued else "",
                ),
                is_due=start <= self.due_until,
                is_continued=is_continued,
            )
            for row in rows
        ]

    def _moment_of(self, row: ColumnRow) -> Moment:
        return Moment(self.is_today, row.start_time <= self.at, row.end_time <= self.at)

    def _remarks(self, row: ColumnRow, exception: str, overlaps: str, since: str) -> Remarks:
        is_expected = row.status == Status.BOOKED and row.end_time > self.at
        return Remarks(
            exception=" · ".join(filter(None, (since, overlaps, exception))) if overlaps or since else exception,
            waiting=self._waiting(row) if row.status == Status.ARRIVED else None,
            minutes_late=self._minutes_since(row.start_time) if is_expected else None,
        )

    def _waiting(self, row: ColumnRow) -> Waiting | None:
        if row.arrived_at is None or not self.is_today or row.arrived_at > self.at:
            return None
        return waiting_of(row.arrived_at, row.start_time, at=self.at)

    def _minutes_since(self, instant: dt.datetime | None) -> int | None:
        """Return the whole minutes since a past instant of today, else None."""
        if instant is None or not self.is_today or instant > self.at:
            return None
        return (self.at - instant) // clinic_time.MINUTE


def _patient_details(row: ColumnRow, *, is_named: bool) -> PatientDetails:
    if not is_named:
        return PatientDetails(names.initials(row.patient__first_name, row.patient__last_name))
    return PatientDetails(
        name=f"{row.patient__first_name} {row.patient__last_name}",
        phone=row.patient__phone_number,
        date_of_birth=row.patient__date_of_birth,
        reason=row.reason,
        has_notes=row.has_notes == 1,
    )


def _since_yesterday(row: ColumnRow) -> str:
    return f"since {clinic_time.time_text(row.start_time)} (yesterday)"


def _overlapping(rows: Iterable[ColumnRow]) -> set[int]:
    """Return the ids of appointments that share time with another, as only imported ones can; `rows` are in order."""
    found: set[int] = set()
    last: ColumnRow | None = None  # the one that has ended latest so far
    for row in rows:
        if row.status not in BLOCKING:
            continue
        if last is not None and row.start_time < last.end_time:
            found |= {row.pk, last.pk}
        if last is None or row.end_time > last.end_time:
            last = row
    return found


def _exception(row: ColumnRow, doctor: Doctor, unavailable: list[Unavailability], *, is_named: bool) -> str:
    """Return what is unusual about an appointment's time. Leave is unusual even if it was booked outside hours."""
    if row.status in MOVABLE:
        reasons = {each.why for each in unavailable if each.start < row.end_time and row.start_time < each.end}
        if Why.CLOSED in reasons:
            return "clinic closed"
        if Why.LEAVE in reasons or not doctor.is_active or (reasons and not row.outside_hours_reason):
            return "doctor away"
    if row.outside_hours_reason:
        return f"outside hours: {row.outside_hours_reason}" if is_named else "outside hours"
    return ""
