"""Patients who have not been here for so long that their records may have to be anonymised. Nothing is automatic."""

import datetime as dt
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import QuerySet

from clinic.core import clinic_time
from clinic.db.keyset import KeysetOrder, cursor_of, parse_cursor
from patients.models import Patient
from patients.privacy.holders import registered_holders

PER_PAGE = 50
MAX_COUNTED = 1000
_LONGEST_ABSENT_FIRST = KeysetOrder(("last_contact", "pk"))


class RetentionPage(NamedTuple):
    """Some patients, longest absent first; `after` is the cursor of the next page, empty on the last one."""

    patients: list[Any]
    after: str


def retention_limit(today: dt.date) -> dt.datetime:
    """Return the start of the same day `PATIENT_RETENTION_YEARS` ago; a last appointment before it is due."""
    year = today.year - settings.PATIENT_RETENTION_YEARS
    is_leap_day = (today.month, today.day) == (2, 29)
    day = dt.date(year, 3, 1) if is_leap_day else today.replace(year=year)
    return clinic_time.day_bounds(day)[0]


def due_patients(*, before: dt.datetime) -> QuerySet[Any]:
    """Return the patients registered before an instant whose records have not been needed since, longest absent first.

    The index `patient_last_contact` serves filter and order.
    """
    # An appointment may have begun before its patient was registered, so the last contact alone does not say when.
    patients = Patient.objects.not_anonymised().filter(last_contact__lt=before, created_at__lt=before)
    for holder in registered_holders():
        for condition in holder.in_use(before=before):
            patients = patients.exclude(condition)
    return patients.order_by("last_contact", "pk")


def count_due(*, before: dt.datetime) -> tuple[int, bool]:
    """Return the number of due patients, at most `MAX_COUNTED`, and whether there are more. One query."""
    count = due_patients(before=before)[: MAX_COUNTED + 1].count()
    return min(count, MAX_COUNTED), count > MAX_COUNTED


def retention_page(*, before: dt.datetime, after: str = "") -> RetentionPage:
    """Return the due patients after a cursor, each with the holders' `review_columns`. One query."""
    due = due_patients(before=before)
    for holder in registered_holders():
        due = due.annotate(**holder.review_columns())
    patients, last = _LONGEST_ABSENT_FIRST.page(due, after=parse_cursor(after), size=PER_PAGE)
    return RetentionPage(patients, "" if last is None else cursor_of(last))
