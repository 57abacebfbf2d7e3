"""Patients in the JSON API. Who may call it is in `clinic.web.page_access`."""

import datetime as dt
from typing import Annotated, Any

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router, Schema

from clinic.db.transactions import retrying
from clinic.models import AuditEntry, Event
from clinic.rest.answers import refusals
from clinic.rest.etags import IfMatch, check_if_match, has_etag, with_etag
from clinic.rest.pages import IN_PAGES, PageIn, page_of
from clinic.rest.records import create, created
from clinic.rest.repeats import repeatable
from clinic.rest.types import Date, IdInUrl, StrictSchema, example, left_out, text
from clinic.web.http import StaffRequest
from patients.models import NAME_LENGTH, PHONE_LENGTH, Patient

router = Router(tags=["patients"])

FirstName = Annotated[str, text(NAME_LENGTH, least=1, example="Ana")]
LastName = Annotated[str, text(NAME_LENGTH, least=1, example="Lopes")]
Email = Annotated[str, text(254, least=3, example="ana.lopes@example.com", pattern=r"^\s*[^\s@]+@[^\s@]+\s*$")]
PhoneNumber = Annotated[str, text(PHONE_LENGTH, example="+351 912 345 678")]
MAX_QUERY = 200


class PatientIn(StrictSchema):
    """A person to register."""

    first_name: FirstName
    last_name: LastName
    email: Email
    phone_number: PhoneNumber = ""
    date_of_birth: Date | None = None


class PatientPatch(StrictSchema):
    """Fields to change. Omitted fields keep their values."""

    first_name: FirstName = left_out()
    last_name: LastName = left_out()
    email: Email = left_out()
    phone_number: PhoneNumber = left_out()
    date_of_birth: Date | None = None


class PatientOut(Schema):
    """A registered person."""

    model_config = example(
        id=1,
        first_name="Ana",
        last_name="Lopes",
        email="ana.lopes@example.com",
        phone_number="+351 912 345 678",
        date_of_birth="1980-05-17",
        created_at="2027-02-01T09:00:00Z",
        updated_at="2027-02-01T09:00:00Z",
    )

    id: int
    first_name: str
    last_name: str
    email: str
    phone_number: str
    date_of_birth: dt.date | None
    created_at: dt.datetime
    updated_at: dt.datetime


class PatientSearchIn(PageIn):
    """A search text: beginnings of names in any order, or the beginning of the e-mail or the phone number."""

    q: Annotated[str, text(MAX_QUERY, least=1, example="ana lop")]


@router.post(
    "",
    url_name="patients",
    operation_id="register_patient",
    summary="Register a patient",
    response={201: PatientOut, **refusals(400, 409)},
    openapi_extra=has_etag(201),
)
@repeatable
def patient_register(request: StaffRequest, response: HttpResponse, sent: PatientIn) -> Any:
    """Register a patient. 400 if the e-mail is registered already, whatever its case."""
    patient = create(Patient, sent.dict())
    return created(response, PatientOut.from_orm(patient), pk=patient.pk, url_name="api:patient")


@router.post(
    "/search",
    url_name="patients_search",
    operation_id="search_patients",
    summary="Search patients",
    response={200: list[PatientOut], **refusals()},
    openapi_extra=IN_PAGES,
)
def patient_search(request: StaffRequest, response: HttpResponse, search: PatientSearchIn) -> Any:
    """List the patients found, by last and first name. A POST, so that addresses contain no personal data."""
    found = Patient.objects.search(search.q)
    page = page_of(found, response, order=("name_key", "id"), cursor=search.cursor, limit=search.limit)
    AuditEntry.objects.record(Event.SEARCH, Patient, patients=[patient.pk for patient in page])
    return page


@router.get(
    "/{patient_id}",
    url_name="patient",
    operation_id="get_patient",
    summary="Read a patient",
    response={200: PatientOut, **refusals(404)},
    openapi_extra=has_etag(),
)
def patient_get(request: StaffRequest, response: HttpResponse, patient_id: IdInUrl) -> Any:
    """Return a patient. Doctors can read the patients who have an appointment with them."""
    patient = get_object_or_404(Patient.objects.visible_to(request.user), pk=patient_id)
    AuditEntry.objects.record(Event.READ, patient)
    return with_etag(response, PatientOut.from_orm(patient))


@router.patch(
    "/{patient_id}",
    url_name="patient",
    operation_id="change_patient",
    summary="Change a patient",
    response={200: PatientOut, **refusals(400, 404, 412)},
    openapi_extra=has_etag(),
)
def patient_change(
    request: StaffRequest,
    response: HttpResponse,
    patient_id: IdInUrl,
    changes: PatientPatch,
    if_match: IfMatch = None,
) -> Any:
    """Change the given fields. 400 if another patient has the e-mail; 412 if the record does not match If-Match."""
    patient = _changed(patient_id, changes.dict(exclude_unset=True), if_match)
    return with_etag(response, PatientOut.from_orm(patient))


@retrying
def _changed(patient_id: int, changes: dict[str, Any], if_match: str | None) -> Patient:
    """Compare the record with If-Match and change it. Locks: the row."""
    with transaction.atomic():
        patient = get_object_or_404(Patient.objects.select_for_update(), pk=patient_id)
        before = PatientOut.from_orm(patient)
        check_if_match(if_match, before)
        for name, value in changes.items():
            setattr(patient, name, value)
        patient.full_clean()
        if PatientOut.from_orm(patient) != before:  # a request without changes must not make other copies outdated
            patient.save()
        else:
            AuditEntry.objects.record(Event.READ, patient)  # the answer shows the record
    return patient
