"""Calendars: the feed a program fetches, the page on which its address is made, and one appointment as a file.

Who may call which is in `clinic.web.page_access`.
"""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response

from appointments.calendar_feed.ical import CONTENT_TYPE, feed_of, feed_version, file_for_patient
from appointments.models import CalendarFeed
from appointments.permissions import appointment_for, doctor_with_feed
from clinic.core.client_address import is_unencrypted
from clinic.db.transactions import retrying
from clinic.models import AuditEntry, Event
from clinic.web.http import StaffRequest


def calendar_feed(request: HttpRequest, token: str) -> HttpResponse:
    """Answer a calendar program with the doctor's appointments, or that nothing has changed.

    404 if the feed has ended, and over a line that others can read.
    """
    if is_unencrypted(request):
        raise Http404
    feed = CalendarFeed.objects.with_token(token).select_related("doctor__user").first()
    if feed is None or not feed.is_open:
        raise Http404
    now = timezone.now()
    etag = (
        f'W/"{feed_version(feed.doctor, at=now)}"'  # weak: the appointments are the same, the time of the answer is not
    )
    response = get_conditional_response(request, etag=etag)
    if response is None:
        # Who knows the address reads as nobody, so the client's own is what tells of a key in wrong hands.
        AuditEntry.objects.record(Event.READ, feed)
        response = HttpResponse(feed_of(feed.doctor, at=now), content_type=CONTENT_TYPE)
        # Else a browser would name the file after the token.
        response["Content-Disposition"] = 'attachment; filename="diary.ics"'
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    response["Referrer-Policy"] = "no-referrer"
    return response


@retrying
def calendar_feed_edit(request: StaffRequest, pk: int) -> HttpResponse:
    """Show whether a doctor has a feed; make one, and show its address this once; or revoke it."""
    doctor = doctor_with_feed(request.user, pk)
    address = ""
    if "revoke" in request.POST:
        if CalendarFeed.revoke(doctor):
            messages.success(request, f"Revoked: the calendar feed of {doctor}.")
        return redirect("appointments:calendar_feed_edit", doctor.pk)
    feed = CalendarFeed.objects.filter(doctor=doctor).select_related("doctor__user", "created_by").first()
    if "make" in request.POST:
        if request.POST["make"] != (str(feed.pk) if feed else ""):  # the page was sent again, or somebody was quicker
            messages.info(request, "An address has been made meanwhile. Replace it if it is lost.")
            return redirect("appointments:calendar_feed_edit", doctor.pk)
        # Not by a redirect: it would have to be kept somewhere until the next page.
        token = CalendarFeed.make(doctor, by=request.user)
        address = request.build_absolute_uri(reverse("appointments:calendar_feed", args=[token]))
    context = {"doctor": doctor, "feed": feed, "address": address}
    return render(request, "appointments/calendar_feed/calendar_feed_edit.html", context)


def appointment_calendar(request: StaffRequest, pk: int) -> HttpResponse:
    """Send an appointment as a file that its patient's calendar program can open."""
    appointment = appointment_for(request.user, pk, "view")
    AuditEntry.objects.record(Event.READ, appointment)
    response = HttpResponse(file_for_patient(appointment), content_type=CONTENT_TYPE)
    response["Content-Disposition"] = 'attachment; filename="appointment.ics"'
    return response
