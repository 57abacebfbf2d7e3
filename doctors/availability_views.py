"""Pages of doctors' hours and leave. Who may call which is in `clinic.web.page_access`."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from clinic.core import clinic_time
from clinic.core.clinic_time import ONE_DAY
from clinic.db.transactions import retrying
from clinic.web.http import StaffRequest, parse_number, sent_data
from doctors.availability_forms import HoursForm, LeaveForm, with_copied_day
from doctors.displacement import displaced_by_deleting, follow_up, named_appointments, record_displaced_read
from doctors.forms import ids_in
from doctors.models import AvailabilityRecord, Doctor, Leave, Timetable


@retrying
def leave_add(request: StaffRequest, pk: int) -> HttpResponse:
    """Enter a doctor's leave; leaves entered already are linked, to be extended rather than entered twice."""
    doctor = get_object_or_404(Doctor, pk=pk)
    entered = doctor.leaves.filter(end_time__gt=timezone.now())
    title = f"Leave of {doctor}"
    return edit_record(request, Leave(doctor=doctor), LeaveForm, title=title, return_to=doctor, leaves=entered)


@retrying
def leave_edit(request: StaffRequest, pk: int) -> HttpResponse:
    leave = get_object_or_404(Leave.objects.select_related("doctor"), pk=pk)
    return edit_record(request, leave, LeaveForm, title=f"Leave of {leave.doctor}", return_to=leave.doctor)


@retrying
def hours_add(request: StaffRequest, pk: int) -> HttpResponse:
    """Enter the hours of a doctor's week; the form starts with today's hours, valid from tomorrow."""
    doctor = get_object_or_404(Doctor, pk=pk)
    today = clinic_time.today()
    current = doctor.timetables.valid_within(today, today).first()
    timetable = Timetable(doctor=doctor)
    timetable.week = current.week if current else {}
    if doctor.timetables.exists():
        timetable.valid_from = today + ONE_DAY
    return edit_record(request, timetable, HoursForm, title=f"Hours of {doctor}", return_to=doctor)


@retrying
def hours_edit(request: StaffRequest, pk: int) -> HttpResponse:
    timetable = get_object_or_404(Timetable.objects.select_related("doctor"), pk=pk)
    doctor = timetable.doctor
    return edit_record(request, timetable, HoursForm, title=f"Hours of {doctor}", return_to=doctor)


def edit_record(
    request: StaffRequest, record: Any, form_class: type[Any], *, title: str, return_to: Doctor | str, **shown: Any
) -> HttpResponse:
    """Show the form of an availability record, or save, delete or fill it as its buttons say."""
    may_delete = record.pk is not None and request.user.has_perm(f"doctors.delete_{record._meta.model_name}")
    context = {"record": record, "title": title, "return_to": return_to, "may_delete": may_delete, **shown}
    if "copy" in request.POST:
        form = form_class(initial=with_copied_day(request.POST), instance=record)
        return render(request, "doctors/availability_edit.html", context | {"form": form})
    if "delete" in request.POST:
        if not may_delete:
            raise PermissionDenied
        return _delete(request, record, context)
    return _save(request, form_class(sent_data(request), instance=record), context)


def _save(request: StaffRequest, form: Any, context: dict[str, Any]) -> HttpResponse:
    """Save a valid form, else show it, with the appointments it displaces."""
    record = context["record"]
    if form.is_bound:
        with transaction.atomic():  # no booking between the check and the save
            if form.is_valid() and request.method == "POST":
                form.save()
                return finish(request, f"Saved: {record}.", form.displaced, record.cause, context)
            transaction.set_rollback(True)
    record_displaced_read(form.named)
    return render(request, "doctors/availability_edit.html", context | {"form": form})


def _delete(request: StaffRequest, record: AvailabilityRecord, context: dict[str, Any]) -> HttpResponse:
    """Delete a record; if that displaces appointments, as when hours end, show them first."""
    with transaction.atomic():
        displaced = displaced_by_deleting(record)
        try:
            record.check_unchanged(seen_version=parse_number(request.POST.get("seen_version", "")) or 0)
        except ValidationError as stale:
            messages.error(request, stale.messages[0])
            transaction.set_rollback(True)
            return redirect(request.path)
        if {appointment.pk for appointment in displaced} <= ids_in(request.POST.get("seen_hits", "")):
            message, cause = f"Deleted: {record}.", f"Deleted: {record.cause}"
            record.delete()
            return finish(request, message, displaced, cause, context)
        transaction.set_rollback(True)
    named = named_appointments(displaced)
    record_displaced_read(named)
    return render(request, "doctors/availability_delete.html", context | {"displaced": displaced, "named": named})


def finish(
    request: StaffRequest, message: str, displaced: list[Any], cause: str, context: dict[str, Any]
) -> HttpResponse:
    """Redirect to the worklist of displaced appointments, if there are any, else to the page to return to."""
    record: AvailabilityRecord = context["record"]
    worklist = follow_up(displaced, cause=cause, doctors=record.diaries(), by=request.user)
    messages.success(request, message)
    return redirect(worklist or context["return_to"])
