import datetime as dt
import re
from typing import Any, NoReturn

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.html.bound_data import replace_value
from clinic.web.http import parse_number
from doctors import rules
from doctors.availability import Interval
from doctors.displacement import displaced_by_saving, named_appointments
from doctors.models import Doctor, Timetable, Weekday

_TIME = r"(\d{1,2})(?:[:.h](\d{2}))?"
_INTERVAL = re.compile(rf"{_TIME}\s*(?:-|–|—|to)\s*{_TIME}(?!\d)")
_BETWEEN = " \t,;"


class IntervalsField(forms.CharField):
    """The hours of a day as text, `8-12:30, 13:30-17`; the value is a list of intervals, in order."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"required": False, "max_length": 200} | kwargs))

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return ", ".join(rules.interval_text(*interval) for interval in value)
        return value

    def to_python(self, value: Any) -> Any:
        """Return the intervals; a text that names none is refused with `intervals`."""
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
        _("“%(text)s” is not valid. Write hours like 08:00-12:30, 13:30-17:00."),
        code="intervals",
        params={"text": text[:40]},
    )


class VersionedForm(forms.ModelForm):
    """An availability record with the version that was shown, so that no change of another user is overwritten."""

    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["seen_version"].initial = self.instance.version
            self.fields["seen_version"].required = True

    def clean(self) -> dict[str, Any] | None:
        """Refuse a form that shows an older version; sent again, it is accepted."""
        cleaned = super().clean()
        if self.instance.pk:
            current = self.instance.version
            try:
                rules.check_not_stale(current, seen_version=self.cleaned_data.get("seen_version") or 0)
            except ValidationError as error:
                replace_value(self, "seen_version", str(current))
                self.add_error(NON_FIELD_ERRORS, error)
        return cleaned


def ids_in(text: str) -> set[int | None]:
    """Return the ids of the appointments that a form has shown, as its hidden field says."""
    return {parse_number(part) for part in text.split(",")}


class ConfirmsDisplacement(forms.ModelForm):
    """A form that is refused once if saving it would displace booked appointments, and lists them.

    `seen_hits` holds the ids it has shown, so that one booked meanwhile is shown, too. Validate and save it in one
    transaction, so that none is booked in between.
    """

    seen_hits = forms.CharField(widget=forms.HiddenInput, required=False)

    displaced: list[Any]

    # Django has no public hook after the model's rules; test_availability_pages.py fails if it stops calling this.
    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # Django's own hook for this
        self.displaced = [] if self.errors or not self._may_displace() else displaced_by_saving(self.instance)
        if {appointment.pk for appointment in self.displaced} - ids_in(self.cleaned_data.get("seen_hits", "")):
            self._ask_to_confirm()

    def _may_displace(self) -> bool:
        return not (isinstance(self.instance, Doctor) and self.instance.is_active)

    def _ask_to_confirm(self) -> None:
        """Refuse, and count the appointments as shown from now on."""
        shown = ",".join(str(appointment.pk) for appointment in self.displaced)
        replace_value(self, "seen_hits", shown)
        message = ngettext(
            "This affects %(count)d booked appointment. Save again to confirm; you will then need to move or cancel "
            "it.",
            "This affects %(count)d booked appointments. Save again to confirm; you will then need to move or cancel "
            "them.",
            len(self.displaced),
        )
        self.add_error(None, ValidationError(message, code="hits", params={"count": len(self.displaced)}))

    @property
    def needs_confirmation(self) -> bool:
        return self.is_bound and self.has_error(NON_FIELD_ERRORS, "hits")

    @property
    def named(self) -> list[Any]:
        return named_appointments(self.displaced) if self.needs_confirmation else []


class AvailabilityForm(ConfirmsDisplacement, VersionedForm):
    pass


def _day_field(label: str) -> IntervalsField:
    return IntervalsField(label=label, widget=forms.TextInput(attrs={"placeholder": "not working", "size": 40}))


class TimetableForm(VersionedForm):
    """The hours of a doctor's week, one field per day."""

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

    # The last step before the model's rules; test_availability_pages.py fails if Django stops calling this.
    def _post_clean(self) -> None:
        """Set the timetable's week before its rules are checked, if all days were understood."""
        names = {day: day.name.lower() for day in Weekday}
        if not self.errors.keys() & set(names.values()):
            self.instance.week = {day: self.cleaned_data.get(name) or [] for day, name in names.items()}
            super()._post_clean()  # type: ignore[misc]  # Django's own hook for this


class TimetableAdminForm(ConfirmsDisplacement, TimetableForm):
    pass
