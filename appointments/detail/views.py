"""The page of one appointment, which is also the panel beside the schedule, and what is changed in place there."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html

from appointments.booking import actions as booking
from appointments.detail.forms import DetailsForm, ExchangePatientForm
from appointments.detail.shown import appointment_context, panel_addresses
from appointments.detail.status_views import NO_VERSION
from appointments.models import Appointment
from appointments.navigation import back_url, origin_url, without_panel
from appointments.permissions import appointment_for
from appointments.statuses import MOVABLE
from clinic.html.undo_button import undo_button
from clinic.models import AuditEntry, Event
from clinic.web.denied_access import record_refused
from clinic.web.http import StaffRequest, parse_number, sent_data
from clinic.web.return_url import return_url
from patients.models import Patient
from patients.querysets import MAX_FOUND
from patients.views import record_found

PANEL = "appointment-panel"  # the id of the panel


def appointment_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """Show an appointment as a page, or its panel for htmx; save reason, notes and length."""
    right = "change" if request.method == "POST" else "view"
    appointment = appointment_for(request.user, pk, right)
    if request.method != "POST":
        sent = sent_data(request)
        initial = {} if sent is None else sent.dict()  # typed before the session ended
        return _page(request, appointment, DetailsForm(appointment=appointment, initial=initial))
    form = DetailsForm(request.POST, appointment=appointment)
    saved = _saved(request, appointment, form) if form.is_valid() else None
    if saved is None:
        return _page(request, appointment, form)
    if _is_for_panel(request):
        return _page(request, saved, DetailsForm(appointment=saved), has_saved=True)
    return redirect(return_url(request, saved.get_absolute_url()))


def _saved(request: StaffRequest, appointment: Appointment, form: DetailsForm) -> Appointment | None:
    """Return the appointment after the change, which may be none at all; None if it was refused."""
    changes, seen = form.changes, form.cleaned_data["seen_details"]
    if not changes:
        messages.info(request, f"{appointment.patient}: nothing has changed.")
        return appointment
    try:
        saved = booking.edit_details(appointment, **changes, seen_details=seen, by=request.user)
    except ValidationError as refusal:
        form.add_refusal(refusal)
        return None
    messages.success(request, f"{saved.patient}: {_names_of(changes)} saved.")
    return saved


def _names_of(changes: dict[str, Any]) -> str:
    names = ["length" if name == "duration_minutes" else name for name in changes]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _page(request: StaffRequest, appointment: Appointment, form: DetailsForm, **context: Any) -> HttpResponse:
    origin = return_url(request, origin_url(request))
    context = appointment_context(request, appointment, origin=origin, form=form) | context
    if _is_for_panel(request):
        context |= panel_addresses(without_panel(origin), appointment)
        return render(request, "appointments/detail/_panel_answer.html", context)
    return render(request, "appointments/detail/appointment_detail.html", context)


def _is_for_panel(request: StaffRequest) -> bool:
    return bool(request.htmx) and request.htmx.target == PANEL


def appointment_patient(request: StaffRequest, pk: int) -> HttpResponse:
    """Give an appointment that was booked for the wrong patient to the right one."""
    appointment = appointment_for(request.user, pk, "change")
    if request.method != "POST" and appointment.status not in MOVABLE:
        status = appointment.get_status_display().lower()
        messages.error(request, f"This appointment is {status}, so its patient can no longer be changed.")
        return redirect(appointment)
    typed = _typed(sent_data(request))
    query, picked = typed.get("patient_query", "").strip(), parse_number(typed.get("pick", ""))
    form = _exchange_form(request, appointment, typed)
    if request.method == "POST" and picked is not None and form.is_valid():
        exchanged = _exchanged(request, appointment, form, picked)
        if exchanged is not None:
            return redirect(return_url(request, exchanged.get_absolute_url()))
    found = _found(request, query)
    back = back_url(appointment, origin_url=str(form["next"].value() or ""))
    context: dict[str, Any] = {"patient_query": query, "appointment": appointment, "form": form, "back_url": back}
    context |= {"matches": found and found[:MAX_FOUND], "found": found, "more": len(found or ()) > MAX_FOUND}
    if request.htmx:
        return render(request, "appointments/booking/_patient_matches.html", context)
    AuditEntry.objects.record(Event.READ, appointment)
    return render(request, "appointments/detail/appointment_patient.html", context)


def _typed(sent: Any) -> dict[str, str]:
    """Return what was sent. An Undo button sends patient and version as one value."""
    typed: dict[str, str] = {} if sent is None else sent.dict()
    if "undo" in typed:
        patient, _colon, version = typed["undo"].partition(":")
        typed |= {"pick": patient, "version": version, "exchange_reason": "Undone"}
    return typed


def _exchange_form(request: StaffRequest, appointment: Appointment, typed: dict[str, str]) -> ExchangePatientForm:
    initial = {"version": appointment.version, "next": origin_url(request)}
    if "pick" in typed and request.method == "POST":
        return ExchangePatientForm(typed, initial=initial)
    return ExchangePatientForm(initial=initial | typed)


def _found(request: StaffRequest, query: str) -> list[Patient] | None:
    """Return the patients who match and record the search; None without one."""
    if not query or request.method != "POST":
        return None
    found = list(Patient.objects.search(query, limit=MAX_FOUND + 1).with_next_appointment(request.user))
    record_found(found[:MAX_FOUND])
    return found


def _exchanged(
    request: StaffRequest, appointment: Appointment, form: ExchangePatientForm, patient_id: int
) -> Appointment | None:
    """Return the appointment with its new patient; None if it was refused."""
    patient = Patient.objects.filter(pk=patient_id).first()
    if patient is None:
        record_refused(request, Patient, patient_id)
        form.add_error(None, "This patient is no longer registered. Find the patient again.")
        return None
    old = appointment.patient
    if patient == old:
        messages.info(request, f"This appointment is already booked for {old}.")
        return appointment
    data = form.cleaned_data
    try:
        exchanged = booking.exchange_patient(
            appointment, patient=patient, reason=data["exchange_reason"], version=data["version"], by=request.user
        )
    except ValidationError as refusal:
        form.add_refusal(refusal)
        return None
    undo = undo_button(
        reverse("appointments:appointment_patient", args=[exchanged.pk]), "undo", f"{old.pk}:{exchanged.version}"
    )
    messages.success(request, format_html("{}: now for {} instead of {}. {}", exchanged, patient, old, undo))
    return exchanged


def appointment_length(request: StaffRequest, pk: int, minutes: int) -> HttpResponse:
    """Make an appointment shorter or longer; a button or key of the schedule sends the version it was shown with."""
    appointment = appointment_for(request.user, pk, "change")
    next_url = return_url(request, appointment.get_absolute_url())
    version = parse_number(request.POST.get("version", "")) or NO_VERSION
    old = appointment.duration_minutes
    if old == minutes:
        return redirect(next_url)
    try:
        changed = booking.edit_details(appointment, duration_minutes=minutes, version=version, by=request.user)
    except ValidationError as refusal:
        for message in refusal.messages:
            messages.error(request, f"{appointment.patient}: still {old} minutes long. {message}")
    else:
        url = reverse("appointments:appointment_length", args=[pk, old])
        undo = undo_button(url, "version", changed.version)
        messages.success(request, format_html("{}: now {} minutes long. {}", changed.patient, minutes, undo))
    return redirect(next_url)
