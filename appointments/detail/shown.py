"""What the page and the panel of one appointment show."""

import datetime as dt
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.utils import timezone

from appointments.booking.attendance import attendance_of
from appointments.detail.buttons import buttons_of
from appointments.detail.forms import DetailsForm
from appointments.detail.history import history_of
from appointments.displaced.finder import unfinished_displacement_of
from appointments.models import Appointment
from appointments.navigation import appointment_url, panel_url
from appointments.permissions import rights_to
from appointments.statuses import Status
from appointments.waiting_time import Waiting, waiting_of
from clinic.core import clinic_time
from clinic.core.clinic_time import HOUR
from clinic.core.phone_numbers import tel_url
from clinic.models import AuditEntry, Event
from clinic.web.denied_access import record_refused
from clinic.web.http import StaffRequest, parse_number

MAX_COMING, MAX_PAST = 2, 3
SOON = 2 * HOUR


def appointment_context(
    request: StaffRequest, appointment: Appointment, *, origin: str, form: DetailsForm | None = None
) -> dict[str, Any]:
    """Return the context of `_appointment.html`, and record in the audit trail that it was shown.

    `origin` is the address of the schedule that the user comes from. At most nine queries.
    """
    AuditEntry.objects.record(Event.READ, appointment)
    user, now, form = request.user, timezone.now(), form or DetailsForm(appointment=appointment)
    rights = rights_to(appointment, user)
    may_see_attendance = user.has_perm("appointments.view_appointment")
    return {
        "appointment": appointment,
        "tel_url": tel_url(appointment.patient.phone_number),
        "starts_in": _minutes_until_start(appointment, at=now),
        "waiting": _waiting(appointment, at=now),
        "patient_age": appointment.patient.age_on(clinic_time.local_date(appointment.start_time)),
        "origin_url": origin,
        "schedule_url": appointment_url(appointment, origin_url=origin),
        "move_url": appointment_url(appointment, origin_url=origin, move=True),
        "history": history_of(appointment, user=user),
        "buttons": buttons_of(appointment, rights, at=now),
        "displacement": unfinished_displacement_of(appointment, user, at=now),
        "attendance": attendance_of(appointment.patient, at=now) if may_see_attendance else None,
        "others": other_appointments(appointment, user, at=now),
        "form": form,
        "has_saved": False,
        "panel_url": "",
        "is_stale": form.is_bound and form.has_error(NON_FIELD_ERRORS, "stale"),
        "may_edit": "change" in rights and appointment.patient.anonymised_at is None,
    }


def _waiting(appointment: Appointment, *, at: dt.datetime) -> Waiting | None:
    """Return how long a patient of today has waited; None for others."""
    is_today = clinic_time.local_date(appointment.start_time) == clinic_time.today(at=at)
    if appointment.status != Status.ARRIVED or not is_today:
        return None
    return waiting_of(appointment.arrived_at, appointment.start_time, at=at)


def _minutes_until_start(appointment: Appointment, *, at: dt.datetime) -> int | None:
    """Return the whole minutes until a booked appointment starts; None for others, and if that is not soon."""
    is_ahead = appointment.status == Status.BOOKED and at < appointment.start_time <= at + SOON
    return (appointment.start_time - at) // clinic_time.MINUTE if is_ahead else None


def panel_context(request: StaffRequest, *, schedule: str) -> dict[str, Any]:
    """Return the context of the panel beside a schedule that the address asks for with `open=`; empty without one.

    An appointment that the user may not see opens no panel, just as one that does not exist. `schedule` is the address
    without the panel.
    """
    pk = parse_number(request.GET.get("open", ""))
    if pk is None:
        return {}
    visible = Appointment.objects.visible_to(request.user).select_related("patient", "doctor", "booked_by")
    appointment = visible.filter(pk=pk).first()
    if appointment is None:
        record_refused(request, Appointment, pk)
        return {}
    shown = appointment_context(request, appointment, origin=schedule)
    return shown | panel_addresses(schedule, appointment)


def panel_addresses(schedule: str, appointment: Appointment) -> dict[str, str]:
    """Return the addresses of the schedule with and without the panel of the appointment."""
    return {"panel_url": panel_url(schedule, appointment.pk), "close_url": f"{schedule}#v{appointment.pk}"}


def other_appointments(appointment: Appointment, user: Any, *, at: dt.datetime) -> list[Appointment]:
    """Return the patient's next and last appointments that the user may see, latest first. Two queries."""
    visible = Appointment.objects.for_patient(appointment.patient_id).visible_to(user).exclude(pk=appointment.pk)
    visible = visible.select_related("doctor")
    return [*reversed(visible.open().upcoming(at=at)[:MAX_COMING]), *visible.past(at=at)[:MAX_PAST]]
