"""Appointments, what is left to do for those whose doctor will not be there, calendar feeds and emergency access."""

from appointments.models.appointment import Appointment, QuietCheckConstraint
from appointments.models.calendar_feed import CalendarFeed
from appointments.models.displaced import Hit, Impact
from appointments.models.emergency import EmergencyGrant, may_see_names

__all__ = [
    "Appointment",
    "CalendarFeed",
    "EmergencyGrant",
    "Hit",
    "Impact",
    "QuietCheckConstraint",
    "may_see_names",
]
