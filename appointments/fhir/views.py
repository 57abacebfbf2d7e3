"""FHIR R4 at `/api/fhir/`: read and search. Access is in `clinic.web.page_access`."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt

from appointments.fhir import free_busy, resources
from appointments.fhir.bundles import searchset
from appointments.fhir.capability import FHIR_VERSION, capability_statement
from appointments.fhir.parameters import APPOINTMENT, PATIENT, PRACTITIONER, SCHEDULE, SLOT
from appointments.fhir.search import (
    ByKey,
    ByStart,
    FhirQuery,
    Page,
    base_url,
    page_of,
    read_search,
    without_personal,
)
from appointments.fhir.values import bad_value
from appointments.models import Appointment
from appointments.permissions import is_own_diary
from clinic.core import clinic_time
from clinic.db.keyset import split_page
from clinic.models import AuditEntry, Event
from clinic.rest.bodies import FORM
from clinic.rest.outcomes import FHIR_JSON, FhirRefused, outcome_response
from clinic.web.http import StaffRequest, parse_number
from doctors.models import Doctor
from patients.models import Patient

JSON = "application/json"
# The response type for each value of the Accept header or `_format`.
_MEDIA_TYPES = {FHIR_JSON: FHIR_JSON, JSON: JSON, "text/json": JSON, "*/*": FHIR_JSON, "application/*": FHIR_JSON}
_FORMATS = {"json": FHIR_JSON, FHIR_JSON: FHIR_JSON, JSON: JSON, "text/json": JSON}

FhirView = Callable[..., HttpResponse]


def fhir_page(view: FhirView) -> FhirView:
    """Decorate a view: answer in the requested media type, and refuse with an OperationOutcome."""

    @csrf_exempt  # it only reads: a search by POST keeps personal data out of addresses
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            media_type = _media_type_for(request)
            response = view(request, *args, **kwargs)
        except FhirRefused as refused:
            return outcome_response(refused.status, refused.code, refused.text)
        except PermissionDenied:
            return outcome_response(403, "forbidden", "You do not have access to this resource.")
        except (BadRequest, SuspiciousOperation):
            return outcome_response(400, "invalid", "The request cannot be read.")
        response["Content-Type"] = media_type
        return response

    return answer


def _media_type_for(request: HttpRequest) -> str:
    """Return the media type of the response; `_format` overrides the Accept header."""
    in_form = request.POST.get("_format") if request.method == "POST" and request.content_type == FORM else None
    if requested := in_form or request.GET.get("_format"):
        # An unescaped plus in application/fhir+json arrives as a space.
        found = _FORMATS.get(requested.replace(" ", "+"))
    else:
        accepted = request.headers.get("Accept") or "*/*"
        found = next(filter(None, map(_accepted, accepted.split(","))), None)
    if found is None:
        raise FhirRefused(406, "not-supported", f"The answer comes as {FHIR_JSON}.")
    return found


def _accepted(media_range: str) -> str | None:
    """Return the response type for one range of an Accept header, if any."""
    name, *rest = (part.strip().lower() for part in media_range.split(";"))
    parameters = dict(part.partition("=")[::2] for part in rest)
    is_version = FHIR_VERSION.startswith(parameters.get("fhirversion", FHIR_VERSION))
    is_unwanted = parameters.get("q", "1").rstrip("0") in ("", "0.", "0")
    return _MEDIA_TYPES.get(name) if is_version and not is_unwanted else None


def _found(rows: QuerySet[Any], key: str) -> Any:
    number = parse_number(key)
    row = rows.filter(pk=number).first() if number is not None else None
    if row is None:
        raise FhirRefused(404, "not-found", "There is no such resource.")
    return row


def _answer(resource: resources.Resource, *, seen: Model | None = None) -> HttpResponse:
    """Return a resource, with ETag and Last-Modified if known."""
    headers = {}
    if (version := resource.get("meta", {}).get("versionId")) is not None:
        headers["ETag"] = f'W/"{version}"'
    if (updated_at := getattr(seen, "updated_at", None)) is not None:
        headers["Last-Modified"] = http_date(updated_at.timestamp())
    return JsonResponse(resource, headers=headers)


@fhir_page
def metadata(request: HttpRequest) -> HttpResponse:
    return _answer(capability_statement(base_url(request)))


@fhir_page
def unknown(request: HttpRequest) -> HttpResponse:
    raise FhirRefused(404, "not-supported", "There is no such resource type or interaction; see metadata.")


# Patients


@fhir_page
def patient_search(request: StaffRequest) -> HttpResponse:
    sent = read_search(request, PATIENT)
    rows = Patient.objects.visible_to(request.user)
    query = without_personal(sent, rows) if sent.is_personal else sent
    page = page_of(query.narrowed(rows), query, ByKey())
    AuditEntry.objects.record(Event.SEARCH, Patient, patients=[patient.pk for patient in page.rows])
    return _answer(searchset(query, page, resources.patient_resource, self_query=sent))


@fhir_page
def patient_read(request: StaffRequest, key: str) -> HttpResponse:
    patient = _found(Patient.objects.visible_to(request.user), key)
    AuditEntry.objects.record(Event.READ, patient)
    return _answer(resources.patient_resource(patient), seen=patient)


# Doctors


@fhir_page
def practitioner_search(request: HttpRequest) -> HttpResponse:
    query = read_search(request, PRACTITIONER)
    page = page_of(query.narrowed(Doctor.objects.all()), query, ByKey())
    return _answer(searchset(query, page, resources.practitioner_resource))


@fhir_page
def practitioner_read(request: HttpRequest, key: str) -> HttpResponse:
    return _answer(resources.practitioner_resource(_found(Doctor.objects.all(), key)))


@fhir_page
def schedule_search(request: HttpRequest) -> HttpResponse:
    query = read_search(request, SCHEDULE)
    page = page_of(query.narrowed(Doctor.objects.all()), query, ByKey())
    return _answer(searchset(query, page, partial(resources.schedule_resource, today=clinic_time.today())))


@fhir_page
def schedule_read(request: HttpRequest, key: str) -> HttpResponse:
    doctor = _found(Doctor.objects.all(), key)
    return _answer(resources.schedule_resource(doctor, today=clinic_time.today()))


# Slots


@fhir_page
def slot_search(request: HttpRequest) -> HttpResponse:
    query = read_search(request, SLOT)
    schedules = query.values.get("schedule")
    if not schedules:
        raise FhirRefused(400, "required", "schedule: required, as in schedule=Schedule/3")
    doctor_ids = set.intersection(*map(set, schedules))
    ranges = query.values.get("start", [])
    if any(len(given) > 1 for given in ranges):
        raise bad_value("start", "one range, without commas")
    start, end = free_busy.span_of([each for given in ranges for each in given])
    statuses = set.intersection({free_busy.FREE, free_busy.BUSY}, *map(set, query.values.get("status", [])))
    page = _slot_page(free_busy.find_slots(doctor_ids, start, end, statuses), query)
    return _answer(searchset(query, page, _slot_resource))


def _slot_page(found: list[free_busy.SlotTime], query: FhirQuery) -> Page:
    """Return the page after `query.after`, even if that slot no longer exists."""
    total = None if query.total == "none" and query.count else len(found)  # computed anyway
    if not query.count:
        return Page([], total, None)
    rest = found
    if query.after:
        last = free_busy.slot_key(query.after)
        if last is None:
            raise bad_value("after", "not from a link")
        rest = [each for each in found if each[:3] > last[:3]]
    shown, are_more = split_page(rest, query.count)
    return Page(shown, total, shown[-1].key if are_more else None)


def _slot_resource(slot: free_busy.SlotTime) -> resources.Resource:
    return resources.slot_resource(slot.doctor_id, slot.start, slot.minutes, slot.status)


@fhir_page
def slot_read(request: HttpRequest, key: str) -> HttpResponse:
    wanted = free_busy.slot_key(key)
    slot = wanted and free_busy.find_slot(wanted)
    if slot is None:
        raise FhirRefused(404, "not-found", "This slot does not exist, or no longer exists.")
    return _answer(_slot_resource(slot))


# Appointments


@fhir_page
def appointment_search(request: StaffRequest) -> HttpResponse:
    query = read_search(request, APPOINTMENT)
    order = ByStart(is_latest_first=query.sort == "-date")
    page = page_of(query.narrowed(_appointments(request)), query, order)
    AuditEntry.objects.record(Event.SEARCH, Appointment, patients=[appointment.patient_id for appointment in page.rows])
    return _answer(searchset(query, page, _appointment_builder(request)))


@fhir_page
def appointment_read(request: StaffRequest, key: str) -> HttpResponse:
    appointment = _found(_appointments(request), key)
    AuditEntry.objects.record(Event.READ, appointment)
    return _answer(_appointment_builder(request)(appointment), seen=appointment)


def _appointments(request: StaffRequest) -> QuerySet[Appointment]:
    # Not select_related: for that join, MariaDB starts with all doctors and sorts all their appointments.
    return Appointment.objects.visible_to(request.user).prefetch_related("patient", "doctor")


def _appointment_builder(request: StaffRequest) -> Callable[[Appointment], resources.Resource]:
    """Return a function that builds the resource, with the patient's name if the user may see the patient."""
    user = request.user
    sees_all, sees_own = user.has_perm("patients.view_patient"), user.has_perm("patients.view_own_patient")

    def build(appointment: Appointment) -> resources.Resource:
        is_named = sees_all or (sees_own and is_own_diary(appointment.doctor, user))
        return resources.appointment_resource(appointment, is_named=is_named)

    return build
