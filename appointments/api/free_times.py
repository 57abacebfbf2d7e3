"""Doctors' free times in the JSON API, added to the router of doctors."""

import datetime as dt
from typing import Any

from django.shortcuts import get_object_or_404
from ninja import Query, Schema

from appointments.availability.search import Slot, SlotSearch, find_free
from clinic.core import clinic_time
from clinic.rest.answers import refusals
from clinic.rest.types import Day, IdInUrl, MinutesInUrl, NumberInUrl, example
from clinic.web.http import StaffRequest
from doctors.api import router
from doctors.availability_loader import LOOK_AHEAD_DAYS
from doctors.models import Doctor

MAX_SEARCH_DAYS = 31


class FreeTimeOut(Schema):
    """A time at which the appointment fits."""

    model_config = example(doctor_id=1, start_time="2027-03-01T10:30:00Z", end_time="2027-03-01T11:00:00Z")

    doctor_id: int
    start_time: dt.datetime
    end_time: dt.datetime


def free_time(slot: Slot, search: SlotSearch) -> dict[str, Any]:
    end_time = slot.start + search.length_with(slot.doctor)
    return {"doctor_id": slot.doctor.pk, "start_time": slot.start, "end_time": end_time}


@router.get(
    "/{doctor_id}/free",
    url_name="doctor_free",
    operation_id="list_free_times",
    summary="Find free times",
    response={200: list[FreeTimeOut], **refusals(404)},
)
def doctor_free(
    request: StaffRequest,
    doctor_id: IdInUrl,
    first_day: Day | None = Query(None, alias="from", description="A clinic-local date. Default: today."),
    days: NumberInUrl = Query(LOOK_AHEAD_DAYS, ge=1, le=MAX_SEARCH_DAYS),
    minutes: MinutesInUrl | None = Query(None, description="Default: the doctor's usual length."),
) -> Any:
    """List the times at which an appointment fits, soonest first. Empty for an inactive doctor.

    For a doctor without working hours, these are weekdays from 08:00 to 18:00, and weekends only on the first day.
    """
    doctor = get_object_or_404(Doctor, pk=doctor_id)
    begin = first_day or clinic_time.today()
    search = SlotSearch(minutes=minutes, doctor_id=doctor.pk)
    found = find_free(search, [doctor] if doctor.is_active else [], first_day=begin, days=days)
    return [free_time(slot, search) for slot in found.slots()]
