"""FHIR R4 at `/api/fhir/`, to read and to search. Who may call what is in `clinic.web.page_access`."""

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
from appointments.fhir.search import Asked, ByKey, ByStart, Page, base_url, cut, page_of, read_search, without_personal
from appointments.fhir.values import bad_value
from appointments.models import Appointment
from appointments.permissions import is_own_diary
from clinic.core import clinic_time
from clinic.models import AuditEntry, Event
from clinic.rest.bodies import FORM
from clinic.rest.outcomes import FHIR_JSON, FhirRefused, outcome_response
from clinic.web.http import StaffRequest, parse_number
from doctors.models import Doctor
from patients.models import Patient

JSON = "application/json"
# What the Accept header or `_format` may ask for, and what is answered then.
_MEDIA_TYPES = {FHIR_JSON: FHIR_JSON, JSON: JSON, "text/json": JSON, "*/*": FHIR_JSON, "application/*": FHIR_JSON}
_FORMATS = {"json": FHIR_JSON, FHIR_JSON: FHIR_JSON, JSON: JSON, "text/json": JSON}

FhirView = Callable[..., HttpResponse]


def fhir_page(view: FhirView) -> FhirView:
    """Answer in the media type asked for, and refuse by an OperationOutcome."""

    @csrf_exempt  # it only reads: a search by POST keeps personal data out of addresses
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            media_type = _media_type_for(request)
            response = view(request, *args, **kwargs)
        except FhirRefused as refused:
            return outcome_response(refused.status, refused.code, refused.text)
        except PermissionDenied:
            return outcome_response(403, "forbidden", "This is not for you.")
        except (BadRequest, SuspiciousOperation):
            return outcome_response(400, "invalid", "The request cannot be read.")
        response["Content-Type"] = media_type
        return response

    return answer


def _media_type_for(request: HttpRequest) -> str:
    """Return the media type to answer in; `_format` says more than the Accept header."""
    in_form = request.POST.get("_format") if request.method == "POST" and request.content_type == FORM else None
    if asked := in_form or request.GET.get("_format"):
        # The plus of application/fhir+json, not escaped, arrives as a blank.
        found = _FORMATS.get(asked.replace(" ", "+"))
    else:
        accepted = request.headers.get("Accept") or "*/*"
        found = next(filter(None, map(_accepted, accepted.split(","))), None)
    if found is None:
        raise FhirRefused(406, "not-supported", f"The answer comes as {FHIR_JSON}.")
    return found


def _accepted(media_range: str) -> str | None:
    """Return what one of the ranges of an Accept header lets us answer in, if anything."""
    name, *rest = (part.strip().lower() for part in media_range.split(";"))
    parameters = dict(part.partition("=")[::2] for part in rest)
    is_version = FHIR_VERSION.startswith(parameters.get("fhirversion", FHIR_VERSION))
    is_unwanted = parameters.get("q", "1").rstrip("0") in ("", "0.", "0")
    return _MEDIA_TYPES.get(name) if is_version and not is_unwanted else None


def _found(rows: QuerySet[Any], key: str) -> Any:
    """Return the row with this id, if the user may see it."""
    number = parse_number(key)
    row = rows.filter(pk=number).first() if number is not None else None
    if row is None:
        raise FhirRefused(404, "not-found", "There is no such resource.")
    return row


def _answer(resource: resources.Resource, *, seen: Model | None = None) -> HttpResponse:
    """Return a resource; with when the row was changed, and its version, if these are known."""
    headers = {}
    if (version := resource.get("meta", {}).get("versionId")) is not None:
        headers["ETag"] = f'W/"{version}"'
    if (updated_at := getattr(seen, "updated_at", None)) is not None:
        headers["Last-Modified"] = http_date(updated_at.timestamp())
    return JsonResponse(resource, headers=headers)


@fhir_page
def metadata(request: HttpRequest) -> HttpResponse:
    """Say what the façade can do."""
    return _answer(capability_statement(base_url(request)))


@fhir_page
def unknown(request: HttpRequest) -> HttpResponse:
    """Refuse what is not there."""
    raise FhirRefused(404, "not-supported", "There is no such resource type or interaction; see metadata.")


# Patients


@fhir_page
def patient_search(request: StaffRequest) -> HttpResponse:
    """Search the patients whose record the user may see."""
    sent = read_search(request, PATIENT)
    rows = Patient.objects.visible_to(request.user)
    asked = without_personal(sent, rows) if sent.is_personal else sent
    page = page_of(asked.narrowed(rows), asked, ByKey())
    AuditEntry.objects.record(Event.SEARCH, Patient, patients=[patient.pk for patient in page.rows])
    return _answer(searchset(asked, page, resources.patient_resource, self_asked=sent))


