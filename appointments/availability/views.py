"""Free times: the page that finds them across doctors, and the panel beside the forms that book and move."""

import datetime as dt
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import render

from appointments.availability.search import Found, Wish, find_free, first_working_day, nearest
from appointments.booking.forms import FindFreeForm, FreeTimesForm, SlotForm
from appointments.models import Appointment
from clinic.core import clinic_time
from clinic.core.appointment_length import LONGEST_MINUTES, SHORTEST_MINUTES
from clinic.models import AuditEntry, Event
from clinic.web.denied_access import note_refused
from clinic.web.http import StaffRequest, number_or_none
from doctors.models import Doctor
from patients.models import Patient

DAYS_SHOWN = 5


def free_times(request: StaffRequest) -> HttpResponse:
    """Show the free times of the coming days, of all doctors or of those sought."""
    doctors = list(Doctor.objects.active())
    usual = {"date": first_working_day(doctors, clinic_time.today()).isoformat()}
    filters = FindFreeForm(usual | request.GET.dict(), doctors=doctors, default="Anyone")
    patient = _patient_in(request)
    filters.full_clean()
    minutes = filters.cleaned_data.get("minutes")
    wish = filters.wish(minutes=minutes, patient_id=patient.pk if patient else None)
    first_day = _known_day(filters.cleaned_data.get("date")) or clinic_time.today()
    context = {
        "filters": filters,
        "minutes": minutes,
        "patient": patient,
        **_shown(find_free(wish, doctors, first_day=first_day), wish, first_day),
    }
    return render(request, "appointments/free_times.html", context)


def _patient_in(request: StaffRequest) -> Patient | None:
    """Return the patient for whom a time is sought, if the user books: the times tell of the patient's other visits."""
    pk = number_or_none(request.GET.get("patient", ""))
    if pk is None:
        return None
    may = request.user.has_perm("appointments.add_appointment")
    patient = Patient.objects.visible_to(request.user).filter(pk=pk).first() if may else None
    if patient is None:
        note_refused(request, Patient, pk)
    else:
        AuditEntry.objects.note(Event.READ, patient)
    return patient


def free_panel(
    data: Any, form: SlotForm, *, patient: Patient | None, moving: Appointment | None = None
) -> dict[str, Any]:
    """Return what stands beside a form: the next free times that suit what it says so far."""
    doctors = list(Doctor.objects.active())
    filters = FreeTimesForm(data, doctors=doctors, default="The doctor chosen, or anyone", sent_with="slot-form")
    chosen = number_or_none(str(form["doctor"].value()))
    wish = filters.wish(
        minutes=_minutes_of(form) or form.held_minutes,
        doctor_id=chosen,
        patient_id=patient.pk if patient else None,
        moving=moving,
    )
    first_day = _day_in(data.get("later", "")) or day_of(form)
    return {
        "filters": filters,
        "length": wish.minutes
        or next((doctor.usual_minutes for doctor in doctors if doctor.pk == wish.doctor_id), None),
        **_shown(find_free(wish, doctors, first_day=first_day), wish, first_day),
        **_alternatives(form, doctors, patient=patient, moving=moving),
    }


def _shown(found: Found, wish: Wish, first_day: dt.date) -> dict[str, Any]:
    days, rest = found.days[:DAYS_SHOWN], found.days[DAYS_SHOWN:]
    later = rest[0].date if rest else found.later
    return {
        "free_days": days,
        "first_day": first_day,
        "last_day": found.last_day,
        "later": later if later <= clinic_time.LAST_DATE else None,
        "is_one_doctor": wish.doctor_id is not None,
    }


def _alternatives(
    form: SlotForm, doctors: list[Doctor], *, patient: Patient | None, moving: Appointment | None
) -> dict[str, Any]:
    """Return the times nearest to one that was refused: of the same doctor, and of others in the specialization."""
    start = getattr(form, "cleaned_data", {}).get("start_time")
    if start is None or not {"doctor", "time"} & form.errors.keys():
        return {}
    chosen = number_or_none(str(form["doctor"].value()))
    doctor = None if chosen is None else Doctor.objects.filter(pk=chosen).first()
    if doctor is None:
        return {}
    wish = Wish(
        minutes=_minutes_of(form) or form.held_minutes or doctor.usual_minutes,
        specialization=doctor.specialization,
        patient_id=patient.pk if patient else None,
        moving=moving,
    )
    first_day = max(clinic_time.local_date(start), clinic_time.today())
    slots = list(find_free(wish, doctors, first_day=first_day).slots())
    return {
        "refused_date": clinic_time.date_text(start),
        "nearest": nearest((slot for slot in slots if slot.doctor == doctor), start),
        "nearest_others": nearest((slot for slot in slots if slot.doctor != doctor), start),
        "refused_specialization": doctor.specialization,
    }


def day_of(form: SlotForm) -> dt.date:
    """Return the day the form speaks of; today if it has none, or one that has passed."""
    try:
        day = _known_day(form.fields["date"].clean(form["date"].value()))
    except ValidationError:
        day = None
    return max(day or clinic_time.today(), clinic_time.today())


def _day_in(text: str) -> dt.date | None:
    try:
        return _known_day(dt.date.fromisoformat(text))
    except ValueError:
        return None


def _known_day(day: dt.date | None) -> dt.date | None:
    """Return the day if it lies in the portal's calendar."""
    return day if day and clinic_time.FIRST_DATE <= day <= clinic_time.LAST_DATE else None


def _minutes_of(form: SlotForm) -> int | None:
    """Return the length the form asks for, None for the usual one, and the shortest if it makes no sense yet."""
    typed = form["duration_minutes"].value()
    if typed in (None, ""):
        return None
    minutes = number_or_none(str(typed))
    return minutes if minutes and minutes <= LONGEST_MINUTES else SHORTEST_MINUTES
