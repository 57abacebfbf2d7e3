from typing import Any

from django import forms
from django.utils.safestring import SafeString

from clinic.html.drawing import draw


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self, **attrs: Any) -> None:
        super().__init__(format="%Y-%m-%d", attrs=attrs)


class TimeInput(forms.TimeInput):
    input_type = "time"

    def __init__(self, **attrs: Any) -> None:
        super().__init__(format="%H:%M", attrs=attrs)


class DrawnSelect(forms.Select):
    """A select whose options are drawn at once: Django draws a template for each, and there may be 50 doctors."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        return draw("includes/select.jinja", widget=self.get_context(name, value, attrs)["widget"])


def make_small(form: forms.Form) -> None:
    """Use Bootstrap's small variant for all fields of a form."""
    for field in form.fields.values():
        look = "form-select" if isinstance(field.widget, forms.Select) else "form-control"
        field.widget.attrs["class"] = f"{look} {look}-sm"