@fhir_page
def patient_read(request: StaffRequest, key: str) -> HttpResponse:
    """Show a patient whose record the user may see."""
    patient = _found(Patient.objects.visible_to(request.user), key)
    AuditEntry.objects.record(Event.READ, patient)
    return _answer(resources.patient_resource(patient), seen=patient)


# Doctors


@fhir_page
def practitioner_search(request: HttpRequest) -> HttpResponse:
    """Search the doctors."""
    asked = read_search(request, PRACTITIONER)
    page = page_of(asked.narrowed(Doctor.objects.all()), asked, ByKey())
    return _answer(searchset(asked, page, resources.practitioner_resource))


@fhir_page
def practitioner_read(request: HttpRequest, key: str) -> HttpResponse:
    """Show a doctor."""
    return _answer(resources.practitioner_resource(_found(Doctor.objects.all(), key)))


@fhir_page
def schedule_search(request: HttpRequest) -> HttpResponse:
    """Search the schedules, one a doctor."""
    asked = read_search(request, SCHEDULE)
    page = page_of(asked.narrowed(Doctor.objects.all()), asked, ByKey())
    return _answer(searchset(asked, page, partial(resources.schedule_resource, today=clinic_time.today())))


@fhir_page
def schedule_read(request: HttpRequest, key: str) -> HttpResponse:
    """Show a doctor's schedule."""
    doctor = _found(Doctor.objects.all(), key)
    return _answer(resources.schedule_resource(doctor, today=clinic_time.today()))


# Slots


@fhir_page
def slot_search(request: HttpRequest) -> HttpResponse:
    """Search free times and times that are taken."""
    asked = read_search(request, SLOT)
    schedules = asked.values.get("schedule")
    if not schedules:
        raise FhirRefused(400, "required", "schedule: say whose, as schedule=Schedule/3")
    doctor_ids = set.intersection(*map(set, schedules))
    ranges = asked.values.get("start", [])
    if any(len(given) > 1 for given in ranges):
        raise bad_value("start", "one range, without commas")
    start, end = free_busy.span_of([each for given in ranges for each in given])
    statuses = set.intersection({free_busy.FREE, free_busy.BUSY}, *map(set, asked.values.get("status", [])))
    page = _slot_page(free_busy.stretches(doctor_ids, start, end, statuses), asked)
    return _answer(searchset(asked, page, _slot_resource))


def _slot_page(found: list[free_busy.Stretch], asked: Asked) -> Page:
    """Return the page after the slot with this id, whether it still is there or not."""
    total = len(found) if asked.has_total or not asked.count else None
    if not asked.count:
        return Page([], total, None)
    rest = found
    if asked.after:
        last = free_busy.slot_key(asked.after)
        if last is None:
            raise bad_value("after", "not from a link")
        rest = [each for each in found if each[:3] > last[:3]]
    return cut(rest, total, asked.count, lambda each: each.key)


def _slot_resource(stretch: free_busy.Stretch) -> resources.Resource:
    return resources.slot_resource(stretch.doctor_id, stretch.start, stretch.minutes, stretch.status)


@fhir_page
def slot_read(request: HttpRequest, key: str) -> HttpResponse:
    """Show a slot as it stands now: free, or taken; a free time that is none any more is not there."""
    wanted = free_busy.slot_key(key)
    stretch = wanted and free_busy.stretch_at(wanted)
    if stretch is None:
        raise FhirRefused(404, "not-found", "There is no such slot, or not any more.")
    return _answer(_slot_resource(stretch))


# Appointments


@fhir_page
def appointment_search(request: StaffRequest) -> HttpResponse:
    """Search the appointments that the user may see."""
    asked = read_search(request, APPOINTMENT)
    order = ByStart(is_latest_first=asked.sort == "-date")
    page = page_of(asked.narrowed(_appointments(request)), asked, order)
    AuditEntry.objects.record(Event.SEARCH, Appointment, patients=[appointment.patient_id for appointment in page.rows])
    return _answer(searchset(asked, page, _appointment_builder(request)))


@fhir_page
def appointment_read(request: StaffRequest, key: str) -> HttpResponse:
    """Show an appointment that the user may see."""
    appointment = _found(_appointments(request), key)
    AuditEntry.objects.record(Event.READ, appointment)
    return _answer(_appointment_builder(request)(appointment), seen=appointment)


def _appointments(request: StaffRequest) -> QuerySet[Appointment]:
    return Appointment.objects.visible_to(request.user).select_related("patient", "doctor")


def _appointment_builder(request: StaffRequest) -> Callable[[Appointment], resources.Resource]:
    """Return what makes a resource of an appointment, with the patient's name for who may see the patient."""
    user = request.user
    sees_all, sees_own = user.has_perm("patients.view_patient"), user.has_perm("patients.view_own_patient")

    def build(appointment: Appointment) -> resources.Resource:
        is_named = sees_all or (sees_own and is_own_diary(appointment.doctor, user))
        return resources.appointment_resource(appointment, is_named=is_named)

    return build
