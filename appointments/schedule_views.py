"""Pages of the schedule. Who may call which is in `clinic.access`."""

import datetime as dt
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from appointments.day import day_view
from clinic import clinic_time
from clinic.http import StaffRequest, number_or_none
from doctors.models import Doctor


def schedule_today(request: StaffRequest) -> HttpResponse:
    """Show today, or go to the date typed into the date field."""
    if "date" not in request.GET:
        return schedule_day(request, clinic_time.today())
    try:
        day = dt.date.fromisoformat(request.GET["date"])
        clinic_time.check_date(day)
    except (ValueError, ValidationError):
        messages.error(request, "That is not a date of the calendar, so this is today.")
        day = clinic_time.today()
    kept = {name: value for name, value in request.GET.dict().items() if name != "date" and value}
    return redirect(schedule_url(day, kept))


def schedule_day(request: StaffRequest, day: dt.date) -> HttpResponse:
    """Show the schedule of one date, as a grid or as a list, for all doctors or some."""
    kept = {name: value for name in ("doctor", "specialization", "layout") if (value := request.GET.get(name))}
    doctor_id = get_object_or_404(Doctor, pk=number_or_none(kept["doctor"])).pk if "doctor" in kept else None
    schedule = day_view(day, user=request.user, doctor_id=doctor_id, specialization=kept.get("specialization", ""))
    context = {
        "day": schedule,
        "kept": kept,
        "today": clinic_time.today(),
        "today_url": schedule_url(None, kept),
        "previous_url": _neighbour_url(day, -1, kept),
        "next_url": _neighbour_url(day, +1, kept),
        "other_layout_url": schedule_url(day, kept | {"layout": "" if kept.get("layout") == "list" else "list"}),
        "is_list": kept.get("layout") == "list",
        "doctor_id": doctor_id,
    }
    return render(request, "appointments/schedule_day.html", context)


def schedule_url(day: dt.date | None, kept: dict[str, str]) -> str:
    """Return the address of a day, or of today, with the filters that are kept."""
    url = reverse("appointments:schedule_day", args=[day]) if day else reverse("appointments:schedule_now")
    query = urlencode({name: value for name, value in kept.items() if value})
    return f"{url}?{query}" if query else url


def _neighbour_url(day: dt.date, step: int, kept: dict[str, str]) -> str:
    """Return the address of the day before or after; none at the calendar's ends."""
    neighbour = day + dt.timedelta(days=step)
    is_known = clinic_time.FIRST_DATE <= neighbour <= clinic_time.LAST_DATE
    return schedule_url(neighbour, kept) if is_known else ""
