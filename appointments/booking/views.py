"""The booking page: patient, doctor and time in one form.

Its buttons are steps (find a patient, take a free time) that post the form and show it again. So the page works without
JavaScript, and personal data never appear in an address.
"""

import datetime as dt
import uuid
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html

from appointments.availability.roster import Roster
from appointments.availability.search import Slot, SlotSearch, parse_slot
from appointments.booking import actions, registration
from appointments.booking.attendance import attendance_of, next_appointment_of
from appointments.booking.forms import COMMON_LENGTHS, BookingForm, slot_initial, with_slot
from appointments.booking.free_panel import day_of, free_panel
from appointments.booking.walk_in import walk_in
from appointments.booking.walk_in_offers import WalkInOffers
from appointments.models import Appointment
from appointments.navigation import appointment_url, day_url, origin_url
from clinic.core import clinic_time
from clinic.html.undo_button import undo_button
from clinic.models import AuditEntry, Event, User
from clinic.web.denied_access import record_refused
from clinic.web.http import StaffRequest, is_form_submission, parse_number, redirect_or_reload, sent_data
from doctors.availability_loader import first_working_day
from patients.forms import PatientForm, initial_from_query
from patients.models import Patient
from patients.querysets import MAX_FOUND
from patients.views import record_found

# The buttons that show the page again.
_STEPS = {"find", "pick", "change_patient", "register", "search_again", "take", "look", "later"}


class PatientChoice(NamedTuple):
    """Whom the appointment is for: the picked patient, or the form of a new one, or the patients found so far."""

    picked: Patient | None
    new_form: PatientForm | None = None
    found: list[Patient] | None = None  # up to `MAX_FOUND + 1`; None without a search
    query: str = ""


class WalkInWanted(NamedTuple):
    """The doctor and the time that the button of a walk-in showed; without them, the form's doctor is meant."""

    doctor_id: int | None = None
    start_time: dt.datetime | None = None

    @property
    def values(self) -> dict[str, Any]:
        """What the button fills in to the form."""
        return {"date": "", "time": ""} | ({} if self.doctor_id is None else {"doctor": self.doctor_id})


def appointment_book(request: StaffRequest) -> HttpResponse:
    """Book an appointment at a time or as a walk-in, for a known or a new patient."""
    sent = sent_data(request)
    if sent is None:
        picked = _patient_or_none(request, request.GET.get("patient", ""))
        if picked and picked.anonymised_at:
            return redirect(picked)  # that page says why the record cannot be booked
        roster = Roster()
        initial = {
            "date": first_working_day(roster.doctors, clinic_time.today(), load=roster.load),
            "patient": picked and picked.pk,
            "next": origin_url(request),
        }
        form = BookingForm(initial=initial | slot_initial(request.GET))
        return _booking_page(request, form, PatientChoice(picked), roster=roster)
    if request.method != "POST" or _is_step(sent):
        return _booking_step(request, sent)
    return _book(request)


def _is_step(typed: Any) -> bool:
    """Return whether the form was sent to find a patient or a time, also by Enter in the search box."""
    return _asks_for_patient(typed) or not _STEPS.isdisjoint(typed)


def _asks_for_patient(typed: Any) -> bool:
    return bool(typed.get("patient_query") and not typed.get("patient") and "registers" not in typed)


def _book(request: StaffRequest) -> HttpResponse:
    typed = _with_registered(with_slot(request.POST.dict(), "at"))
    registers, wanted = "registers" in typed, _walk_in_wanted(typed)
    patient_form = PatientForm(typed, prefix="new") if registers else None
    form = BookingForm(typed | (wanted.values if wanted else {}), registers=registers, walks_in=wanted is not None)
    is_patient_valid = patient_form is None or patient_form.is_valid()  # first, so that both forms show their errors
    if form.is_valid() and is_patient_valid:
        appointment = _booked(form, patient_form, wanted, by=request.user)
        if appointment is not None:
            messages.success(request, _done_message(appointment, wanted, by=request.user))
            return redirect_or_reload(request, appointment_url(appointment, origin_url=typed.get("next", "")))
    if registers and "registers" not in _with_registered(typed):
        return _book(request)  # the conflict is this very form, sent twice at once
    form.data = {**typed, "booking_key": form.data["booking_key"]} if wanted else form.data  # keep the time
    picked = form.cleaned_data.get("patient")
    if form.has_error("patient", "invalid_choice"):
        _patient_or_none(request, typed.get("patient", ""))
    return _booking_page(request, form, PatientChoice(picked, patient_form))


