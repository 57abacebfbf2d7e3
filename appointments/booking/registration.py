"""Register a patient and book in one step."""

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction

from appointments.models import Appointment
from clinic.audit.actor import acting
from clinic.db.transactions import retrying
from patients.models import Patient

if TYPE_CHECKING:
    from clinic.models import User


def register_and_book(
    arrange: Callable[..., Appointment],
    *,
    new_patient: Callable[[], Patient],
    booking_key: uuid.UUID,
    by: "User | None",
) -> Appointment:
    """Register a patient and call `arrange` (`book` or `walk_in`) with `patient`: both or neither.

    A repeated `booking_key` uses the patient whom it registered. `new_patient` makes the unsaved record at each try.
    Raises the ValidationErrors of the patient and of the appointment.
    """

    @retrying
    def register_and_book_once() -> Appointment:
        patient = new_patient()
        with acting(by), transaction.atomic():
            if (registered := registered_with(booking_key, email=patient.email)) is not None:
                return arrange(patient=registered)
            try:
                patient.full_clean()
            except ValidationError:
                # The conflict may be this very patient: the same form, sent twice at once.
                if (registered := registered_with(booking_key, email=patient.email)) is None:
                    raise
                return arrange(patient=registered)
            patient.save()
            return arrange(patient=patient)

    return register_and_book_once()


def registered_with(booking_key: uuid.UUID, *, email: str) -> Patient | None:
    """Return the patient with this e-mail address for whom the key has booked before, if there is one."""
    return Patient.objects.filter(appointments__booking_key=booking_key, email=email.strip().lower()).first()
