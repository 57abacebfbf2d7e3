"""Forms of patients."""

from typing import Any

from crispy_forms.layout import Div, Field, Layout
from django import forms

from clinic.crispy import bare_helper
from patients.models import Patient


class PatientForm(forms.ModelForm):
    """Register a patient or correct the record."""

    class Meta:
        model = Patient
        fields = ["first_name", "last_name", "date_of_birth", "phone_number", "email"]
        widgets = {
            "date_of_birth": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
            "phone_number": forms.TextInput(attrs={"inputmode": "tel"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["autocomplete"] = "off"  # the browser would offer other patients' data
        self.helper = bare_helper()
        self.helper.layout = Layout(
            Div(
                Div(Field("first_name"), css_class="col-12 col-md-6"),
                Div(Field("last_name"), css_class="col-12 col-md-6"),
                Div(Field("date_of_birth"), css_class="col-12 col-md-6"),
                Div(Field("phone_number"), css_class="col-12 col-md-6"),
                Div(Field("email"), css_class="col-12"),
                css_class="row g-2",
            )
        )
