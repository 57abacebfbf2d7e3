"""The buttons for all appointments that are ticked in a list."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from appointments.booking.forms import QUICK_REASONS
from appointments.bulk.outcomes import (
    ATTENDED,
    MAX_AT_ONCE,
    NO_SHOW,
    UNDO,
    BulkAction,
    Report,
    Ticked,
    cancel_with,
    parse_ticked,
    record_each,
)
from appointments.bulk.refusals import save_refusals
from appointments.detail.buttons import buttons_of
from appointments.models import Appointment
from appointments.permissions import rights_to
from clinic.html.undo_button import undo_button
from clinic.web.http import StaffRequest
from clinic.web.page_access import PAGES, is_open_to
from clinic.web.return_url import return_url


def appointment_bulk(request: StaffRequest) -> HttpResponse:
    """Carry out one action on each ticked appointment, and redirect to the list, which shows refusals at their rows.

    About twelve queries for each appointment, and at most `MAX_AT_ONCE` appointments.
    """
    next_url = return_url(request, reverse("appointments:schedule_now"))
    action, ticked = _action_in(request.POST), _ticked_in(request.POST)
    if action is None or not ticked:
        messages.error(request, "Nothing was done: tick the appointments first.")
    elif len(ticked) > MAX_AT_ONCE:
        messages.error(request, f"Nothing was done: {len(ticked)} are ticked, and at most {MAX_AT_ONCE} can be.")
        save_refusals(request, dict.fromkeys((each.pk for each in ticked), ""))
    else:
        report = record_each(action, ticked, by=request.user)
        save_refusals(request, report.refusals)
        say = messages.error if report.refusals else messages.success
        say(request, _summary(action, report, request))
    return redirect(next_url)


def bulk_bar(user: Any) -> dict[str, Any]:
    """Return the context of `_bulk_bar.html`."""
    may_tick = is_open_to(user, PAGES["appointments:appointment_bulk"]["POST"])
    return {"may_tick": may_tick, "quick_reasons": QUICK_REASONS}


def _action_in(sent: QueryDict) -> BulkAction | None:
    if "undo" in sent:
        return UNDO
    if "quick" in sent:  # the button of a frequent reason
        cancelled_by, _colon, reason = sent.get("quick", "").partition(":")
        return cancel_with(reason, cancelled_by=cancelled_by)
    if sent.get("action") == "cancel":
        return cancel_with(sent.get("cancel_reason", ""), cancelled_by=sent.get("cancelled_by", ""))
    return {"attended": ATTENDED, "no_show": NO_SHOW}.get(sent.get("action", ""))


def _ticked_in(sent: QueryDict) -> list[Ticked]:
    return parse_ticked(sent.get("undo", "").split() if "undo" in sent else sent.getlist("appointment"))


def _summary(action: BulkAction, report: Report, request: StaffRequest) -> str | SafeString:
    """Return such as "12 marked as attended, 2 refused", with a button that undoes what was done."""
    parts = {action.done: report.done, "already were": report.already, "refused": report.refusals}
    text = ", ".join(f"{len(those)} {words}" for words, those in parts.items() if those)
    text = f"{text}: see the reason below." if report.refusals else f"{text}."
    undoable = [] if action is UNDO else [each for each in report.done if _can_undo(each, request)]
    if not undoable:
        return text
    if len(undoable) < len(report.done):
        text = f"{text} {len(report.done) - len(undoable)} of these can no longer be undone."
    value = " ".join(str(Ticked(each.pk, each.version)) for each in undoable)
    return format_html("{} {}", text, undo_button(reverse("appointments:appointment_bulk"), "undo", value))


def _can_undo(changed: Appointment, request: StaffRequest) -> bool:
    return buttons_of(changed, rights_to(changed, request.user), at=timezone.now()).can_undo
