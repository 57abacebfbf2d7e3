"""What a user may do with one appointment.

`clinic.access` opens a page to who may use it at all; here the question is whether it is for this appointment. The
permission `<action>_own_<model>` is for the doctor whose diary it is in.
"""

from typing import Any

from appointments.models import Appointment
from appointments.statuses import Status

# The permission that taking back a status asks for: the one that setting it asked for.
_UNDO_PERMISSION = {
    Status.ARRIVED: "arrive",
    Status.NO_SHOW: "arrive",
    Status.IN_CONSULTATION: "treat",
    Status.COMPLETED: "treat",
    Status.CANCELLED: "change",
}


def may(user: Any, action: str, appointment: Appointment) -> bool:
    """Return whether the user may `arrive`, `treat`, `change`, `view` or `undo` this appointment."""
    if action == "undo":
        action = _UNDO_PERMISSION.get(Status(appointment.status), "change")
    if user.has_perm(f"appointments.{action}_appointment"):
        return True
    own = appointment.doctor.user_id is not None and appointment.doctor.user_id == user.pk
    return own and user.has_perm(f"appointments.{action}_own_appointment")
