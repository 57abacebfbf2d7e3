"""The day view. Who may open which page is in `clinic.web.page_access`."""

import datetime as dt
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django_htmx.http import HttpResponseClientRedirect

from appointments.bulk.refusals import take_refusals
from appointments.bulk.views import bulk_bar
from appointments.close_out.pending import unrecorded_count
from appointments.detail.shown import panel_context
from appointments.displaced.finder import unfinished_for
from appointments.models import Appointment, may_see_names
from appointments.navigation import FILTERS, schedule_url
from appointments.permissions import appointment_for
from appointments.schedule.away import away_line, day_off
from appointments.schedule.blocks import Viewer
from appointments.schedule.columns import FreeTimeQuery
from appointments.schedule.day import Day, DayFilters, changed_columns, counts_on, day_view
from appointments.schedule.drawing import draw_day, draw_parts
from appointments.schedule.grid import Grid
from appointments.schedule.refresh import ShownPage, not_modified, refreshed, seconds_to_redraw
from appointments.schedule.remembered import CHOICES, remember_choice, remembered_view
from appointments.schedule.toolbar import COMPACT, LIST, Filters, day_chips, draw_counts, toolbar_of, worklists_link
from appointments.schedule.versions import Versions
from appointments.statuses import MOVABLE
from clinic.core import clinic_time
from clinic.web.http import StaffRequest, parse_number, redirect_or_reload
from doctors.models import Doctor

# What an address may say beside the filters: a tab of the list, and the appointment to move.
_OF_THE_MOMENT = ("tab", "move", "away")


def schedule_today(request: StaffRequest) -> HttpResponse:
    """Show today as the user last chose to see it, or redirect to the date picked in the toolbar."""
    if "date" in request.GET:
        return _picked_day(request)
    filters = _address_filters(request)
    if any(name in request.GET for name in (*FILTERS, *_OF_THE_MOMENT)):
        return _show_day(request, clinic_time.today(), filters, _checked_doctors(filters))
    filters = {name: value for name, value in remembered_view(request).items() if name in FILTERS}
    try:
        day_filters = _checked_doctors(filters)
    except Http404:  # none of them exists any more
        del filters["doctor"]
        day_filters = _checked_doctors(filters)
    return _show_day(request, clinic_time.today(), filters, day_filters)


def _picked_day(request: StaffRequest) -> HttpResponse:
    """Redirect to the date, with the filters; if the user has chosen one of these in the toolbar, remember it."""
    filters = request.GET.dict() | {"doctor": ",".join(request.GET.getlist("doctor"))}
    filters = {name: value for name, value in filters.items() if name not in ("date", "remember")}
    choice = request.GET.get("remember", "")
    if choice == "doctors" and filters.get("specialization"):
        filters["doctor"] = ""  # its button sends the ticked doctors, too
    response = redirect(schedule_url(picked_date(request), filters))
    if choice in CHOICES:
        remember_choice(request, response, choice, filters)
    return response


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
    return _show_day(request, day, *filters_of(request))


def _show_day(request: StaffRequest, day: dt.date, filters: Filters, day_filters: DayFilters) -> HttpResponse:
    filters = filters | {name: value for name in _OF_THE_MOMENT if (value := request.GET.get(name))}
    moving = _moving(request, filters)
    if moving is None and filters.pop("move", ""):
        return _cannot_move(request, day, filters)
    now, free_time = timezone.now(), FreeTimeQuery.for_moving(moving)
    page = ShownPage(request)
    if page.is_refresh:
        versions = day_filters.versions(day, Viewer(request.user), moving=moving, at=now)
        if page.shows(versions):
            return not_modified(versions)
        if moving is None and (parts := _changed_parts(page, versions, day, filters, day_filters, at=now)):
            return refreshed(parts, versions)
    shown = day_view(day, user=request.user, filters=day_filters, free_time=free_time, at=now)
    context = _day_context(request, shown, filters, now)
    context |= _away_context(request, shown, filters, now)
    drawn = draw_day(shown, moving=moving, **context)
    counts = draw_counts(day_chips(day, filters, shown.counts, tab=context["tab"]))
    if page.is_refresh:
        return refreshed(counts + drawn, shown.versions)
    context |= {"day": shown, "drawn": drawn, "moving": moving, "counts": counts}
    others = {name: value for name, value in filters.items() if name != "away"}  # it is a question of this day alone
    context |= {**_notices(request, now), **toolbar_of(shown, others, day_filters, remembered_view(request))}
    context |= {**bulk_bar(request.user), **panel_context(request, schedule=context["here"])}
    return render(request, "appointments/schedule/schedule_day.html", context)


def _changed_parts(
    page: ShownPage, versions: Versions, day: dt.date, filters: Filters, day_filters: DayFilters, *, at: dt.datetime
) -> SafeString | None:
    """Return the changed columns, and the counts; None if the page has to get the whole day."""
    changed = page.changed_columns(versions)
    grid = Grid.from_text(page.grid_text, day)
    if changed is None or grid is None:
        return None
    columns = changed_columns(day, changed, grid, user=page.request.user, at=at, versions=versions)
    if columns is None or (not _shows_away(filters) and any(column.is_away for column in columns)):
        return None
    return draw_parts(columns, chips=day_chips(day, filters, counts_on(day, day_filters)), etag=versions.etag)


