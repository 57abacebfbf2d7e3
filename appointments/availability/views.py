"""The page that finds free times across doctors."""

import datetime as dt
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode

from appointments.availability.forms import FindFreeForm
from appointments.availability.search import SlotSearch, SlotSearchResult, find_free, first_working_day
from clinic.core import clinic_time
from clinic.models import AuditEntry, Event
from clinic.web.denied_access import record_refused
from clinic.web.http import StaffRequest, parse_number
from doctors.models import Doctor
from patients.models import Patient

DAYS_SHOWN = 5


def free_times(request: StaffRequest) -> HttpResponse:
    """Show the free times of the next days that match the filters."""
    doctors = list(Doctor.objects.active())
    defaults = {"date": first_working_day(doctors, clinic_time.today()).isoformat()}
    filters = FindFreeForm(defaults | request.GET.dict(), doctors=doctors, default="Anyone")
    patient = _patient_in(request)
    filters.full_clean()
    minutes = filters.cleaned_data.get("minutes")
    search = filters.slot_search(minutes=minutes, patient_id=patient.pk if patient else None)
    first_day = clinic_time.known_date(filters.cleaned_data.get("date")) or clinic_time.today()
    booking = {"minutes": minutes, "patient": patient.pk if patient else None}
    context = {
        "filters": filters,
        "patient": patient,
        "booking_query": urlencode({name: value for name, value in booking.items() if value}),
        **shown_times(find_free(search, doctors, first_day=first_day), search, first_day),
    }
    return render(request, "appointments/availability/free_times.html", context)


def _patient_in(request: StaffRequest) -> Patient | None:
    """Return the patient to search for, if the user may book: the times show when the patient is busy."""
    pk = parse_number(request.GET.get("patient", ""))
    if pk is None:
        return None
    may = request.user.has_perm("appointments.add_appointment")
    patient = Patient.objects.visible_to(request.user).filter(pk=pk).first() if may else None
    if patient is None:
        record_refused(request, Patient, pk)
    else:
        AuditEntry.objects.record(Event.READ, patient)
    return patient


def shown_times(found: SlotSearchResult, search: SlotSearch, first_day: dt.date) -> dict[str, Any]:
    """Return the template context of the first days with free times, and the date from which to look for later ones."""
    days, rest = found.days[:DAYS_SHOWN], found.days[DAYS_SHOWN:]
    later = rest[0].date if rest else found.later
    return {
        "free_days": days,
        "first_day": first_day,
        "last_day": found.last_day,
        "later": clinic_time.known_date(later),
        "is_one_doctor": search.doctor_id is not None,
    }
