"""Tags for the pages of apps that may not import this one."""

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple

from django import template
from django.utils.safestring import SafeString

from appointments.detail.history import HistoryEntry, moves_of
from appointments.models import Appointment
from clinic.core import clinic_time
from clinic.html.drawing import draw
from clinic.models import User

register = template.Library()


class AppointmentRow(NamedTuple):
    address: str
    when: str
    doctor: str
    reason: str
    moves: list[tuple[str, str, str]]  # what, when and who
    status: str
    status_label: str


@register.simple_tag
def appointment_tables(user: User, **lists: Iterable[Appointment]) -> dict[str, SafeString]:
    """Return a table of each list by its name, with the history of moves and cancellations, latest first.

    At most three queries besides those of the lists.
    """
    listed = {name: list(appointments) for name, appointments in lists.items()}
    shown = [appointment for appointments in listed.values() for appointment in appointments]
    moves = moves_of(shown, user=user) if shown else {}
    return {
        name: draw(
            "patients/_appointments.jinja",
            rows=[_row(appointment, moves.get(appointment.pk, [])) for appointment in appointments],
        )
        for name, appointments in listed.items()
    }


def _row(appointment: Appointment, moves: list[HistoryEntry]) -> AppointmentRow:
    return AppointmentRow(
        address=appointment.get_absolute_url(),
        when=_when(appointment.start_time),
        doctor=appointment.doctor.full_name,
        reason=appointment.reason,
        moves=[(". ".join(entry.what), _when(entry.at), entry.who) for entry in moves],
        status=appointment.status,
        status_label=appointment.get_status_display(),
    )


def _when(instant: dt.datetime) -> str:
    return f"{clinic_time.date_text(instant)} {clinic_time.time_text(instant)}"
