"""The statuses of an appointment, and which may follow which."""

from typing import NamedTuple

from django.db.models import TextChoices


class Status(TextChoices):
    """Where a visit stands."""

    BOOKED = "booked", "Booked"
    ARRIVED = "arrived", "Arrived"
    IN_CONSULTATION = "in_consultation", "In consultation"
    COMPLETED = "completed", "Completed"
    NO_SHOW = "no_show", "No-show"
    CANCELLED = "cancelled", "Cancelled"


class Stamped(NamedTuple):
    """Which of its steps a visit has a time for. Closing out a past visit invents none."""

    arrived: bool = False
    started: bool = False
    completed: bool = False


class CancelledBy(TextChoices):
    """Who called the visit off."""

    PATIENT = "patient", "The patient"
    CLINIC = "clinic", "The clinic"


# The statuses in which a visit occupies the doctor and the patient.
BLOCKING = frozenset({Status.BOOKED, Status.ARRIVED, Status.IN_CONSULTATION, Status.COMPLETED})

# The statuses in which a visit may still be given another time or doctor.
MOVABLE = frozenset({Status.BOOKED, Status.ARRIVED})

# The statuses in which it is still open how a visit ends.
OPEN = frozenset({Status.BOOKED, Status.ARRIVED, Status.IN_CONSULTATION})

# Status to those it leads on to; when it may, is in rules.py.
FORWARD: dict[Status, frozenset[Status]] = {
    Status.BOOKED: frozenset(
        {Status.ARRIVED, Status.IN_CONSULTATION, Status.COMPLETED, Status.NO_SHOW, Status.CANCELLED}
    ),
    Status.ARRIVED: frozenset({Status.IN_CONSULTATION, Status.COMPLETED, Status.CANCELLED}),
    Status.IN_CONSULTATION: frozenset({Status.COMPLETED}),
    Status.COMPLETED: frozenset(),
    Status.NO_SHOW: frozenset({Status.ARRIVED}),
    Status.CANCELLED: frozenset(),
}

_UNDO = {
    Status.ARRIVED: Status.BOOKED,
    Status.IN_CONSULTATION: Status.ARRIVED,
    Status.COMPLETED: Status.IN_CONSULTATION,
    Status.NO_SHOW: Status.BOOKED,
    Status.CANCELLED: Status.BOOKED,
}


def undone(status: str, stamped: Stamped) -> Status | None:
    """Return the status that an undo brings back; None if there is nothing to undo."""
    if not is_closed_out(status, stamped):
        return _UNDO.get(Status(status))
    if stamped.started:
        return Status.IN_CONSULTATION
    return Status.ARRIVED if stamped.arrived else Status.BOOKED


def is_closed_out(status: str, stamped: Stamped) -> bool:
    """Return whether a visit was recorded as attended after its time, and not completed by who saw the patient."""
    return status == Status.COMPLETED and not stamped.completed