def _booked(
    form: BookingForm, patient_form: PatientForm | None, wanted: WalkInWanted | None, *, by: User
) -> Appointment | None:
    """Return the new appointment; None if it was refused, with the messages in the forms."""
    try:
        return _arrange(form, patient_form, wanted, by=by)
    except ValidationError as refusal:
        _show_refusal(refusal, form, patient_form)
        return None


def _walk_in_wanted(typed: Any) -> WalkInWanted | None:
    """Return the walk-in of the button pressed, which may also register a possible duplicate anyway."""
    slot = parse_slot(typed.get("walk_in", typed.get("new-anyway", "")).removeprefix("slot="))
    if slot is not None:
        return WalkInWanted(*slot)
    return WalkInWanted() if "walk_in" in typed else None


def _done_message(appointment: Appointment, wanted: WalkInWanted | None, *, by: User) -> str:
    """Return what was booked, with an Undo button, and whether it is not the time that the button showed."""
    words = f"{'Walk-in' if wanted else 'Booked'}: {appointment.patient}, {appointment}."
    if wanted and wanted.start_time not in (None, appointment.start_time):
        words += f" {clinic_time.time_text(wanted.start_time)} was no longer free."
    if not by.has_perm("appointments.change_appointment"):
        return words
    undo_url = reverse("appointments:booking_undo", args=[appointment.pk])
    return format_html("{} {}", words, undo_button(undo_url, "version", appointment.version))


def _with_registered(typed: dict[str, Any]) -> dict[str, Any]:
    """Fill in the patient whom this very form has registered before, if it was sent twice."""
    patient = None
    if "registers" in typed:
        with suppress(ValueError):
            key = uuid.UUID(typed.get("booking_key", ""))
            patient = registration.registered_with(key, email=typed.get("new-email", ""))
    if patient is None:
        return typed
    return {name: value for name, value in typed.items() if name != "registers"} | {"patient": patient.pk}


def _arrange(
    form: BookingForm, patient_form: PatientForm | None, wanted: WalkInWanted | None, *, by: User
) -> Appointment:
    """Book, and register the patient if needed: both or neither."""
    sent = form.cleaned_data
    common = {"by": by, "booking_key": sent["booking_key"], "reason": sent["reason"], "notes": sent["notes"]}
    if wanted:
        search = SlotSearch(minutes=sent["duration_minutes"], doctor_id=sent["doctor"] and sent["doctor"].pk)
        arrange = partial(walk_in, search=search, start_time=wanted.start_time, **common)
    else:
        arrange = partial(
            actions.book,
            doctor=sent["doctor"],
            start_time=sent["start_time"],
            outside_hours_reason=sent["outside_hours_reason"],
            duration_minutes=sent["duration_minutes"],
            **common,
        )
    if patient_form is None:
        return arrange(patient=sent["patient"])
    new_patient = partial(_new_patient, patient_form)
    return registration.register_and_book(arrange, new_patient=new_patient, booking_key=sent["booking_key"], by=by)


def _new_patient(form: PatientForm) -> Patient:
    return Patient(**{name: form.cleaned_data[name] for name in PatientForm.Meta.fields})


def _show_refusal(refusal: ValidationError, form: BookingForm, patient_form: PatientForm | None) -> None:
    """Show each message at its field, in the patient's form or the appointment's."""
    errors = refusal.error_dict if hasattr(refusal, "error_dict") else {"": refusal.error_list}
    for field, refusals in errors.items():
        if patient_form is not None and field in patient_form.fields:
            patient_form.add_error(field, refusals)
        else:
            form.add_refusal(ValidationError({field: refusals} if field else refusals))


def _booking_step(request: StaffRequest, sent: Any) -> HttpResponse:
    """Show the form again as typed, with the patients found or the free time taken.

    A form saved while its user was signed out is shown the same way, whichever button had been pressed.
    """
    typed = _typed_after_step(sent.dict(), was_saved=request.method != "POST")
    query = typed.get("patient_query", "")
    found = _found(request, typed, query)
    is_part = request.htmx and not is_form_submission(request)
    if is_part and found is not None:
        return render(request, "appointments/booking/_patient_matches.html", _matches(found, query))
    if found is not None and len(found) == 1:
        typed["patient"] = found[0].pk
    picked = _patient_or_none(request, str(typed.get("patient", "")))
    form = BookingForm(initial=typed)
    if is_part:
        panel = free_panel(sent, form, patient=picked)
        return render(request, "appointments/availability/_free_times.html", panel | {"is_part": True})
    return _booking_page(request, form, PatientChoice(picked, _patient_form_of(typed, query), found, query), sent=sent)


