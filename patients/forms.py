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


class VersionedPatientForm(forms.ModelForm):
    """A patient's record that remembers when it was last changed, so that no other user's change is overwritten."""

    # The time of that change, in ISO format; empty for a new patient.
    seen_at = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Patient
        fields = ["first_name", "last_name", "date_of_birth", "phone_number", "email"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["seen_at"].initial = self.instance.updated_at.isoformat()

    def clean(self) -> dict[str, Any] | None:
        """Refuse an outdated form once; if it is sent again, it overwrites the record."""
        cleaned = super().clean()
        if self.instance.pk:
            updated_at = self.instance.updated_at.isoformat()
            try:
                rules.check_not_stale(updated_at=updated_at, seen_at=self.cleaned_data.get("seen_at", ""))
            except ValidationError:
                replace_value(self, "seen_at", updated_at)
                raise
        return cleaned


class PatientForm(VersionedPatientForm):
    """Register a patient or correct the record.

    If `duplicates` were found, the patient is registered only by the button named `anyway_name`.
    """

    # The ids, separated by commas, of the possible duplicates that the user has seen.
    duplicates_shown = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta(VersionedPatientForm.Meta):
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
        return self.add_prefix("anyway")

    @property
    def can_register_anyway(self) -> bool:
        """Whether the user may register the patient despite the possible duplicates."""
        return self.has_error(NON_FIELD_ERRORS, "possible_duplicate")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.instance.pk:
            self._check_duplicates(cleaned or {})
        return cleaned

    def _check_duplicates(self, cleaned: dict[str, Any]) -> None:
        email = (cleaned.get("email") or "").lower()
        self.duplicates = Patient.objects.possible_duplicates(
            first_name=cleaned.get("first_name") or "",
            last_name=cleaned.get("last_name") or "",
            date_of_birth=cleaned.get("date_of_birth"),
            phone_number=cleaned.get("phone_number") or "",
            email=email,
        )
        # The rule of the e-mail field refuses the same e-mail.
        unconfirmed = {str(patient.pk) for patient in self.duplicates if patient.email != email}
        seen = set(cleaned.get("duplicates_shown", "").split(",")) if self.anyway_name in self.data else set()
        if not unconfirmed <= seen:
            shown = ",".join(str(patient.pk) for patient in self.duplicates)
            replace_value(self, "duplicates_shown", shown)
            raise ValidationError(
                _("Is it the same person? Then use the existing record."),
                code="possible_duplicate",
            )


def initial_from_query(query: str) -> dict[str, str]:
    """Return a search text as initial values of the form."""
    if "@" in query:
        return {"email": query}
    if any(char.isdigit() for char in query):
        return {"phone_number": query}
    if "," in query:
        last, _comma, first = query.partition(",")
    else:
        first, _blank, last = query.strip().rpartition(" ")
    return {"first_name": first.strip(), "last_name": last.strip()}
