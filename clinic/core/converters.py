import datetime as dt

from django.core.exceptions import ValidationError

from clinic.core.clinic_time import check_date


class DateConverter:
    """A date of the portal's calendar, as 2026-11-24. Others, such as 30 February, do not match, so 404."""

    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> dt.date:
        day = dt.date.fromisoformat(value)
        try:
            check_date(day)
        except ValidationError as error:
            raise ValueError(value) from error
        return day

    def to_url(self, value: dt.date) -> str:
        return value.isoformat()
