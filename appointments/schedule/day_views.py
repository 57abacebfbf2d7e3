"""The day view. Who may open which page is in `clinic.web.page_access`."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django_htmx.http import HttpResponseClientRedirect

from appointments.close_out.pending import unrecorded_count
from appointments.displaced.finder import unfinished_for
from appointments.models import Appointment, may_see_names
from appointments.navigation import FILTERS, schedule_url
from appointments.permissions import appointment_for
from appointments.schedule.away import away_line, day_off
from appointments.schedule.blocks import Viewer
from appointments.schedule.columns import FreeTimeQuery
from appointments.schedule.day import Day, DayFilters, changed_columns, counts_on, day_view
from appointments.schedule.drawing import draw_day, draw_doctor_options, draw_parts
from appointments.schedule.grid import Grid
from appointments.schedule.refresh import ShownPage, not_modified, refreshed, seconds_to_redraw
from appointments.schedule.versions import Versions
from appointments.statuses import MOVABLE
from clinic.core import clinic_time
from clinic.web.http import StaffRequest, parse_number, redirect_or_reload
from doctors.models import Doctor


def schedule_today(request: StaffRequest) -> HttpResponse:
    """Show today, or redirect to the date typed into the date field."""
    if "date" not in request.GET:
        return schedule_day(request, clinic_time.today())
    filters = {name: value for name, value in request.GET.dict().items() if name != "date" and value}
    return redirect(schedule_url(picked_date(request), filters))


def picked_date(request: StaffRequest) -> dt.date:
    """Return the date typed into the date field; for an invalid one, today, with an error message."""
    try:
        day = dt.date.fromisoformat(request.GET["date"])
        clinic_time.check_date(day)
    except (ValueError, ValidationError):
        messages.error(request, "Invalid date: showing today instead.")
        return clinic_time.today()
    return day


def schedule_day(request: StaffRequest, day: dt.date) -> HttpResponse:
    """Show one date as a grid or a list. With `?move=`, picking a free time moves that appointment.

    The page's own refresh gets what has changed; its buttons get the whole page, for the messages.
    """
    filters, doctor = filters_of(request)
    filters |= {name: value for name in ("tab", "move", "away") if (value := request.GET.get(name))}
    moving = _moving(request, filters)
    if moving is None and filters.pop("move", ""):
        return _cannot_move(request, day, filters)
    now, free_time = timezone.now(), FreeTimeQuery.for_moving(moving)
    day_filters = DayFilters(doctor.pk if doctor else None, filters.get("specialization", ""))
    page = ShownPage(request)
    if page.is_refresh:
        versions = day_filters.versions(day, Viewer(request.user), moving=moving, at=now)
        if page.shows(versions):
            return not_modified(versions)
        shows_away = _shows_away(filters)
        if moving is None and (parts := _changed_parts(page, versions, day, day_filters, shows_away, at=now)):
            return refreshed(parts, versions)
    shown = day_view(day, user=request.user, filters=day_filters, free_time=free_time, at=now)
    context = _day_context(request, shown, filters, now)
    context |= _away_context(request, shown, filters, now)
    drawn = draw_day(shown, moving=moving, **context)
    if page.is_refresh:
        return refreshed(drawn, shown.versions)
    context |= {"day": shown, "drawn": drawn, "moving": moving}
    options = draw_doctor_options(shown.doctors, chosen=day_filters.doctor_id)
    context |= {"doctor_id": day_filters.doctor_id, "doctor_options": options}
    context |= {**_notices(request, now), **_navigation(day, filters)}
    return render(request, "appointments/schedule/schedule_day.html", context)


def _changed_parts(
    page: ShownPage, versions: Versions, day: dt.date, filters: DayFilters, shows_away: bool, *, at: dt.datetime
) -> SafeString | None:
    """Return the changed columns, and the counts; None if the page has to get the whole day."""
    changed = page.changed_columns(versions)
    grid = Grid.from_text(page.grid_text, day)
    if changed is None or grid is None:
        return None
    columns = changed_columns(day, changed, grid, user=page.request.user, at=at, versions=versions)
    if columns is None or (not shows_away and any(column.is_away for column in columns)):
        return None
    return draw_parts(columns, counts=counts_on(day, filters), etag=versions.etag)


def _shows_away(filters: dict[str, str]) -> bool:
    """Return whether doctors who are not in have a column: if asked for, and the only doctor asked for."""
    return filters.get("away") == "show" or "doctor" in filters


def _away_context(request: StaffRequest, shown: Day, filters: dict[str, str], now: dt.datetime) -> dict[str, Any]:
    """Return who is not in, and, if that is everybody, what to say in place of the grid."""
    away, others, is_shown = shown.away, filters | {"away": ""}, _shows_away(filters)
    url = schedule_url(shown.date, others if is_shown else filters | {"away": "show"})
    is_today = shown.date == clinic_time.today(at=now)
    off = day_off(away) if away and len(away) == len(shown.columns) and not is_shown else None
    return {
        "away": away_line(away, of=len(shown.columns), is_today=is_today, is_shown=is_shown, url=url)
        if "doctor" not in filters
        else None,
        "off": off,
        "next_day_url": schedule_url(off.next_day, others) if off and off.next_day else "",
        "closures_url": reverse("doctors:closure_list") if request.user.has_perm("doctors.view_doctor") else "",
    }


def filters_of(request: StaffRequest) -> tuple[dict[str, str], Doctor | None]:
    """Return the filters in the address, and the doctor if one is among them; 404 for an unknown doctor."""
    filters = {name: value for name in FILTERS if (value := request.GET.get(name))}
    doctor = get_object_or_404(Doctor, pk=parse_number(filters["doctor"])) if "doctor" in filters else None
    if doctor and filters.get("specialization", doctor.specialization) != doctor.specialization:
        del filters["specialization"]  # both were chosen, one after the other: the doctor is more specific
    return filters, doctor


def _moving(request: StaffRequest, filters: dict[str, str]) -> Appointment | None:
    """Return the appointment to pick a new time for; None if there is none or it can no longer be moved."""
    pk = parse_number(filters.get("move", ""))
    if pk is None:
        return None
    moving = appointment_for(request.user, pk, "change")
    return moving if moving.status in MOVABLE else None


def _cannot_move(request: StaffRequest, day: dt.date, filters: dict[str, str]) -> HttpResponse:
    messages.error(request, "That appointment can no longer be moved.")
    url = schedule_url(day, filters)
    return HttpResponseClientRedirect(url) if ShownPage(request).is_refresh else redirect_or_reload(request, url)


def _day_context(request: StaffRequest, shown: Day, filters: dict[str, str], now: dt.datetime) -> dict[str, Any]:
    """Return the context of the part of the page that refreshes."""
    is_today = shown.date == clinic_time.today(at=now)
    tab = filters.get("tab") or ("remaining" if is_today else "all")
    is_list = filters.get("layout") == "list"
    return {
        "here": schedule_url(shown.date, filters),
        "is_list": is_list,
        "tab": tab,
        "tabs": [(name, count, schedule_url(shown.date, filters | {"tab": name})) for name, count in shown.tabs]
        if is_list
        else [],
        "listed": shown.tab(tab) if is_list else [],
        "is_filtered": "doctor" in filters or "specialization" in filters,
        "all_doctors_url": schedule_url(shown.date, {}),
        "add_doctor_url": reverse("admin:doctors_doctor_add") if request.user.has_perm("doctors.add_doctor") else "",
        "redraw_seconds": seconds_to_redraw(now) if is_today else None,
    }


def _notices(request: StaffRequest, now: dt.datetime) -> dict[str, Any]:
    return {
        "grant": may_see_names(request.user, at=now),
        "open_past": unrecorded_count(request.user, now),
        "changes": unfinished_for(request.user, at=now),
    }


def _navigation(day: dt.date, filters: dict[str, str]) -> dict[str, Any]:
    """Return the addresses of the page's links, each with the filters; who is away is a question of the day."""
    filters = {name: value for name, value in filters.items() if name != "away"}
    other_layout = {"layout": "" if filters.get("layout") == "list" else "list", "tab": "", "move": ""}
    print_filters = [(name, filters[name]) for name in ("doctor", "specialization") if name in filters]
    return {
        "filters": filters,
        "today_url": schedule_url(None, filters),
        "previous_url": _shifted_url(day, filters, days=-1),
        "next_url": _shifted_url(day, filters, days=1),
        "other_layout_url": schedule_url(day, filters | other_layout),
        "print_query": urlencode([("now", "1"), *print_filters]),
        "not_moving_url": schedule_url(day, filters | {"move": ""}),
    }


def _shifted_url(day: dt.date, filters: dict[str, str], *, days: int) -> str:
    """Return the address of a day before or after; empty beyond the calendar."""
    shifted = clinic_time.shifted_date(day, days=days)
    return schedule_url(shifted, filters) if shifted else ""
