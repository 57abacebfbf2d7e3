"""The page that sends appointments as a file. Who may call it is in `clinic.web.page_access`."""

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
    """From when to when, and whose. Nothing that it puts into an address tells of a patient."""

    first = forms.DateField(label="First day", widget=DateInput())
    last = forms.DateField(label="Last day", widget=DateInput(), required=False)
    doctor = forms.ModelChoiceField(Doctor.objects.all(), label="Doctor", required=False, empty_label="All doctors")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        make_small(self)

    def clean(self) -> dict[str, Any]:
        """Check the days; without a last one it is the first alone."""
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
    """Send the appointments of a day, or of several, as a file, or ask which."""
    today = clinic_time.today()
    form = ExportForm(
        request.GET if {"first", "as"} & request.GET.keys() else None, initial={"first": today, "last": today}
    )
    as_format = request.GET.get("as")
    if as_format in FORMATS and form.is_valid():
        first, last, doctor = (form.cleaned_data[name] for name in ("first", "last", "doctor"))
        export = Export(first, last, user=request.user, doctor_id=doctor and doctor.pk)
        told = {"first": str(first), "last": str(last), "doctor": doctor and doctor.pk, "format": as_format}
        # Before the first row is sent: what has left the portal cannot be called back, be the download broken off.
        AuditEntry.objects.record(Event.EXPORT, Appointment, rows=export.count(), is_named=export.is_named, **told)
        return sent_rows(
            f"appointments {first} to {last}",
            export.name,
            export.header,
            export.rows(),
            user=request.user,
            as_format=as_format,
        )
    context = {"form": form, "presets": _presets(today), "is_named": Export(today, today, user=request.user).is_named}
    return render(request, "appointments/export/appointment_export.html", context)


def _presets(today: dt.date) -> list[tuple[str, dt.date, dt.date]]:
    """Return the usual spans of days: each its name, first and last day."""
    monday = today - today.weekday() * ONE_DAY
    first_of_month = today.replace(day=1)
    last_month_end = first_of_month - ONE_DAY
    return [
        ("Today", today, today),
        ("Tomorrow", today + ONE_DAY, today + ONE_DAY),
        ("This week", monday, monday + A_WEEK),
        ("Last month", last_month_end.replace(day=1), last_month_end),
    ]
