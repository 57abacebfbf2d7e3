"""Slots: the free times that the portal offers, and the times of appointments.

A free slot lasts the doctor's usual length from a start that is offered, so free slots may overlap. Nothing is stored:
ids consist of doctor, start and length.
"""

import datetime as dt
import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from django.utils import timezone

from appointments.availability.search import SlotSearch, find_free
from appointments.fhir.resources import slot_id
from appointments.fhir.values import Range
from appointments.models import Appointment
from clinic.core import clinic_time
from clinic.rest.outcomes import FhirRefused
from doctors.models import Doctor

FREE, BUSY = "free", "busy"
MAX_SEARCH_DAYS = 31

_KEY = re.compile(r"([0-9]{1,18})-(-?[0-9]{1,9})-([0-9]{1,3})")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class SlotTime(NamedTuple):
    """A slot of a doctor, free or busy. Sorts by time."""

    start: dt.datetime
    doctor_id: int
    minutes: int
    status: str = ""

    @property
    def key(self) -> str:
        return slot_id(self.doctor_id, self.start, self.minutes)


def slot_key(text: str) -> SlotTime | None:
    """Return the slot with this id, without its status; None for an impossible id."""
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    start = _EPOCH + int(match[2]) * clinic_time.MINUTE
    if not clinic_time.FIRST_DATE < clinic_time.local_date(start) <= clinic_time.LAST_DATE:
        return None
    return SlotTime(start, int(match[1]), int(match[3]))


def span_of(ranges: Collection[Range]) -> tuple[dt.datetime, dt.datetime]:
    """Return start and end of what all ranges share; both are required, and at most `MAX_SEARCH_DAYS` apart."""
    starts = [each.start for each in ranges if each.start is not None]
    ends = [each.end for each in ranges if each.end is not None]
    if not starts or not ends or any(each.is_outside for each in ranges):
        raise FhirRefused(400, "required", "start: give both bounds, as in start=ge2026-11-24&start=lt2026-12-01")
    start, end = max(starts), min(ends)
    # An hour more, for days with a clock change.
    if end - start > MAX_SEARCH_DAYS * clinic_time.ONE_DAY + clinic_time.HOUR:
        raise FhirRefused(400, "too-costly", f"start: at most {MAX_SEARCH_DAYS} days at once")
    return start, end


def find_slots(
    doctor_ids: Collection[int],
    start: dt.datetime,
    end: dt.datetime,
    statuses: Collection[str],
    *,
    at: dt.datetime | None = None,
) -> list[SlotTime]:
    """Return the slots that begin in `[start, end)`, in order of time; free ones only after `at` (default now).

    At most six queries.
    """
    if start >= end:
        return []
    found: list[SlotTime] = []
    if FREE in statuses:
        found += _free(doctor_ids, start, end, at=at or timezone.now())
    if BUSY in statuses:
        found += _busy(doctor_ids, start, end)
    return sorted(found)


def _free(doctor_ids: Collection[int], start: dt.datetime, end: dt.datetime, *, at: dt.datetime) -> Iterator[SlotTime]:
    doctors = list(Doctor.objects.active().filter(pk__in=doctor_ids))
    # From the day before: for a doctor without hours, a weekend is offered only as the first day.
    first_day = clinic_time.local_date(start) - clinic_time.ONE_DAY
    last_day = clinic_time.local_date(end - dt.timedelta(microseconds=1))
    search = SlotSearch(doctor_id=doctors[0].pk if len(doctors) == 1 else None)
    for free in find_free(search, doctors, first_day=first_day, days=(last_day - first_day).days + 1, at=at).slots():
        if start <= free.start < end:
            yield SlotTime(free.start, free.doctor.pk, free.doctor.usual_minutes, FREE)


def _busy(doctor_ids: Collection[int], start: dt.datetime, end: dt.datetime) -> Iterator[SlotTime]:
    rows = Appointment.objects.blocking().filter(doctor__in=doctor_ids, start_time__gte=start, start_time__lt=end)
    for row in rows.order_by().values_list("start_time", "doctor_id", "duration_minutes"):
        yield SlotTime(*row, BUSY)


def find_slot(wanted: SlotTime) -> SlotTime | None:
    """Return the present slot with this doctor, start and length, if any. At most six queries."""
    found = find_slots([wanted.doctor_id], wanted.start, wanted.start + clinic_time.MINUTE, (FREE, BUSY))
    return next((each for each in found if each[:3] == wanted[:3]), None)
