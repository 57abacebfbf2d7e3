import datetime as dt
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import render

from clinic.accounts.models import User
from clinic.audit.models import AuditEntry, Event
from clinic.audit_trail.entries import AuditFilter, describe_entries, entries_page
from clinic.core import clinic_time
from clinic.db.keyset import cursor_of, parse_cursor, split_page
from clinic.html.widgets import DateInput, make_small
from clinic.web.http import StaffRequest, parse_number
from patients.models import Patient
from patients.querysets import MAX_FOUND
from patients.views import MAX_QUERY, record_found


class UserField(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.display_name} ({obj.get_username()})"


class AuditFilterForm(forms.Form):
    """Sent in the address, so it may contain ids and dates only."""

    user = UserField(User.objects.order_by("username"), label="User", required=False, empty_label="All users")
    event = forms.ChoiceField(choices=[("", "All events"), *Event.choices], label="Event", required=False)
    first = forms.DateField(label="From", widget=DateInput(), required=False)
    last = forms.DateField(label="To", widget=DateInput(), required=False)
    patient = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        make_small(self)

    def clean_first(self) -> dt.date | None:
        return _checked(self.cleaned_data["first"])

    def clean_last(self) -> dt.date | None:
        return _checked(self.cleaned_data["last"])

    def clean(self) -> dict[str, Any] | None:
        first, last = self.cleaned_data.get("first"), self.cleaned_data.get("last")
        if first and last and first > last:
            self.add_error("last", ValidationError("Enter a date on or after “From”.", code="trail_span"))
        return super().clean()

    def clean_patient(self) -> int | None:
        return parse_number(str(self.cleaned_data["patient"]))

    def filters(self) -> AuditFilter:
        """Return the filters without the invalid ones, which the form shows with their errors."""
        self.is_valid()
        valid = self.cleaned_data
        user = valid.get("user")
        return AuditFilter(
            patient_id=valid.get("patient"),
            user_id=user and user.pk,
            event=valid.get("event", ""),
            first=valid.get("first"),
            last=valid.get("last"),
        )


def _checked(day: dt.date | None) -> dt.date | None:
    if day is not None:
        clinic_time.check_date(day)
    return day


def audit_trail(request: StaffRequest) -> HttpResponse:
    """List the entries, newest first. A POST searches for a patient to filter by. Looking at the trail is recorded."""
    form = AuditFilterForm(request.GET)
    filters = form.filters()
    search = _search_patients(request)
    AuditEntry.objects.record_by_id(Event.READ, AuditEntry, pk=None, patient_id=filters.patient_id, **filters.details)
    before = parse_cursor(request.GET.get("before", ""))
    entries, more = entries_page(filters, before=before)
    context = search | {
        "form": form,
        "patient_id": filters.patient_id,
        "patient": filters.patient_id and Patient.objects.filter(pk=filters.patient_id).first(),
        "rows": describe_entries(entries),
        "filters": _query_string(request),
        "filters_without_patient": _query_string(request, without="patient"),
        "is_later_page": before is not None,
        "more": more and cursor_of(more),
    }
    return render(request, "clinic/audit_trail/audit_trail.html", context)


def _search_patients(request: StaffRequest) -> dict[str, Any]:
    """Return what the page shows of a search for a patient, and record whom it found."""
    query = request.POST.get("query", "").strip()[:MAX_QUERY]
    if not query:
        return {"query": "", "searched": False, "found": None, "are_more_found": False}
    found, are_more = split_page(list(Patient.objects.search(query, limit=MAX_FOUND + 1)), MAX_FOUND)
    record_found(found)
    return {"query": query, "searched": True, "found": found, "are_more_found": are_more}


def _query_string(request: StaffRequest, *, without: str = "") -> str:
    """Return the filters that are set, for links from this page."""
    query = request.GET.copy()
    for name in list(query):
        if name not in AuditFilterForm.base_fields or name == without or not query[name]:
            del query[name]
    return query.urlencode()
