"""Pages that book, show and change appointments. Who may call which is in `clinic.access`."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from appointments import booking, rules
from appointments.day import Day, Free, day_view
from appointments.forms import COMMON_LENGTHS, BookingForm, CancelForm, MoveForm, SlotForm, slot_initial
from appointments.history import history_of
from appointments.models import Appointment
from appointments.permissions import may
from appointments.schedule_views import schedule_url
from appointments.statuses import FORWARD, MOVABLE, UNDO, Status
from clinic import clinic_time
from clinic.http import StaffRequest, next_or, number_or_none, sent_data
from patients.models import Patient
from patients.querysets import MOST_FOUND


def appointment_book(request: StaffRequest) -> HttpResponse:
    """Book a visit. Buttons of the form find a patient or take a free time; both keep what was typed."""
    if request.method != "POST":
        picked = _patient_or_none(request.GET.get("patient", ""))
        initial = {"date": clinic_time.today(), "patient": picked and picked.pk}
        form = BookingForm(initial=initial | slot_initial(request.GET))
        return _booking_page(request, form, picked=picked)
    if _is_step(request):
        return _booking_step(request)
    form = BookingForm(request.POST)
    if form.is_valid():
        try:
            appointment = booking.book(
                patient=form.cleaned_data["patient"],
                doctor=form.cleaned_data["doctor"],
                start_time=form.cleaned_data["start_time"],
                duration_minutes=form.cleaned_data["duration_minutes"],
                reason=form.cleaned_data["reason"],
                notes=form.cleaned_data["notes"],
                booking_key=form.cleaned_data["booking_key"],
                by=request.user,
            )
        except ValidationError as refusal:
            form.add_refusal(refusal)
        else:
            messages.success(request, f"Booked: {appointment.patient}, {appointment}.")
            return redirect(schedule_url(clinic_time.local_date(appointment.start_time), {}))
    picked = form.cleaned_data.get("patient")
    return _booking_page(request, form, picked=picked)


def _patient_or_none(text: str) -> Patient | None:
    pk = number_or_none(text)
    return None if pk is None else Patient.objects.filter(pk=pk).first()


def _is_step(request: StaffRequest) -> bool:
    """Return whether the form was sent to find a patient or a time, Enter in the search box included."""
    asks_for_patient = request.POST.get("patient_query") and not request.POST.get("patient")
    return bool(asks_for_patient) or any(name in request.POST for name in ("find", "take", "look", "change_patient"))


def _booking_step(request: StaffRequest) -> HttpResponse:
    """Show the form again as it was typed, with patients found or a free time taken over."""
    typed = _with_time_taken(request.POST.dict())
    if "change_patient" in typed:
        typed["patient"] = ""
    searches = not {"take", "look", "change_patient"} & typed.keys()
    picked = _patient_or_none(typed.get("patient", ""))
    form = BookingForm(initial=typed)
    query = typed.get("patient_query", "")
    found = list(Patient.objects.search(query)[: MOST_FOUND + 1]) if searches else None
    if request.htmx and searches:
        return render(request, "appointments/_patient_matches.html", _matches(found, query))
    if request.htmx and "look" in typed:
        return _free_times(request, form, patient=picked)
    return _booking_page(request, form, picked=picked, found=found, query=query)


def _with_time_taken(typed: dict[str, Any]) -> dict[str, Any]:
    """Return what was typed with the free time put in whose button was pressed, if one was."""
    taken = {name: values[0] for name, values in parse_qs(typed.get("take", "")).items()}
    if not taken:
        return typed
    return typed | {"which": ""} | slot_initial(taken)


def _matches(found: list[Patient] | None, query: str) -> dict[str, Any]:
    return {
        "matches": found and found[:MOST_FOUND],
        "found": found,
        "more": found and len(found) > MOST_FOUND,
        "patient_query": query,
    }


def _booking_page(
    request: StaffRequest,
    form: BookingForm,
    *,
    picked: Patient | None,
    found: list[Patient] | None = None,
    query: str = "",
) -> HttpResponse:
    day = _day_of(form, request.user, patient=picked)
    context = {
        "form": form,
        "picked": picked,
        "picked_age": picked and picked.age_on(clinic_time.today()),
        "nearest": _nearest(form, day),
        "lengths": COMMON_LENGTHS,
        **_beside(form, day),
        **_matches(found, query),
    }
    return render(request, "appointments/appointment_book.html", context)


def _free_times(
    request: StaffRequest, form: SlotForm, *, patient: Patient | None, moving: Appointment | None = None
) -> HttpResponse:
    """Return the panel of free times alone, for a form whose doctor, date or length has changed."""
    day = _day_of(form, request.user, patient=patient, moving=moving)
    return render(request, "appointments/_free_times.html", _beside(form, day))


def _beside(form: SlotForm, day: Day) -> dict[str, Any]:
    """Return what stands beside a form: the day's free times, the chosen doctor's first."""
    chosen = number_or_none(str(form["doctor"].value()))
    return {"free_day": day, "free_columns": sorted(day.columns, key=lambda column: column.doctor.pk != chosen)}


def _day_of(form: SlotForm, user: Any, *, patient: Patient | None, moving: Appointment | None = None) -> Day:
    """Return the day the form speaks of, or today: its free times stand beside the form."""
    try:
        day = form.fields["date"].clean(form["date"].value())
        clinic_time.check_date(day)
    except ValidationError:
        day = clinic_time.today()
    return day_view(day, user=user, room_for=_minutes_of(form), patient=patient, moving=moving)


def _minutes_of(form: SlotForm) -> int:
    """Return the length the form asks for, or the shortest if it makes no sense yet."""
    minutes = number_or_none(str(form["duration_minutes"].value()))
    return minutes if minutes and minutes <= rules.LONGEST_MINUTES else rules.SHORTEST_MINUTES


def _nearest(form: SlotForm, day: Day) -> list[Free]:
    """Return the times nearest to the one that was refused."""
    if not form.is_bound or "start_time" not in getattr(form, "cleaned_data", {}) or "time" not in form.errors:
        return []
    doctor = form.cleaned_data.get("doctor")
    return day.nearest_free(doctor.pk, form.cleaned_data["start_time"]) if doctor else []


def appointment_move(request: StaffRequest, pk: int) -> HttpResponse:
    """Give a visit another doctor, time or length."""
    appointment = _appointment_for(request, pk, "change")
    if (way_back := _not_movable(request, appointment)) is not None:
        return way_back
    form = _move_form(request, appointment)
    if request.htmx:
        return _free_times(request, form, patient=appointment.patient, moving=appointment)
    if form.is_bound and form.is_valid() and _moved(request, appointment, form):
        return redirect(appointment)
    day = _day_of(form, request.user, patient=appointment.patient, moving=appointment)
    context = {
        "form": form,
        "appointment": appointment,
        "nearest": _nearest(form, day),
        "lengths": COMMON_LENGTHS,
        **_beside(form, day),
        "history": history_of(appointment, user=request.user) if _is_stale(form) else [],
    }
    return render(request, "appointments/appointment_move.html", context)


def _move_form(request: StaffRequest, appointment: Appointment) -> MoveForm:
    if request.method != "POST":
        return MoveForm(appointment=appointment, initial=slot_initial(request.GET))
    if "take" in request.POST or "look" in request.POST:
        return MoveForm(appointment=appointment, initial=_with_time_taken(request.POST.dict()))
    return MoveForm(request.POST, appointment=appointment)


def _not_movable(request: StaffRequest, appointment: Appointment) -> HttpResponse | None:
    """Return the way back from opening a form that could only be refused; one that was sent is told what changed."""
    if request.method == "POST" or appointment.status in MOVABLE:
        return None
    status = appointment.get_status_display().lower()
    messages.error(request, f"This appointment is {status}, so it cannot be moved or cancelled.")
    return redirect(appointment)


def _moved(request: StaffRequest, appointment: Appointment, form: MoveForm) -> bool:
    try:
        moved = booking.move(
            appointment,
            doctor=form.cleaned_data["doctor"],
            start_time=form.cleaned_data["start_time"],
            duration_minutes=form.cleaned_data["duration_minutes"],
            version=form.cleaned_data["version"],
            by=request.user,
        )
    except ValidationError as refusal:
        form.add_refusal(refusal)
        return False
    messages.success(request, f"Moved to {moved}.")
    return True


def _is_stale(form: Any) -> bool:
    return form.is_bound and form.has_error(NON_FIELD_ERRORS, "stale")


# One appointment


def _appointment_for(request: StaffRequest, pk: int, action: str) -> Appointment:
    """Return the appointment if the user may do this to it; 404 if there is none, 403 if it is not the user's."""
    appointment = get_object_or_404(Appointment.objects.select_related("patient", "doctor", "booked_by"), pk=pk)
    if not may(request.user, action, appointment):
        raise PermissionDenied
    return appointment


