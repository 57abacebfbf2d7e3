"""Forms that change doctors' time: whom the change hits is shown before anything is saved."""

from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.translation import ngettext

from appointments.displaced.finder import displaced_by_saving, with_patient_names
from appointments.models import Appointment
from clinic.html.bound_data import replace_value
from clinic.web.http import parse_number
from doctors.forms import SeenForm, TimetableForm
from doctors.models import Doctor


def seen_in(text: str) -> set[int | None]:
    """Return the ids of the appointments that a form says it has shown."""
    return {parse_number(part) for part in text.split(",")}


class ConfirmsDisplacement(forms.ModelForm):
    """A form that is refused once if saving it would affect booked appointments, and lists them.

    It remembers in `seen_hits` which appointments it has shown: one that is booked meanwhile is shown, too. To be
    validated and saved in one transaction, so that none is booked in between.
    """

    seen_hits = forms.CharField(widget=forms.HiddenInput, required=False)

    hits: list[Appointment]

    # Django has no public hook after the model's rules; test_doctors_time_pages.py fails if it stops calling this.
    def _post_clean(self) -> None:
        """Look for hits once all rules are kept."""
        super()._post_clean()  # type: ignore[misc]  # Django's own hook for this
        self.hits = [] if self.errors or not self._takes_time() else displaced_by_saving(self.instance)
        if {appointment.pk for appointment in self.hits} - seen_in(self.cleaned_data.get("seen_hits", "")):
            self._show_hits()

    def _takes_time(self) -> bool:
        """Return whether saving could take time from anybody: of doctors, only if they are not active."""
        return not (isinstance(self.instance, Doctor) and self.instance.is_active)

    def _show_hits(self) -> None:
        """Refuse, for people to look at the appointments; they count as seen from now on."""
        seen = ",".join(str(appointment.pk) for appointment in self.hits)
        replace_value(self, "seen_hits", seen)
        self.add_error(
            None,
            ValidationError(
                ngettext(
                    "One booked appointment is hit by this. Save again to go on; it is then to be moved or cancelled.",
                    "%(count)d booked appointments are hit by this. Save again to go on; they are then to be moved or "
                    "cancelled.",
                    len(self.hits),
                ),
                code="hits",
                params={"count": len(self.hits)},
            ),
        )

    @property
    def shows_hits(self) -> bool:
        """Whether the form waits for a decision on the appointments it shows."""
        return self.is_bound and self.has_error(NON_FIELD_ERRORS, "hits")

    @property
    def named_hits(self) -> list[Appointment]:
        """The appointments whose patients the form names; none if it shows no hits."""
        return with_patient_names(self.hits) if self.shows_hits else []


class CancelAllForm(forms.Form):
    """Why the clinic cancels appointments whose doctor will not be there."""

    USUAL = "Doctor is away"

    cancel_reason = forms.CharField(
        label="The clinic cancels, because",
        max_length=Appointment._meta.get_field("cancel_reason").max_length,
        widget=forms.TextInput(attrs={"class": "form-control form-control-sm"}),
    )

    def __init__(self, data: Any = None, *, initial: dict[str, Any]) -> None:
        super().__init__(data, initial={"cancel_reason": initial.get("cancel_reason") or self.USUAL})


class ConfirmedTimetableForm(ConfirmsDisplacement, TimetableForm):
    """The hours of a doctor's week."""


class HitSeenForm(ConfirmsDisplacement, SeenForm):
    """A leave or a closure."""
