"""Pages of what patients have a right to. Who may call which is in `clinic.web.page_access`."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render

from appointments.patient_data import kept_for
from appointments.patient_data import patient_data as data_of
from appointments.retention import due_patients, kept_since, retention_page
from appointments.rights import anonymise, check_may_anonymise, former_values_of
from appointments.short_lived import forget_in_session
from clinic.core import clinic_time
from clinic.models import AuditEntry, Event
from clinic.web.http import StaffRequest, sent_data
from patients.models import Patient

AS_JSON, AS_HTML = "json", "html"


def patient_data(request: StaffRequest, pk: int) -> HttpResponse:
    """Send all that is held on a patient as a file, or tell what it will hold."""
    patient = get_object_or_404(Patient, pk=pk)
    as_format = request.GET.get("as")
    data = data_of(patient)
    if as_format not in (AS_JSON, AS_HTML):
        AuditEntry.objects.record(Event.READ, patient)
        return render(request, "appointments/patient_data.html", {"patient": patient, "data": data, "kept": kept_for()})
    AuditEntry.objects.record(Event.EXPORT, patient, format=as_format)
    response = (
        JsonResponse(data, encoder=DjangoJSONEncoder, json_dumps_params={"indent": 2, "ensure_ascii": False})
        if as_format == AS_JSON
        else render(request, "appointments/patient_data_file.html", {"patient": patient, "data": data})
    )
    # The name of a file is seen in many places, so it says the number and not the person.
    response["Content-Disposition"] = f'attachment; filename="patient-{patient.pk}.{as_format}"'
    return response


class AnonymiseForm(forms.Form):
    """Asks for what no program can know."""

    checked = forms.BooleanField(label="I have checked that nothing has to be kept by law")


def patient_anonymise(request: StaffRequest, pk: int) -> HttpResponse:
    """Say what anonymising a patient removes and what stays, and do it."""
    patient = get_object_or_404(Patient, pk=pk)
    form = AnonymiseForm(sent_data(request))
    refusal = _refusal_to(check_may_anonymise, patient)
    if form.is_bound and form.is_valid() and not refusal:
        former = former_values_of(patient)
        refusal = _refusal_to(anonymise, patient, by=request.user)
        if not refusal:
            # The session of this very request would be saved as it was read.
            forget_in_session(request.session, former)
            messages.success(request, f"Patient {patient.pk} is anonymised.")
            return redirect(patient)
    AuditEntry.objects.record(Event.READ, patient)
    context = {"patient": patient, "form": form, "refusal": refusal, "appointment_count": patient.appointments.count()}
    return render(request, "appointments/patient_anonymise.html", context)


def _refusal_to(act: Any, *args: Any, **kwargs: Any) -> str:
    """Carry out what may be refused, and return why it was."""
    try:
        act(*args, **kwargs)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def patient_retention(request: StaffRequest) -> HttpResponse:
    """List whose last appointment is so long ago that the record may have to go."""
    before = kept_since(clinic_time.today())
    page = retention_page(before=before, after=request.GET.get("after", ""))
    AuditEntry.objects.record_listed(Event.READ, Patient, page.patients)
    context = {"page": page, "before": before, "count": due_patients(before=before).count()}
    return render(request, "appointments/patient_retention.html", context)
