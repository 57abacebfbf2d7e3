"""The form in which the front desk enters that a doctor is away."""

import datetime as dt
from typing import Any

from crispy_forms.layout import Div, Field, Layout
from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.core import clinic_time
from clinic.html.crispy import bare_helper
from clinic.html.widgets import TimeInput
from doctors import rules
from doctors.availability_loader import working_day_after
from doctors.forms import AvailabilityForm
from doctors.models import Leave

FROM_NOW, ALL_DAY = "now", "day"
USUAL_REASON = "Away"


class AbsenceForm(AvailabilityForm):
    """Away today, on the next working day, or on both: from now or all day, unless times are given."""

    when = forms.CharField(widget=forms.RadioSelect)
    from_time = forms.TimeField(
        label="From", required=False, widget=TimeInput(), help_text="On the first day, if it is another time."
    )
    until_time = forms.TimeField(
        label="Until", required=False, widget=TimeInput(), help_text="On the last day. Leave empty for all day."
    )
    reason = forms.CharField(
        label="Reason (optional)",
        required=False,
        max_length=Leave._meta.get_field("reason").max_length,
        help_text=Leave._meta.get_field("reason").help_text,
    )

    field_order = ["when", "from_time", "until_time", "reason"]

    class Meta:
        model = Leave
        fields = ["reason"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer today and the next working day; a date in `initial["day"]` that is the latter is chosen."""
        super().__init__(*args, **kwargs)
        self.now = timezone.now()
        self.today = clinic_time.today(at=self.now)
        self.next_day = working_day_after(self.today)
        choices = self._choices()
        self.fields["when"].widget = forms.RadioSelect(attrs={"autofocus": True}, choices=choices)
        is_next = self.initial.get("day") == self.next_day.isoformat()
        self.fields["when"].initial = choices[-1 if is_next else 0][0]
        self.helper = bare_helper()
        self.helper.layout = Layout(
            "when",
            Div(*(Div(Field(name), css_class="col-6") for name in ("from_time", "until_time")), css_class="row g-2"),
            *("reason", "seen_version", "seen_hits"),
        )

    def _choices(self) -> list[tuple[str, str]]:
        today, next_day = self.today, self.next_day
        now, later = clinic_time.time_text(self.now), clinic_time.date_text(clinic_time.day_bounds(next_day)[0])
        return [
            (f"{FROM_NOW} {today} {today}", _("Today from now on (%(time)s)") % {"time": now}),
            (f"{ALL_DAY} {today} {today}", _("All of today")),
            (f"{FROM_NOW} {today} {next_day}", _("Today from now on, and %(day)s") % {"day": later}),
            (f"{ALL_DAY} {next_day} {next_day}", _("Only %(day)s") % {"day": later}),
        ]

    def clean_when(self) -> tuple[str, dt.date, dt.date]:
        """Return whether it begins now or at midnight, and the first and the last date."""
        try:
            kind, first, last = self.cleaned_data["when"].split(" ")
            dates = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
        except ValueError:
            raise ValidationError(_("Choose when the doctor is away."), code="required") from None
        rules.check_absence_dates(*dates, today=self.today, next_working_day=self.next_day)
        return kind, *dates

    def clean_reason(self) -> str:
        return self.cleaned_data["reason"].strip() or USUAL_REASON

    def clean(self) -> dict[str, Any] | None:
        """Set the instants; for a time that comes twice, the longer absence is meant."""
        cleaned = super().clean()
        if "when" not in self.cleaned_data or {"from_time", "until_time"} & self.errors.keys():
            return cleaned
        kind, first, last = self.cleaned_data["when"]
        begins = self.now.replace(second=0, microsecond=0) if kind == FROM_NOW else clinic_time.day_bounds(first)[0]
        self.instance.start_time = self._instant("from_time", first, clinic_time.FIRST) or begins
        ends = clinic_time.day_bounds(last)[1]
        self.instance.end_time = self._instant("until_time", last, clinic_time.SECOND) or ends
        return cleaned

    def _instant(self, time_field: str, day: dt.date, which: int) -> dt.datetime | None:
        """Return the instant of a time that was typed, if there is one."""
        time = self.cleaned_data.get(time_field)
        if time is None:
            return None
        try:
            return clinic_time.instant_at(day, time, which=which)
        except ValidationError as refusal:
            self.add_error(time_field, refusal)
            return None

    def add_error(self, field: str | None, error: Any) -> None:
        """Show the model's errors about its instants at the choice or the time."""
        if field is None and hasattr(error, "error_dict"):
            ends_at = "until_time" if self.cleaned_data.get("until_time") else "when"
            names = {"start_time": "when", "end_time": ends_at}
            error = ValidationError({names.get(name, name): errors for name, errors in error.error_dict.items()})
        super().add_error(field, error)
