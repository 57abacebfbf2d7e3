"""Appointments, what is left to do for those whose doctor will not be there, and how calendars read a diary."""

from appointments.models.appointment import Appointment, QuietCheckConstraint
from appointments.models.calendar_feed import CalendarFeed
from appointments.models.impact import Hit, Impact

__all__ = ["Appointment", "CalendarFeed", "Hit", "Impact", "QuietCheckConstraint"]
