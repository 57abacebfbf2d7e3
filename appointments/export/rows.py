"""Appointments as rows of a file, with no more than the user sees in the schedule."""

import datetime as dt
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from appointments.models import Appointment
from appointments.querysets import AppointmentQuerySet
from appointments.statuses import Status
from clinic.core import clinic_time, names
from clinic.core.clinic_time import ONE_DAY
from clinic.spreadsheets.export import Cell

MAX_EXPORT_DAYS = 366

_TIME_HEADER = ["Date", "Start", "End", "Minutes", "Starts at", "Ends at"]
_OPEN_HEADER = [*_TIME_HEADER, "Doctor", "Specialization", "Status", "Walk-in", "Patient"]
_PATIENT_HEADER = ["Date of birth", "Phone number", "E-mail", "Reason", "Notes"]


class ExportRow(NamedTuple):
    start_time: dt.datetime
    end_time: dt.datetime
    duration_minutes: int
    status: str
    is_walk_in: bool
    reason: str
    notes: str
    doctor__full_name: str
    doctor__specialization: str
    patient__first_name: str
    patient__last_name: str
    patient__date_of_birth: dt.date | None
    patient__phone_number: str
    patient__email: str


class Export:
    """The appointments from one clinic-local date to another, both included.

    Users who may not see patients get initials, and neither reasons nor notes.
    """

    def __init__(self, first_day: dt.date, last_day: dt.date, *, user: Any, doctor_id: int | None = None) -> None:
        self.first_day, self.last_day, self.doctor_id = first_day, last_day, doctor_id
        self.is_named = user.has_perm("patients.view_patient") and user.has_perm("appointments.view_appointment")

    @property
    def name(self) -> str:
        span = f"{self.first_day}" if self.first_day == self.last_day else f"{self.first_day}-to-{self.last_day}"
        return f"appointments-{span}"

    @property
    def header(self) -> list[str]:
        """The column names. "Starts at" and "Ends at" have a UTC offset, which tells repeated times apart."""
        return [*_OPEN_HEADER, *(_PATIENT_HEADER if self.is_named else [])]

    def count(self) -> int:
        start, end = clinic_time.day_bounds(self.first_day)[0], clinic_time.day_bounds(self.last_day)[1]
        return self._appointments().filter(start_time__gte=start, start_time__lt=end).count()

    def _appointments(self) -> AppointmentQuerySet:
        appointments: AppointmentQuerySet = Appointment.objects.all()
        return appointments if self.doctor_id is None else appointments.for_doctor(self.doctor_id)

    def rows(self) -> Iterator[list[Cell]]:
        """Yield the appointments in order of time. One query for each day, so that memory stays small."""
        for number in range((self.last_day - self.first_day).days + 1):
            day = self.first_day + number * ONE_DAY
            appointments = self._appointments().on_day(day).order_by("start_time", "doctor__full_name", "pk")
            yield from (self._cells(ExportRow._make(row), day) for row in appointments.values_list(*ExportRow._fields))

    def _cells(self, row: ExportRow, day: dt.date) -> list[Cell]:
        patient = row.patient__first_name, row.patient__last_name
        cells: list[Cell] = [
            day,
            clinic_time.local(row.start_time).time(),
            clinic_time.local(row.end_time).time(),
            row.duration_minutes,
            clinic_time.local(row.start_time).isoformat(),
            clinic_time.local(row.end_time).isoformat(),
            row.doctor__full_name,
            row.doctor__specialization,
            str(Status(row.status).label),
            "yes" if row.is_walk_in else "no",
            " ".join(patient) if self.is_named else names.initials(*patient),
        ]
        if self.is_named:
            cells += [row.patient__date_of_birth or "", row.patient__phone_number, row.patient__email]
            cells += [row.reason, row.notes]
        return cells


def check_export_span(first_day: dt.date, last_day: dt.date) -> None:
    """Check that the days are in order, within the calendar, and at most `MAX_EXPORT_DAYS`.

    Raises:
        ValidationError: `date_range`, `export_span`.
    """
    for day in (first_day, last_day):
        clinic_time.check_date(day)
    if last_day < first_day:
        raise ValidationError(_("The last day is before the first day."), code="export_span")
    if (last_day - first_day).days >= MAX_EXPORT_DAYS:
        raise ValidationError(
            _("An export can include at most %(most)d days. Export the rest separately."),
            code="export_span",
            params={"most": MAX_EXPORT_DAYS},
        )
