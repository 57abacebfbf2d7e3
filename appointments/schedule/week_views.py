"""The page of a doctor's week. Who may call it is in `clinic.web.page_access`."""

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
    """Lead to the current week, or to the doctor and the week of the date that were picked on the page."""
    doctor = get_object_or_404(Doctor, pk=parse_number(request.GET.get("doctor", str(pk))))
    day = picked_date(request) if "date" in request.GET else clinic_time.today()
    return redirect(week_url(doctor.pk, day))


def doctor_week(request: StaffRequest, pk: int, day: dt.date) -> HttpResponse:
    """Show the week of one doctor in which a date lies.

    A page that asks for what has changed gets the week without what stands around it; one of whose buttons was pressed
    gets the page, for its messages.
    """
    week = week_view(get_object_or_404(Doctor, pk=pk), day, user=request.user)
    context = {
        "week": week,
        "here": week_url(pk, day),
        "columns": [(column, schedule_url(column.date, {"doctor": str(pk)})) for column in week.columns],
        "moving": None,
    }
    if request.htmx and request.htmx.trigger != "answers":
        return render(request, "appointments/schedule/_week.html", context)
    return render(request, "appointments/schedule/doctor_week.html", context | {"day": day} | _way_around(week))


def _way_around(week: Week) -> dict[str, Any]:
    return {
        "previous_url": _neighbour_url(week, -1),
        "next_url": _neighbour_url(week, +1),
        "now_url": reverse("appointments:doctor_week_now", args=[week.doctor.pk]),
    }


def _neighbour_url(week: Week, step: int) -> str:
    """Return the address of the week before or after; none at the calendar's ends."""
    monday = week.dates[0] + step * dt.timedelta(weeks=1)
    is_known = clinic_time.FIRST_DATE <= monday <= clinic_time.LAST_DATE
    return week_url(week.doctor.pk, monday) if is_known else ""
