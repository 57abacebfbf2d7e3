"""The portal's forms of doctors' time: hours, leave, closures, public holidays."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, cast

from crispy_forms.layout import HTML, Div, Field, Layout
from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from appointments.displaced.forms import ConfirmsDisplacement
from clinic.core import clinic_time
from clinic.html.crispy import bare_helper
from clinic.html.widgets import DateInput, TimeInput, make_small
from doctors.forms import SeenForm, TimetableForm
from doctors.models import Closure, Leave, Timetable, Weekday
from doctors.public_holidays import FIRST_YEAR, LAST_YEAR, PublicHoliday, countries, public_holidays, regions

_DAYS = [(day.name.lower(), str(day.label)) for day in Weekday]


class LeaveForm(ConfirmsDisplacement, SeenForm):
    """A leave: whole days, unless times are given."""

    first_day = forms.DateField(label="First day", widget=DateInput())
    last_day = forms.DateField(label="Last day", required=False, widget=DateInput(), help_text="Empty: the same day.")
    from_time = forms.TimeField(
        label="From", required=False, widget=TimeInput(), help_text="Of the first day. Empty: from its beginning."
    )
    until_time = forms.TimeField(
        label="Until", required=False, widget=TimeInput(), help_text="Of the last day. Empty: to its end."
    )

    field_order = ["first_day", "last_day", "from_time", "until_time", "reason"]

    class Meta:
        model = Leave
        fields = ["reason"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self._begin_with(self.instance)
        self.helper = bare_helper()
        self.helper.layout = Layout(
            Div(
                *(Div(Field(name), css_class="col-6") for name in ("first_day", "last_day", "from_time", "until_time")),
                css_class="row g-2",
            ),
            "reason",
            "seen_version",
            "seen_hits",
        )

    def _begin_with(self, leave: Leave) -> None:
        first, last = leave.dates
        is_from_midnight = clinic_time.day_bounds(first)[0] == leave.start_time
        is_to_midnight = clinic_time.day_bounds(last)[1] == leave.end_time
        self.initial.update(
            first_day=first,
            last_day=last if is_to_midnight else clinic_time.local_date(leave.end_time),
            from_time=None if is_from_midnight else clinic_time.local(leave.start_time).time(),
            until_time=None if is_to_midnight else clinic_time.local(leave.end_time).time(),
        )

    def clean(self) -> dict[str, Any] | None:
        """Turn days and times into the leave's instants; of a time that comes twice, the longer leave is meant."""
        cleaned = super().clean()
        first, last = self.cleaned_data.get("first_day"), self.cleaned_data.get("last_day")
        if first is None or "last_day" in self.errors:
            return cleaned
        # What is shown as it is stays the instant it was: of a time that comes twice, the form does not say which.
        if self._says_anew("first_day", "from_time"):
            with self._refusing_at("from_time", "first_day"):
                self.instance.start_time = self._instant(first, "from_time", clinic_time.FIRST, midnight=0)
        if self._says_anew("last_day", "until_time"):
            with self._refusing_at("until_time", "last_day"):
                self.instance.end_time = self._instant(last or first, "until_time", clinic_time.SECOND, midnight=1)
        return cleaned

    def _says_anew(self, *names: str) -> bool:
        return self.instance.pk is None or not set(self.changed_data).isdisjoint(names)

    def _instant(self, day: dt.date, time_field: str, which: int, *, midnight: int) -> dt.datetime:
        time = self.cleaned_data.get(time_field)
        clinic_time.check_date(day)
        if time is None:
            return clinic_time.day_bounds(day)[midnight]
        return clinic_time.instant_at(day, time, which=which)

    @contextmanager
    def _refusing_at(self, time_field: str, day_field: str) -> Iterator[None]:
        """Show a refusal at the time, if one was given, else at the day."""
        try:
            yield
        except ValidationError as refusal:
            self.add_error(time_field if self.cleaned_data.get(time_field) else day_field, refusal)

    def add_error(self, field: str | None, error: Any) -> None:
        """Show what the model says of its instants at the days."""
        if field is None and hasattr(error, "error_dict"):
            ends_at = "until_time" if self.cleaned_data.get("until_time") else "last_day"
            names = {"start_time": "first_day", "end_time": ends_at}
            error = ValidationError({names.get(name, name): told for name, told in error.error_dict.items()})
        super().add_error(field, error)


