"""What the pages show of free times, in ready words."""

import datetime as dt
from functools import cache
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.formats import date_format

from appointments.availability.roster import Roster
from appointments.availability.search import FreeDay, Slot, SlotSearch, find_first_free, slot_query
from clinic.core import clinic_time
from doctors.models import Doctor

DAYS_SHOWN = 5
TIMES_SHOWN = 5  # of each doctor and day, unless only one doctor is asked for
DOCTORS_SHOWN = 8  # a day, in the panel
BOOKING = "../book/?"  # from the page of free times: the whole address would make it a tenth larger


def shown_times(search: SlotSearch, roster: Roster, first_day: dt.date) -> dict[str, Any]:
    """Return the template context of the first days with free times, and the date from which to look for later ones.

    Of many doctors, each has at most `TIMES_SHOWN + 1`: one more than is shown, if there are more.
    """
    is_one_doctor = search.doctor_id is not None
    found = find_first_free(
        search,
        roster.doctors,
        first_day=first_day,
        max_days=DAYS_SHOWN,
        max_times=None if is_one_doctor else TIMES_SHOWN + 1,
        load=roster.load,
    )
    return {
        "free_days": found.days,
        "first_day": first_day,
        "last_day": found.last_day,
        "later": clinic_time.known_date(found.later),
        "is_one_doctor": is_one_doctor,
    }


class DoctorRow(NamedTuple):
    """A doctor's free times of a day: for each, what books it, as an address or as parameters, and the time of day."""

    pk: int
    name: str
    specialization: str
    times: list[tuple[str, str]]
    has_more: bool


class DayShown(NamedTuple):
    """A day with free times. `more` are the parameters that show all times of one of its doctors."""

    heading: str
    date_text: str
    address: str
    rows: list[DoctorRow]
    more: str = ""
    has_more_doctors: bool = False


def page_days(days: list[FreeDay], search: SlotSearch) -> list[DayShown]:
    """Return what the page of free times draws: the addresses that book have the length and the patient asked for."""
    kept = {"minutes": search.minutes, "patient": search.patient_id}
    return [
        DayShown(
            heading=date_format(day.date, "l j F Y"),
            date_text=date_format(day.date, "D j M Y"),
            address=reverse("appointments:schedule_day", args=[day.date]),
            rows=_rows(day.doctors, search, address=BOOKING, kept=_parameters(kept)),
            more=_parameters({"date": day.date, "part_of_day": search.part_of_day, **kept}),
        )
        for day in days
    ]


def panel_days(days: list[FreeDay], search: SlotSearch) -> list[DayShown]:
    """Return what the panel beside a form draws: the first `DOCTORS_SHOWN` of each day."""
    return [
        DayShown(
            heading=date_format(day.date, "l j F"),
            date_text=date_format(day.date, "D j M Y"),
            address="",
            rows=_rows(day.doctors[:DOCTORS_SHOWN], search),
            has_more_doctors=len(day.doctors) > DOCTORS_SHOWN,
        )
        for day in days
    ]


def _parameters(parameters: dict[str, Any]) -> str:
    """Return those parameters of an address that have a value, to follow others."""
    return "".join(f"&{name}={value}" for name, value in parameters.items() if value)


def _rows(
    doctors: list[tuple[Doctor, list[Slot]]], search: SlotSearch, *, address: str = "", kept: str = ""
) -> list[DoctorRow]:
    limit = None if search.doctor_id is not None else TIMES_SHOWN
    time_text = cache(clinic_time.time_text)
    rows = []
    for doctor, slots in doctors:
        pk = doctor.pk
        times = [(f"{address}{slot_query(pk, slot.start)}{kept}", time_text(slot.start)) for slot in slots[:limit]]
        has_more = limit is not None and len(slots) > limit
        rows.append(DoctorRow(pk, doctor.full_name, doctor.specialization, times, has_more))
    return rows
