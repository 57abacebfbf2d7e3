import datetime as dt
from typing import Any

from clinic.core import clinic_time


class LocalDates:
    """Finds the admin's date hierarchy without the time zone tables that MariaDB and MySQL may not have loaded."""

    def datetimes(self: Any, field_name: str, kind: Any, order: Any = "ASC", tzinfo: dt.tzinfo | None = None) -> Any:
        """Return the first instant, in clinic time, of each `year`, `month` or `day` from the first record to the last.

        Periods between them need not have records. Two queries, each for one row of the field's index: looking for the
        first record of each period reads the whole index where MariaDB does not see that one row is enough.
        """
        bounds = [self.order_by(by).values_list(field_name, flat=True).first() for by in (field_name, f"-{field_name}")]
        if None in bounds:
            return []
        day, last = map(clinic_time.local_date, bounds)
        starts = []
        while day <= last:
            day = _first_day(day, kind)
            starts.append(clinic_time.local(clinic_time.day_bounds(day)[0]))
            day = _first_day_after(day, kind)
        return starts if order == "ASC" else starts[::-1]


def _first_day(day: dt.date, kind: str) -> dt.date:
    return {"year": day.replace(month=1, day=1), "month": day.replace(day=1), "day": day}[kind]


def _first_day_after(first_day: dt.date, kind: str) -> dt.date:
    """Return the first day of the next period; no month or year is longer than what is added here."""
    longest = {"year": 366, "month": 31, "day": 1}[kind]
    return _first_day(first_day + dt.timedelta(days=longest), kind)