class HoursForm(ConfirmsDisplacement, TimetableForm):
    """The hours of a doctor's week, with a day to copy to others."""

    displaces = forms.BooleanField(
        label="The doctor's other hours end before these, and go on after them", required=False, initial=True
    )
    copy_from = forms.ChoiceField(label="Copy", choices=_DAYS, required=False, initial="monday")
    copy_to = forms.MultipleChoiceField(
        label="to",
        choices=_DAYS,
        required=False,
        initial=["tuesday", "wednesday", "thursday", "friday"],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta(TimetableForm.Meta):
        fields = ["valid_from", "valid_until"]
        widgets: ClassVar[dict[str, Any]] = {"valid_from": DateInput(), "valid_until": DateInput()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not Timetable.objects.for_doctor(self.instance.doctor_id).exclude(pk=self.instance.pk).exists():
            del self.fields["displaces"]
        self.helper = bare_helper()
        days = [Field(name, wrapper_class="day-hours") for name, _label in _DAYS]
        validity = Div(*(Div(Field(name), css_class="col-6") for name in self.Meta.fields), css_class="row g-2")
        copying = HTML("{% include 'appointments/_copy_day.html' %}")
        rest = [name for name in ("displaces", "seen_version", "seen_hits") if name in self.fields]
        self.helper.layout = Layout(*days, copying, validity, *rest)

    # The last step before the model's rules; test_doctors_time_pages.py fails if Django stops calling this.
    def _post_clean(self) -> None:
        """Have other hours make room, if that was ticked, before the rules look."""
        self.instance.displaces_others = self.cleaned_data.get("displaces", False)
        super()._post_clean()


def with_copied_day(sent: QueryDict) -> dict[str, Any]:
    """Return what a form sent with the hours of the day that is to be copied put in at the days that were ticked."""
    hours, targets = sent.get(sent.get("copy_from", ""), ""), sent.getlist("copy_to")
    copied = {day: hours for day, _label in _DAYS if day in targets}
    return sent.dict() | copied | {"copy_to": targets, "displaces": "displaces" in sent}


class ClosureForm(ConfirmsDisplacement, SeenForm):
    """A date on which the clinic is closed."""

    class Meta:
        model = Closure
        fields = ["date", "name"]
        widgets: ClassVar[dict[str, Any]] = {"date": DateInput()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = bare_helper()


class HolidaysForm(forms.Form):
    """Which public holidays are looked for."""

    country = forms.ChoiceField(choices=[])
    region = forms.ChoiceField(choices=[], required=False)
    year = forms.IntegerField(min_value=FIRST_YEAR, max_value=LAST_YEAR)

    def __init__(self, data: Any, *, usual_year: int) -> None:
        """Make the form; a region of another country than the one chosen now is forgotten."""
        country = data.get("country", "")
        choices = regions(country)
        region = data.get("region", "")
        said = {
            "country": country,
            "region": region if region in dict(choices) else "",
            "year": data.get("year") or usual_year,
        }
        super().__init__(said if country else None, initial=said)
        make_small(self)
        cast(forms.ChoiceField, self.fields["country"]).choices = [("", "Choose a country"), *countries()]
        cast(forms.ChoiceField, self.fields["region"]).choices = [("", "Whole country"), *choices]

    def found(self) -> list[PublicHoliday]:
        """Return the public holidays; none if the form does not say which."""
        if not self.is_valid():
            return []
        sent = self.cleaned_data
        return public_holidays(sent["country"], sent["region"], sent["year"])
