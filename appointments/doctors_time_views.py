"""Pages on which doctors' time is kept: hours, leave, closures. Who may call which is in `clinic.web.page_access`.

They are here, and not with the doctors, because saving shows which appointments are hit.
"""

import datetime as dt
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone

from appointments.displaced.finder import (
    displaced_by_closing,
    displaced_by_deleting,
    follow_up,
    record_displaced_read,
    with_patient_names,
)
from appointments.displaced.forms import seen_in
from appointments.doctors_time_forms import ClosureForm, HolidaysForm, HoursForm, LeaveForm, with_copied_day
from appointments.models import Appointment
from clinic.core import clinic_time
from clinic.core.clinic_time import ONE_DAY
from clinic.db.transactions import retrying
from clinic.web.http import StaffRequest, parse_number, sent_data
from doctors.models import AvailabilityRecord, Closure, Doctor, Leave, Timetable
from doctors.public_holidays import PublicHoliday

QUARTER = dt.timedelta(days=92)


@retrying
def leave_add(request: StaffRequest, pk: int) -> HttpResponse:
    """Enter a leave of a doctor: whole days, unless times are given."""
    doctor = get_object_or_404(Doctor, pk=pk)
    entered = doctor.leaves.filter(end_time__gt=timezone.now())  # one that gets longer is changed, not entered anew
    title = f"Leave of {doctor}"
    return _edited(request, Leave(doctor=doctor), LeaveForm, title=title, way_back=doctor, leaves=entered)


@retrying
def leave_edit(request: StaffRequest, pk: int) -> HttpResponse:
    """Change or delete a leave."""
    leave = get_object_or_404(Leave.objects.select_related("doctor"), pk=pk)
    return _edited(request, leave, LeaveForm, title=f"Leave of {leave.doctor}", way_back=leave.doctor)


@retrying
def hours_add(request: StaffRequest, pk: int) -> HttpResponse:
    """Enter the hours of a doctor's week; the form begins with those that hold today, from tomorrow on."""
    doctor = get_object_or_404(Doctor, pk=pk)
    today = clinic_time.today()
    held = doctor.timetables.valid_within(today, today).first()
    timetable = Timetable(doctor=doctor)
    timetable.week = held.week if held else {}
    if doctor.timetables.exists():
        timetable.valid_from = today + ONE_DAY
    return _edited(request, timetable, HoursForm, title=f"Hours of {doctor}", way_back=doctor)


@retrying
def hours_edit(request: StaffRequest, pk: int) -> HttpResponse:
    """Change or delete the hours of a doctor's week."""
    timetable = get_object_or_404(Timetable.objects.select_related("doctor"), pk=pk)
    doctor = timetable.doctor
    return _edited(request, timetable, HoursForm, title=f"Hours of {doctor}", way_back=doctor)


def closure_list(request: StaffRequest) -> HttpResponse:
    """List the dates to come on which the clinic is closed."""
    closures = Closure.objects.filter(date__gte=clinic_time.today())
    return render(request, "appointments/closure_list.html", {"closures": closures})


@retrying
def closure_add(request: StaffRequest) -> HttpResponse:
    """Enter a date on which the clinic is closed."""
    way_back = reverse("appointments:closure_list")
    return _edited(request, Closure(), ClosureForm, title="Clinic closed", way_back=way_back)


@retrying
def closure_edit(request: StaffRequest, pk: int) -> HttpResponse:
    """Change or delete a closure."""
    closure = get_object_or_404(Closure, pk=pk)
    way_back = reverse("appointments:closure_list")
    return _edited(request, closure, ClosureForm, title="Clinic closed", way_back=way_back)


def _edited(
    request: StaffRequest, record: Any, form_class: type[Any], *, title: str, way_back: Doctor | str, **shown: Any
) -> HttpResponse:
    """Show a form of doctors' time, or save what it says; who is hit is shown before, and listed after."""
    may_delete = record.pk is not None and request.user.has_perm(f"doctors.delete_{record._meta.model_name}")
    context = {"record": record, "title": title, "way_back": way_back, "may_delete": may_delete, **shown}
    if "copy" in request.POST:
        form = form_class(initial=with_copied_day(request.POST), instance=record)
        return render(request, "appointments/doctors_time_edit.html", context | {"form": form})
    if "delete" in request.POST:
        if not may_delete:
            raise PermissionDenied
        return _deleted(request, record, context)
    form = form_class(sent_data(request), instance=record)
    if form.is_bound:
        with transaction.atomic():  # what was looked at must still hold when it is saved
            if form.is_valid() and request.method == "POST":
                form.save()
                return _done(request, f"Saved: {record}.", form.hits, record, cause=record.cause, way_back=way_back)
            transaction.set_rollback(True)
    record_displaced_read(form.named_hits)
    return render(request, "appointments/doctors_time_edit.html", context | {"form": form})


