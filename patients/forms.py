"""Forms of patients."""

from typing import Any

from crispy_forms.layout import Div, Field, Layout
from django import forms
from django.core.exceptions import ValidationError

from clinic.crispy import bare_helper
from patients import rules
from patients.models import Patient


class SeenPatientForm(forms.ModelForm):
    """A patient's record with the moment it was last changed when shown, so that nobody overwrites another's change."""

    # Empty while registering.
    seen_at = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Patient
        fields = ["first_name", "last_name", "date_of_birth", "phone_number", "email"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["seen_at"].initial = self.instance.updated_at.isoformat()

    def clean(self) -> dict[str, Any] | None:
        """Refuse a form that shows an older state than the record's; sent again, it counts as decided."""
        cleaned = super().clean()
        if self.instance.pk:
            held_at = self.instance.updated_at.isoformat()
            try:
                rules.check_not_stale(held_at=held_at, seen_at=self.cleaned_data.get("seen_at", ""))
            except ValidationError:
                self.data = {**dict(self.data.items()), "seen_at": held_at}
                raise
        return cleaned


class PatientForm(SeenPatientForm):
    """Register a patient or correct the record."""

    class Meta(SeenPatientForm.Meta):
        widgets = {
            "date_of_birth": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
            "phone_number": forms.TextInput(attrs={"inputmode": "tel"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["autocomplete"] = "off"  # the browser would offer other patients' data
        for name in ("date_of_birth", "phone_number"):
            self.fields[name].label = f"{self.fields[name].label} (optional)"
        self.helper = bare_helper()
        self.helper.layout = Layout(
            Div(
                Div(Field("first_name"), css_class="col-12 col-md-6"),
                Div(Field("last_name"), css_class="col-12 col-md-6"),
                Div(Field("date_of_birth"), css_class="col-12 col-md-6"),
                Div(Field("phone_number"), css_class="col-12 col-md-6"),
                Div(Field("email"), css_class="col-12"),
                css_class="row g-2",
            ),
            "seen_at",
        )
