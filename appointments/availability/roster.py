"""The doctors and their availability, read once for a page that looks for free times more than once."""

import datetime as dt
from collections.abc import Collection
from functools import cached_property

from clinic.core.clinic_time import ONE_DAY
from doctors.availability import DoctorAvailability
from doctors.availability_loader import load_availability
from doctors.models import Doctor

# Read beyond the last date asked for: a search from the first working day looks so much further.
MARGIN = 28 * ONE_DAY


class Roster:
    """The active doctors and their availability, for one request: four queries in all."""

    def __init__(self) -> None:
        self._loaded: dict[int, DoctorAvailability] = {}
        self._since, self._until = dt.date.max, dt.date.min

    @cached_property
    def doctors(self) -> list[Doctor]:
        return list(Doctor.objects.active())

    def load(self, doctor_ids: Collection[int], first_day: dt.date, last_day: dt.date) -> dict[int, DoctorAvailability]:
        """Return `load_availability`, perhaps with more active doctors and dates than asked for."""
        if not {doctor.pk for doctor in self.doctors}.issuperset(doctor_ids):
            return load_availability(doctor_ids, first_day, last_day)
        if first_day < self._since or self._until < last_day:
            self._since, self._until = first_day, last_day + MARGIN
            self._loaded = load_availability([doctor.pk for doctor in self.doctors], first_day, self._until)
        return self._loaded
