"""Pages to print."""

import datetime as dt

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format

from appointments.models import Appointment, EmergencyGrant, may_see_names
from appointments.navigation import schedule_url
from appointments.schedule.day import ALL_DOCTORS, DayFilters, day_view
from appointments.schedule.day_views import filters_of
from appointments.schedule.sheets import SPARE_LINES, next_working_day, sheets
from clinic.core import clinic_time
from clinic.html.drawing import draw
from clinic.models import AuditEntry, Event
from clinic.web.http import StaffRequest


def schedule_print(request: StaffRequest, day: dt.date) -> HttpResponse:
    url_filters, day_filters = filters_of(request)
    return _print_page(request, [day], day_filters, back_url=schedule_url(day, url_filters), at=timezone.now())


def schedule_print_next(request: StaffRequest) -> HttpResponse:
    return schedule_print(request, next_working_day(clinic_time.today()))


def schedule_pack(request: StaffRequest) -> HttpResponse:
    """Print the paper backup: today and the next working day.

    During emergency access it shows all names and phone numbers, which the audit trail records.
    """
    at = timezone.now()
    today = clinic_time.today(at=at)
    days = [today, next_working_day(today)]
    grant = may_see_names(request.user, at=at)
    if grant is not None:
        AuditEntry.objects.record(Event.EMERGENCY, grant, days=[day.isoformat() for day in days])
    return _print_page(request, days, ALL_DOCTORS, back_url=schedule_url(None, {}), at=at, grant=grant)


def _print_page(
    request: StaffRequest,
    days: list[dt.date],
    filters: DayFilters,
    *,
    back_url: str,
    at: dt.datetime,
    grant: EmergencyGrant | None = None,
) -> HttpResponse:
    printed = [str(day) for day in days]
    AuditEntry.objects.record(Event.READ, Appointment, printed=printed, doctor=_recorded(filters))
    shows_names = grant is not None
    views = [day_view(day, user=request.user, at=at, filters=filters, shows_names=shows_names) for day in days]
    shown = [sheet for view in views for sheet in sheets(view)]
    context = {
        "days": days,
        "sheets": shown,
        "drawn": draw(
            "appointments/schedule/_print_sheet.jinja",
            sheets=shown,
            printed_at=date_format(clinic_time.local(at), "j M Y H:i"),
            spare_lines=SPARE_LINES,
            clinic_name=settings.CLINIC_NAME,
        ),
        "back_url": back_url,
        "grant": grant,
    }
    return render(request, "appointments/schedule/schedule_print.html", context)


def _recorded(filters: DayFilters) -> int | list[int] | None:
    """Return the doctors as the audit trail shows them: the id of one, a list of several, or None for all."""
    return filters.doctor_ids[0] if len(filters.doctor_ids) == 1 else list(filters.doctor_ids) or None
