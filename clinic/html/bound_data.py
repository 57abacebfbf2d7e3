from typing import Any

from django import forms


def replace_value(form: forms.BaseForm, name: str, value: object) -> None:
    """Make a bound form show this value when it is displayed again, whatever was sent for the field."""
    sent: Any = form.data  # a QueryDict or a dict, which the stubs call a Mapping
    data = sent.copy()
    data[form.add_prefix(name)] = "" if value is None else str(value)
    form.data = data
