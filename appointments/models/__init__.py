"""Appointments, the days they are on, what a doctor's absence displaces, calendar feeds and emergency access."""

from appointments.models.appointment import Appointment
from appointments.models.calendar_feed import CalendarFeed
from appointments.models.day_version import DayVersion
from appointments.models.displaced import DisplacedAppointment, ScheduleChange
from appointments.models.emergency import EmergencyGrant, may_see_names

__all__ = [
    "Appointment",
    "CalendarFeed",
    "DayVersion",
    "DisplacedAppointment",
    "EmergencyGrant",
    "ScheduleChange",
    "may_see_names",
]
