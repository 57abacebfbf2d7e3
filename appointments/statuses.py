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

# Status to the one that an undo brings back.
UNDO = {
    Status.ARRIVED: Status.BOOKED,
    Status.IN_CONSULTATION: Status.ARRIVED,
    Status.COMPLETED: Status.IN_CONSULTATION,
    Status.NO_SHOW: Status.BOOKED,
    Status.CANCELLED: Status.BOOKED,
}

# Status to those that may follow it, undo included; when, is in rules.py.
TRANSITIONS = {
    Status.BOOKED: {Status.ARRIVED, Status.IN_CONSULTATION, Status.NO_SHOW, Status.CANCELLED},
    Status.ARRIVED: {Status.IN_CONSULTATION, Status.CANCELLED, Status.BOOKED},
    Status.IN_CONSULTATION: {Status.COMPLETED, Status.ARRIVED},
    Status.COMPLETED: {Status.IN_CONSULTATION},
    Status.NO_SHOW: {Status.ARRIVED, Status.BOOKED},
    Status.CANCELLED: {Status.BOOKED},
}
