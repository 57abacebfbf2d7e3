"""iCalendar (RFC 5545): a doctor's feed, and one appointment as a file for its patient.

Calendars leave the clinic, so a feed has only the patients' initials, and neither has reasons or notes. Instants are
in UTC.
"""

import datetime as dt
import hashlib
import unicodedata
import uuid
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Max
from django.utils import timezone
from icalendar import Calendar, Event, vDuration, vText
from icalendar.enums import CLASS, STATUS, TRANSP

from appointments.models import Appointment
from appointments.querysets import AppointmentQuerySet
from appointments.rules import is_blocking
from appointments.statuses import Status
from clinic.core import clinic_time, names
from doctors.availability import Span
from doctors.models import Doctor

CONTENT_TYPE = "text/calendar; charset=utf-8"
PRODUCT = "-//Patient Encounter System//Calendar//EN"
BEHIND, AHEAD = dt.timedelta(days=30), dt.timedelta(days=365)
REFRESHED_EVERY = dt.timedelta(minutes=15)

# In the title, because some calendar programs show cancelled events like any other.
_MARKS = {Status.CANCELLED: "Cancelled: ", Status.NO_SHOW: "No-show: ", Status.LEFT: "Left unseen: "}


class CalendarRow(NamedTuple):
    booking_key: uuid.UUID
    version: int
    start_time: dt.datetime
    end_time: dt.datetime
    status: str
    created_at: dt.datetime
    updated_at: dt.datetime
    patient__updated_at: dt.datetime
    patient__first_name: str
    patient__last_name: str


def feed_of(doctor: Doctor, *, at: dt.datetime | None = None) -> bytes:
    """Return the doctor's appointments in `feed_span` as a calendar, in order of time. One query."""
    at = at or timezone.now()
    rows = map(CalendarRow._make, _around(doctor, at).order_by("start_time", "pk").values_list(*CalendarRow._fields))
    return _calendar((_event_for_doctor(row, at) for row in rows), name=_feed_name(doctor))


def feed_version(doctor: Doctor, *, at: dt.datetime | None = None) -> str:
    """Return a text that changes whenever the feed does. One query.

    It includes the latest change of a patient, because corrected names do not change the diary's version.
    """
    at = at or timezone.now()
    patients = _around(doctor, at).aggregate(latest=Max("patient__updated_at"))
    state = (doctor.pk, doctor.diary_version, clinic_time.today(at=at), patients["latest"], _feed_name(doctor))
    return hashlib.sha256(repr(state).encode()).hexdigest()[:16]


def file_for_patient(appointment: Appointment, *, at: dt.datetime | None = None) -> bytes:
    mark = "Cancelled: " if appointment.status == Status.CANCELLED else ""
    event = _event(
        appointment,
        summary=f"{mark}Appointment with {appointment.doctor.full_name}",
        location=settings.CLINIC_NAME,
        last_modified=appointment.updated_at,
        at=at or timezone.now(),
    )
    return _calendar([event])


def feed_span(at: dt.datetime) -> Span:
    """Return the clinic-local days from 30 days before `at` to 365 days after it."""
    today = clinic_time.today(at=at)
    return clinic_time.day_bounds(today - BEHIND)[0], clinic_time.day_bounds(today + AHEAD)[1]


def _around(doctor: Doctor, at: dt.datetime) -> AppointmentQuerySet:
    return Appointment.objects.for_doctor(doctor.pk).overlapping(*feed_span(at))


def _feed_name(doctor: Doctor) -> str:
    return f"{doctor.full_name} – {settings.CLINIC_NAME}"


def _event_for_doctor(row: CalendarRow, at: dt.datetime) -> Event:
    initials = names.initials(row.patient__first_name, row.patient__last_name)
    return _event(
        row,
        summary=_MARKS.get(Status(row.status), "") + initials,
        last_modified=max(row.updated_at, row.patient__updated_at),  # the initials come from the patient's record
        at=at,
    )


def _event(appointment: Any, *, summary: str, last_modified: dt.datetime, at: dt.datetime, location: str = "") -> Event:
    """Return an appointment or a `CalendarRow` as an event. The time of a no-show is free, but it is not cancelled."""
    is_cancelled = appointment.status == Status.CANCELLED
    return Event.new(
        uid=appointment.booking_key,
        sequence=appointment.version - 1,
        stamp=at,
        created=appointment.created_at,
        last_modified=last_modified,
        start=appointment.start_time,
        end=appointment.end_time,
        status=STATUS.CANCELLED if is_cancelled else STATUS.CONFIRMED,
        transparency=TRANSP.OPAQUE if is_blocking(appointment.status) else TRANSP.TRANSPARENT,
        classification=CLASS.PRIVATE,
        summary=_line(summary),
        location=_line(location) or None,
    )


def _calendar(events: Any, *, name: str = "") -> bytes:
    """Return events as a calendar. Only a feed has a name."""
    calendar = Calendar()
    calendar.add("PRODID", PRODUCT)
    calendar.add("VERSION", "2.0")
    calendar.add("METHOD", "PUBLISH")
    if name:
        # Typed values, because icalendar 7.3 neither escapes plain text here nor marks the interval as a duration.
        text, interval = vText(_line(name)), vDuration(REFRESHED_EVERY, params={"VALUE": "DURATION"})
        for property_name, value in (
            ("NAME", text),
            ("X-WR-CALNAME", text),
            ("REFRESH-INTERVAL", interval),
            ("X-PUBLISHED-TTL", vDuration(REFRESHED_EVERY)),
        ):
            calendar.add(property_name, value)
    for event in events:
        calendar.add_component(event)
    return calendar.to_ical()


def _line(text: str) -> str:
    """Return the text on one line, without control characters, which calendars must not contain."""
    return "".join(char for char in names.clean_line(text) if unicodedata.category(char) != "Cc")