def appointment_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """Show one appointment with its actions and its history."""
    appointment = _appointment_for(request, pk, "view")
    context = {
        "appointment": appointment,
        "patient_age": appointment.patient.age_on(clinic_time.local_date(appointment.start_time)),
        "schedule_url": schedule_url(clinic_time.local_date(appointment.start_time), {}),
        "history": history_of(appointment, user=request.user),
        "actions": _actions_on(appointment, request.user),
        "can_change": may(request.user, "change", appointment),
        "is_movable": appointment.status in MOVABLE,
        "can_undo": may(request.user, "undo", appointment) and _can_undo(appointment),
    }
    return render(request, "appointments/appointment_detail.html", context)


# Verb to its button: the permission it asks for and the status it leads to.
_BUTTONS = (
    ("arrive", "Arrived", "arrive", Status.ARRIVED),
    ("start", "Start consultation", "treat", Status.IN_CONSULTATION),
    ("complete", "Complete", "treat", Status.COMPLETED),
    ("no_show", "No-show", "arrive", Status.NO_SHOW),
)


def _actions_on(appointment: Appointment, user: Any) -> list[tuple[str, str]]:
    """Return address and label of the actions that would pass now, for this user."""
    actions = []
    for verb, label, permission, status in _BUTTONS:
        if not may(user, permission, appointment) or status not in FORWARD[Status(appointment.status)]:
            continue
        if _would_pass(appointment, status):
            actions.append((reverse(f"appointments:appointment_{verb}", args=[appointment.pk]), label))
    return actions


