"""Pages of the days on which the clinic is closed. Who may call which is in `clinic.web.page_access`."""

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from clinic.core import clinic_time
from clinic.db.transactions import retrying
from clinic.web.http import StaffRequest, sent_data
from doctors.availability_views import edit_record, finish
from doctors.closures.forms import ClosureForm, HolidaysForm
from doctors.closures.public_holidays import PublicHoliday
from doctors.displacement import displaced_by_saving, named_appointments, record_displaced_read
from doctors.forms import ids_in
from doctors.models import Closure

QUARTER = dt.timedelta(days=92)


def closure_list(request: StaffRequest) -> HttpResponse:
    """List the closing days from today on."""
    closures = Closure.objects.filter(date__gte=clinic_time.today())
    return render(request, "doctors/closure_list.html", {"closures": closures})


@retrying
def closure_add(request: StaffRequest) -> HttpResponse:
    return edit_record(request, Closure(), ClosureForm, title="Closing day", return_to=_list_url())


@retrying
def closure_edit(request: StaffRequest, pk: int) -> HttpResponse:
    closure = get_object_or_404(Closure, pk=pk)
    return edit_record(request, closure, ClosureForm, title="Closing day", return_to=_list_url())


def _list_url() -> str:
    return reverse("doctors:closure_list")


@dataclass
class HolidayPage:
    """The holidays of a year, and what was sent about them. Nothing is saved of a list that was not shown."""

    request: StaffRequest
    displaced: list[Any] = field(default_factory=list)

    @cached_property
    def sent(self) -> QueryDict | None:
        """What a form sent, now or before the session ended."""
        return sent_data(self.request)

    @cached_property
    def form(self) -> HolidaysForm:
        return HolidaysForm(self.request.GET if self.sent is None else self.sent, usual_year=_usual_year())

    @cached_property
    def holidays(self) -> list[PublicHoliday]:
        return [holiday for holiday in self.form.found() if holiday.date >= clinic_time.today()]

    @cached_property
    def closed_dates(self) -> set[dt.date]:
        dates = [holiday.date for holiday in self.holidays]
        return set(Closure.objects.filter(date__in=dates).values_list("date", flat=True))

    @property
    def search_key(self) -> str:
        """The country, region and year of the list, as the form sends them back with it."""
        return "/".join(str(self.form[name].value() or "") for name in self.form.fields)

    @property
    def is_save(self) -> bool:
        """Whether the button that closes the clinic was pressed, and not the one that shows other holidays."""
        return self.request.method == "POST" and "show" not in self.request.POST

    @property
    def is_list_as_shown(self) -> bool:
        return self.request.POST.get("shown") == self.search_key

    def chosen(self) -> list[Closure]:
        """Return the closures to save, for the dates ticked that are not closed yet."""
        if not (self.is_save and self.is_list_as_shown):
            return []
        ticked = self.request.POST.getlist("date")
        max_length = Closure._meta.get_field("name").max_length
        return [
            Closure(date=holiday.date, name=holiday.name[:max_length])
            for holiday in self.holidays
            if holiday.date.isoformat() in ticked and holiday.date not in self.closed_dates
        ]

    def is_ticked(self, holiday: PublicHoliday) -> bool:
        """Return whether a date is shown ticked: yes, unless it was listed and unticked."""
        sent, date = self.sent or QueryDict(), holiday.date.isoformat()
        return date not in sent.get("listed", "").split(",") or date in sent.getlist("date")

    def render(self) -> HttpResponse:
        named = named_appointments(self.displaced)
        record_displaced_read(named)
        context = {
            "form": self.form,
            "search_key": self.search_key,
            "lines": [(each, each.date in self.closed_dates, self.is_ticked(each)) for each in self.holidays],
            "displaced": self.displaced,
            "named": named,
        }
        return render(self.request, "doctors/closure_holidays.html", context)


@retrying
def closure_holidays(request: StaffRequest) -> HttpResponse:
    """Show a year's public holidays, and close the clinic on those chosen: on all of them or on none."""
    page = HolidayPage(request)
    with transaction.atomic():
        closures = page.chosen()
        if closures:
            page.displaced = displaced_by_saving(*closures)
            if {appointment.pk for appointment in page.displaced} <= ids_in(request.POST.get("seen_hits", "")):
                return _close(request, closures, page.displaced)
            transaction.set_rollback(True)
    if page.is_save and not page.is_list_as_shown:
        messages.info(request, "Nothing is saved yet: these are the dates of what is chosen now.")
    elif page.is_save and not closures:
        messages.error(request, "Choose at least one date.")
    return page.render()


def _usual_year() -> int:
    """Return the year whose holidays are entered next: in its last months, the coming one."""
    return (clinic_time.today() + QUARTER).year


def _close(request: StaffRequest, closures: list[Closure], displaced: list[Any]) -> HttpResponse:
    for closure in closures:
        closure.save()
    message = f"The clinic is closed on {len(closures)} more date{'s' if len(closures) > 1 else ''}."
    cause = f"Clinic closed: {', '.join(str(closure) for closure in closures)}"
    return finish(request, message, displaced, cause, {"record": closures[0], "return_to": _list_url()})
