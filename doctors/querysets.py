"""Chainable words for doctors."""

from typing import TYPE_CHECKING

from django.db import models

from clinic.linked import LinkedQuerySet
from clinic.local_dates import LocalDates

if TYPE_CHECKING:
    from doctors.models import Doctor  # noqa: F401 -- for the annotation below only


class DoctorQuerySet(LinkedQuerySet, LocalDates, models.QuerySet["Doctor"]):
    """Doctors."""

    def active(self) -> "DoctorQuerySet":
        """Return the doctors who can be booked."""
        return self.filter(is_active=True)

    def specialized_in(self, specialization: str) -> "DoctorQuerySet":
        """Return the doctors of a specialization."""
        return self.filter(specialization=specialization)
