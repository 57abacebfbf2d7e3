"""Links between the pages of the schedule, and the way back to the page somebody came from."""

import datetime as dt
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from django.urls import Resolver404, resolve, reverse

from appointments.models import Appointment
from clinic.core import clinic_time
from clinic.web.http import StaffRequest

FILTERS = ("doctor", "specialization", "layout")


def schedule_url(day: dt.date | None, kept: dict[str, str]) -> str:
    """Return the address of a day, or of today, with the filters that are kept."""
    url = reverse("appointments:schedule_day", args=[day]) if day else reverse("appointments:schedule_now")
    query = urlencode({name: value for name, value in kept.items() if value})
    return f"{url}?{query}" if query else url


def origin_url(request: StaffRequest) -> str:
    """Return the day view with its filters, the week or the impact page that led here, to lead back to it; or nothing.

    It is only ever read for filters, and for which week or impact it is: nobody is sent to what an address names.
    """
    if "from" in request.GET:
        return request.GET["from"]
    address = _parts(request.headers.get("Referer", ""))
    is_day = address.path == "/" or address.path.startswith(reverse("appointments:schedule_now"))
    leads_back = is_day or bool(_named(address.path, "doctor_week") or _named(address.path, "schedule_change_detail"))
    return f"{address.path}?{address.query}" if leads_back and address.netloc == request.get_host() else ""


def is_schedule_change_url(address: str) -> bool:
    """Return whether an address is that of an impact page."""
    return _named(address, "schedule_change_detail") is not None


def _named(address: str, page: str) -> int | None:
    """Return the id of the doctor or the impact that an address names, if it is one of that page."""
    try:
        found = resolve(_parts(address).path)
    except Resolver404:
        return None
    return found.kwargs["pk"] if found.view_name == f"appointments:{page}" else None


def _parts(address: str) -> SplitResult:
    """Return the parts of an address; of what is none, nothing."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def day_url(day: dt.date, *, origin_url: str) -> str:
    """Return the address of a day, with the filters of the day view one came from, or of the doctor's week."""
    doctor_id = _named(origin_url, "doctor_week")
    return schedule_url(day, _filters_named(origin_url)) if doctor_id is None else week_url(doctor_id, day)


def week_url(doctor_id: int, day: dt.date) -> str:
    """Return the address of the week of a doctor in which a date lies."""
    return reverse("appointments:doctor_week", args=[doctor_id, day])


def _filters_named(address: str) -> dict[str, str]:
    return {name: value for name, value in parse_qsl(_parts(address).query) if name in FILTERS}


def appointment_url(appointment: Appointment, *, origin_url: str = "", move: bool = False) -> str:
    """Return the appointment's place in the day view, with those filters of the day view one came from that show it.

    Who came from a week is led to the week of the appointment, and who came from an impact page back there. With
    `move`, it is the day view in which a new time is picked for it.
    """
    day = clinic_time.local_date(appointment.start_time)
    if not move and (impact_id := _named(origin_url, "schedule_change_detail")) is not None:
        return f"{reverse('appointments:schedule_change_detail', args=[impact_id])}#v{appointment.pk}"
    if not move and _named(origin_url, "doctor_week") is not None:
        return f"{week_url(appointment.doctor_id, day)}#v{appointment.pk}"
    kept = _filters_named(origin_url)
    if kept.get("doctor", str(appointment.doctor_id)) != str(appointment.doctor_id):
        del kept["doctor"]
    if kept.get("specialization", appointment.doctor.specialization) != appointment.doctor.specialization:
        del kept["specialization"]
    if move:
        kept |= {"move": str(appointment.pk), "layout": ""}
    return f"{schedule_url(day, kept)}#v{appointment.pk}"
