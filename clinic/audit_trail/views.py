"""The page of the audit trail, for administrators. Who may call it is in `clinic.web.page_access`."""

import datetime as dt
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import render

from clinic.accounts.models import User
from clinic.audit.models import AuditEntry, Event
from clinic.audit_trail.entries import Asked, page_of, rows_of
from clinic.core import clinic_time
from clinic.html.widgets import DateInput, make_small
from clinic.web.http import StaffRequest, parse_number
from patients.models import Patient
from patients.querysets import MAX_FOUND
from patients.views import MAX_QUERY, record_found


class PersonField(forms.ModelChoiceField):
    """A choice of users, by their names."""

    def label_from_instance(self, obj: Any) -> str:
        """Return the name, and the login name to tell namesakes apart."""
        return f"{obj.display_name} ({obj.get_username()})"


class TrailForm(forms.Form):
    """What of the trail is asked for. It travels in the address, so it holds ids and dates only."""

    user = PersonField(User.objects.order_by("username"), label="User", required=False, empty_label="Everybody")
    event = forms.ChoiceField(choices=[("", "Everything"), *Event.choices], label="Event", required=False)
    first = forms.DateField(label="From", widget=DateInput(), required=False)
    last = forms.DateField(label="To", widget=DateInput(), required=False)
    patient = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        make_small(self)

    def clean_first(self) -> dt.date | None:
        """Check that the day is one of the portal's calendar."""
        return _known(self.cleaned_data["first"])

    def clean_last(self) -> dt.date | None:
        """Check that the day is one of the portal's calendar."""
        return _known(self.cleaned_data["last"])

    def clean(self) -> dict[str, Any] | None:
        """Check that there can be a day from one to the other."""
        first, last = self.cleaned_data.get("first"), self.cleaned_data.get("last")
        if first and last and first > last:
            self.add_error("last", ValidationError("This is before “From”.", code="trail_span"))
        return super().clean()

    def clean_patient(self) -> int | None:
        """Leave out what can be nobody's id."""
        return parse_number(str(self.cleaned_data["patient"]))

    def asked(self) -> Asked:
        """Return what is asked for; a filter that makes no sense is shown with its error, and is none."""
        self.is_valid()
        sent = self.cleaned_data
        user = sent.get("user")
        return Asked(
            patient_id=sent.get("patient"),
            user_id=user and user.pk,
            event=sent.get("event", ""),
            first=sent.get("first"),
            last=sent.get("last"),
        )


def _known(day: dt.date | None) -> dt.date | None:
    if day is not None:
        clinic_time.check_date(day)
    return day


def audit_trail(request: StaffRequest) -> HttpResponse:
    """Show who did what, newest first, and note that it was looked at; find a patient to narrow it to."""
    form = TrailForm(request.GET)
    asked = form.asked()
    query = request.POST.get("query", "").strip()[:MAX_QUERY]
    found = list(Patient.objects.search(query)[: MAX_FOUND + 1]) if query else None
    if found is not None:
        record_found(found[:MAX_FOUND])
    AuditEntry.objects.record_by_id(Event.READ, AuditEntry, pk=None, patient_id=asked.patient_id, **asked.told)
    before = parse_number(request.GET.get("before", ""))
    entries, more = page_of(asked, before=before)
    context = {
        "form": form,
        "patient_id": asked.patient_id,
        "patient": asked.patient_id and Patient.objects.filter(pk=asked.patient_id).first(),
        "query": query,
        "found": found and found[:MAX_FOUND],
        "are_more_found": found is not None and len(found) > MAX_FOUND,
        "searched": found is not None,
        "rows": rows_of(entries),
        "kept": _address(request),
        "without_patient": _address(request, "patient"),
        "is_later_page": before is not None,
        "more": more,
    }
    return render(request, "patients/audit_trail.html", context)


def _address(request: StaffRequest, *without: str) -> str:
    """Return the filters of the address, for links that keep them, but for the page and those named."""
    kept = request.GET.copy()
    for name in ("before", *without):
        kept.pop(name, None)
    for name in [name for name in kept if name not in TrailForm.base_fields or not kept[name]]:
        del kept[name]
    return kept.urlencode()