def _deleted(request: StaffRequest, record: AvailabilityRecord, context: dict[str, Any]) -> HttpResponse:
    """Delete a record; if that hits appointments, as when hours end, show them first."""
    with transaction.atomic():
        hits = displaced_by_deleting(record)
        try:
            record.check_unchanged(seen_version=parse_number(request.POST.get("seen_version", "")) or 0)
        except ValidationError as stale:
            messages.error(request, stale.messages[0])
            transaction.set_rollback(True)
            return redirect(request.path)
        if {appointment.pk for appointment in hits} <= seen_in(request.POST.get("seen_hits", "")):
            told, cause = f"Deleted: {record}.", f"Deleted: {record.cause}"
            record.delete()
            return _done(request, told, hits, record, cause=cause, way_back=context["way_back"])
        transaction.set_rollback(True)
    named = with_patient_names(hits)
    record_displaced_read(named)
    return render(request, "appointments/doctors_time_delete.html", context | {"hits": hits, "named": named})


def _done(
    request: StaffRequest,
    told: str,
    hits: list[Appointment],
    record: AvailabilityRecord,
    *,
    cause: str,
    way_back: Doctor | str,
) -> HttpResponse:
    """Lead on to the list of those who are hit, if any, else back."""
    impact = follow_up(hits, cause=cause, doctors=record.diaries(), by=request.user)
    messages.success(request, told)
    return redirect(impact or way_back)


@retrying
def closure_holidays(request: StaffRequest) -> HttpResponse:
    """Show a year of public holidays, and close the clinic on those chosen: on all of them or on none.

    Nothing is saved of a list other than the one that was shown.
    """
    sent = sent_data(request)
    form = HolidaysForm(request.GET if sent is None else sent, usual_year=_usual_year())
    found = [holiday for holiday in form.found() if holiday.date >= clinic_time.today()]
    asked = "/".join(str(form[name].value() or "") for name in form.fields)
    is_sent = request.method == "POST" and "show" not in request.POST and request.POST.get("shown") == asked
    hits: list[Appointment] = []
    with transaction.atomic():
        closed = set(Closure.objects.filter(date__in=[each.date for each in found]).values_list("date", flat=True))
        chosen = _chosen(request.POST, [each for each in found if each.date not in closed]) if is_sent else []
        if chosen:
            hits = displaced_by_closing(chosen)
            if {appointment.pk for appointment in hits} <= seen_in(request.POST.get("seen_hits", "")):
                return _closed(request, chosen, hits)
            transaction.set_rollback(True)
    if is_sent and not chosen:
        messages.error(request, "Choose at least one date.")
    if request.method == "POST" and "show" not in request.POST and not is_sent:
        messages.info(request, "Nothing is saved yet: these are the dates of what is chosen now.")
    named = with_patient_names(hits)
    record_displaced_read(named)
    context = {
        "form": form,
        "asked": asked,
        "lines": [(each, each.date in closed, _is_picked(sent or QueryDict(), each)) for each in found],
        "hits": hits,
        "named": named,
    }
    return render(request, "appointments/closure_holidays.html", context)


def _usual_year() -> int:
    """Return the year whose holidays are entered next: in its last months, the coming one."""
    return (clinic_time.today() + QUARTER).year


def _is_chosen(sent: QueryDict, holiday: PublicHoliday) -> bool:
    return holiday.date.isoformat() in sent.getlist("date")


def _is_picked(sent: QueryDict, holiday: PublicHoliday) -> bool:
    """Return whether a date is shown ticked: all are, but for those that were listed and taken out."""
    was_listed = holiday.date.isoformat() in sent.get("listed", "").split(",")
    return not was_listed or _is_chosen(sent, holiday)


def _chosen(sent: QueryDict, found: list[PublicHoliday]) -> list[Closure]:
    longest = Closure._meta.get_field("name").max_length
    return [Closure(date=each.date, name=each.name[:longest]) for each in found if _is_chosen(sent, each)]


def _closed(request: StaffRequest, closures: list[Closure], hits: list[Appointment]) -> HttpResponse:
    for closure in closures:
        closure.save()
    told = f"The clinic is closed on {len(closures)} more date{'s' if len(closures) > 1 else ''}."
    cause = f"Clinic closed: {', '.join(str(closure) for closure in closures)}"
    return _done(request, told, hits, closures[0], cause=cause, way_back=reverse("appointments:closure_list"))
