"""Doctors in the JSON API. Who may call what is in `clinic.web.page_access`."""

import datetime as dt
from typing import Annotated, Any

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from pydantic import Field, StrictBool, WithJsonSchema

from clinic.core.appointment_length import DEFAULT_MINUTES
from clinic.db.transactions import retrying
from clinic.rest.answers import ErrorsOut, refusals
from clinic.rest.errors import RefusalWithDetails, refuse
from clinic.rest.etags import IfMatch, check_if_match, has_etag, with_etag
from clinic.rest.pages import CURSOR, IN_PAGES, LIMIT, page_of
from clinic.rest.records import create, created
from clinic.rest.repeats import repeatable
from clinic.rest.types import IdInUrl, Minutes, NumberInUrl, StrictInt, StrictSchema, by_rule, example, left_out, text
from clinic.web.http import StaffRequest
from doctors.displacement import displaced_by_saving, follow_up, record_displaced_read
from doctors.models import Doctor
from doctors.rules import MAX_GAP_MINUTES, check_gap_minutes

router = Router(tags=["doctors"])

FullName = Annotated[str, text(100, least=1, example="Dr Ngozi Okafor")]
Specialization = Annotated[str, text(100, least=1, example="Cardiology")]
GapMinutes = Annotated[
    StrictInt,
    by_rule(check_gap_minutes),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_GAP_MINUTES}),
]


class DoctorIn(StrictSchema):
    """A doctor to add."""

    full_name: FullName
    specialization: Specialization
    is_active: StrictBool = Field(True, description="Only active doctors can be booked.")
    usual_minutes: Minutes = Field(DEFAULT_MINUTES, description="For appointments booked without a length.")
    gap_minutes: GapMinutes = Field(0, description="Left free after each appointment.")


class DoctorOut(Schema):
    """A doctor."""

    model_config = example(
        id=1,
        full_name="Dr Ngozi Okafor",
        specialization="Cardiology",
        is_active=True,
        usual_minutes=30,
        gap_minutes=0,
        created_at="2027-02-01T09:00:00Z",
    )

    id: int
    full_name: str
    specialization: str
    is_active: bool
    usual_minutes: int
    gap_minutes: int
    created_at: dt.datetime


class DoctorPatch(StrictSchema):
    """Fields to change. Omitted fields keep their values."""

    full_name: FullName = left_out()
    specialization: Specialization = left_out()
    is_active: StrictBool = left_out()
    usual_minutes: Minutes = left_out()
    gap_minutes: GapMinutes = left_out()
    accept_hits: StrictBool = Field(
        False,
        description="Deactivate the doctor despite booked appointments. The portal then lists them to rebook.",
    )


class DisplacedAppointmentOut(Schema):
    """A booked appointment whose doctor would be inactive."""

    id: int
    patient_id: int
    start_time: dt.datetime
    end_time: dt.datetime


class DisplacementOut(ErrorsOut):
    """The doctor was not deactivated, because of these booked appointments."""

    hits: list[DisplacedAppointmentOut] = Field(default_factory=list)


@router.post(
    "",
    url_name="doctors",
    operation_id="add_doctor",
    summary="Add a doctor",
    response={201: DoctorOut, **refusals(409)},
    openapi_extra=has_etag(201),
)
@repeatable
def doctor_add(request: StaffRequest, response: HttpResponse, sent: DoctorIn) -> Any:
    """Add a doctor. Working hours are entered in the portal; without any, the doctor can be booked at any time."""
    doctor = create(Doctor, sent.dict())
    return created(response, DoctorOut.from_orm(doctor), pk=doctor.pk, url_name="api:doctor")


@router.get(
    "",
    url_name="doctors",
    operation_id="list_doctors",
    summary="List doctors",
    response={200: list[DoctorOut], **refusals()},
    openapi_extra=IN_PAGES,
)
def doctor_list(
    request: StaffRequest,
    response: HttpResponse,
    specialization: Specialization | None = Query(None),
    is_active: bool | None = Query(None),
    cursor: str = CURSOR,
    limit: NumberInUrl = LIMIT,
) -> Any:
    """List doctors by id: all, or filtered by specialization or by whether they can be booked."""
    doctors = Doctor.objects.all()
    if specialization is not None:
        doctors = doctors.specialized_in(specialization)
    if is_active is not None:
        doctors = doctors.filter(is_active=is_active)
    return page_of(doctors, response, order=("id",), cursor=cursor, limit=limit)


@router.get(
    "/{doctor_id}",
    url_name="doctor",
    operation_id="get_doctor",
    summary="Read a doctor",
    response={200: DoctorOut, **refusals(404)},
    openapi_extra=has_etag(),
)
def doctor_get(request: StaffRequest, response: HttpResponse, doctor_id: IdInUrl) -> Any:
    """Return a doctor, active or not."""
    """Return a doctor."""
    return with_etag(response, DoctorOut.from_orm(get_object_or_404(Doctor, pk=doctor_id)))


@router.patch(
    "/{doctor_id}",
    url_name="doctor",
    operation_id="change_doctor",
    summary="Change a doctor",
    response={200: DoctorOut, **refusals(404, 409, 412, conflict=DisplacementOut)},
    openapi_extra=has_etag(),
)
def doctor_change(
    request: StaffRequest,
    response: HttpResponse,
    doctor_id: IdInUrl,
    changes: DoctorPatch,
    if_match: IfMatch = None,
) -> Any:
    """Change the fields sent. 409 if a doctor with booked appointments is deactivated without `accept_hits`."""
    fields = changes.dict(exclude_unset=True)
    accepts = fields.pop("accept_hits", False)
    doctor, displaced = _change(doctor_id, fields, if_match, accepts_displacement=accepts, by=request.user)
    if displaced:
        record_displaced_read(displaced)
        refusal = refuse("is_active", "hits", f"{doctor} still has booked appointments: {len(displaced)}.")
        shown = [DisplacedAppointmentOut.from_orm(appointment).dict() for appointment in displaced]
        raise RefusalWithDetails(refusal, hits=shown)
    return with_etag(response, DoctorOut.from_orm(doctor))


@retrying
def _change(
    doctor_id: int, changes: dict[str, Any], if_match: str | None, *, accepts_displacement: bool, by: Any
) -> tuple[Doctor, list[Any]]:
    """Change a doctor under the lock, or return the displaced appointments that prevent it."""
    with transaction.atomic():
        doctor = _locked_doctor(doctor_id)
        before = DoctorOut.from_orm(doctor)
        check_if_match(if_match, before)
        was_active = doctor.is_active
        for name, value in changes.items():
            setattr(doctor, name, value)
        doctor.full_clean()
        displaced = displaced_by_saving(doctor) if was_active and not doctor.is_active else []
        if displaced and not accepts_displacement:
            transaction.set_rollback(True)
            return doctor, displaced
        if DoctorOut.from_orm(doctor) != before:
            doctor.save()
        if was_active != doctor.is_active:
            follow_up(displaced, cause=doctor.cause, doctors=doctor.diaries(), by=by)
    return doctor, []


def _locked_doctor(doctor_id: int) -> Doctor:
    get_object_or_404(Doctor, pk=doctor_id)
    Doctor.objects.filter(pk=doctor_id).lock_diaries()
    return Doctor.objects.get(pk=doctor_id)