def _can_undo(appointment: Appointment) -> bool:
    earlier = UNDO.get(Status(appointment.status))
    return earlier is not None and _would_pass(appointment, earlier)


def _would_pass(appointment: Appointment, status: Status) -> bool:
    """Return whether the visit may become this now, as far as the clock tells; its time may have been given away."""
    try:
        rules.check_transition(appointment.status, status, start_time=appointment.start_time, at=timezone.now())
    except ValidationError:
        return False
    return True


def appointment_cancel(request: StaffRequest, pk: int) -> HttpResponse:
    """Call a visit off, with reason and by whom."""
    appointment = _appointment_for(request, pk, "change")
    if (way_back := _not_movable(request, appointment)) is not None:
        return way_back
    form = CancelForm(sent_data(request), initial={"version": appointment.version, "cancelled_by": "patient"})
    if request.method == "POST" and form.is_valid():
        try:
            booking.cancel(
                appointment,
                reason=form.cleaned_data["cancel_reason"],
                cancelled_by=form.cleaned_data["cancelled_by"],
                version=form.cleaned_data["version"],
                by=request.user,
            )
        except ValidationError as refusal:
            form.add_refusal(refusal)
        else:
            messages.success(request, "Cancelled. The time is free again.")
            return redirect(appointment)
    context = {
        "form": form,
        "appointment": appointment,
        "history": history_of(appointment, user=request.user) if _is_stale(form) else [],
    }
    return render(request, "appointments/appointment_cancel.html", context)


def appointment_arrive(request: StaffRequest, pk: int) -> HttpResponse:
    """Mark the patient arrived."""
    return _act(request, pk, "arrive", booking.mark_arrived, Status.ARRIVED)


def appointment_no_show(request: StaffRequest, pk: int) -> HttpResponse:
    """Mark the patient as not come."""
    return _act(request, pk, "arrive", booking.mark_no_show, Status.NO_SHOW)


def appointment_start(request: StaffRequest, pk: int) -> HttpResponse:
    """Start the consultation."""
    return _act(request, pk, "treat", booking.start, Status.IN_CONSULTATION)


def appointment_complete(request: StaffRequest, pk: int) -> HttpResponse:
    """Complete the consultation."""
    return _act(request, pk, "treat", booking.complete, Status.COMPLETED)


def appointment_undo(request: StaffRequest, pk: int) -> HttpResponse:
    """Take the last status back."""
    return _act(request, pk, "undo", booking.undo, None)


def _act(
    request: StaffRequest, pk: int, action: str, verb: Callable[..., Appointment], leads_to: Status | None
) -> HttpResponse:
    """Carry out a verb and lead back to where the button was. The same click twice is one change.

    The button says which version it was shown for, so that nobody acts on what somebody else has changed, and a
    double click does not take back two steps.
    """
    appointment = _appointment_for(request, pk, action)
    way_back = redirect(next_or(request, appointment.get_absolute_url()))
    if appointment.status == leads_to:
        messages.info(request, f"{appointment.patient}: already {appointment.get_status_display().lower()}.")
        return way_back
    try:
        changed = verb(appointment, by=request.user, version=number_or_none(request.POST.get("version", "")))
    except ValidationError as refusal:
        for message in refusal.messages:
            messages.error(request, f"{appointment.patient}: {message}")
    else:
        messages.success(request, _done_message(changed, can_undo=verb is not booking.undo))
    return way_back


def _done_message(changed: Appointment, *, can_undo: bool) -> str:
    """Return what has happened, with a button that takes it back: one click, wherever one is."""
    done = f"{changed.patient}: {changed.get_status_display().lower()}."
    if not can_undo:
        return done
    return format_html(
        '{} <button class="btn btn-link btn-sm" type="submit" form="act" formaction="{}" name="version" value="{}" '
        'data-key="u">Undo</button>',
        done,
        reverse("appointments:appointment_undo", args=[changed.pk]),
        changed.version,
    )
