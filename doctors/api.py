"""Doctors in the JSON API. Who may call what is in `clinic.web.page_access`."""

import datetime as dt
from typing import Annotated, Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from pydantic import Field, StrictBool, WithJsonSchema

from clinic.core.appointment_length import DEFAULT_MINUTES
from clinic.rest.answers import refusals
from clinic.rest.etags import has_etag, with_etag
from clinic.rest.pages import CURSOR, IN_PAGES, LIMIT, page_of
from clinic.rest.records import create, created
from clinic.rest.repeats import repeatable
from clinic.rest.types import IdInUrl, Minutes, NumberInUrl, StrictInt, StrictSchema, by_rule, example, text
from clinic.web.http import StaffRequest
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
    """A doctor who begins to see patients here."""

    full_name: FullName
    specialization: Specialization
    is_active: StrictBool = Field(True, description="Only active doctors can be booked.")
    usual_minutes: Minutes = Field(DEFAULT_MINUTES, description="The length of an appointment for which none is given.")
    gap_minutes: GapMinutes = Field(0, description="Kept free after each appointment.")


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
    """Add a doctor. Without working hours, which the portal keeps, a doctor can be booked at any time."""
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
    """List the doctors by id: all, or those of a specialization, or those who can or cannot be booked."""
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
    """Return a doctor."""
    return with_etag(response, DoctorOut.from_orm(get_object_or_404(Doctor, pk=doctor_id)))
