"""Fields as browsers have them, and small ones for a row of filters."""

from typing import Any

from django import forms


class DateInput(forms.DateInput):
    """The browser's own field for a date."""

    input_type = "date"

    def __init__(self, **attrs: Any) -> None:
        super().__init__(format="%Y-%m-%d", attrs=attrs)


class TimeInput(forms.TimeInput):
    """The browser's own field for a time of day."""

    input_type = "time"

    def __init__(self, **attrs: Any) -> None:
        super().__init__(format="%H:%M", attrs=attrs)


def make_small(form: forms.Form) -> None:
    """Have all fields of a form drawn small."""
    for field in form.fields.values():
        look = "form-select" if isinstance(field.widget, forms.Select) else "form-control"
        field.widget.attrs["class"] = f"{look} {look}-sm"
