"""Doctors in the JSON API, where appointments come in: their free times, and whom a change hits.

The operations are added to the router of doctors, whose addresses they share.
"""

import datetime as dt
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Schema
from pydantic import Field, StrictBool

from appointments.availability.search import LOOK_AHEAD_DAYS, Slot, SlotSearch, find_free
from appointments.displaced.finder import displaced_by_saving, follow_up, record_displaced_read
from appointments.models import Appointment
from clinic.core import clinic_time
from clinic.db.transactions import retrying
from clinic.rest.answers import ErrorsOut, refusals
from clinic.rest.errors import RefusalWithDetails, refuse
from clinic.rest.etags import IfMatch, check_if_match, has_etag, with_etag
from clinic.rest.types import Day, IdInUrl, Minutes, MinutesInUrl, NumberInUrl, StrictSchema, example, left_out
from clinic.web.http import StaffRequest
from doctors.api import DoctorOut, FullName, GapMinutes, Specialization, router
from doctors.models import Doctor

MAX_SEARCH_DAYS = 31


class DoctorPatch(StrictSchema):
    """Fields to change. Omitted fields keep their values."""

    full_name: FullName = left_out()
    specialization: Specialization = left_out()
    is_active: StrictBool = left_out()
    usual_minutes: Minutes = left_out()
    gap_minutes: GapMinutes = left_out()
    accept_hits: StrictBool = Field(
        False,
        description="Deactivate the doctor although appointments are booked. The portal lists them as to be rebooked.",
    )


class DisplacedAppointmentOut(Schema):
    """A booked appointment that would be left without its doctor."""

    id: int
    patient_id: int
    start_time: dt.datetime
    end_time: dt.datetime


class HitsOut(ErrorsOut):
    """The booked appointments because of which the doctor was not deactivated."""

    hits: list[DisplacedAppointmentOut] = Field(default_factory=list)


class FreeTimeOut(Schema):
    """A start at which the appointment would fit."""

    model_config = example(doctor_id=1, start_time="2027-03-01T10:30:00Z", end_time="2027-03-01T11:00:00Z")

    doctor_id: int
    start_time: dt.datetime
    end_time: dt.datetime


def free_time(slot: Slot, search: SlotSearch) -> dict[str, Any]:
    """Return a free time with the length that the appointment would have."""
    end_time = slot.start + search.length_with(slot.doctor)
    return {"doctor_id": slot.doctor.pk, "start_time": slot.start, "end_time": end_time}


@router.patch(
    "/{doctor_id}",
    url_name="doctor",
    operation_id="change_doctor",
    summary="Change a doctor",
    response={200: DoctorOut, **refusals(404, 409, 412, conflict=HitsOut)},
    openapi_extra=has_etag(),
)
def doctor_change(
    request: StaffRequest,
    response: HttpResponse,
    doctor_id: IdInUrl,
    changes: DoctorPatch,
    if_match: IfMatch = None,
) -> Any:
    """Change a doctor. 409 if a doctor to be deactivated has booked appointments, unless `accept_hits` is true."""
    fields = changes.dict(exclude_unset=True)
    accepts_hits = fields.pop("accept_hits", False)
    doctor, hits = _changed(doctor_id, fields, if_match, accepts_hits=accepts_hits, by=request.user)
    if hits:
        record_displaced_read(hits)
        told = refuse("is_active", "hits", f"{doctor} still has booked appointments: {len(hits)}.")
        raise RefusalWithDetails(
            told, hits=[DisplacedAppointmentOut.from_orm(appointment).dict() for appointment in hits]
        )
    return with_etag(response, DoctorOut.from_orm(doctor))


@retrying
def _changed(
    doctor_id: int, changes: dict[str, Any], if_match: str | None, *, accepts_hits: bool, by: Any
) -> tuple[Doctor, list[Appointment]]:
    """Change a record, or return the hits because of which nothing was changed.

    Claims the diary, so that nobody books between the look at who is hit and the change.
    """
    with transaction.atomic():
        get_object_or_404(Doctor, pk=doctor_id)
        Doctor.objects.filter(pk=doctor_id).claim()
        doctor = Doctor.objects.get(pk=doctor_id)
        before = DoctorOut.from_orm(doctor)
        check_if_match(if_match, before)
        was_active = doctor.is_active
        for name, value in changes.items():
            setattr(doctor, name, value)
        doctor.full_clean()
        hits = displaced_by_saving(doctor) if was_active and not doctor.is_active else []
        if hits and not accepts_hits:
            transaction.set_rollback(True)
            return doctor, hits
        if DoctorOut.from_orm(doctor) != before:
            doctor.save()
        if was_active != doctor.is_active:
            follow_up(hits, cause=doctor.cause, doctors=doctor.diaries(), by=by)
    return doctor, []


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
    first_day: Day | None = Query(None, alias="from", description="A date in clinic time. Default: today."),
    days: NumberInUrl = Query(LOOK_AHEAD_DAYS, ge=1, le=MAX_SEARCH_DAYS),
    minutes: MinutesInUrl | None = Query(None, description="Default: the doctor's usual length."),
) -> Any:
    """List the starts at which an appointment would fit, soonest first. Empty for an inactive doctor.

    A doctor without working hours can be booked at any time; weekdays from 08:00 to 18:00 are offered, and a weekend
    day if the search begins on it.
    """
    doctor = get_object_or_404(Doctor, pk=doctor_id)
    begin = first_day or clinic_time.today()
    search = SlotSearch(minutes=minutes, doctor_id=doctor.pk)
    found = find_free(search, [doctor] if doctor.is_active else [], first_day=begin, days=days)
    return [free_time(slot, search) for slot in found.slots()]
