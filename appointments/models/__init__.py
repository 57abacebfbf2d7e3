"""Appointments, and what is left to do for those whose doctor will not be there."""

from appointments.models.appointment import Appointment, QuietCheckConstraint
from appointments.models.impact import Hit, Impact

__all__ = ["Appointment", "Hit", "Impact", "QuietCheckConstraint"]
