"""Pages about patients' data rights. Who may open them is in `clinic.web.page_access`."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render

from clinic.core import clinic_time
from clinic.models import AuditEntry, Event
from clinic.web.http import StaffRequest, sent_data
from patients.models import Patient
from patients.privacy.anonymise import anonymise, check_may_anonymise, former_values_of
from patients.privacy.forms import AnonymiseForm
from patients.privacy.retention import count_due, retention_limit, retention_page
from patients.privacy.subject_access import export_patient_data
from patients.privacy.temporary_data import erase_from_session

AS_JSON, AS_HTML = "json", "html"


def patient_data(request: StaffRequest, pk: int) -> HttpResponse:
    """Send everything stored about a patient as a file, or show what the file will contain."""
    patient = get_object_or_404(Patient, pk=pk)
    as_format = request.GET.get("as")
    data = export_patient_data(patient)
    if as_format not in (AS_JSON, AS_HTML):
        AuditEntry.objects.record(Event.READ, patient)
        return render(request, "patients/privacy/data.html", {"patient": patient, "data": data})
    AuditEntry.objects.record(Event.EXPORT, patient, format=as_format)
    response = (
        JsonResponse(data, encoder=DjangoJSONEncoder, json_dumps_params={"indent": 2, "ensure_ascii": False})
        if as_format == AS_JSON
        else render(request, "patients/privacy/data_file.html", {"patient": patient, "data": data})
    )
    # File names are seen in many places, so this one has the number and not the name.
    response["Content-Disposition"] = f'attachment; filename="patient-{patient.pk}.{as_format}"'
    return response


def patient_anonymise(request: StaffRequest, pk: int) -> HttpResponse:
    """Explain what anonymising a patient removes and what stays, and do it."""
    patient = get_object_or_404(Patient, pk=pk)
    form = AnonymiseForm(sent_data(request))
    refusal = _refusal_of(check_may_anonymise, patient)
    if form.is_bound and form.is_valid() and not refusal:
        former = former_values_of(patient)
        refusal = _refusal_of(anonymise, patient, by=request.user)
        if not refusal:
            # This request's own session would be saved as it was read.
            erase_from_session(request.session, former)
            messages.success(request, f"Patient {patient.pk} has been anonymised.")
            return redirect(patient)
    AuditEntry.objects.record(Event.READ, patient)
    context = {"patient": patient, "form": form, "refusal": refusal, "appointment_count": patient.appointments.count()}
    return render(request, "patients/privacy/anonymise.html", context)


def _refusal_of(action: Callable[..., object], *args: Any, **kwargs: Any) -> str:
    """Call the action, and return the message of a ValidationError, or an empty text."""
    try:
        action(*args, **kwargs)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def patient_retention(request: StaffRequest) -> HttpResponse:
    """List the patients whose last appointment is so long ago that the record may have to be anonymised."""
    before = retention_limit(clinic_time.today())
    page = retention_page(before=before, after=request.GET.get("after", ""))
    AuditEntry.objects.record_listed(Event.READ, Patient, page.patients)
    count, are_more = count_due(before=before)
    context = {"page": page, "before": before, "count": count, "are_more": are_more}
    return render(request, "patients/privacy/retention.html", context)
