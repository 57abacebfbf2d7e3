"""Forms in the page and panel of one appointment."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from appointments.booking.actions import state_of_details
from appointments.booking.forms import ActionForm, VersionedForm
from appointments.models import Appointment
from clinic.core.appointment_length import MAX_MINUTES, MIN_MINUTES

_MODEL = Appointment._meta
USUAL_EXCHANGE_REASON = "Booked for the wrong patient"


class DetailsForm(ActionForm):
    """Reason, notes and length. After a refusal as `stale` it can be sent again, which overwrites."""

    field_names: ClassVar[dict[str, str]] = {"start_time": "duration_minutes", "doctor": "duration_minutes"}

    reason = forms.CharField(max_length=_MODEL.get_field("reason").max_length, required=False)
    notes = forms.CharField(
        max_length=_MODEL.get_field("notes").max_length,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    duration_minutes = forms.IntegerField(
        label="Length in minutes",
        required=False,
        widget=forms.NumberInput(attrs={"min": MIN_MINUTES, "max": MAX_MINUTES}),
    )
    seen_details = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, appointment: Appointment, initial: dict[str, Any] | None = None) -> None:
        present = {name: getattr(appointment, name) for name in ("reason", "notes", "duration_minutes")}
        present["seen_details"] = state_of_details(appointment)
        super().__init__(data, initial=present | (initial or {}), auto_id="details_%s")

    @property
    def changes(self) -> dict[str, Any]:
        """The values that differ from those shown; an empty length keeps the present one."""
        values = {name: self.cleaned_data[name] for name in ("reason", "notes", "duration_minutes")}
        present = {name: self.get_initial_for_field(self.fields[name], name) for name in values}
        return {name: value for name, value in values.items() if value is not None and value != present[name]}

    def add_refusal(self, refusal: ValidationError) -> None:
        super().add_refusal(refusal)
        if self.has_error(NON_FIELD_ERRORS, "stale"):
            self.renew("seen_details")


class ExchangePatientForm(VersionedForm):
    """Why an appointment is given to another patient. The patient is picked by a button."""

    exchange_reason = forms.CharField(label="Reason", max_length=200, initial=USUAL_EXCHANGE_REASON, required=False)