def _typed_after_step(typed: dict[str, Any], *, was_saved: bool) -> dict[str, Any]:
    """Return the form's values after the button pressed; a saved form also has the time that was to be booked."""
    typed = with_slot(with_slot(typed, "at") if was_saved else typed, "take")
    if "pick" in typed:
        typed["patient"] = typed["pick"]
    if "change_patient" in typed:
        typed["patient"] = ""
    if not {"pick", "search_again"}.isdisjoint(typed):
        typed.pop("registers", None)
    return typed


def _found(request: StaffRequest, typed: dict[str, Any], query: str) -> list[Patient] | None:
    """Return the patients who match and record the search; None if this step does not search."""
    if "find" not in typed and not (_STEPS.isdisjoint(typed) and _asks_for_patient(typed)):
        return None
    found = list(Patient.objects.search(query, limit=MAX_FOUND + 1).with_next_appointment(request.user))
    record_found(found[:MAX_FOUND])
    return found


def _patient_form_of(typed: dict[str, Any], query: str) -> PatientForm | None:
    """Return the form of a new patient as typed; a new form is filled in from the search."""
    if "registers" in typed:
        return PatientForm(prefix="new", initial={name.removeprefix("new-"): value for name, value in typed.items()})
    if "register" in typed:
        return PatientForm(prefix="new", initial=initial_from_query(query))
    return None


def _patient_or_none(request: StaffRequest, text: str) -> Patient | None:
    pk = parse_number(text)
    if pk is None:
        return None
    patient = Patient.objects.filter(pk=pk).first()
    if patient is None:
        record_refused(request, Patient, pk)
    return patient


def _matches(found: list[Patient] | None, query: str) -> dict[str, Any]:
    return {
        "matches": found and found[:MAX_FOUND],
        "found": found,
        "more": found and len(found) > MAX_FOUND,
        "patient_query": query,
    }


def _booking_page(
    request: StaffRequest,
    form: BookingForm,
    choice: PatientChoice,
    *,
    sent: Any = None,
    roster: Roster | None = None,
) -> HttpResponse:
    form.may_book_outside_hours = request.user.has_perm("appointments.book_outside_hours")
    _record_shown(choice)
    next_step = _next_step(form, choice)
    if next_step == "take":
        form.fields["time" if form["doctor"].value() else "doctor"].widget.attrs["autofocus"] = True
    panel = free_panel(sent or request.POST or request.GET, form, patient=choice.picked, roster=roster)
    context = {
        "form": form,
        "lengths": COMMON_LENGTHS,
        "next_step": next_step,
        "back_url": day_url(day_of(form), origin_url=str(form["next"].value() or "")),
        **_patient_context(choice),
        **panel,
        "walk_in_slot": _offer_wanted(panel["walk_in"], _walk_in_wanted(form.data)),
    }
    return render(request, "appointments/booking/appointment_book.html", context)


def _offer_wanted(offers: WalkInOffers, wanted: WalkInWanted | None) -> Slot | None:
    """Return the time for a walk-in with the doctor wanted before, else the only one."""
    with_doctor = (slot for slot in offers.today if wanted and slot.doctor.pk == wanted.doctor_id)
    return next(with_doctor, offers.only)


def _record_shown(choice: PatientChoice) -> None:
    if choice.picked:
        AuditEntry.objects.record(Event.READ, choice.picked)
    elif choice.new_form and choice.new_form.duplicates:
        record_found(choice.new_form.duplicates)


def _next_step(form: BookingForm, choice: PatientChoice) -> str:
    """Return where the keyboard focus goes, unless there is a message to read first."""
    if form.is_bound:
        return ""
    if choice.picked is None:
        return "register" if choice.new_form else "choose" if choice.found else "find"
    return "book" if form["doctor"].value() and form["time"].value() else "take"


def _patient_context(choice: PatientChoice) -> dict[str, Any]:
    picked = choice.picked
    return {
        "patient_form": None if picked else choice.new_form,
        "picked": picked,
        "picked_age": picked and picked.age_on(clinic_time.today()),
        "attendance": picked and attendance_of(picked),
        "next_appointment": picked and next_appointment_of(picked),
        **_matches(choice.found, choice.query),
    }
