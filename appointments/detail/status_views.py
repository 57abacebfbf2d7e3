"""Buttons that change an appointment's status. Who may press which is in `clinic.web.page_access`."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from appointments.booking import actions as booking
from appointments.detail.buttons import can_undo
from appointments.models import Appointment
from appointments.permissions import appointment_for, rights_to
from appointments.statuses import Status
from clinic.web.http import StaffRequest, next_or, parse_number

NO_VERSION = 0  # what no appointment has: a button without its version decides about nothing that anybody has seen


def appointment_arrive(request: StaffRequest, pk: int) -> HttpResponse:
    """Mark the patient arrived."""
    return act(request, pk, "arrive", booking.mark_arrived, Status.ARRIVED)


def appointment_no_show(request: StaffRequest, pk: int) -> HttpResponse:
    """Mark the patient as not come."""
    return act(request, pk, "arrive", booking.mark_no_show, Status.NO_SHOW)


def appointment_start(request: StaffRequest, pk: int) -> HttpResponse:
    """Start the consultation."""
    return act(request, pk, "treat", booking.start, Status.IN_CONSULTATION)


def appointment_complete(request: StaffRequest, pk: int) -> HttpResponse:
    """Complete the consultation."""
    return act(request, pk, "treat", booking.complete, Status.COMPLETED)


def appointment_attended(request: StaffRequest, pk: int) -> HttpResponse:
    """Record of a past appointment that it took place."""
    return act(request, pk, "arrive", booking.record_attended, Status.COMPLETED)


def appointment_undo(request: StaffRequest, pk: int) -> HttpResponse:
    """Take the last status back."""
    return act(request, pk, "undo", booking.undo, None)


def act(
    request: StaffRequest, pk: int, action: str, verb: Callable[..., Appointment], leads_to: Status | None
) -> HttpResponse:
    """Carry out a verb and lead back to where the button was. The same click twice is one change.

    The button says which version it was shown for, so that nobody acts on what somebody else has changed, and a
    double click does not take back two steps.
    """
    appointment = appointment_for(request.user, pk, action)
    way_back = redirect(next_or(request, appointment.get_absolute_url()))
    if appointment.status == leads_to:
        messages.info(request, f"{appointment.patient}: already {appointment.get_status_display().lower()}.")
        return way_back
    version = parse_number(request.POST.get("version", "")) or NO_VERSION
    try:
        changed = verb(appointment, by=request.user, version=version)
    except ValidationError as refusal:
        for message in refusal.messages:
            messages.error(request, f"{appointment.patient}: {message}")
    else:
        taken_back = f"{changed.patient}: {changed.get_status_display().lower()}."
        messages.success(request, taken_back if verb is booking.undo else done_message(changed, request.user))
    return way_back


def done_message(changed: Appointment, user: Any) -> str:
    """Return what has happened, with a button that takes it back if the user may: one click, wherever one is."""
    if not can_undo(changed, rights_to(changed, user), at=timezone.now()):
        return f"{changed.patient}: {changed.get_status_display().lower()}."
    return format_html(
        "{}: {}. {}",
        changed.patient,
        changed.get_status_display().lower(),
        undo_button(reverse("appointments:appointment_undo", args=[changed.pk]), version=changed.version),
    )


def undo_button(url: str, **says: Any) -> str:
    """Return a button that takes something back by sending one word to an address; `u` is its key."""
    ((name, value),) = says.items()
    return format_html(
        '<button class="btn btn-link btn-sm" type="submit" form="act" formaction="{}" name="{}" value="{}" '
        'data-key="u">Undo</button>',
        url,
        name,
        value,
    )
