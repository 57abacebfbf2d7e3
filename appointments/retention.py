"""Who has not been here for so long that the clinic may have to let go of the record. Nothing happens by itself."""

import datetime as dt
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from appointments.models import Appointment
from clinic.core import clinic_time
from clinic.web.http import parse_number
from patients.models import Patient

PER_PAGE = 50
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


class RetentionPage(NamedTuple):
    """Some patients, those gone longest first; `after` is where the next page goes on, empty if there is none."""

    patients: list[Any]
    after: str


def kept_since(today: dt.date) -> dt.datetime:
    """Return the start of the same day `PATIENT_RETENTION_YEARS` ago; a last appointment before it is due."""
    year = today.year - settings.PATIENT_RETENTION_YEARS
    is_leap_day = (today.month, today.day) == (2, 29)
    day = dt.date(year, 3, 1) if is_leap_day else today.replace(year=year)
    return clinic_time.day_bounds(day)[0]


def due_patients(*, before: dt.datetime) -> QuerySet[Any]:
    """Return the patients registered before an instant who have had no appointment since and have none open.

    `last_contact` is the start of the last appointment, or the registration of who had none.
    """
    appointments = Appointment.objects.filter(patient=OuterRef("pk")).order_by()
    last_appointment = appointments.order_by("-start_time").values("start_time")[:1]
    return (
        Patient.objects.not_anonymised()
        .filter(created_at__lt=before)
        .exclude(Exists(appointments.filter(start_time__gte=before)))
        .exclude(Exists(appointments.open()))
        .annotate(last_contact=Coalesce(Subquery(last_appointment), F("created_at")))
        .order_by("last_contact", "pk")
    )


def retention_page(*, before: dt.datetime, after: str = "") -> RetentionPage:
    """Return the due patients who come after a place in the list, each with `appointment_count`. One query."""
    due = due_patients(before=before)
    if (place := _place(after)) is not None:
        instant, pk = place
        due = due.filter(Q(last_contact__gt=instant) | Q(last_contact=instant, pk__gt=pk))
    counted = Appointment.objects.filter(patient=OuterRef("pk")).order_by().values("patient").values(n=Count("pk"))
    found = list(due.annotate(appointment_count=Coalesce(Subquery(counted), 0))[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    return RetentionPage(shown, _place_of(shown[-1]) if len(found) > PER_PAGE else "")


def _place_of(patient: Any) -> str:
    """Return the place of a patient in the list, as an address may hold it."""
    return f"{(patient.last_contact - _EPOCH) // _MICROSECOND}-{patient.pk}"


def _place(text: str) -> tuple[dt.datetime, int] | None:
    instant, _dash, pk = text.partition("-")
    since, after_pk = parse_number(instant), parse_number(pk)
    if since is None or after_pk is None:
        return None
    try:
        return _EPOCH + since * _MICROSECOND, after_pk
    except OverflowError:
        return None
