"""Pages on which the front desk enters that a doctor is away, and undoes it."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html

from clinic.core import clinic_time
from clinic.db.transactions import retrying
from clinic.html.undo_button import undo_button
from clinic.web.http import StaffRequest, sent_data
from doctors.absence_forms import AbsenceForm
from doctors.displacement import displaced_by_deleting, follow_up, is_begun, record_displaced_read
from doctors.models import Doctor, Leave


@retrying
def doctor_away(request: StaffRequest, pk: int) -> HttpResponse:
    """Enter that a doctor is away; show first which appointments that affects, and then list them to be rebooked."""
    if not request.user.has_perm("patients.view_patient"):
        raise PermissionDenied  # the page names the patients
    doctor = get_object_or_404(Doctor, pk=pk)
    leave = Leave(doctor=doctor)
    form = AbsenceForm(sent_data(request), instance=leave, initial={"day": request.GET.get("day", "")})
    if form.is_bound:
        with transaction.atomic():  # no booking between the check and the save
            if form.is_valid() and request.method == "POST":
                form.save()
                return _entered(request, leave, form.displaced)
            transaction.set_rollback(True)
    record_displaced_read(form.named)
    context = {"form": form, "record": leave, "title": f"{doctor} is away", "return_to": _today_url()}
    return render(request, "doctors/availability_edit.html", context)


def _entered(request: StaffRequest, leave: Leave, displaced: list[Any]) -> HttpResponse:
    """Redirect to the worklist of affected appointments, if there are any, else to today's schedule."""
    worklist = follow_up(displaced, cause=leave.cause, doctors=leave.diaries(), by=request.user)
    signed = _signer(leave.pk, by=request.user).sign(f"{leave.version}-{worklist.pk if worklist else 0}")
    undo = undo_button(reverse("doctors:away_undo", args=[leave.pk]), "undo", signed)
    messages.success(request, format_html("{} is away: {}. {}", leave.doctor, leave.span_text, undo))
    return redirect(worklist or _today_url())


@retrying
def away_undo(request: StaffRequest, pk: int) -> HttpResponse:
    """Delete an absence that this user has just entered, unless it was changed or worked on since."""
    try:
        signed = _signer(pk, by=request.user).unsign(request.POST.get("undo", ""))
    except BadSignature:
        get_object_or_404(Leave, pk=pk)
        messages.error(request, "This can no longer be undone here. Ask an administrator to delete the leave.")
        return redirect(_today_url())
    version, worklist = map(int, signed.split("-"))
    leave = Leave.objects.select_related("doctor").filter(pk=pk).first()
    if leave is None:
        messages.info(request, "This absence has already been deleted.")
        return redirect(_today_url())
    return _undo(request, leave, version=version, worklist=worklist)


def _undo(request: StaffRequest, leave: Leave, *, version: int, worklist: int) -> HttpResponse:
    words = f"{leave.doctor} is not away: {leave.span_text}."
    with transaction.atomic():
        displaced = displaced_by_deleting(leave)  # none, but it locks the diaries
        try:
            leave.check_unchanged(seen_version=version)
        except ValidationError as stale:
            messages.error(request, stale.messages[0])
            return redirect(_today_url())
        if is_begun(worklist):
            messages.error(
                request,
                "Appointments have been moved or cancelled, or patients informed, since then. Ask an administrator to "
                "delete the leave.",
            )
            return redirect(reverse("doctors:doctor_detail", args=[leave.doctor_id]))
        diaries = leave.diaries()
        leave.delete()
        follow_up(displaced, cause=words, doctors=diaries, by=request.user)
    messages.success(request, words)
    return redirect(_today_url())


def _signer(leave_id: int, *, by: Any) -> Signer:
    """Return what signs an absence that a user may undo: no other leave can be deleted with it."""
    return Signer(salt=f"away {leave_id} {by.pk}")


def _today_url() -> str:
    return reverse("appointments:schedule_day", args=[clinic_time.today()])
