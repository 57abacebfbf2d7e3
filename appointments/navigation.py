"""Links between the pages of the schedule, and back to the page that the user came from."""

import datetime as dt
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from django.urls import Resolver404, get_script_prefix, resolve, reverse

from appointments.models import Appointment
from clinic.core import clinic_time
from clinic.web.http import StaffRequest
from clinic.web.return_url import referring_page

# `doctor` may be several ids with commas between them.
FILTERS = ("doctor", "specialization", "layout", "status", "density")


def schedule_url(day: dt.date | None, filters: dict[str, str]) -> str:
    url = _day_path(day, get_script_prefix())
    query = query_text(filters)
    return f"{url}?{query}" if query else url


def panel_url(day_url: str, pk: int) -> str:
    """Return the address of a schedule with the panel of an appointment open beside it."""
    return _with_query(day_url, {"open": str(pk)})


def without_panel(url: str) -> str:
    return _with_query(url, {})


def _with_query(url: str, more: dict[str, str]) -> str:
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "open"]
    return parts._replace(query=urlencode([*query, *more.items()]), fragment="").geturl()


@lru_cache(maxsize=256)
def _day_path(day: dt.date | None, _prefix: str) -> str:
    """Return the path of a day below the script prefix; a page has twenty links to days, and `reverse` is slow."""
    return reverse("appointments:schedule_day", args=[day]) if day else reverse("appointments:schedule_now")


def choice_url(day: dt.date, filters: dict[str, str], choice: str) -> str:
    """Return the address that leads to a day with these filters, and remembers a choice among them for the user."""
    return schedule_url(None, {"date": day.isoformat(), **filters, "remember": choice})


def query_text(filters: dict[str, str]) -> str:
    return urlencode({name: value for name, value in filters.items() if value}, safe=",")


def urls_by_id(view_name: str, *args: Any) -> Callable[[int], str]:
    """Return a function from ids to addresses of a page, for pages with hundreds of links: `reverse` is slow."""
    before, after = reverse(view_name, args=[0, *args]).split("/0/")
    return lambda pk: f"{before}/{pk}/{after}"


def origin_url(request: StaffRequest) -> str:
    """Return the day, week or affected-appointments page that the user came from, with its filters; "" for others.

    `from` in the address goes first, as it is: only ids and filters are read from it, and it is never redirected to.
    """
    if "from" in request.GET:
        return request.GET["from"]
    address = _parts(referring_page(request))
    is_day = address.path == "/" or address.path.startswith(reverse("appointments:schedule_now"))
    is_origin = is_day or bool(_named(address.path, "doctor_week") or _named(address.path, "schedule_change_detail"))
    return f"{address.path}?{address.query}" if is_origin else ""


def is_schedule_change_url(address: str) -> bool:
    return _named(address, "schedule_change_detail") is not None


def _named(address: str, page: str) -> int | None:
    """Return the id in an address if it is one of this page."""
    try:
        found = resolve(_parts(address).path)
    except Resolver404:
        return None
    return found.kwargs["pk"] if found.view_name == f"appointments:{page}" else None


def _parts(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def day_url(day: dt.date, *, origin_url: str) -> str:
    """Return the address of a day with the filters of `origin_url`, or of the week if that is a week."""
    doctor_id = _named(origin_url, "doctor_week")
    return schedule_url(day, _filters_named(origin_url)) if doctor_id is None else week_url(doctor_id, day)


def week_url(doctor_id: int, day: dt.date) -> str:
    return reverse("appointments:doctor_week", args=[doctor_id, day])


def back_url(appointment: Appointment, *, origin_url: str) -> str:
    """Return the address that leaves a form of the appointment: where it was opened, or its page if that is unknown."""
    if not origin_url:
        return appointment.get_absolute_url()
    url = appointment_url(appointment, origin_url=origin_url)
    return url if is_schedule_change_url(origin_url) else panel_url(url, appointment.pk)


def _filters_named(address: str) -> dict[str, str]:
    return {name: value for name, value in parse_qsl(_parts(address).query) if name in FILTERS}


def appointment_url(appointment: Appointment, *, origin_url: str = "", move: bool = False) -> str:
    """Return the address of the appointment in the page of `origin_url`: day view, week or affected appointments.

    Filters that would hide it are dropped. With `move`, it is the day view in which a new time is chosen.
    """
    day = clinic_time.local_date(appointment.start_time)
    if not move and (impact_id := _named(origin_url, "schedule_change_detail")) is not None:
        return f"{reverse('appointments:schedule_change_detail', args=[impact_id])}#v{appointment.pk}"
    if not move and _named(origin_url, "doctor_week") is not None:
        return f"{week_url(appointment.doctor_id, day)}#v{appointment.pk}"
    filters = _filters_named(origin_url)
    if "doctor" in filters and str(appointment.doctor_id) not in filters["doctor"].split(","):
        del filters["doctor"]
    if filters.get("specialization", appointment.doctor.specialization) != appointment.doctor.specialization:
        del filters["specialization"]
    if filters.get("status", appointment.status) != appointment.status:
        del filters["status"]
    if move:
        filters |= {"move": str(appointment.pk), "layout": "", "status": ""}
    return f"{schedule_url(day, filters)}#v{appointment.pk}"
