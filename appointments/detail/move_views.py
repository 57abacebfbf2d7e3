"""Pages that move and cancel an appointment."""

import datetime as dt
from typing import Any

from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from appointments.availability.search import slot_query
from appointments.booking import actions as booking
from appointments.booking.forms import (
    COMMON_LENGTHS,
    QUICK_REASONS,
    CancelForm,
    MoveForm,
    slot_initial,
    with_quick_reason,
    with_slot,
)
from appointments.booking.free_panel import free_panel
from appointments.detail.history import history_of
from appointments.detail.status_views import done_message
from appointments.displaced.forms import CancelAllForm
from appointments.models import Appointment
from appointments.navigation import appointment_url, back_url, is_schedule_change_url, origin_url
from appointments.permissions import appointment_for
from appointments.statuses import MOVABLE, Status
from clinic.html.undo_button import undo_button
from clinic.models import AuditEntry, Event
from clinic.web.http import StaffRequest, is_form_submission, redirect_or_reload, sent_data
from doctors.availability_loader import load_doctor_availability
from doctors.models import Doctor


def appointment_move(request: StaffRequest, pk: int) -> HttpResponse:
    """Change an appointment's doctor, time or length."""
    appointment = appointment_for(request.user, pk, "change")
    if (refusal := _not_movable(request, appointment)) is not None:
        return refusal
    sent = sent_data(request)
    form = _move_form(request, sent, appointment)
    form.may_book_outside_hours = request.user.has_perm("appointments.book_outside_hours")
    if form.is_bound and form.is_valid() and (moved := _moved(request, appointment, form)):
        return redirect_or_reload(request, appointment_url(moved, origin_url=form.cleaned_data["next"]))
    panel = free_panel(sent or {}, form, patient=appointment.patient, moving=appointment)
    if request.htmx and not is_form_submission(request):
        return render(request, "appointments/availability/_free_times.html", panel)
    AuditEntry.objects.record(Event.READ, appointment)
    context = _form_context(request, form, appointment) | {"lengths": COMMON_LENGTHS} | panel
    return render(request, "appointments/detail/appointment_move.html", context)


def _not_movable(request: StaffRequest, appointment: Appointment) -> HttpResponse | None:
    """Return a redirect if the form would be refused anyway. A form that was sent shows what has changed instead."""
    if request.method == "POST" or appointment.status in MOVABLE:
        return None
    status = appointment.get_status_display().lower()
    messages.error(request, f"This appointment is {status}, so it cannot be moved or cancelled.")
    return redirect(appointment)


def _move_form(request: StaffRequest, sent: Any, appointment: Appointment) -> MoveForm:
    if sent is None:
        initial = {"next": origin_url(request)} | slot_initial(request.GET)
        form = MoveForm(appointment=appointment, initial=initial)
        form.fields["time"].widget.attrs["autofocus"] = True
        return form
    if request.method != "POST":  # saved when the session ended
        return MoveForm(appointment=appointment, initial=with_slot(with_slot(sent.dict(), "at"), "take"))
    if not {"take", "look", "later"}.isdisjoint(sent):
        return MoveForm(appointment=appointment, initial=with_slot(sent.dict(), "take"))
    # A time picked in the day view comes without a length: use the present one.
    typed = {"duration_minutes": appointment.duration_minutes} | sent.dict()
    return MoveForm(with_slot(typed, "at"), appointment=appointment)


def _moved(request: StaffRequest, appointment: Appointment, form: MoveForm) -> Appointment | None:
    """Return the appointment after the move, which may be none at all; None if it was refused."""
    data = form.cleaned_data
    requested = (data["doctor"], data["start_time"], data["duration_minutes"])
    original = (appointment.doctor, appointment.start_time, appointment.duration_minutes)
    if requested == original and appointment.status in MOVABLE:
        messages.info(request, f"{appointment.patient} is already booked {appointment}.")
        return appointment
    slot = {name: data[name] for name in ("doctor", "start_time", "duration_minutes", "outside_hours_reason")}
    try:
        moved = booking.move(appointment, **slot, reason=data["move_reason"], version=data["version"], by=request.user)
    except ValidationError as refusal:
        form.add_refusal(refusal)
        return None
    messages.success(request, _moved_message(moved, *original))
    return moved


def _moved_message(moved: Appointment, doctor: Doctor, start_time: dt.datetime, minutes: int) -> str:
    """Return the message, with an Undo button if the doctor is still available at the old time."""
    end_time = start_time + dt.timedelta(minutes=minutes)
    if start_time <= timezone.now() or load_doctor_availability(doctor.pk, start_time, end_time).obstacles(
        start_time, end_time
    ):
        return f"Moved: {moved.patient}, {moved}."
    old_slot = f"{slot_query(doctor.pk, start_time)}&minutes={minutes}&version={moved.version}"
    move_url = reverse("appointments:appointment_move", args=[moved.pk])
    return format_html("Moved: {}, {}. {}", moved.patient, moved, undo_button(move_url, "at", old_slot))


def _form_context(request: StaffRequest, form: Any, appointment: Appointment) -> dict[str, Any]:
    """Return the context of a form; the history, too, if somebody else has changed the appointment."""
    is_stale = form.is_bound and form.has_error(NON_FIELD_ERRORS, "stale")
    history = history_of(appointment, user=request.user) if is_stale else []
    return {
        "form": form,
        "appointment": appointment,
        "history": history,
        "back_url": back_url(appointment, origin_url=str(form["next"].value() or "")),
    }


def appointment_cancel(request: StaffRequest, pk: int) -> HttpResponse:
    """Cancel an appointment, with the reason and who cancels."""
    appointment = appointment_for(request.user, pk, "change")
    if (refusal := _not_movable(request, appointment)) is not None:
        return refusal
    form = _cancel_form(request, appointment)
    if form.is_bound and appointment.status == Status.CANCELLED:
        messages.info(request, f"{appointment.patient}: already cancelled.")
        return redirect(appointment)
    if request.method == "POST" and form.is_valid() and (cancelled := _cancelled(request, appointment, form)):
        return redirect(appointment_url(cancelled, origin_url=form.cleaned_data["next"]))
    AuditEntry.objects.record(Event.READ, appointment)
    context = _form_context(request, form, appointment) | {"quick_reasons": QUICK_REASONS}
    return render(request, "appointments/detail/appointment_cancel.html", context)


def _cancel_form(request: StaffRequest, appointment: Appointment) -> CancelForm:
    origin = origin_url(request)
    initial = {"version": appointment.version, "cancelled_by": "patient", "next": origin}
    if is_schedule_change_url(origin):
        initial |= {"cancelled_by": "clinic", "cancel_reason": CancelAllForm.USUAL}
    sent = sent_data(request)
    return CancelForm(None if sent is None else with_quick_reason(sent.dict()), initial=initial)


def _cancelled(request: StaffRequest, appointment: Appointment, form: CancelForm) -> Appointment | None:
    """Return the cancelled appointment; None if it was refused."""
    data = form.cleaned_data
    try:
        cancelled = booking.cancel(
            appointment,
            reason=data["cancel_reason"],
            cancelled_by=data["cancelled_by"],
            version=data["version"],
            by=request.user,
        )
    except ValidationError as refusal:
        form.add_refusal(refusal)
        return None
    messages.success(request, done_message(cancelled, request.user))
    return cancelled
