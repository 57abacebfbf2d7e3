"""The statuses of an appointment, and which may follow which."""

from django.db.models import TextChoices


class Status(TextChoices):
    """Where a visit stands."""

    BOOKED = "booked", "Booked"
    ARRIVED = "arrived", "Arrived"
    IN_CONSULTATION = "in_consultation", "In consultation"
    COMPLETED = "completed", "Completed"
    NO_SHOW = "no_show", "No-show"
    CANCELLED = "cancelled", "Cancelled"


class CancelledBy(TextChoices):
    """Who called the visit off."""

    PATIENT = "patient", "The patient"
    CLINIC = "clinic", "The clinic"


# The statuses in which a visit occupies the doctor and the patient.
BLOCKING = frozenset({Status.BOOKED, Status.ARRIVED, Status.IN_CONSULTATION, Status.COMPLETED})

# The statuses in which a visit may still be given another time or doctor.
MOVABLE = frozenset({Status.BOOKED, Status.ARRIVED})

# Status to those it leads on to; when it may, is in rules.py.
FORWARD: dict[Status, frozenset[Status]] = {
    Status.BOOKED: frozenset({Status.ARRIVED, Status.IN_CONSULTATION, Status.NO_SHOW, Status.CANCELLED}),
    Status.ARRIVED: frozenset({Status.IN_CONSULTATION, Status.CANCELLED}),
    Status.IN_CONSULTATION: frozenset({Status.COMPLETED}),
    Status.COMPLETED: frozenset(),
    Status.NO_SHOW: frozenset({Status.ARRIVED}),
    Status.CANCELLED: frozenset(),
}

# Status to the one that an undo brings back.
UNDO = {
    Status.ARRIVED: Status.BOOKED,
    Status.IN_CONSULTATION: Status.ARRIVED,
    Status.COMPLETED: Status.IN_CONSULTATION,
    Status.NO_SHOW: Status.BOOKED,
    Status.CANCELLED: Status.BOOKED,
}
