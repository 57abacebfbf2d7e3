"""Pages of the schedule. Who may call which is in `clinic.access`."""

import datetime as dt
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import etag

from appointments.close_out import open_past_count
from appointments.day import day_version, day_view
from appointments.models import Appointment
from appointments.permissions import appointment_for
from appointments.rules import SHORTEST_MINUTES
from appointments.statuses import MOVABLE
from clinic import clinic_time
from clinic.http import StaffRequest, number_or_none
from doctors.models import Doctor

FILTERS = ("doctor", "specialization", "layout")


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
    """Show the schedule of one date, as a grid or as a list, for all doctors or some.

    With `?move=`, its free times take the visit that is moved. htmx gets what changes by itself, and nothing around it.
    """
    now = timezone.now()
    kept = {name: value for name in (*FILTERS, "tab", "move") if (value := request.GET.get(name))}
    moving = _moving(request, kept)
    if moving is None:
        kept.pop("move", None)
    doctor = get_object_or_404(Doctor, pk=number_or_none(kept["doctor"])) if "doctor" in kept else None
    if doctor and kept.get("specialization", doctor.specialization) != doctor.specialization:
        del kept["specialization"]  # both were chosen, one after the other; the doctor says more
    schedule = day_view(
        day,
        user=request.user,
        doctor_id=doctor.pk if doctor else None,
        specialization=kept.get("specialization", ""),
        room_for=moving.duration_minutes if moving else SHORTEST_MINUTES,
        patient=moving.patient if moving else None,
        moving=moving,
        at=now,
    )
    is_list = kept.get("layout") == "list"
    tab = kept.get("tab") or ("remaining" if day == clinic_time.today(at=now) else "all")
    context = {
        "day": schedule,
        "is_list": is_list,
        "tab": tab,
        "tabs": [(name, count, schedule_url(day, kept | {"tab": name})) for name, count in schedule.tabs],
        "listed": schedule.tab(tab) if is_list else [],
        "is_filtered": "doctor" in kept or "specialization" in kept,
        "moving": moving,
    }
    if request.htmx and not request.htmx.boosted:
        return render(request, "appointments/_day.html", context)
    around = {
        "kept": kept,
        "doctor_id": doctor and doctor.pk,
        "today_url": schedule_url(None, kept),
        "previous_url": _neighbour_url(day, -1, kept),
        "next_url": _neighbour_url(day, +1, kept),
        "other_layout_url": schedule_url(day, kept | {"layout": "" if is_list else "list", "tab": "", "move": ""}),
        "print_query": urlencode(
            [("now", "1"), *((name, kept[name]) for name in ("doctor", "specialization") if name in kept)]
        ),
        "open_past": open_past_count(request.user, now),
        "not_moving_url": schedule_url(day, kept | {"move": ""}),
    }
    return render(request, "appointments/schedule_day.html", context | around)


def _moving(request: StaffRequest, kept: dict[str, str]) -> Appointment | None:
    """Return the visit for which a new time is picked, if there is one that the user may move."""
    pk = number_or_none(kept.get("move", ""))
    if pk is None:
        return None
    moving = appointment_for(request.user, pk, "change")
    return moving if moving.status in MOVABLE else None


@etag(lambda request, day: f'"{day_version(day)}"')
def schedule_version(request: StaffRequest, day: dt.date) -> HttpResponse:
    """Say whether a day view that is open still shows what is. One query, and nothing is rendered."""
    return HttpResponse(content_type="text/plain")


def schedule_url(day: dt.date | None, kept: dict[str, str]) -> str:
    """Return the address of a day, or of today, with the filters that are kept."""
    url = reverse("appointments:schedule_day", args=[day]) if day else reverse("appointments:schedule_now")
    query = urlencode({name: value for name, value in kept.items() if value})
    return f"{url}?{query}" if query else url


def came_from(request: StaffRequest) -> str:
    """Return the day view that led here, with its filters, so that the way leads back to it; or nothing.

    It is only ever read for filters: nobody is sent to what an address names.
    """
    if "from" in request.GET:
        return request.GET["from"]
    address = urlsplit(request.headers.get("Referer", ""))
    is_day = address.path == "/" or address.path.startswith(reverse("appointments:schedule_now"))
    return f"{address.path}?{address.query}" if is_day and address.netloc == request.get_host() else ""


def visit_url(appointment: Appointment, *, came_from: str = "", move: bool = False) -> str:
    """Return the visit's place in the day view, with those filters of the day view one came from that show it.

    With `move`, the day view in which a new time is picked for it.
    """
    kept = {name: value for name, value in parse_qsl(urlsplit(came_from).query) if name in FILTERS}
    if kept.get("doctor", str(appointment.doctor_id)) != str(appointment.doctor_id):
        del kept["doctor"]
    if kept.get("specialization", appointment.doctor.specialization) != appointment.doctor.specialization:
        del kept["specialization"]
    if move:
        kept |= {"move": str(appointment.pk), "layout": ""}
    return f"{schedule_url(clinic_time.local_date(appointment.start_time), kept)}#v{appointment.pk}"


def _neighbour_url(day: dt.date, step: int, kept: dict[str, str]) -> str:
    """Return the address of the day before or after; none at the calendar's ends."""
    neighbour = day + dt.timedelta(days=step)
    is_known = clinic_time.FIRST_DATE <= neighbour <= clinic_time.LAST_DATE
    return schedule_url(neighbour, kept) if is_known else ""
