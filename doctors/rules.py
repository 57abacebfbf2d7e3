"""What must hold for a doctor."""

from django.utils.translation import gettext_lazy

LINKED = gettext_lazy(
    "This doctor has appointments, so the record is kept and cannot be deleted. Deactivate the doctor instead: "
    "nothing new can then be booked."
)
