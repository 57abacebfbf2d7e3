from django import forms


def replace_value(form: forms.BaseForm, name: str, value: object) -> None:
    """Make a bound form show this value when it is displayed again, whatever was sent for the field."""
    data = form.data.copy()
    data[form.add_prefix(name)] = "" if value is None else str(value)
    form.data = data
