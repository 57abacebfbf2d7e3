"""Filters of free times."""

from typing import Any, cast

from django import forms

from appointments.availability.search import PARTS_OF_DAY, SlotSearch
from clinic.core.appointment_length import MAX_MINUTES, MIN_MINUTES
from clinic.html.widgets import DateInput, DrawnSelect, make_small
from clinic.web.http import parse_number
from doctors.models import Doctor

WEEKDAYS = dict(enumerate(("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")))


class FreeTimesForm(forms.Form):
    """Filters of free times; invalid values are ignored."""

    ANYONE = "anyone"

    who = forms.ChoiceField(label="With", required=False, widget=DrawnSelect)
    part_of_day = forms.ChoiceField(
        label="Time of day",
        choices=[("", "Any time of day"), *PARTS_OF_DAY.items()],
        required=False,
        widget=DrawnSelect,
    )
    weekday = forms.TypedChoiceField(
        label="Weekday",
        choices=[("", "Any weekday"), *WEEKDAYS.items()],
        coerce=int,
        empty_value=None,
        required=False,
        widget=DrawnSelect,
    )

    def __init__(self, data: Any, *, doctors: list[Doctor], default: str, sent_with: str = "") -> None:
        """`default` is the label of an empty `who`, `sent_with` the id of the form that sends the filters."""
        super().__init__(data)
        specializations = sorted({doctor.specialization for doctor in doctors})
        choices: list[Any] = [
            ("", default),
            *([(self.ANYONE, "Anyone")] if default != "Anyone" else []),
            ("Specialization", [(f"s{name}", name) for name in specializations]),
            ("Doctor", [(f"d{doctor.pk}", doctor.full_name) for doctor in doctors]),
        ]
        cast(forms.ChoiceField, self.fields["who"]).choices = choices
        for field in self.fields.values():
            if sent_with:
                field.widget.attrs["form"] = sent_with
        make_small(self)

    def slot_search(self, *, minutes: int | None, doctor_id: int | None = None, **known: Any) -> SlotSearch:
        """Return the search; `doctor_id` is the doctor meant by an empty `who`."""
        self.full_clean()
        who = self.cleaned_data.get("who", "")
        if who:
            doctor_id = parse_number(who[1:]) if who.startswith("d") else None
        return SlotSearch(
            minutes=minutes,
            doctor_id=doctor_id,
            specialization=who[1:] if who.startswith("s") else "",
            part_of_day=self.cleaned_data.get("part_of_day", ""),
            weekday=self.cleaned_data.get("weekday"),
            **known,
        )


class FindFreeForm(FreeTimesForm):
    """Filters of the page of free times, which has no booking form."""

    date = forms.DateField(label="From", required=False, widget=DateInput())
    minutes = forms.IntegerField(
        label="Minutes",
        required=False,
        min_value=MIN_MINUTES,
        max_value=MAX_MINUTES,
    )

    field_order = ["who", "date", "minutes", "part_of_day", "weekday"]
