import datetime as dt
from typing import Any

from django.db.models import Min

from clinic.core import clinic_time


class LocalDates:
    """Finds the admin's date hierarchy without the time zone tables that MariaDB and MySQL may not have loaded."""

    def datetimes(self: Any, field_name: str, kind: Any, order: Any = "ASC", tzinfo: dt.tzinfo | None = None) -> Any:
        """Return the first instant, in clinic time, of each `year`, `month` or `day` with records. One query each."""
        starts = []
        later = self
        while (first := later.order_by().aggregate(first=Min(field_name))["first"]) is not None:
            day = _first_day(clinic_time.local_date(first), kind)
            starts.append(clinic_time.local(clinic_time.day_bounds(day)[0]))
            after = clinic_time.day_bounds(_first_day_after(day, kind))[0]
            later = self.filter(**{f"{field_name}__gte": after})
        return starts if order == "ASC" else starts[::-1]


def _first_day(day: dt.date, kind: str) -> dt.date:
    return {"year": day.replace(month=1, day=1), "month": day.replace(day=1), "day": day}[kind]


def _first_day_after(first_day: dt.date, kind: str) -> dt.date:
    """Return the first day of the next period; no month or year is longer than what is added here."""
    longest = {"year": 366, "month": 31, "day": 1}[kind]
    return _first_day(first_day + dt.timedelta(days=longest), kind)
