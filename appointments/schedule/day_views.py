"""Pages of the schedule. Who may call which is in `clinic.web.page_access`."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import etag
from django_htmx.http import HttpResponseClientRedirect

from appointments.close_out.pending import unrecorded_count
from appointments.displaced.finder import unfinished_for
from appointments.models import Appointment, may_see_names
from appointments.navigation import FILTERS, schedule_url
from appointments.permissions import appointment_for
from appointments.schedule.day import Day, day_version, day_view
from appointments.statuses import MOVABLE
from clinic.core import clinic_time
from clinic.core.appointment_length import MIN_MINUTES
from clinic.web.http import StaffRequest, parse_number
from doctors.models import Doctor


def schedule_today(request: StaffRequest) -> HttpResponse:
    """Show today, or go to the date typed into the date field."""
    if "date" not in request.GET:
        return schedule_day(request, clinic_time.today())
    day = picked_date(request)
    kept = {name: value for name, value in request.GET.dict().items() if name != "date" and value}
    return redirect(schedule_url(day, kept))


def picked_date(request: StaffRequest) -> dt.date:
    """Return the date typed into the date field; of what is none, today, and a message that says so."""
    try:
        day = dt.date.fromisoformat(request.GET["date"])
        clinic_time.check_date(day)
    except (ValueError, ValidationError):
        messages.error(request, "That is not a date of the calendar, so this is today.")
        return clinic_time.today()
    return day


def schedule_day(request: StaffRequest, day: dt.date) -> HttpResponse:
    """Show the schedule of one date, as a grid or as a list, for all doctors or some.

    With `?move=`, its free times take the appointment that is moved. A day view that asks for what has changed gets the
    day without what stands around it; one of whose buttons was pressed gets the page, for its messages.
    """
    now = timezone.now()
    kept, doctor = filters_of(request)
    kept |= {name: value for name in ("tab", "move") if (value := request.GET.get(name))}
    moving = _moving(request, kept)
    if moving is None and kept.pop("move", ""):
        messages.error(request, "That appointment can no longer be moved.")
        here = schedule_url(day, kept)
        return HttpResponseClientRedirect(here) if request.htmx else redirect(here)
    shown = day_view(
        day,
        user=request.user,
        doctor_id=doctor.pk if doctor else None,
        specialization=kept.get("specialization", ""),
        room_for=moving.duration_minutes if moving else MIN_MINUTES,
        patient=moving.patient if moving else None,
        moving=moving,
        at=now,
    )
    context = {"moving": moving, **_day_context(shown, kept, now)}
    if request.htmx and request.htmx.trigger != "answers":
        return render(request, "appointments/schedule/_day.html", context)
    context |= {
        "doctor_id": doctor and doctor.pk,
        "grant": may_see_names(request.user, at=now),
        "open_past": unrecorded_count(request.user, now),
        "changes": unfinished_for(request.user, at=now),
    }
    return render(request, "appointments/schedule/schedule_day.html", context | _way_around(day, kept))


def filters_of(request: StaffRequest) -> tuple[dict[str, str], Doctor | None]:
    """Return the filters that an address names, and the doctor if one is among them; 404 if there is none such."""
    kept = {name: value for name in FILTERS if (value := request.GET.get(name))}
    doctor = get_object_or_404(Doctor, pk=parse_number(kept["doctor"])) if "doctor" in kept else None
    if doctor and kept.get("specialization", doctor.specialization) != doctor.specialization:
        del kept["specialization"]  # both were chosen, one after the other; the doctor says more
    return kept, doctor


def _day_context(shown: Day, kept: dict[str, str], now: dt.datetime) -> dict[str, Any]:
    """Return what the changing part of the page shows."""
    tab = kept.get("tab") or ("remaining" if shown.date == clinic_time.today(at=now) else "all")
    is_list = kept.get("layout") == "list"
    return {
        "day": shown,
        "here": schedule_url(shown.date, kept),
        "is_list": is_list,
        "tab": tab,
        "tabs": [(name, count, schedule_url(shown.date, kept | {"tab": name})) for name, count in shown.tabs],
        "listed": shown.tab(tab) if is_list else [],
        "is_filtered": "doctor" in kept or "specialization" in kept,
    }


def _way_around(day: dt.date, kept: dict[str, str]) -> dict[str, Any]:
    """Return the addresses to which the page leads on, each with the filters that are kept."""
    other_layout = {"layout": "" if kept.get("layout") == "list" else "list", "tab": "", "move": ""}
    printed = [(name, kept[name]) for name in ("doctor", "specialization") if name in kept]
    return {
        "kept": kept,
        "today_url": schedule_url(None, kept),
        "previous_url": _neighbour_url(day, -1, kept),
        "next_url": _neighbour_url(day, +1, kept),
        "other_layout_url": schedule_url(day, kept | other_layout),
        "print_query": urlencode([("now", "1"), *printed]),
        "not_moving_url": schedule_url(day, kept | {"move": ""}),
    }


def _moving(request: StaffRequest, kept: dict[str, str]) -> Appointment | None:
    """Return the appointment for which a new time is picked, if there is one that the user may move."""
    pk = parse_number(kept.get("move", ""))
    if pk is None:
        return None
    moving = appointment_for(request.user, pk, "change")
    return moving if moving.status in MOVABLE else None


@etag(lambda request, day: f'"{day_version(day)}"')
def schedule_version(request: StaffRequest, day: dt.date) -> HttpResponse:
    """Say whether a day view that is open still shows what is. One query, and nothing is rendered."""
    return HttpResponse(content_type="text/plain; charset=utf-8")


def _neighbour_url(day: dt.date, step: int, kept: dict[str, str]) -> str:
    """Return the address of the day before or after; none at the calendar's ends."""
    neighbour = day + dt.timedelta(days=step)
    is_known = clinic_time.FIRST_DATE <= neighbour <= clinic_time.LAST_DATE
    return schedule_url(neighbour, kept) if is_known else ""
