"""Which state of a doctor's day the pages show: docs/decisions/022-refresh.md."""

import datetime as dt
import random
from collections.abc import Iterable

from django.db import connections, models

from doctors.availability import local_dates
from doctors.models import Doctor
from doctors.rules import MAX_GAP_MINUTES

BookedTime = tuple[int, dt.datetime, dt.datetime]  # an appointment's doctor, start and end
LONGEST_GAP = dt.timedelta(minutes=MAX_GAP_MINUTES)
BITS = 31  # an open schedule sends one version for each column, so they are short
_rng = random.SystemRandom()


class DayVersionQuerySet(models.QuerySet["DayVersion"]):
    def renew(self, days: Iterable[tuple[int, dt.date]]) -> None:
        """Give these doctors' clinic-local dates new versions. At most one query.

        Locks: their rows, in order of doctor and date, until the transaction ends.
        """
        rows = [self.model(doctor_id=pk, date=day, version=_rng.getrandbits(BITS)) for pk, day in sorted(set(days))]
        # MariaDB and MySQL find the conflicting row by themselves, and refuse to be told how.
        names_conflict = connections[self.db].features.supports_update_conflicts_with_target
        unique = ["doctor", "date"] if names_conflict else None
        if rows:
            self.bulk_create(rows, update_conflicts=True, update_fields=["version"], unique_fields=unique)

    def renew_around(self, booked: Iterable[BookedTime]) -> None:
        """Renew the dates on which these times, with the longest gap around them, can be seen. Locks: as `renew`."""
        self.renew(
            (doctor_id, day)
            for doctor_id, start, end in booked
            for day in local_dates(start - LONGEST_GAP, end + LONGEST_GAP)
        )

    def on(self, day: dt.date) -> "DayVersionQuerySet":
        return self.filter(date=day)


class DayVersion(models.Model):
    """A number that changes with the appointments on a doctor's clinic-local date, and with their patients' records.

    It is random: a row that is deleted and written again has another one. A date without a row has had no appointments.
    """

    doctor = models.ForeignKey(Doctor, on_delete=models.CASCADE, related_name="day_versions")
    date = models.DateField()
    version = models.PositiveBigIntegerField()

    objects = DayVersionQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["doctor", "date"], name="day_version_doctor_date")]
        indexes = [models.Index(fields=["date", "doctor", "version"], name="day_version_date")]

    def __str__(self) -> str:
        return f"doctor {self.doctor_id} on {self.date}"
