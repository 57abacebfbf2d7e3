"""The page that exports appointments as a file."""

import datetime as dt
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http.response import HttpResponseBase
from django.shortcuts import render

from appointments.export.rows import Export, check_export_span
from appointments.models import Appointment
from clinic.core import clinic_time
from clinic.core.clinic_time import ONE_DAY
from clinic.html.widgets import DateInput, make_small
from clinic.models import AuditEntry, Event
from clinic.spreadsheets.export import FORMATS, sent_rows
from clinic.web.http import StaffRequest
from doctors.models import Doctor

A_WEEK = dt.timedelta(days=6)  # from its first day to its last


class ExportForm(forms.Form):
    """The days and the doctor. Sent by GET, so it must not contain patient data."""

    first = forms.DateField(label="First day", widget=DateInput())
    last = forms.DateField(label="Last day", widget=DateInput(), required=False)
    doctor = forms.ModelChoiceField(Doctor.objects.all(), label="Doctor", required=False, empty_label="All doctors")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        make_small(self)

    def clean(self) -> dict[str, Any]:
        """Check the days. Without a last day, only the first is exported."""
        cleaned = super().clean() or {}
        first = cleaned.get("first")
        if first and "last" in cleaned:
            cleaned["last"] = cleaned["last"] or first
            try:
                check_export_span(first, cleaned["last"])
            except ValidationError as error:
                self.add_error("last", error)
        return cleaned


def appointment_export(request: StaffRequest) -> HttpResponseBase:
    """Send the appointments of one day or several as a file, or show the form."""
    today = clinic_time.today()
    is_sent = not {"first", "as"}.isdisjoint(request.GET)
    form = ExportForm(request.GET if is_sent else None, initial={"first": today, "last": today})
    as_format = request.GET.get("as", "")
    if as_format in FORMATS and form.is_valid():
        return _export_file(request, form, as_format)
    context = {"form": form, "presets": _presets(today), "is_named": Export(today, today, user=request.user).is_named}
    return render(request, "appointments/export/appointment_export.html", context)


def _export_file(request: StaffRequest, form: ExportForm, as_format: str) -> HttpResponseBase:
    first, last, doctor = (form.cleaned_data[name] for name in ("first", "last", "doctor"))
    doctor_id = doctor and doctor.pk
    export = Export(first, last, user=request.user, doctor_id=doctor_id)
    details = {"first": str(first), "last": str(last), "doctor": doctor_id, "format": as_format}
    # Recorded before the first row is sent, as an interrupted download counts, too.
    AuditEntry.objects.record(Event.EXPORT, Appointment, rows=export.count(), is_named=export.is_named, **details)
    title = f"appointments {first} to {last}"
    return sent_rows(title, export.name, export.header, export.rows(), user=request.user, as_format=as_format)


def _presets(today: dt.date) -> list[tuple[str, dt.date, dt.date]]:
    """Return common periods: name, first and last day."""
    monday = today - today.weekday() * ONE_DAY
    first_of_month = today.replace(day=1)
    last_month_end = first_of_month - ONE_DAY
    return [
        ("Today", today, today),
        ("Tomorrow", today + ONE_DAY, today + ONE_DAY),
        ("This week", monday, monday + A_WEEK),
        ("Last month", last_month_end.replace(day=1), last_month_end),
    ]
