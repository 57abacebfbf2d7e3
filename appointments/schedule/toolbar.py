"""The toolbar of the day: what is shown of it, and the links and fields that show something else."""

import datetime as dt
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from appointments.navigation import choice_url, schedule_url
from appointments.schedule.day import Day, DayFilters
from appointments.schedule.drawing import TEMPLATES
from appointments.schedule.remembered import OWN
from appointments.statuses import Status
from clinic.core import clinic_time
from clinic.html.drawing import draw

COMPACT = "compact"
LIST = "list"

Filters = dict[str, str]
_ALL_DOCTORS = {"doctor": "", "specialization": ""}


class Chip(NamedTuple):
    """A number of appointments, and the address that shows only these."""

    name: str  # the status, or `all`
    number: int
    word: str
    url: str
    is_current: bool


class WorklistsLink(NamedTuple):
    """The link to the affected appointments. `title` names the first causes."""

    url: str
    words: str
    title: str


class DoctorGroup(NamedTuple):
    """The doctors with one specialization, each with id, name and whether it is ticked."""

    specialization: str
    doctors: list[tuple[int, str, bool]]


def status_chips(
    counts: Iterable[tuple[Status, int]], *, chosen: str, url_of: Callable[[str], str], is_all: bool | None = None
) -> list[Chip]:
    """Return a chip for all appointments and one for each status that there is or that is chosen."""
    numbers = dict(counts)
    shown = [status for status in Status if status in numbers or status == chosen]
    return [
        Chip("all", sum(numbers.values()), "all", url_of(""), is_current=not chosen if is_all is None else is_all),
        *(
            Chip(status, numbers.get(status, 0), status.label.lower(), url_of(status), is_current=status == chosen)
            for status in shown
        ),
    ]


def day_chips(day: dt.date, filters: Filters, counts: Iterable[tuple[Status, int]], *, tab: str = "all") -> list[Chip]:
    """Return the chips of a day. In the list they choose among all appointments, as its tab `all` does."""
    chosen, is_list = filters.get("status", ""), filters.get("layout") == LIST

    def url_of(status: str) -> str:
        return schedule_url(day, filters | {"status": status, "tab": "all" if is_list and not status else ""})

    return status_chips(counts, chosen=chosen, url_of=url_of, is_all=not chosen and tab == "all")


def draw_counts(chips: Iterable[Chip]) -> SafeString:
    """Return the chips alone, as a refresh of the whole day replaces them."""
    return draw(f"{TEMPLATES}/_counts.jinja", chips=chips)


def worklists_link(changes: list[Any]) -> WorklistsLink | None:
    """Return the link to what `unfinished_for` has found; None if that is nothing."""
    if not changes:
        return None
    to_rebook, to_inform = (sum(getattr(change, name) for change in changes) for name in ("to_rebook", "to_inform"))
    url = changes[0].get_absolute_url() if len(changes) == 1 else reverse("appointments:schedule_change_list")
    title = ". ".join(
        f"{Truncator(change.cause).chars(100)}: {change.to_rebook} to move or cancel, {change.to_inform} to inform"
        for change in changes[:3]
    )
    return WorklistsLink(url, f"{to_rebook} to rebook" if to_rebook else f"{to_inform} to inform", title)


def toolbar_of(shown: Day, filters: Filters, day_filters: DayFilters, remembered: Filters) -> dict[str, Any]:
    """Return the context of the toolbar, each link with the filters."""
    day = shown.date
    return {
        "filters": filters,
        "date_fields": list(filters.items()),
        "doctor_menu": _draw_doctor_menu(shown, filters, day_filters, remembered.get(OWN, "")),
        "doctors_label": _doctors_label(shown, day_filters),
        "export_query": _export_query(day, day_filters),
        **_view_links(day, filters),
        **_day_links(day, filters),
    }


def _view_links(day: dt.date, filters: Filters) -> dict[str, str]:
    other_layout = "" if filters.get("layout") == LIST else LIST
    other_density = "" if filters.get("density") == COMPACT else COMPACT
    without_tab = filters | {"tab": "", "move": ""}
    return {
        "other_layout_url": choice_url(day, without_tab | {"layout": other_layout}, "layout"),
        "other_density_url": choice_url(day, filters | {"density": other_density}, "density"),
    }


def _day_links(day: dt.date, filters: Filters) -> dict[str, str]:
    print_filters = [(name, filters[name]) for name in ("doctor", "specialization") if name in filters]
    return {
        "today_url": schedule_url(None, filters),
        "previous_url": _shifted_url(day, filters, days=-1),
        "next_url": _shifted_url(day, filters, days=1),
        "print_query": urlencode([("now", "1"), *print_filters], safe=","),
        "not_moving_url": schedule_url(day, filters | {"move": ""}),
    }


def _export_query(day: dt.date, day_filters: DayFilters) -> str:
    """Return what the export form starts with: it takes one doctor or all."""
    doctor = {"doctor": day_filters.doctor_ids[0]} if len(day_filters.doctor_ids) == 1 else {}
    return urlencode({"first": day.isoformat(), **doctor})


def _shifted_url(day: dt.date, filters: Filters, *, days: int) -> str:
    """Return the address of a day before or after; empty beyond the calendar."""
    shifted = clinic_time.shifted_date(day, days=days)
    return schedule_url(shifted, filters) if shifted else ""


def _doctors_label(shown: Day, day_filters: DayFilters) -> str:
    """Return whose columns are shown: `8 doctors`, `3 of 8 doctors`, one name, or one specialization."""
    number = len(shown.doctors)
    if len(day_filters.doctor_ids) == 1 and shown.columns:
        return shown.columns[0].doctor.full_name
    if day_filters.doctor_ids:
        return f"{len(shown.columns)} of {number} doctors"
    return day_filters.specialization or f"{number} doctor{'' if number == 1 else 's'}"


def _draw_doctor_menu(shown: Day, filters: Filters, day_filters: DayFilters, own: str) -> SafeString:
    day = shown.date
    fields = {"date": day.isoformat(), **filters, **_ALL_DOCTORS, "remember": "doctors"}
    return draw(
        f"{TEMPLATES}/_doctor_menu.jinja",
        url=reverse("appointments:schedule_now"),
        groups=_doctor_groups(shown, day_filters),
        fields=[(name, value) for name, value in fields.items() if value],
        all_url=choice_url(day, filters | _ALL_DOCTORS, "doctors"),
        own_url=choice_url(day, filters | {"doctor": own, "specialization": ""}, "doctors") if own else "",
        is_all=day_filters == DayFilters(),
        is_own=bool(own) and filters.get("doctor") == own,
    )


def _doctor_groups(shown: Day, day_filters: DayFilters) -> list[DoctorGroup]:
    groups: dict[str, list[tuple[int, str, bool]]] = {}
    for doctor in sorted(shown.doctors, key=attrgetter("specialization", "full_name")):
        is_ticked = doctor.pk in day_filters.doctor_ids
        groups.setdefault(doctor.specialization, []).append((doctor.pk, doctor.full_name, is_ticked))
    return [DoctorGroup(name, doctors) for name, doctors in groups.items()]
