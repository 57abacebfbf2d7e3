"""Pages of the worklists of displaced appointments. Who may call which is in `clinic.web.page_access`."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.html import format_html

from appointments import rules
from appointments.booking import actions
from appointments.booking.forms import slot_initial
from appointments.displaced.finder import unfinished_for
from appointments.displaced.forms import CancelAllForm
from appointments.displaced.worklist import DisplacedRow, Worklist, rows_of, worklist_of
from appointments.models import Appointment, ScheduleChange
from appointments.statuses import CancelledBy
from clinic.core import clinic_time
from clinic.db.transactions import retrying
from clinic.html.undo_button import undo_button
from clinic.models import AuditEntry, Event
from clinic.web.http import StaffRequest, parse_number, sent_data
from doctors.models import Doctor

ALL = "all"
_TICKS = frozenset({"reached", "not_reached", "settled"})
_BUTTONS = _TICKS | {"move", "cancel", "put_back"}


def schedule_change_list(request: StaffRequest) -> HttpResponse:
    return render(request, "appointments/displaced/worklists.html", {"changes": unfinished_for(request.user)})


def schedule_change_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """Show a worklist; move, cancel or tick appointments, each by itself, with refusals in their rows."""
    change = get_object_or_404(ScheduleChange, pk=pk)
    sent = sent_data(request)
    typed = QueryDict() if sent is None else sent
    cancel_form = CancelAllForm(
        typed if "cancel" in typed else None, initial={"cancel_reason": typed.get("cancel_reason")}
    )
    refusals: dict[int, str] = {}
    is_pressed = request.method == "POST" and not _BUTTONS.isdisjoint(typed)
    if is_pressed and (not cancel_form.is_bound or cancel_form.is_valid()):
        refusals = _carry_out(request, change, cancel_form)
        if not refusals:
            return redirect(f"{change.get_absolute_url()}{_fragment(change, typed)}")
    page = worklist_of(change, refusals=refusals)
    _record_read(page)
    context = {
        "page": page,
        "cancel_form": cancel_form,
        "cancels": sent is not None and {"move", "put_back"}.isdisjoint(typed),
    }
    return render(request, "appointments/displaced/worklist.html", context)


def _record_read(page: Worklist) -> None:
    AuditEntry.objects.record(Event.READ, page.change, patients=[row.appointment.patient_id for row in page.rows])


def _fragment(change: ScheduleChange, typed: QueryDict) -> str:
    """Return the fragment of the row whose button was pressed; nothing if it was for all rows."""
    pressed = next(str(typed[name]) for name in typed if name in _BUTTONS)
    displaced = change.displaced.filter(pk=parse_number(pressed.partition(":")[0]) or 0).first()
    return f"#v{displaced.appointment_id}" if displaced else ""


def schedule_change_print(request: StaffRequest, pk: int) -> HttpResponse:
    page = worklist_of(get_object_or_404(ScheduleChange, pk=pk))
    _record_read(page)
    return render(request, "appointments/displaced/call_list.html", {"page": page, "printed_at": timezone.now()})


_SentRow = dict[str, str]  # as `DisplacedRow.form_value` has shown it
_Action = Callable[[DisplacedRow, _SentRow], Appointment]
_Changed = dict[int, Appointment]  # by the ids of displaced appointments
_Refusals = dict[int, str]


def _carry_out(request: StaffRequest, change: ScheduleChange, cancel_form: CancelAllForm) -> dict[int, str]:
    """Do what the button pressed says; return the refusals by the ids of displaced appointments."""
    typed = request.POST
    if "move" in typed:
        target, _colon, whose = typed["move"].partition(":")
        chosen = _chosen_rows(request, change, target, whose=whose, done="moved")
        moved, refusals = _each(chosen, _move_to(whose, change, by=request.user))
        return _report(request, change, moved, refusals, done="moved")
    if "cancel" in typed:
        chosen = _chosen_rows(request, change, typed["cancel"], whose="hit", done="cancelled")
        cancel = _cancel_for(cancel_form.cleaned_data["cancel_reason"], by=request.user)
        return _report(request, change, *_each(chosen, cancel), done="cancelled")
    if "put_back" in typed:
        return _put_back(request, change)
    for tick in _TICKS & typed.keys():
        _tick(change, parse_number(typed[tick]) or 0, tick, by=request.user)
    return {}


@retrying
def _tick(change: ScheduleChange, pk: int, tick: str, *, by: Any) -> None:
    """Tick or untick a row, or take it off the list if there is nothing to do; one that is gone is left alone."""
    with transaction.atomic():
        displaced = change.displaced.select_for_update().filter(pk=pk).first()
        if displaced is None:
            return
        if tick == "reached":
            displaced.mark_informed(by=by)
        elif tick == "not_reached":
            displaced.mark_not_informed()
        elif any(row.displaced == displaced and row.is_needless for row in rows_of(change)):
            displaced.delete()


def _chosen_rows(
    request: StaffRequest, change: ScheduleChange, target: str, *, whose: str, done: str
) -> list[tuple[DisplacedRow, _SentRow]]:
    """Return the open rows chosen: one, or all with a value under `whose`; say so if there are none."""
    sent = {row.get("hit", ""): row for row in (dict(parse_qsl(text)) for text in request.POST.getlist("row"))}
    rows = rows_of(change)
    shown = [(row, sent[str(row.displaced.pk)]) for row in rows if row.is_open and str(row.displaced.pk) in sent]
    if target != ALL:
        for row in rows:
            if str(row.displaced.pk) == target and not row.is_open:
                messages.info(request, f"{row.appointment.patient}: {row.outcome}. Nothing was done.")
        return [(row, values) for row, values in shown if str(row.displaced.pk) == target]
    chosen = [(row, values) for row, values in shown if whose in values and not (done == "moved" and row.is_waiting)]
    if not chosen:
        messages.info(request, f"Nothing was done: none is left to be {done}.")
    return chosen


def _each(chosen: list[tuple[DisplacedRow, _SentRow]], action: _Action) -> tuple[_Changed, _Refusals]:
    """Apply an action to each row; return what was changed and the refusals."""
    changed, refusals = {}, {}
    for row, values in chosen:
        try:
            changed[row.displaced.pk] = action(row, values)
        except ValidationError as refusal:
            refusals[row.displaced.pk] = " ".join(refusal.messages)
    return changed, refusals


def _report(
    request: StaffRequest, change: ScheduleChange, changed: _Changed, refusals: _Refusals, *, done: str
) -> _Refusals:
    """Say how many were done, with an Undo button, and how many were not; return the refusals."""
    if changed:
        versions = ",".join(f"{pk}-{appointment.version}" for pk, appointment in changed.items())
        signed = _signer(change, by=request.user).sign(versions)
        undo = undo_button(change.get_absolute_url(), "put_back", signed)
        messages.success(request, format_html("{} {}. {}", len(changed), done, undo))
    _report_refusals(request, refusals, done=done)
    return refusals


def _report_refusals(request: StaffRequest, refusals: _Refusals, *, done: str) -> None:
    if refusals:
        messages.error(request, f"{len(refusals)} could not be {done}: see below.")


def _signer(change: ScheduleChange, *, by: Any) -> Signer:
    """Return the signer of the moves that Undo takes back, so that nobody can send others in their place."""
    return Signer(salt=f"put_back {change.pk} {by.pk}")


def _put_back(request: StaffRequest, change: ScheduleChange) -> _Refusals:
    """Put appointments just moved or cancelled back to where they were, each by itself, with refusals in their rows."""
    try:
        signed = _signer(change, by=request.user).unsign(request.POST["put_back"])
    except BadSignature:
        messages.error(request, "This can no longer be undone here. Change the appointments one by one.")
        return {}
    versions = {int(pk): int(version) for pk, version in (each.split("-") for each in signed.split(","))}
    rows = [row for row in rows_of(change) if row.displaced.pk in versions and not row.is_open]
    if not rows:
        messages.info(request, "Nothing was done: none is left to be put back.")
    changed, refusals = _each(
        [(row, {}) for row in rows],
        lambda row, _values: actions.put_back(row.displaced, version=versions[row.displaced.pk], by=request.user),
    )
    if changed:
        messages.success(request, f"{len(changed)} put back.")
    _report_refusals(request, refusals, done="put back")
    return refusals


def _move_to(whose: str, change: ScheduleChange, *, by: Any) -> _Action:
    """Return what moves a row's appointment to the time proposed: of the same doctor or of another."""

    def move(row: DisplacedRow, values: _SentRow) -> Appointment:
        words = slot_initial(dict(parse_qsl(values.get(whose, ""))))
        if not {"doctor", "date", "time"} <= words.keys():
            rules.refuse_no_proposal()
        doctor = Doctor.objects.filter(pk=words["doctor"]).first() or rules.refuse_gone("doctor")
        return actions.move(
            row.appointment,
            doctor=doctor,
            start_time=clinic_time.instant_at(words["date"], words["time"], which=words.get("which")),
            duration_minutes=row.appointment.duration_minutes,
            reason=change.cause,
            version=parse_number(values.get("version", "")) or 0,
            by=by,
        )

    return move


def _cancel_for(reason: str, *, by: Any) -> _Action:
    def cancel(row: DisplacedRow, values: _SentRow) -> Appointment:
        return actions.cancel(
            row.appointment,
            reason=reason,
            cancelled_by=CancelledBy.CLINIC,
            version=parse_number(values.get("version", "")) or 0,
            by=by,
        )

    return cancel
