"""One appointment in the schedule, with nothing that the user may not see."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from appointments.detail.buttons import Buttons, buttons_in
from appointments.navigation import urls_by_id
from appointments.permissions import is_own_diary, rights_of
from appointments.querysets import AppointmentQuerySet
from appointments.rules import Moment
from appointments.schedule.grid import Grid, Place
from appointments.statuses import MOVABLE, Stamped, Status
from clinic.core import clinic_time, names
from doctors.availability import Unavailability, Why
from doctors.models import Doctor

TALL_BLOCK_MINUTES = 25


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
    version: int
    reason: str
    outside_hours_reason: str
    patient__first_name: str
    patient__last_name: str
    patient__phone_number: str
    patient__date_of_birth: dt.date | None

    @property
    def stamped(self) -> Stamped:
        return Stamped(self.arrived_at is not None, self.started_at is not None, self.completed_at is not None)


def read_rows(appointments: AppointmentQuerySet) -> Iterator[ColumnRow]:
    """Yield the appointments in their order. One query."""
    return map(ColumnRow._make, appointments.values_list(*ColumnRow._fields))


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
        self._rights = {is_own: rights_of(user, is_own=is_own) for is_own in (False, True)}

    @property
    def rights(self) -> tuple[Any, ...]:
        """Everything that decides what the user sees, as values to compare."""
        seen = (
            self.sees_all_patients,
            self.sees_own_patients,
            self.sees_leave_reasons,
            self.can_book,
            self.can_enter_absence,
        )
        return self.user.pk, *seen, *(sorted(self._rights[is_own]) for is_own in (False, True))

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

    @property
    def born(self) -> str:
        """The date of birth, as `24/11/1980`."""
        return f"{self.date_of_birth:%d/%m/%Y}" if self.date_of_birth else ""


class Remarks(NamedTuple):
    """What stands out. Minutes are whole, and None except today."""

    exception: str  # booked outside hours, or the doctor is away now
    minutes_waiting: int | None  # since the patient arrived
    minutes_late: int | None  # since the start, while the patient has not arrived


class Block(NamedTuple):
    """One appointment. `url` is empty for a user who may not see the patient.

    A button sends `version`, so that it cannot act on a later state. `is_beside` is drawn at the right of its column;
    `has_beside` leaves that part of the column free.
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
    is_beside: bool = False
    has_beside: bool = False

    @property
    def is_short(self) -> bool:
        """Whether there is room for a name of one line only."""
        return self.place.minutes < TALL_BLOCK_MINUTES


def status_counts(blocks: Iterable[Block]) -> list[tuple[Status, int]]:
    """Return the number of appointments by status, without zeros, in the order of the statuses."""
    counts = Counter(block.status for block in blocks)
    return [(status, counts[status]) for status in Status if counts[status]]


class BlockBuilder:
    """Builds the blocks of one day's grid for one user, as they stand at `at`."""

    def __init__(self, viewer: Viewer, grid: Grid, *, at: dt.datetime) -> None:
        self.viewer = viewer
        self.grid = grid
        self.at = at
        self.is_today = clinic_time.local_date(grid.start) == clinic_time.today(at=at)
        self.url_of = urls_by_id("appointments:appointment_detail")

    def blocks(self, doctor: Doctor, rows: Iterable[ColumnRow], unavailable: list[Unavailability]) -> list[Block]:
        """Return the blocks of a doctor's appointments that start on the day, in their order."""
        is_named, rights = self.viewer.sees_patients_of(doctor), self.viewer.rights_for(doctor)
        return [
            Block(
                pk=row.pk,
                url=self.url_of(row.pk) if is_named else "",
                place=self.grid.place_of(row.start_time, row.end_time),
                time=clinic_time.time_text(row.start_time),
                until=clinic_time.time_text(row.end_time),
                doctor_name=doctor.full_name,
                status=Status(row.status),
                patient=_patient_details(row, is_named=is_named),
                version=row.version,
                buttons=buttons_in(row.status, row.stamped, self._moment_of(row), rights),
                remarks=self._remarks(row, doctor, unavailable, is_named=is_named),
            )
            for row in rows
        ]

    def _moment_of(self, row: ColumnRow) -> Moment:
        return Moment(self.is_today, row.start_time <= self.at, row.end_time <= self.at)

    def _remarks(self, row: ColumnRow, doctor: Doctor, away: list[Unavailability], *, is_named: bool) -> Remarks:
        is_expected = row.status == Status.BOOKED and row.end_time > self.at
        return Remarks(
            exception=_exception(row, doctor, away, is_named=is_named),
            minutes_waiting=self._minutes_since(row.arrived_at) if row.status == Status.ARRIVED else None,
            minutes_late=self._minutes_since(row.start_time) if is_expected else None,
        )

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
    )


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
