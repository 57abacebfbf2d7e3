"""Slots: the free times that the portal offers of a doctor, and the times that appointments take.

A free slot lasts the doctor's usual length from a start that is offered; where that is longer than half an hour, free
slots overlap, and each says that an appointment fits. Nothing is stored: ids tell doctor, start and length.
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


class Stretch(NamedTuple):
    """A doctor's time from `start` on, for so many minutes. In order of time."""

    start: dt.datetime
    doctor_id: int
    minutes: int
    status: str = ""

    @property
    def key(self) -> str:
        """The id."""
        return slot_id(self.doctor_id, self.start, self.minutes)


def slot_key(text: str) -> Stretch | None:
    """Return what an id tells, but for the status; None if it is of no slot that could be."""
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    start = _EPOCH + int(match[2]) * clinic_time.MINUTE
    if not clinic_time.FIRST_DATE < clinic_time.local_date(start) <= clinic_time.LAST_DATE:
        return None
    return Stretch(start, int(match[1]), int(match[3]))


def span_of(ranges: Collection[Range]) -> tuple[dt.datetime, dt.datetime]:
    """Return from when and until when all ranges hold.

    Raises:
        FhirRefused: without both bounds, or with more than `MAX_SEARCH_DAYS` between them: free times are not stored.
    """
    starts = [each.start for each in ranges if each.start is not None]
    ends = [each.end for each in ranges if each.end is not None]
    if not starts or not ends or any(each.is_outside for each in ranges):
        raise FhirRefused(
            400, "required", "start: say from when and until when, as start=ge2026-11-24&start=lt2026-12-01"
        )
    start, end = max(starts), min(ends)
    # An hour more, for days with a clock change.
    if end - start > MAX_SEARCH_DAYS * clinic_time.ONE_DAY + clinic_time.HOUR:
        raise FhirRefused(400, "too-costly", f"start: at most {MAX_SEARCH_DAYS} days at once")
    return start, end


def stretches(
    doctor_ids: Collection[int],
    start: dt.datetime,
    end: dt.datetime,
    statuses: Collection[str],
    *,
    at: dt.datetime | None = None,
) -> list[Stretch]:
    """Return the slots of doctors that begin in `[start, end)`, in order of time. At most six queries.

    Free times that have passed at `at` (default now) are none any more; those that appointments take remain.
    """
    if start >= end:
        return []
    found: list[Stretch] = []
    if FREE in statuses:
        found += _free(doctor_ids, start, end, at=at or timezone.now())
    if BUSY in statuses:
        found += _busy(doctor_ids, start, end)
    return sorted(found)


def _free(doctor_ids: Collection[int], start: dt.datetime, end: dt.datetime, *, at: dt.datetime) -> Iterator[Stretch]:
    doctors = list(Doctor.objects.active().filter(pk__in=doctor_ids))
    # From the day before: of a doctor without hours a weekend would be offered as the first day, and only then.
    first_day = clinic_time.local_date(start) - clinic_time.ONE_DAY
    last_day = clinic_time.local_date(end - dt.timedelta(microseconds=1))
    wish = SlotSearch(doctor_id=doctors[0].pk if len(doctors) == 1 else None)
    for slot in find_free(wish, doctors, first_day=first_day, days=(last_day - first_day).days + 1, at=at).slots():
        if start <= slot.start < end:
            yield Stretch(slot.start, slot.doctor.pk, slot.doctor.usual_minutes, FREE)


def _busy(doctor_ids: Collection[int], start: dt.datetime, end: dt.datetime) -> Iterator[Stretch]:
    rows = Appointment.objects.blocking().filter(doctor__in=doctor_ids, start_time__gte=start, start_time__lt=end)
    for row in rows.order_by().values_list("start_time", "doctor_id", "duration_minutes"):
        yield Stretch(*row, BUSY)


def stretch_at(wanted: Stretch) -> Stretch | None:
    """Return the slot with this doctor, start and length, if there is one now. At most six queries."""
    found = stretches([wanted.doctor_id], wanted.start, wanted.start + clinic_time.MINUTE, (FREE, BUSY))
    return next((each for each in found if each[:3] == wanted[:3]), None)
