"""Who is here and waits to be seen, with nothing that the user may not see."""

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from appointments.detail.buttons import Action, buttons_of
from appointments.models import Appointment
from appointments.schedule.blocks import Viewer
from appointments.waiting_time import Waiting, waiting_of, waiting_since
from clinic.core import clinic_time, names
from clinic.core.phone_numbers import tel_url

# An outcome that was forgotten is a matter of the close-out page.
OFFERED = frozenset({"start", "left"})


@dataclass(frozen=True)
class WaitingPatient:
    """For a user who may not see the patient, `name` is the initials, and addresses and phone are empty."""

    pk: int
    version: int
    url: str
    name: str
    phone: str
    tel_url: str
    doctor: str
    start: str  # clinic time
    waiting: Waiting
    actions: tuple[Action, ...]
    can_undo: bool


@dataclass(frozen=True)
class WaitingRoom:
    """The patients who wait at `at`, the longest wait first."""

    patients: list[WaitingPatient]
    etag: str

    @property
    def longest(self) -> WaitingPatient | None:
        """The patient who has waited the longest; None while nobody has to wait yet."""
        return next((patient for patient in self.patients if patient.waiting.minutes >= 0), None)


def waiting_room(user: Any, *, at: dt.datetime | None = None) -> WaitingRoom:
    """Return today's waiting patients as the user sees them in the day view. One query."""
    at = at or timezone.now()
    viewer = Viewer(user)
    appointments = sorted(Appointment.objects.waiting(at=at).select_related("patient", "doctor"), key=_order)
    patients = [_waiting_patient(appointment, viewer, at) for appointment in appointments]
    return WaitingRoom(patients, _etag(patients, viewer, at))


def _order(appointment: Appointment) -> tuple[dt.datetime, dt.datetime, int]:
    since = waiting_since(appointment.arrived_at, appointment.start_time)
    return since, appointment.start_time, appointment.pk


def _waiting_patient(appointment: Appointment, viewer: Viewer, at: dt.datetime) -> WaitingPatient:
    patient, doctor = appointment.patient, appointment.doctor
    is_named = viewer.sees_patients_of(doctor)
    phone = patient.phone_number if is_named else ""
    buttons = buttons_of(appointment, viewer.rights_for(doctor), at=at)
    return WaitingPatient(
        pk=appointment.pk,
        version=appointment.version,
        url=appointment.get_absolute_url() if is_named else "",
        name=patient.full_name if is_named else names.initials(patient.first_name, patient.last_name),
        phone=phone,
        tel_url=tel_url(phone),
        doctor=doctor.full_name,
        start=clinic_time.time_text(appointment.start_time),
        waiting=waiting_of(appointment.arrived_at, appointment.start_time, at=at),
        actions=tuple(action for action in buttons.actions if action.name in OFFERED),
        can_undo=buttons.can_undo,
    )


def _etag(patients: list[WaitingPatient], viewer: Viewer, at: dt.datetime) -> str:
    """Return a text that changes with everything shown but the minutes, which the browser counts by itself."""
    shown = [(each.pk, each.version, each.name, each.phone, each.doctor) for each in patients]
    state = (clinic_time.today(at=at), viewer.rights, shown)
    return f'"{hashlib.sha256(repr(state).encode()).hexdigest()[:16]}"'
