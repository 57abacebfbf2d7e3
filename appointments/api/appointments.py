"""Appointments in the JSON API. Access: `clinic.web.page_access` for calls, `permissions` for single appointments."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from appointments import rules
from appointments.api.free_times import FreeTimeOut, free_time
from appointments.availability.search import SlotSearch, find_free, nearest
from appointments.booking import actions
from appointments.models import Appointment
from appointments.models.appointment import MAX_NOTES
from appointments.permissions import appointment_for
from appointments.statuses import MOVABLE
from clinic.core import clinic_time
from clinic.models import AuditEntry, Event
from clinic.rest.answers import ErrorsOut, refusals
from clinic.rest.errors import RefusalWithDetails, refuse
from clinic.rest.etags import IfMatch, check_if_match, has_etag, with_etag
from clinic.rest.pages import CURSOR, IN_PAGES, LIMIT_OF_DAY, page_of
from clinic.rest.records import created
from clinic.rest.repeats import repeatable
from clinic.rest.types import Day, Id, IdInUrl, Instant, Minutes, NumberInUrl, StrictSchema, example, left_out, text
from clinic.web.http import StaffRequest
from doctors.models import Doctor
from patients.models import Patient

router = Router(tags=["appointments"])

Reason = Annotated[str, text(200, example="Check-up")]
Notes = Annotated[str, text(MAX_NOTES)]
OUTSIDE_HOURS_REASON = "Reason for booking outside hours, in leave, on a closing day or in a gap; needs permission."


class AppointmentIn(StrictSchema):
    """An appointment to book."""

    patient_id: Id
    doctor_id: Id
    start_time: Instant
    duration_minutes: Minutes = left_out("Default: the doctor's usual length.")
    reason: Reason = ""
    notes: Notes = ""
    outside_hours_reason: Reason = Field("", description=OUTSIDE_HOURS_REASON)


class MoveIn(StrictSchema):
    """Fields to change. Omitted fields keep their values."""

    start_time: Instant = left_out()
    doctor_id: Id = left_out()
    duration_minutes: Minutes = left_out()
    reason: Reason = Field("", description="Reason for the move.")
    outside_hours_reason: Reason = Field("", description=OUTSIDE_HOURS_REASON)


class AppointmentPatch(StrictSchema):
    """Fields to change. Omitted fields keep their values."""

    reason: Reason = left_out()
    notes: Notes = left_out()


class CancelIn(StrictSchema):
    """Why and by whom an appointment is cancelled."""

    reason: Annotated[str, text(200, least=1, example="Feels better")]
    cancelled_by: Literal["patient", "clinic"]


class NothingIn(StrictSchema):
    """An empty body, which may be omitted."""


class AppointmentOut(Schema):
    """An appointment, from `start_time` up to but not including `end_time`. All times are in UTC."""

    model_config = example(
        id=1,
        patient_id=1,
        doctor_id=1,
        start_time="2027-03-01T10:30:00Z",
        duration_minutes=30,
        end_time="2027-03-01T11:00:00Z",
        status="booked",
        reason="Check-up",
        notes="",
        outside_hours_reason="",
        arrived_at=None,
        started_at=None,
        completed_at=None,
        left_at=None,
        cancelled_at=None,
        cancelled_by="",
        cancel_reason="",
        is_walk_in=False,
        created_at="2027-02-01T09:00:00Z",
        updated_at="2027-02-01T09:00:00Z",
    )

    id: int
    patient_id: int
    doctor_id: int
    start_time: dt.datetime
    duration_minutes: int
    end_time: dt.datetime
    status: Literal["booked", "arrived", "in_consultation", "completed", "no_show", "left", "cancelled"]
    reason: str
    notes: str
    outside_hours_reason: str
    arrived_at: dt.datetime | None
    started_at: dt.datetime | None
    completed_at: dt.datetime | None
    left_at: dt.datetime | None
    cancelled_at: dt.datetime | None
    cancelled_by: Literal["", "patient", "clinic"]
    cancel_reason: str
    is_walk_in: bool
    created_at: dt.datetime
    updated_at: dt.datetime


class ConflictOut(ErrorsOut):
    """The conflict, and free times instead: of the same doctor, then of others in the specialization."""

    alternatives: list[FreeTimeOut] = Field(default_factory=list)


@router.post(
    "",
    url_name="appointments",
    operation_id="book_appointment",
    summary="Book an appointment",
    response={201: AppointmentOut, **refusals(404, 409, conflict=ConflictOut)},
    openapi_extra=has_etag(201),
)
@repeatable
def appointment_book(request: StaffRequest, response: HttpResponse, sent: AppointmentIn) -> Any:
    """Book an appointment. 404 for an unknown patient or doctor; 409 with `alternatives` if the time is not free."""
    known = {"patient": _get_or_refuse(Patient, sent.patient_id), "doctor": _get_or_refuse(Doctor, sent.doctor_id)}
    fields = sent.dict(exclude={"patient_id", "doctor_id", "duration_minutes"})
    minutes = sent.duration_minutes or known["doctor"].usual_minutes
    try:
        booked = actions.book(**known, **fields, duration_minutes=minutes, by=request.user)
    except ValidationError as refusal:
        search = SlotSearch(minutes=minutes, patient_id=sent.patient_id)
        raise _with_alternatives(refusal, known["doctor"], sent.start_time, search) from refusal
    return created(response, AppointmentOut.from_orm(booked), pk=booked.pk, url_name="api:appointment")


def _get_or_refuse(model: Any, pk: int) -> Any:
    """Return the record with this id, or refuse at its field: `not_found`."""
    try:
        return model.objects.get(pk=pk)  # unlike `first()`, this does not order
    except model.DoesNotExist:
        word = model._meta.verbose_name
        raise refuse(word, "not_found", f"There is no {word} {pk}.") from None


def _with_alternatives(
    refusal: ValidationError, doctor: Doctor, start: dt.datetime, search: SlotSearch
) -> ValidationError:
    """Add the nearest free times to the refusal of a time; return other refusals as they are. At most seven queries."""
    by_field = refusal.error_dict if hasattr(refusal, "error_dict") else {}
    codes = {error.code for errors in by_field.values() for error in errors}
    if not codes or not codes <= rules.TIME_IN_THE_WAY:
        return refusal
    search = replace(search, specialization=doctor.specialization)
    first_day = max(clinic_time.local_date(start), clinic_time.today())
    slots = list(find_free(search, list(Doctor.objects.active()), first_day=first_day).slots())
    same = nearest((slot for slot in slots if slot.doctor == doctor), start)
    others = nearest((slot for slot in slots if slot.doctor != doctor), start)
    return RefusalWithDetails(
        refusal,
        alternatives=[free_time(slot, search) for slot in (*same, *others)],
    )


@router.get(
    "",
    url_name="appointments",
    operation_id="list_appointments",
    summary="List the appointments of a day",
    response={200: list[AppointmentOut], **refusals()},
    openapi_extra=IN_PAGES,
)
def appointment_list(
    request: StaffRequest,
    response: HttpResponse,
    date: Day = Query(..., description="A date in clinic time, from midnight to midnight."),
    doctor_id: IdInUrl | None = Query(None),
    cursor: str = CURSOR,
    limit: NumberInUrl = LIMIT_OF_DAY,
) -> Any:
    """List the appointments that start on a day, in order of start and with any status, of all doctors or of one."""
    appointments = Appointment.objects.visible_to(request.user).on_day(date)
    if doctor_id is not None:
        appointments = appointments.for_doctor(doctor_id)
    page = page_of(appointments, response, order=("start_time", "id"), cursor=cursor, limit=limit)
    patient_ids = [appointment.patient_id for appointment in page]
    AuditEntry.objects.record(Event.READ, Appointment, patients=patient_ids, day=str(date), doctor=doctor_id)
    return page


@router.get(
    "/{appointment_id}",
    url_name="appointment",
    operation_id="get_appointment",
    summary="Read an appointment",
    response={200: AppointmentOut, **refusals(404)},
    openapi_extra=has_etag(),
)
def appointment_get(request: StaffRequest, response: HttpResponse, appointment_id: IdInUrl) -> Any:
    """Return an appointment. Doctors may read those in their own diary."""
    return _read(response, appointment_for(request.user, appointment_id, "view"))


def _read(response: HttpResponse, appointment: Appointment) -> Any:
    AuditEntry.objects.record(Event.READ, appointment)
    return with_etag(response, AppointmentOut.from_orm(appointment))


@router.patch(
    "/{appointment_id}",
    url_name="appointment",
    operation_id="change_appointment",
    summary="Change reason and notes",
    response={200: AppointmentOut, **refusals(404, 409, 412)},
    openapi_extra=has_etag(),
)
def appointment_change(
    request: StaffRequest,
    response: HttpResponse,
    appointment_id: IdInUrl,
    sent: AppointmentPatch,
    if_match: IfMatch = None,
) -> Any:
    """Change reason and notes, in any status. 412 if the record does not match If-Match."""
    appointment = _appointment_to_change(request, appointment_id, "change", if_match)
    changes = {
        name: value for name, value in sent.dict(exclude_unset=True).items() if value != getattr(appointment, name)
    }
    if not changes:
        return _read(response, appointment)  # a request without changes must not make other copies outdated
    return _change(request, response, appointment, partial(actions.edit_details, **changes))


@router.post(
    "/{appointment_id}/move",
    url_name="appointment_move",
    operation_id="move_appointment",
    summary="Move an appointment",
    response={200: AppointmentOut, **refusals(404, 409, 412, conflict=ConflictOut)},
    openapi_extra=has_etag(),
)
@repeatable
def appointment_move(
    request: StaffRequest,
    response: HttpResponse,
    appointment_id: IdInUrl,
    sent: MoveIn,
    if_match: IfMatch = None,
) -> Any:
    """Give an appointment another time, doctor or length. 409 with `alternatives` if the time is not free."""
    appointment = _appointment_to_change(request, appointment_id, "change", if_match)
    doctor = appointment.doctor if sent.doctor_id is None else _get_or_refuse(Doctor, sent.doctor_id)
    start = sent.start_time or appointment.start_time
    minutes = sent.duration_minutes or appointment.duration_minutes
    present = appointment.doctor, appointment.start_time, appointment.duration_minutes
    if (doctor, start, minutes) == present and appointment.status in MOVABLE:
        return _read(response, appointment)  # nothing would change
    reasons: dict[str, Any] = {"reason": sent.reason, "outside_hours_reason": sent.outside_hours_reason}
    verb = partial(actions.move, doctor=doctor, start_time=start, duration_minutes=minutes, **reasons)
    try:
        return _change(request, response, appointment, verb)
    except ValidationError as refusal:
        search = SlotSearch(minutes=minutes, patient_id=appointment.patient_id, moving=appointment)
        raise _with_alternatives(refusal, doctor, start, search) from refusal


@router.post(
    "/{appointment_id}/cancel",
    url_name="appointment_cancel",
    operation_id="cancel_appointment",
    summary="Cancel an appointment",
    response={200: AppointmentOut, **refusals(404, 409, 412)},
    openapi_extra=has_etag(),
)
@repeatable
def appointment_cancel(
    request: StaffRequest,
    response: HttpResponse,
    appointment_id: IdInUrl,
    sent: CancelIn,
    if_match: IfMatch = None,
) -> Any:
    """Cancel an appointment, which frees its time."""
    appointment = _appointment_to_change(request, appointment_id, "change", if_match)
    verb = partial(actions.cancel, reason=sent.reason, cancelled_by=sent.cancelled_by)
    return _change(request, response, appointment, verb)


def _add_status_operation(
    path: str, verb: Callable[..., Appointment], right: str, *, summary: str, description: str
) -> None:
    name = path.replace("-", "_")

    @router.post(
        f"/{{appointment_id}}/{path}",
        url_name=f"appointment_{name}",
        operation_id=f"{name}_appointment",
        summary=summary,
        description=description,
        response={200: AppointmentOut, **refusals(404, 409, 412)},
        openapi_extra=has_etag(),
    )
    @repeatable
    def change_status(
        request: StaffRequest,
        response: HttpResponse,
        appointment_id: IdInUrl,
        sent: NothingIn | None = None,
        if_match: IfMatch = None,
    ) -> Any:
        return _change(request, response, _appointment_to_change(request, appointment_id, right, if_match), verb)


_add_status_operation(
    "arrive",
    actions.mark_arrived,
    "arrive",
    summary="Mark a patient as arrived",
    description="Mark the patient as arrived. 409 unless it is the day of the appointment.",
)
_add_status_operation(
    "start",
    actions.start,
    "treat",
    summary="Start a consultation",
    description="Start the consultation. Also records the arrival if that was not done.",
)
_add_status_operation(
    "complete",
    actions.complete,
    "treat",
    summary="Complete a consultation",
    description="Complete the consultation.",
)
_add_status_operation(
    "no-show",
    actions.mark_no_show,
    "arrive",
    summary="Mark a patient as a no-show",
    description="Record that the patient did not come, which frees the time. 409 before the appointment's start.",
)
_add_status_operation(
    "left",
    actions.mark_left,
    "arrive",
    summary="Mark a patient as left unseen",
    description="Record that the patient arrived and went away without being seen, which frees the time. "
    "409 unless the patient has arrived.",
)


def _appointment_to_change(request: StaffRequest, appointment_id: int, right: str, if_match: str | None) -> Appointment:
    """Return the appointment if the user has this right to it and If-Match names its current state."""
    appointment = appointment_for(request.user, appointment_id, right)
    check_if_match(if_match, AppointmentOut.from_orm(appointment))
    return appointment


def _change(
    request: StaffRequest, response: HttpResponse, appointment: Appointment, verb: Callable[..., Appointment]
) -> Any:
    """Change the appointment by a verb of `actions`, and return it as it is now."""
    # The version is that of the ETag compared; without If-Match, a change made since it was read is refused as well.
    changed = verb(appointment, by=request.user, version=appointment.version)
    return with_etag(response, AppointmentOut.from_orm(changed))
