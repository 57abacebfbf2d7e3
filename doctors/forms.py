"""Forms of doctors' time."""

import datetime as dt
import re
from typing import Any, NoReturn

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.translation import gettext as _

from clinic.html.bound_data import replace_value
from doctors import rules
from doctors.availability import Interval
from doctors.models import Timetable, Weekday

_TIME = r"(\d{1,2})(?:[:.h](\d{2}))?"
_INTERVAL = re.compile(rf"{_TIME}\s*(?:-|–|—|to)\s*{_TIME}(?!\d)")
_BETWEEN = " \t,;"


class IntervalsField(forms.CharField):
    """The hours of a day as people write them: `8-12:30, 13:30-17`. The value is a list of intervals, in order."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"required": False, "max_length": 200} | kwargs))

    def prepare_value(self, value: Any) -> Any:
        """Return the text of intervals, or what was typed."""
        if isinstance(value, list):
            return ", ".join(rules.interval_text(*interval) for interval in value)
        return value

    def to_python(self, value: Any) -> Any:
        """Return the intervals that a text names.

        Raises:
            ValidationError: `intervals` for a text that is none, or a time that no clock shows.
        """
        text = (super().to_python(value) or "").strip(_BETWEEN)
        intervals = []
        while text:
            found = _INTERVAL.match(text)
            if found is None:
                _refuse(text)
            intervals.append(_interval(found))
            text = text[found.end() :].lstrip(_BETWEEN)
        return sorted(intervals)


def _interval(found: re.Match[str]) -> Interval:
    hour, minute, end_hour, end_minute = (int(part or 0) for part in found.groups())
    if (end_hour, end_minute) == (24, 0):
        end_hour = 0
    try:
        return dt.time(hour, minute), dt.time(end_hour, end_minute)
    except ValueError:
        _refuse(found.group())


def _refuse(text: str) -> NoReturn:
    raise ValidationError(
        _("“%(text)s” is not understood. Write hours like 08:00-12:30, 13:30-17:00."),
        code="intervals",
        params={"text": text[:40]},
    )


class SeenForm(forms.ModelForm):
    """A record of doctors' time with the version it was shown in, so that nobody overwrites another's change."""

    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["seen_version"].initial = self.instance.version
            self.fields["seen_version"].required = True

    def clean(self) -> dict[str, Any] | None:
        """Refuse a form that shows an older state than the record's; sent again, it counts as decided."""
        cleaned = super().clean()
        if self.instance.pk:
            held = self.instance.version
            try:
                rules.check_not_stale(held, seen_version=self.cleaned_data.get("seen_version") or 0)
            except ValidationError as error:
                replace_value(self, "seen_version", held)
                self.add_error(NON_FIELD_ERRORS, error)
        return cleaned


def _day_field(label: str) -> IntervalsField:
    return IntervalsField(label=label, widget=forms.TextInput(attrs={"placeholder": "not working", "size": 40}))


class TimetableForm(SeenForm):
    """The hours of a doctor's week, a line a day."""

    monday = _day_field("Monday")
    tuesday = _day_field("Tuesday")
    wednesday = _day_field("Wednesday")
    thursday = _day_field("Thursday")
    friday = _day_field("Friday")
    saturday = _day_field("Saturday")
    sunday = _day_field("Sunday")

    class Meta:
        model = Timetable
        fields = ["doctor", "valid_from", "valid_until"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        week = self.instance.week
        for day in Weekday:
            self.fields[day.name.lower()].initial = list(week.get(day, ()))

    # The last step before the model's rules; test_doctors_time_pages.py fails if Django stops calling this.
    def _post_clean(self) -> None:
        """Give the timetable its week before its own rules look at it; what was not understood is no week yet."""
        names = {day: day.name.lower() for day in Weekday}
        if not self.errors.keys() & set(names.values()):
            self.instance.week = {day: self.cleaned_data.get(name) or [] for day, name in names.items()}
            super()._post_clean()  # type: ignore[misc]  # Django's own hook for this
