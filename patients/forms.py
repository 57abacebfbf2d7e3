"""Forms of patients."""

from typing import Any

from crispy_forms.layout import Div, Field, Layout
from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.translation import gettext as _

from clinic.html.bound_data import replace_value
from clinic.html.crispy import bare_helper
from clinic.html.widgets import DateInput
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
                replace_value(self, "seen_at", held_at)
                raise
        return cleaned


class PatientForm(SeenPatientForm):
    """Register a patient or correct the record.

    Who may be registered already is shown before a second record is made: `duplicates` holds them, and only
    `anyway_name`, sent by a button beside them, registers the patient nevertheless. With a prefix the form fits into
    another one.
    """

    # The ids, parted by commas, of the possible duplicates that the form was shown with.
    duplicates_shown = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta(SeenPatientForm.Meta):
        widgets = {
            "date_of_birth": DateInput(),
            "phone_number": forms.TextInput(attrs={"inputmode": "tel"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.duplicates: list[Patient] = []
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
            "duplicates_shown",
        )

    @property
    def anyway_name(self) -> str:
        """The name of the button that registers a patient although others are like it."""
        return self.add_prefix("anyway")

    @property
    def can_be_sent_anyway(self) -> bool:
        """Whether possible duplicates are in the way, and nothing stops who has looked at them from going on."""
        return self.has_error(NON_FIELD_ERRORS, "possible_duplicate")

    def clean(self) -> dict[str, Any] | None:
        """Refuse to register who may be registered already, unless all who are like that were seen.

        The holder of the same e-mail is listed with them, but refused at that field, by the rule.
        """
        cleaned = super().clean()
        if not self.instance.pk:
            self._look_for_duplicates(cleaned or {})
        return cleaned

    def _look_for_duplicates(self, cleaned: dict[str, Any]) -> None:
        email = (cleaned.get("email") or "").lower()
        self.duplicates = Patient.objects.possible_duplicates(
            first_name=cleaned.get("first_name") or "",
            last_name=cleaned.get("last_name") or "",
            date_of_birth=cleaned.get("date_of_birth"),
            phone_number=cleaned.get("phone_number") or "",
            email=email,
        )
        alike = {str(patient.pk) for patient in self.duplicates if patient.email != email}
        seen = set(cleaned.get("duplicates_shown", "").split(",")) if self.anyway_name in self.data else set()
        if not alike <= seen:
            shown = ",".join(str(patient.pk) for patient in self.duplicates)
            replace_value(self, "duplicates_shown", shown)
            raise ValidationError(
                _("Is it the same person? Then no second record is needed."),
                code="possible_duplicate",
            )


def record_from(query: str) -> dict[str, str]:
    """Return what somebody searched for as the beginning of a patient's record."""
    if "@" in query:
        return {"email": query}
    if any(char.isdigit() for char in query):
        return {"phone_number": query}
    if "," in query:
        last, _comma, first = query.partition(",")
    else:
        first, _blank, last = query.strip().rpartition(" ")
    return {"first_name": first.strip(), "last_name": last.strip()}
