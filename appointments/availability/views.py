"""The page that finds free times across doctors."""

from django.http import HttpResponse
from django.shortcuts import render

from appointments.availability.forms import FindFreeForm
from appointments.availability.roster import Roster
from appointments.availability.shown import page_days, shown_times
from clinic.core import clinic_time
from clinic.html.drawing import draw
from clinic.models import AuditEntry, Event
from clinic.web.denied_access import record_refused
from clinic.web.http import StaffRequest, parse_number
from doctors.availability_loader import first_working_day
from patients.models import Patient


def free_times(request: StaffRequest) -> HttpResponse:
    """Show the first free times of the next days that match the filters; for one doctor, all of these days."""
    roster = Roster()
    filters = FindFreeForm(_filters_in(request, roster), doctors=roster.doctors, default="Anyone")
    patient = _patient_in(request)
    filters.full_clean()
    minutes = filters.cleaned_data.get("minutes")
    search = filters.slot_search(minutes=minutes, patient_id=patient.pk if patient else None)
    first_day = clinic_time.known_date(filters.cleaned_data.get("date")) or clinic_time.today()
    shown = shown_times(search, roster, first_day)
    context = {
        "filters": filters,
        "patient": patient,
        "drawn_days": draw(
            "appointments/availability/_free_days.jinja",
            days=page_days(shown["free_days"], search),
            may_book=request.user.has_perm("appointments.add_appointment"),
        ),
        **shown,
    }
    return render(request, "appointments/availability/free_times.html", context)


def _filters_in(request: StaffRequest, roster: Roster) -> dict[str, str]:
    sent = request.GET.dict()
    if "date" not in sent:
        sent["date"] = first_working_day(roster.doctors, clinic_time.today(), load=roster.load).isoformat()
    return sent


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
