"""Pages of those who are hit when doctors' time changes. Who may call which is in `clinic.web.page_access`."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from appointments import rules
from appointments.booking import actions
from appointments.booking.forms import slot_initial
from appointments.displaced.finder import unfinished_for
from appointments.displaced.forms import CancelAllForm
from appointments.displaced.worklist import ImpactPage, Row, impact_page, rows_of
from appointments.models import ScheduleChange
from appointments.statuses import CancelledBy
from clinic.core import clinic_time
from clinic.db.transactions import retrying
from clinic.models import AuditEntry, Event
from clinic.web.http import StaffRequest, parse_number, sent_data
from doctors.models import Doctor

ALL = "all"
_TICKS = frozenset({"reached", "not_reached", "settled"})
_BUTTONS = _TICKS | {"move", "cancel"}


def impact_list(request: StaffRequest) -> HttpResponse:
    """List the changes of doctors' time after which there is still something to do, urgent ones first."""
    return render(request, "appointments/displaced/impact_list.html", {"impacts": unfinished_for(request.user)})


def impact_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """Show whom a change of doctors' time has hit, and move, cancel or tick those chosen.

    Each is moved or cancelled by itself: what is refused is told in its row, the others are done.
    """
    impact = get_object_or_404(ScheduleChange, pk=pk)
    sent = sent_data(request)
    typed = QueryDict() if sent is None else sent
    why = CancelAllForm(typed if "cancel" in typed else None, initial={"cancel_reason": typed.get("cancel_reason")})
    refusals: dict[int, str] = {}
    if request.method == "POST" and not _BUTTONS.isdisjoint(typed) and (not why.is_bound or why.is_valid()):
        refusals = _carry_out(request, impact, why)
        if not refusals:
            return redirect(f"{impact.get_absolute_url()}{_row_of(impact, typed)}")
    page = impact_page(impact, refusals=refusals)
    _note_read(impact, page)
    context = {
        "page": page,
        "why": why,
        "cancels": sent is not None and "move" not in typed,
    }
    return render(request, "appointments/displaced/impact_detail.html", context)


def _note_read(impact: ScheduleChange, page: ImpactPage) -> None:
    """Note that the patients on a list were shown, with how to reach them."""
    AuditEntry.objects.record(Event.READ, impact, patients=[row.appointment.patient_id for row in page.rows])


def _row_of(impact: ScheduleChange, typed: QueryDict) -> str:
    """Return the place of the row that a button belonged to, to go on there; nothing if it was for all."""
    pressed = next(str(typed[name]) for name in typed if name in _BUTTONS)
    hit = impact.hits.filter(pk=parse_number(pressed.partition(":")[0]) or 0).first()
    return f"#v{hit.appointment_id}" if hit else ""


def impact_print(request: StaffRequest, pk: int) -> HttpResponse:
    """Show the call list on paper: whom to tell what, with a box to tick."""
    impact = get_object_or_404(ScheduleChange, pk=pk)
    page = impact_page(impact)
    _note_read(impact, page)
    return render(request, "appointments/displaced/impact_print.html", {"page": page, "printed_at": timezone.now()})


_Said = dict[str, str]  # what the form says of a row: which hit, in which version, with what proposed


def _carry_out(request: StaffRequest, impact: ScheduleChange, why: CancelAllForm) -> dict[int, str]:
    """Do what the button that was pressed asks for; return what was refused, by the ids of hits."""
    typed = request.POST
    if "move" in typed:
        whom, _colon, whose = typed["move"].partition(":")
        return _each(request, impact, whom, _moved_to(whose, impact, by=request.user), "moved", whose=whose)
    if "cancel" in typed:
        cancel = _cancelled_for(why.cleaned_data["cancel_reason"], by=request.user)
        return _each(request, impact, typed["cancel"], cancel, "cancelled")
    for tick in _TICKS & typed.keys():
        _tick(impact, parse_number(typed[tick]) or 0, tick, by=request.user)
    return {}


@retrying
def _tick(impact: ScheduleChange, pk: int, tick: str, *, by: Any) -> None:
    """Tick or untick a hit, or take it off the list if there is nothing to do; one that is gone is left alone."""
    with transaction.atomic():
        hit = impact.hits.select_for_update().filter(pk=pk).first()
        if hit is None:
            return
        if tick == "reached":
            hit.mark_informed(by=by)
        elif tick == "not_reached":
            hit.mark_not_informed()
        elif any(row.hit == hit and row.is_needless for row in rows_of(impact)):
            hit.delete()


def _each(
    request: StaffRequest,
    impact: ScheduleChange,
    whom: str,
    do: Callable[[Row, _Said], object],
    done: str,
    *,
    whose: str = "hit",
) -> dict[int, str]:
    """Do it to the open rows chosen: one, or all that the form shows and for which it says `whose`.

    Of one that is not open any more it is told how it stands; of all, they are left alone.
    """
    said = {row.get("hit", ""): row for row in (dict(parse_qsl(text)) for text in request.POST.getlist("row"))}
    rows = rows_of(impact)
    shown = [row for row in rows if row.is_open and str(row.hit.pk) in said]
    if whom == ALL:
        chosen = [row for row in shown if whose in said[str(row.hit.pk)] and not (done == "moved" and row.is_waiting)]
        if not chosen:
            messages.info(request, f"Nothing was done: none is left to be {done}.")
    else:
        chosen = [row for row in shown if str(row.hit.pk) == whom]
        for row in rows:
            if str(row.hit.pk) == whom and not row.is_open:
                messages.info(request, f"{row.appointment.patient}: {row.outcome}. Nothing was done.")
    refusals = {}
    for row in chosen:
        try:
            do(row, said[str(row.hit.pk)])
        except ValidationError as refusal:
            refusals[row.hit.pk] = " ".join(refusal.messages)
    if count := len(chosen) - len(refusals):
        messages.success(request, f"{count} {done}.")
    if refusals:
        messages.error(request, f"{len(refusals)} could not be {done}: see below.")
    return refusals


def _moved_to(whose: str, impact: ScheduleChange, *, by: Any) -> Callable[[Row, _Said], object]:
    """Return what moves a row's appointment to the time proposed, of the same doctor or of another."""

    def move(row: Row, said: _Said) -> None:
        words = slot_initial(dict(parse_qsl(said.get(whose, ""))))
        if not {"doctor", "date", "time"} <= words.keys():
            rules.refuse_no_proposal()
        doctor = Doctor.objects.filter(pk=words["doctor"]).first() or rules.refuse_gone("doctor")
        actions.move(
            row.appointment,
            doctor=doctor,
            start_time=clinic_time.instant_at(words["date"], words["time"], which=words.get("which")),
            duration_minutes=row.appointment.duration_minutes,
            reason=impact.cause,
            version=parse_number(said.get("version", "")) or 0,
            by=by,
        )

    return move


def _cancelled_for(reason: str, *, by: Any) -> Callable[[Row, _Said], object]:
    """Return what cancels a row's appointment for the clinic."""

    def cancel(row: Row, said: _Said) -> None:
        actions.cancel(
            row.appointment,
            reason=reason,
            cancelled_by=CancelledBy.CLINIC,
            version=parse_number(said.get("version", "")) or 0,
            by=by,
        )

    return cancel
