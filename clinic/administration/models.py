import datetime as dt
from typing import Any

from django.db import models
from django.utils import timezone

LATE_AFTER = dt.timedelta(days=1)
_ONLY = 1


class TidyRunManager(models.Manager["TidyRun"]):
    def record(self) -> None:
        """Record that `manage.py tidy` has finished now."""
        self.update_or_create(pk=_ONLY, defaults={"finished_at": timezone.now()})

    def last(self) -> Any:
        """Return the last run, or None. One query."""
        return self.filter(pk=_ONLY).first()


class TidyRun(models.Model):
    """When `manage.py tidy` last finished. The table has at most one row."""

    finished_at = models.DateTimeField()

    objects = TidyRunManager()

    def __str__(self) -> str:
        return f"tidied {self.finished_at}"

    @property
    def is_late(self) -> bool:
        """Whether the next run is overdue."""
        return self.finished_at < timezone.now() - LATE_AFTER
