"""The page of a doctor's week."""

import datetime as dt
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone

from appointments.detail.shown import panel_context
from appointments.navigation import query_text, week_url
from appointments.schedule.blocks import Viewer
from appointments.schedule.day_views import picked_date
from appointments.schedule.drawing import draw_doctor_options, draw_week
from appointments.schedule.refresh import ShownPage, not_modified, refreshed, seconds_to_redraw
from appointments.schedule.remembered import remembered_view
from appointments.schedule.toolbar import COMPACT, draw_counts, status_chips
from appointments.schedule.versions import week_versions
from appointments.schedule.week import Week, dates_of_week, week_view
from clinic.core import clinic_time
from clinic.web.http import StaffRequest, parse_number
from doctors.models import Doctor


def doctor_week_now(request: StaffRequest, pk: int) -> HttpResponse:
    """Redirect to the current week, or to the doctor and date picked on the page."""
    doctor = get_object_or_404(Doctor, pk=parse_number(request.GET.get("doctor", str(pk))))
    day = picked_date(request) if "date" in request.GET else clinic_time.today()
    return redirect(week_url(doctor.pk, day))


def doctor_week(request: StaffRequest, pk: int, day: dt.date) -> HttpResponse:
    """Show a doctor's week. The page's own refresh gets the week if it has changed; its buttons get the whole page."""
    doctor, now = get_object_or_404(Doctor, pk=pk), timezone.now()
    page = ShownPage(request)
    versions = week_versions(doctor, dates_of_week(day), Viewer(request.user), at=now)
    if page.is_refresh and page.shows(versions):
        return not_modified(versions)
    week = week_view(doctor, day, user=request.user, at=now, versions=versions)
    status = request.GET.get("status", "")
    here = _week_url(week, day, status)
    redraw_seconds = seconds_to_redraw(now) if week.today in week.dates else None
    is_compact = remembered_view(request).get("density") == COMPACT
    drawn = draw_week(week, here=here, redraw_seconds=redraw_seconds, only=status, is_compact=is_compact)
    chips = status_chips(week.counts, chosen=status, url_of=lambda status: _week_url(week, day, status))
    counts = draw_counts(chips)
    if page.is_refresh:
        return refreshed(counts + drawn, versions)
    options = draw_doctor_options(week.doctors, chosen=pk)
    context = {"doctor_options": options, "week": week, "here": here, "counts": counts, "drawn": drawn, "day": day}
    context |= panel_context(request, schedule=here) | _navigation(week)
    return render(request, "appointments/schedule/doctor_week.html", context)


def _week_url(week: Week, day: dt.date, status: str) -> str:
    """Return the address of the page that fades all appointments but those with one status; none for ""."""
    return week_url(week.doctor.pk, day) + (f"?{query_text({'status': status})}" if status else "")


def _navigation(week: Week) -> dict[str, Any]:
    return {
        "previous_url": _shifted_url(week, weeks=-1),
        "next_url": _shifted_url(week, weeks=1),
        "now_url": reverse("appointments:doctor_week_now", args=[week.doctor.pk]),
    }


def _shifted_url(week: Week, *, weeks: int) -> str:
    """Return the address of a week before or after; empty beyond the calendar."""
    day = clinic_time.shifted_date(week.dates[0], days=7 * weeks)
    return week_url(week.doctor.pk, day) if day else ""
