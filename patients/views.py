"""Pages of patients. Who may open them is in `clinic.web.page_access`."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from clinic.core import clinic_time
from clinic.db.transactions import retrying
from clinic.models import AuditEntry, Event, User
from clinic.web.http import StaffRequest, sent_data
from patients.forms import PatientForm, initial_from_query
from patients.models import Patient
from patients.querysets import MAX_FOUND

PAST_APPOINTMENTS_PER_PAGE = 20
MAX_QUERY = 100
MAX_FUTURE_APPOINTMENTS = 50


def patient_search(request: StaffRequest) -> HttpResponse:
    """Find patients. The query is sent by POST and stored in the session, as addresses are logged."""
    if request.method == "POST":
        query = request.POST.get("query", "").strip()[:MAX_QUERY]
        if request.htmx:
            return render(request, "patients/_patient_found.html", _found(query, request.user))
        request.session["patient_query"] = query
        # So that Back returns from a record to the results.
        return redirect("patients:patient_search")
    query = request.session.get("patient_query", "")
    return render(request, "patients/patient_search.html", _found(query, request.user))


def _found(query: str, user: User) -> dict[str, Any]:
    """Return the context of the results, and record the patients found in the audit trail."""
    found = list(Patient.objects.search(query, limit=MAX_FOUND + 1).with_next_appointment(user)) if query else None
    if found is not None:
        record_found(found[:MAX_FOUND])
    return {
        "query": query,
        "searched": bool(query),
        "found": found and found[:MAX_FOUND],
        "more": found and len(found) > MAX_FOUND,
    }


def record_found(patients: list[Patient]) -> None:
    """Record in the audit trail which patients were shown, without the query."""
    AuditEntry.objects.record(Event.SEARCH, Patient, patients=[patient.pk for patient in patients])


@retrying
def patient_register(request: HttpRequest) -> HttpResponse:
    """Register a patient; after a search without results, the form starts with the query."""
    sent = sent_data(request)
    query = sent.get("query") if sent is not None else None
    form = PatientForm(initial=initial_from_query(query)) if query else PatientForm(sent)
    if request.method == "POST" and form.is_bound and form.is_valid():
        patient = form.save()
        messages.success(request, f"{patient} is registered.")
        return redirect(patient)
    if form.duplicates:
        record_found(form.duplicates)
    context = {"form": form, "title": "Register a patient"}
    return render(request, "patients/patient_edit.html", context)


@retrying
def patient_edit(request: HttpRequest, pk: int) -> HttpResponse:
    patient = get_object_or_404(Patient, pk=pk)
    if patient.anonymised_at and request.method == "GET":
        return redirect(patient)  # where a message says why it cannot be edited
    name = patient.full_name
    form = PatientForm(sent_data(request), instance=patient)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect(patient)
    AuditEntry.objects.record(Event.READ, patient)
    context = {"form": form, "title": f"Edit {name}", "patient": patient}
    return render(request, "patients/patient_edit.html", context)


def patient_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """Show a patient's record with future and past appointments; doctors see only their own patients."""
    patient = get_object_or_404(Patient.objects.visible_to(request.user), pk=pk)
    AuditEntry.objects.record(Event.READ, patient)
    now = timezone.now()
    appointments = patient.appointments.visible_to(request.user).select_related("doctor")
    context = {
        "patient": patient,
        "age": patient.age_on(clinic_time.today(at=now)),
        "coming": list(appointments.upcoming(at=now)[:MAX_FUTURE_APPOINTMENTS]),
        "past": _page_of(appointments.past(at=now), request.GET.get("page")),
    }
    return render(request, "patients/patient_detail.html", context)


def _page_of(appointments: Any, number: str | None) -> Page:
    """Return a page of past appointments. The first is not counted: one row more shows whether there is another."""
    listed = list(appointments[: PAST_APPOINTMENTS_PER_PAGE + 1]) if number is None else appointments
    return Paginator(listed, PAST_APPOINTMENTS_PER_PAGE).get_page(number)
