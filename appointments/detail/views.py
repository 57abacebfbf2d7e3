"""Pages of one appointment: show, move, cancel. Who may call which is in `clinic.web.page_access`."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from appointments.availability.search import slot_words
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
from appointments.detail.buttons import actions_on, can_change, can_undo
from appointments.detail.history import history_of
from appointments.detail.status_views import done_message, undo_button
from appointments.displaced.finder import unfinished_displacement_of
from appointments.displaced.forms import CancelAllForm
from appointments.models import Appointment
from appointments.navigation import appointment_url, is_schedule_change_url, origin_url
from appointments.permissions import appointment_for, rights_to
from appointments.statuses import MOVABLE, Status
from clinic.core import clinic_time
from clinic.models import AuditEntry, Event
from clinic.web.http import StaffRequest, answers_form, redirect_or_reload, sent_data
from doctors.availability_loader import load_doctor_availability
from doctors.models import Doctor


def appointment_move(request: StaffRequest, pk: int) -> HttpResponse:
    """Give an appointment another doctor, time or length."""
    appointment = appointment_for(request.user, pk, "change")
    if (way_back := _not_movable(request, appointment)) is not None:
        return way_back
    sent = sent_data(request)
    form = _move_form(request, sent, appointment)
    form.may_book_outside_hours = request.user.has_perm("appointments.book_outside_hours")
    if form.is_bound and form.is_valid() and (moved := _moved(request, appointment, form)):
        return redirect_or_reload(request, appointment_url(moved, origin_url=form.cleaned_data["next"]))
    panel = free_panel(sent or {}, form, patient=appointment.patient, moving=appointment)
    if request.htmx and not answers_form(request):
        return render(request, "appointments/availability/_free_times.html", panel)
    AuditEntry.objects.note(Event.READ, appointment)
    context = {
        "form": form,
        "appointment": appointment,
        "lengths": COMMON_LENGTHS,
        **panel,
        "history": history_of(appointment, user=request.user) if _is_stale(form) else [],
    }
    return render(request, "appointments/detail/appointment_move.html", context)


def _move_form(request: StaffRequest, sent: Any, appointment: Appointment) -> MoveForm:
    if sent is None:
        initial = {"next": origin_url(request)} | slot_initial(request.GET)
        form = MoveForm(appointment=appointment, initial=initial)
        form.fields["time"].widget.attrs["autofocus"] = True
        return form
    if request.method != "POST":  # kept while its user was signed out
        return MoveForm(appointment=appointment, initial=with_slot(with_slot(sent.dict(), "at"), "take"))
    if not {"take", "look", "later"}.isdisjoint(sent):
        return MoveForm(appointment=appointment, initial=with_slot(sent.dict(), "take"))
    # A time picked in the day view comes without a length: it stays.
    typed = {"duration_minutes": appointment.duration_minutes} | sent.dict()
    return MoveForm(with_slot(typed, "at"), appointment=appointment)


def _not_movable(request: StaffRequest, appointment: Appointment) -> HttpResponse | None:
    """Return the way back from opening a form that could only be refused; one that was sent is told what changed."""
    if request.method == "POST" or appointment.status in MOVABLE:
        return None
    status = appointment.get_status_display().lower()
    messages.error(request, f"This appointment is {status}, so it cannot be moved or cancelled.")
    return redirect(appointment)


def _moved(request: StaffRequest, appointment: Appointment, form: MoveForm) -> Appointment | None:
    """Return the appointment as it is after the move; None if it was refused. Where it is already is no move."""
    asked = (form.cleaned_data["doctor"], form.cleaned_data["start_time"], form.cleaned_data["duration_minutes"])
    held = (appointment.doctor, appointment.start_time, appointment.duration_minutes)
    if asked == held and appointment.status in MOVABLE:
        messages.info(request, f"{appointment.patient} is already booked {appointment}.")
        return appointment
    try:
        moved = booking.move(
            appointment,
            doctor=form.cleaned_data["doctor"],
            start_time=form.cleaned_data["start_time"],
            duration_minutes=form.cleaned_data["duration_minutes"],
            reason=form.cleaned_data["move_reason"],
            outside_hours_reason=form.cleaned_data["outside_hours_reason"],
            version=form.cleaned_data["version"],
            by=request.user,
        )
    except ValidationError as refusal:
        form.add_refusal(refusal)
        return None
    messages.success(request, _moved_message(moved, held))
    return moved


def _moved_message(moved: Appointment, held: tuple[Doctor, dt.datetime, int]) -> str:
    """Return what has happened, with a button that moves the appointment back while its old time is free."""
    doctor, start_time, minutes = held
    end_time = start_time + dt.timedelta(minutes=minutes)
    if start_time <= timezone.now() or load_doctor_availability(doctor.pk, start_time, end_time).obstacles(
        start_time, end_time
    ):
        return f"Moved: {moved.patient}, {moved}."
    back = slot_words(doctor.pk, start_time) | {"minutes": minutes, "version": moved.version}
    move_url = reverse("appointments:appointment_move", args=[moved.pk])
    return format_html("Moved: {}, {}. {}", moved.patient, moved, undo_button(move_url, at=urlencode(back)))


def _is_stale(form: Any) -> bool:
    return form.is_bound and form.has_error(NON_FIELD_ERRORS, "stale")


def appointment_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """Show one appointment with its actions and its history."""
    appointment = appointment_for(request.user, pk, "view")
    AuditEntry.objects.note(Event.READ, appointment)
    rights, now, day_before = rights_to(appointment, request.user), timezone.now(), origin_url(request)
    context = {
        "appointment": appointment,
        "patient_age": appointment.patient.age_on(clinic_time.local_date(appointment.start_time)),
        "origin_url": day_before,
        "schedule_url": appointment_url(appointment, origin_url=day_before),
        "move_url": appointment_url(appointment, origin_url=day_before, move=True),
        "history": history_of(appointment, user=request.user),
        "actions": actions_on(appointment, rights, at=now),
        "can_change": can_change(appointment, rights),
        "can_undo": can_undo(appointment, rights, at=now),
        "displacement": unfinished_displacement_of(appointment, request.user, at=now),
    }
    return render(request, "appointments/detail/appointment_detail.html", context)


def appointment_cancel(request: StaffRequest, pk: int) -> HttpResponse:
    """Call an appointment off, with reason and by whom."""
    appointment = appointment_for(request.user, pk, "change")
    if (way_back := _not_movable(request, appointment)) is not None:
        return way_back
    led_here = origin_url(request)
    initial = {"version": appointment.version, "cancelled_by": "patient", "next": led_here}
    if is_schedule_change_url(led_here):
        initial |= {"cancelled_by": "clinic", "cancel_reason": CancelAllForm.USUAL}
    sent = sent_data(request)
    form = CancelForm(None if sent is None else with_quick_reason(sent.dict()), initial=initial)
    if form.is_bound and appointment.status == Status.CANCELLED:
        messages.info(request, f"{appointment.patient}: already cancelled.")
        return redirect(appointment)
    if request.method == "POST" and form.is_valid():
        try:
            cancelled = booking.cancel(
                appointment,
                reason=form.cleaned_data["cancel_reason"],
                cancelled_by=form.cleaned_data["cancelled_by"],
                version=form.cleaned_data["version"],
                by=request.user,
            )
        except ValidationError as refusal:
            form.add_refusal(refusal)
        else:
            messages.success(request, done_message(cancelled, request.user))
            return redirect(appointment_url(cancelled, origin_url=form.cleaned_data["next"]))
    AuditEntry.objects.note(Event.READ, appointment)
    context = {
        "form": form,
        "appointment": appointment,
        "quick_reasons": QUICK_REASONS,
        "history": history_of(appointment, user=request.user) if _is_stale(form) else [],
    }
    return render(request, "appointments/detail/appointment_cancel.html", context)
