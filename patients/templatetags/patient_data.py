import datetime as dt
from typing import Any

from django import template
from django.utils.formats import date_format

from clinic.core import clinic_time

register = template.Library()


@register.filter
def as_words(name: str) -> str:
    return name.replace("_", " ").capitalize()


@register.filter
def as_text(value: Any) -> str:
    """Return a value as text: times in the clinic's zone, and a dash for an empty value."""
    if isinstance(value, dt.datetime):
        return f"{clinic_time.date_text(value)} {clinic_time.time_text(value)}"
    if isinstance(value, dt.date):
        return date_format(value, "j F Y")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "–" if value in (None, "") else str(value)
