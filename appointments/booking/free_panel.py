"""The panel of free times beside the forms that book and move."""

import datetime as dt
from typing import Any

from django.core.exceptions import ValidationError

from appointments.availability.forms import FreeTimesForm
from appointments.availability.roster import Roster
from appointments.availability.search import SlotSearch, find_free, nearest
from appointments.availability.shown import panel_days, shown_times
from appointments.booking.forms import SlotForm
from appointments.booking.walk_in_offers import walk_in_offers
from appointments.models import Appointment
from clinic.core import clinic_time
from clinic.core.appointment_length import MAX_MINUTES, MIN_MINUTES
from clinic.html.drawing import draw
from clinic.web.http import parse_number
from doctors.models import Doctor
from patients.models import Patient


def free_panel(
    data: Any,
    form: SlotForm,
    *,
    patient: Patient | None,
    moving: Appointment | None = None,
    roster: Roster | None = None,
) -> dict[str, Any]:
    """Return the template context of the next free times that match the form as filled in so far, and for a walk-in.

    The form offers the doctors that were read for it.
    """
    roster = roster or Roster()
    form.offer_doctors(roster.doctors)
    default = "The doctor chosen, or anyone"
    filters = FreeTimesForm(data, doctors=roster.doctors, default=default, sent_with="slot-form")
    search = filters.slot_search(
        minutes=_minutes_of(form) or form.current_minutes,
        doctor_id=parse_number(str(form["doctor"].value())),
        patient_id=patient.pk if patient else None,
        moving=moving,
    )
    walk_in = walk_in_offers(search, roster) if moving is None else None
    shown = shown_times(search, roster, _day_in(data.get("later", "")) or day_of(form))
    return {
        "filters": filters,
        "walk_in": walk_in,
        "length": search.minutes
        or next((doctor.usual_minutes for doctor in roster.doctors if doctor.pk == search.doctor_id), None),
        "drawn_days": draw(
            "appointments/availability/_times_to_take.jinja",
            days=panel_days(shown["free_days"], search),
            names_doctors=not shown["is_one_doctor"],
        ),
        **shown,
        **_alternatives(form, roster, patient=patient, moving=moving),
    }


def _alternatives(
    form: SlotForm, roster: Roster, *, patient: Patient | None, moving: Appointment | None
) -> dict[str, Any]:
    """Return the free times nearest to a refused one: of the same doctor, and of others in the specialization."""
    start = getattr(form, "cleaned_data", {}).get("start_time")
    if start is None or not {"doctor", "time"} & form.errors.keys():
        return {}
    chosen = parse_number(str(form["doctor"].value()))
    doctor = None if chosen is None else Doctor.objects.filter(pk=chosen).first()
    if doctor is None:
        return {}
    search = SlotSearch(
        minutes=_minutes_of(form) or form.current_minutes or doctor.usual_minutes,
        specialization=doctor.specialization,
        patient_id=patient.pk if patient else None,
        moving=moving,
    )
    first_day = max(clinic_time.local_date(start), clinic_time.today())
    slots = list(find_free(search, roster.doctors, first_day=first_day, load=roster.load).slots())
    return {
        "refused_date": clinic_time.date_text(start),
        "nearest": nearest((slot for slot in slots if slot.doctor == doctor), start),
        "nearest_others": nearest((slot for slot in slots if slot.doctor != doctor), start),
        "refused_specialization": doctor.specialization,
    }


def day_of(form: SlotForm) -> dt.date:
    """Return the form's date; today if it has none, or a past one."""
    try:
        day = clinic_time.known_date(form.fields["date"].clean(form["date"].value()))
    except ValidationError:
        day = None
    return max(day or clinic_time.today(), clinic_time.today())


def _day_in(text: str) -> dt.date | None:
    try:
        return clinic_time.known_date(dt.date.fromisoformat(text))
    except ValueError:
        return None


def _minutes_of(form: SlotForm) -> int | None:
    """Return the length typed; None for the usual one, and the shortest if it is invalid."""
    typed = form["duration_minutes"].value()
    if typed in (None, ""):
        return None
    minutes = parse_number(str(typed))
    return minutes if minutes and minutes <= MAX_MINUTES else MIN_MINUTES
