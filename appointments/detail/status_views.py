"""Buttons that change an appointment's status. Who may use which is in `clinic.web.page_access`."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from appointments.booking import actions as booking
from appointments.booking.forms import BOOKED_BY_MISTAKE
from appointments.detail.buttons import buttons_of
from appointments.models import Appointment
from appointments.permissions import appointment_for, rights_to
from appointments.statuses import CancelledBy, Status
from clinic.html.undo_button import undo_button
from clinic.web.http import StaffRequest, parse_number
from clinic.web.return_url import return_url

NO_VERSION = 0  # no appointment has it: a button without a version is refused as outdated


def appointment_arrive(request: StaffRequest, pk: int) -> HttpResponse:
    return change_status(request, pk, "arrive", booking.mark_arrived, Status.ARRIVED)


def appointment_no_show(request: StaffRequest, pk: int) -> HttpResponse:
    return change_status(request, pk, "arrive", booking.mark_no_show, Status.NO_SHOW)


def appointment_start(request: StaffRequest, pk: int) -> HttpResponse:
    return change_status(request, pk, "treat", booking.start, Status.IN_CONSULTATION)


def appointment_complete(request: StaffRequest, pk: int) -> HttpResponse:
    return change_status(request, pk, "treat", booking.complete, Status.COMPLETED)


def appointment_left(request: StaffRequest, pk: int) -> HttpResponse:
    return change_status(request, pk, "arrive", booking.mark_left, Status.LEFT)


def appointment_attended(request: StaffRequest, pk: int) -> HttpResponse:
    return change_status(request, pk, "arrive", booking.record_attended, Status.COMPLETED)


def appointment_undo(request: StaffRequest, pk: int) -> HttpResponse:
    return change_status(request, pk, "undo", booking.undo, None)


def booking_undo(request: StaffRequest, pk: int) -> HttpResponse:
    """Cancel an appointment that has just been booked by mistake; it stays in the records as cancelled."""
    cancel = partial(booking.cancel, reason=BOOKED_BY_MISTAKE, cancelled_by=CancelledBy.CLINIC)
    return change_status(request, pk, "change", cancel, Status.CANCELLED)


def change_status(
    request: StaffRequest, pk: int, right: str, action: Callable[..., Appointment], to_status: Status | None
) -> HttpResponse:
    """Carry out an action and redirect to the page of the button. The same click twice is one change.

    The button sends the version it was shown with: it fails if the appointment has changed since, and a double click
    does not undo two steps.
    """
    appointment = appointment_for(request.user, pk, right)
    next_url = return_url(request, appointment.get_absolute_url())
    if appointment.status == to_status:
        messages.info(request, f"{appointment.patient}: already {appointment.get_status_display().lower()}.")
        return redirect(next_url)
    version = parse_number(request.POST.get("version", "")) or NO_VERSION
    try:
        changed = action(appointment, by=request.user, version=version)
    except ValidationError as refusal:
        for message in refusal.messages:
            messages.error(request, f"{appointment.patient}: {message}")
    else:
        is_undo = action is booking.undo
        messages.success(request, _status_text(changed) if is_undo else done_message(changed, request.user))
    return redirect(next_url)


def done_message(changed: Appointment, user: Any) -> str:
    """Return the new status, with an Undo button if the user may undo it."""
    if not buttons_of(changed, rights_to(changed, user), at=timezone.now()).can_undo:
        return _status_text(changed)
    undo_url = reverse("appointments:appointment_undo", args=[changed.pk])
    return format_html("{} {}", _status_text(changed), undo_button(undo_url, "version", changed.version))


def _status_text(appointment: Appointment) -> str:
    return f"{appointment.patient}: {appointment.get_status_display().lower()}."
