"""The page of a doctor's week."""

import datetime as dt
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from appointments.navigation import schedule_url, week_url
from appointments.schedule.day_views import picked_date
from appointments.schedule.week import Week, week_view
from clinic.core import clinic_time
from clinic.web.http import StaffRequest, parse_number
from doctors.models import Doctor


def doctor_week_now(request: StaffRequest, pk: int) -> HttpResponse:
    """Redirect to the current week, or to the doctor and date picked on the page."""
    doctor = get_object_or_404(Doctor, pk=parse_number(request.GET.get("doctor", str(pk))))
    day = picked_date(request) if "date" in request.GET else clinic_time.today()
    return redirect(week_url(doctor.pk, day))


def doctor_week(request: StaffRequest, pk: int, day: dt.date) -> HttpResponse:
    """Show a doctor's week. The page's own refresh gets only the week; its buttons get all, for the messages."""
    week = week_view(get_object_or_404(Doctor, pk=pk), day, user=request.user)
    context = {
        "week": week,
        "here": week_url(pk, day),
        "columns": [(column, schedule_url(column.date, {"doctor": str(pk)})) for column in week.columns],
        "moving": None,
    }
    if request.htmx and request.htmx.trigger != "answers":
        return render(request, "appointments/schedule/_week.html", context)
    return render(request, "appointments/schedule/doctor_week.html", context | {"day": day} | _navigation(week))


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
