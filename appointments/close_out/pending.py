"""Past appointments without an outcome: their number, and what the close-out page shows."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.utils import timezone

from appointments.models import Appointment
from appointments.statuses import OPEN, Status
from clinic.core import clinic_time

MAX_SHOWN = 100
MAX_COUNTED = 1000


class OpenCount(int):
    """How many past appointments have no outcome, counted up to `MAX_COUNTED`."""

    @property
    def is_capped(self) -> bool:
        return self >= MAX_COUNTED


@dataclass(frozen=True)
class OpenAppointment:
    """A past appointment without an outcome. `version` is sent by its buttons."""

    pk: int
    version: int
    start_time: dt.datetime
    end_time: dt.datetime
    patient: str
    phone: str
    doctor: str
    status: Status
    url: str

    @property
    def may_be_no_show(self) -> bool:
        return self.status == Status.BOOKED

    @property
    def may_have_left(self) -> bool:
        return self.status == Status.ARRIVED


@dataclass(frozen=True)
class OpenDate:
    """A clinic-local date with its appointments, in order of time."""

    date: dt.date
    appointments: list[OpenAppointment]


@dataclass(frozen=True)
class CloseOut:
    """What the close-out page shows, the oldest date first."""

    dates: list[OpenDate]
    count: OpenCount  # also of those beyond `MAX_SHOWN`
    today: dt.date
    outcomes: list[tuple[str, int]]  # of today's appointments
    to_come: int  # of today's appointments, those whose time has not passed

    @property
    def more(self) -> int:
        return max(self.count - MAX_SHOWN, 0)


def unrecorded_count(user: Any, at: dt.datetime | None = None) -> OpenCount:
    """Count the past appointments without an outcome that the user may close out. At most one query."""
    appointments = Appointment.objects.closed_out_by(user).without_outcome(at=at).order_by()
    return OpenCount(appointments[:MAX_COUNTED].count())


def close_out_for(user: Any, *, at: dt.datetime | None = None) -> CloseOut:
    """Return the past appointments without an outcome that the user may close out. Always five queries."""
    at = at or timezone.now()
    mine = Appointment.objects.closed_out_by(user)
    # Not select_related: for that join, SQLite starts with all patients and reads all appointments.
    rows = mine.without_outcome(at=at).prefetch_related("patient", "doctor")[:MAX_SHOWN]
    appointments = sorted(map(_open_appointment, rows), key=lambda each: (each.start_time, each.pk))
    today = clinic_time.today(at=at)
    of_today = list(mine.on_day(today).order_by().values_list("status", "end_time"))
    counts = Counter(status for status, _end_time in of_today)
    return CloseOut(
        dates=[OpenDate(date, list(of_date)) for date, of_date in groupby(appointments, key=_date_of)],
        count=unrecorded_count(user, at),
        today=today,
        outcomes=[(status.label.lower(), counts[status]) for status in Status if status not in OPEN and counts[status]],
        to_come=sum(status in OPEN and end_time > at for status, end_time in of_today),
    )


def _date_of(appointment: OpenAppointment) -> dt.date:
    return clinic_time.local_date(appointment.start_time)


def _open_appointment(appointment: Appointment) -> OpenAppointment:
    return OpenAppointment(
        pk=appointment.pk,
        version=appointment.version,
        start_time=appointment.start_time,
        end_time=appointment.end_time,
        patient=appointment.patient.full_name,
        phone=appointment.patient.phone_number,
        doctor=appointment.doctor.full_name,
        status=Status(appointment.status),
        url=appointment.get_absolute_url(),
    )
