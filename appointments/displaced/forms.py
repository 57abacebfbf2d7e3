from typing import Any

from django import forms

from appointments.models import Appointment


class CancelAllForm(forms.Form):
    """The reason for cancelling appointments whose doctor is away."""

    USUAL = "Doctor is away"

    cancel_reason = forms.CharField(
        label="The clinic cancels, because",
        max_length=Appointment._meta.get_field("cancel_reason").max_length,
        widget=forms.TextInput(attrs={"class": "form-control form-control-sm"}),
    )

    def __init__(self, data: Any = None, *, initial: dict[str, Any]) -> None:
        super().__init__(data, initial={"cancel_reason": initial.get("cancel_reason") or self.USUAL})