def _shows_away(filters: Filters) -> bool:
    """Return whether doctors who are not in have a column: if asked for, and the only one chosen."""
    return filters.get("away") == "show" or _is_of_one_doctor(filters)


def _is_of_one_doctor(filters: Filters) -> bool:
    return filters.get("doctor", ",").isdecimal()


def _away_context(request: StaffRequest, shown: Day, filters: Filters, now: dt.datetime) -> dict[str, Any]:
    """Return who is not in, and, if that is everybody, what to say in place of the grid."""
    away, others, is_shown = shown.away, filters | {"away": ""}, _shows_away(filters)
    url = schedule_url(shown.date, others if is_shown else filters | {"away": "show"})
    is_today = shown.date == clinic_time.today(at=now)
    off = day_off(away) if away and len(away) == len(shown.columns) and not is_shown else None
    return {
        "away": away_line(away, of=len(shown.columns), is_today=is_today, is_shown=is_shown, url=url)
        if not _is_of_one_doctor(filters)
        else None,
        "off": off,
        "next_day_url": schedule_url(off.next_day, others) if off and off.next_day else "",
        "closures_url": reverse("doctors:closure_list") if request.user.has_perm("doctors.view_doctor") else "",
    }


def filters_of(request: StaffRequest) -> tuple[Filters, DayFilters]:
    """Return the filters in the address, and which doctors they show; 404 if it names only unknown doctors."""
    filters = _address_filters(request)
    return filters, _checked_doctors(filters)


def _address_filters(request: StaffRequest) -> Filters:
    """Return the filters in the address. How dense the schedule is remains as chosen if the address does not say it."""
    filters = {name: value for name in FILTERS if (value := request.GET.get(name))}
    if "doctor" in filters:
        filters["doctor"] = ",".join(request.GET.getlist("doctor"))
    if "density" not in filters and (density := remembered_view(request).get("density")):
        filters["density"] = density
    return filters


def _checked_doctors(filters: Filters) -> DayFilters:
    """Return which doctors the filters show, and drop from these what is unknown. One query if doctors are among them.

    Raises:
        Http404: none of the doctors exists.
    """
    if "doctor" not in filters:
        return DayFilters(specialization=filters.get("specialization", ""))
    asked = dict.fromkeys(parse_number(text) for text in filters["doctor"].split(","))
    rows = Doctor.objects.filter(pk__in=[pk for pk in asked if pk is not None]).order_by()
    known = dict(rows.values_list("pk", "specialization"))
    doctor_ids = tuple(pk for pk in asked if pk in known)
    if not doctor_ids:
        raise Http404
    filters["doctor"] = ",".join(map(str, doctor_ids))
    if set(known.values()) != {filters.get("specialization")}:
        filters.pop("specialization", None)  # both were chosen, one after the other: the doctors are more specific
    return DayFilters(doctor_ids, filters.get("specialization", ""))


def _moving(request: StaffRequest, filters: Filters) -> Appointment | None:
    """Return the appointment to pick a new time for; None if there is none or it can no longer be moved."""
    pk = parse_number(filters.get("move", ""))
    if pk is None:
        return None
    moving = appointment_for(request.user, pk, "change")
    return moving if moving.status in MOVABLE else None


def _cannot_move(request: StaffRequest, day: dt.date, filters: Filters) -> HttpResponse:
    messages.error(request, "That appointment can no longer be moved.")
    url = schedule_url(day, filters)
    return HttpResponseClientRedirect(url) if ShownPage(request).is_refresh else redirect_or_reload(request, url)


def _day_context(request: StaffRequest, shown: Day, filters: Filters, now: dt.datetime) -> dict[str, Any]:
    """Return the context of the part of the page that refreshes."""
    is_today = shown.date == clinic_time.today(at=now)
    status = filters.get("status", "")
    is_list = filters.get("layout") == LIST
    tab = "" if status else filters.get("tab") or "all"
    return {
        "here": schedule_url(shown.date, filters),
        "is_list": is_list,
        "tab": tab,
        "is_compact": filters.get("density") == COMPACT,
        "only": status,
        "tabs": [
            (name, count, schedule_url(shown.date, filters | {"tab": name, "status": ""})) for name, count in shown.tabs
        ]
        if is_list
        else [],
        "listed": [block for block in shown.tab(tab) if status in ("", block.status)] if is_list else [],
        "refusals": take_refusals(request) if is_list and not ShownPage(request).is_refresh else {},
        "is_filtered": "doctor" in filters or "specialization" in filters,
        "all_doctors_url": schedule_url(shown.date, {}),
        "add_doctor_url": reverse("admin:doctors_doctor_add") if request.user.has_perm("doctors.add_doctor") else "",
        "redraw_seconds": seconds_to_redraw(now) if is_today else None,
    }


def _notices(request: StaffRequest, now: dt.datetime) -> dict[str, Any]:
    return {
        "grant": may_see_names(request.user, at=now),
        "open_past": unrecorded_count(request.user, now),
        "worklists": worklists_link(unfinished_for(request.user, at=now)),
    }
