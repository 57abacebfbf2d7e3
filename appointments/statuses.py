"""The statuses of an appointment, and which may follow which."""

from typing import NamedTuple

from django.db.models import TextChoices


class Status(TextChoices):
    BOOKED = "booked", "Booked"
    ARRIVED = "arrived", "Arrived"
    IN_CONSULTATION = "in_consultation", "In consultation"
    COMPLETED = "completed", "Completed"
    NO_SHOW = "no_show", "No-show"
    LEFT = "left", "Left unseen"
    CANCELLED = "cancelled", "Cancelled"


class Stamped(NamedTuple):
    """Which timestamps an appointment has. One that was closed out later has none."""

    arrived: bool = False
    started: bool = False
    completed: bool = False
    left: bool = False


class CancelledBy(TextChoices):
    PATIENT = "patient", "The patient"
    CLINIC = "clinic", "The clinic"


# The statuses in which an appointment occupies the doctor and the patient.
BLOCKING = frozenset({Status.BOOKED, Status.ARRIVED, Status.IN_CONSULTATION, Status.COMPLETED})

# The statuses of appointments that were not kept, whose time may have gone to somebody else meanwhile.
GIVEN_UP = frozenset({Status.NO_SHOW, Status.LEFT})

# The statuses in which an appointment may still be given another time or doctor.
MOVABLE = frozenset({Status.BOOKED, Status.ARRIVED})

# The statuses in which it is still open how an appointment ends.
OPEN = frozenset({Status.BOOKED, Status.ARRIVED, Status.IN_CONSULTATION})

# The statuses that may follow each status; transitions.py says when.
FORWARD: dict[Status, frozenset[Status]] = {
    Status.BOOKED: frozenset(
        {Status.ARRIVED, Status.IN_CONSULTATION, Status.COMPLETED, Status.NO_SHOW, Status.CANCELLED}
    ),
    Status.ARRIVED: frozenset({Status.IN_CONSULTATION, Status.COMPLETED, Status.LEFT, Status.CANCELLED}),
    Status.IN_CONSULTATION: frozenset({Status.COMPLETED}),
    Status.COMPLETED: frozenset(),
    Status.NO_SHOW: frozenset({Status.ARRIVED}),
    Status.LEFT: frozenset(),
    Status.CANCELLED: frozenset(),
}

_UNDO = {
    Status.ARRIVED: Status.BOOKED,
    Status.IN_CONSULTATION: Status.ARRIVED,
    Status.COMPLETED: Status.IN_CONSULTATION,
    Status.NO_SHOW: Status.BOOKED,
    Status.LEFT: Status.ARRIVED,
    Status.CANCELLED: Status.BOOKED,
}


def undone(status: str, stamped: Stamped) -> Status | None:
    """Return the status that an undo restores; None if there is nothing to undo."""
    if status != Status.COMPLETED or stamped.completed:
        return _UNDO.get(Status(status))
    if stamped.started:
        return Status.IN_CONSULTATION
    return Status.ARRIVED if stamped.arrived else Status.BOOKED


def is_closed_out(status: str, stamped: Stamped) -> bool:
    """Return whether an appointment was recorded as attended, or as left unseen, only after its time had passed."""
    return (status == Status.COMPLETED and not stamped.completed) or (status == Status.LEFT and not stamped.left)
