"""What a user may do with one appointment; `clinic.web.page_access` decides who may use a page at all."""

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404

from appointments.models import Appointment
from appointments.statuses import Stamped, Status, is_closed_out
from doctors.models import Doctor

if TYPE_CHECKING:
    from clinic.models import User

_UNDO_RIGHT = {
    Status.ARRIVED: "arrive",
    Status.NO_SHOW: "arrive",
    Status.LEFT: "arrive",
    Status.IN_CONSULTATION: "treat",
    Status.COMPLETED: "treat",
    Status.CANCELLED: "change",
}


RIGHTS = ("view", "arrive", "treat", "change")


def rights_of(user: "User", *, is_own: bool) -> frozenset[str]:
    """Return which of `RIGHTS` the user has; `is_own` is for appointments in the user's own diary."""
    permissions = user.get_all_permissions()
    return frozenset(
        right
        for right in RIGHTS
        if f"appointments.{right}_appointment" in permissions
        or (is_own and f"appointments.{right}_own_appointment" in permissions)
    )


def rights_to(appointment: Appointment, user: "User") -> frozenset[str]:
    return rights_of(user, is_own=is_own_diary(appointment.doctor, user))


def is_own_diary(doctor: Doctor, user: "User") -> bool:
    return doctor.user_id is not None and doctor.user_id == user.pk


def may(user: "User", action: str, appointment: Appointment) -> bool:
    """Return whether the user may `arrive`, `treat`, `change`, `view` or `undo` this appointment."""
    right = undo_asks_for(appointment.status, appointment.stamped) if action == "undo" else action
    return right in rights_to(appointment, user)


def undo_asks_for(status: str, stamped: Stamped) -> str:
    """Return the right that an undo needs: the one that setting the status needed."""
    return "arrive" if is_closed_out(status, stamped) else _UNDO_RIGHT.get(Status(status), "change")


def appointment_for(user: "User", pk: int, action: str) -> Appointment:
    """Return the appointment; PermissionDenied if the user may see it but not do this to it.

    404 for one that the user may not see, as for one that does not exist: the answer does not tell which.
    """
    visible = Appointment.objects.visible_to(user).select_related("patient", "doctor", "booked_by")
    appointment = get_object_or_404(visible, pk=pk)
    if not may(user, action, appointment):
        raise PermissionDenied
    return appointment


def doctor_with_feed(user: "User", pk: int) -> Doctor:
    """Return the doctor, or 404; PermissionDenied if the user may not create and revoke the calendar feed."""
    doctor = get_object_or_404(Doctor, pk=pk)
    if user.has_perm("doctors.change_doctor"):
        return doctor
    if not (is_own_diary(doctor, user) and user.has_perm("appointments.view_own_appointment")):
        raise PermissionDenied
    return doctor
