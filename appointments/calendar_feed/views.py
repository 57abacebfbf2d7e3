"""The calendar feed, the page that manages its address, and one appointment as a calendar file."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response

from appointments.calendar_feed.ical import CONTENT_TYPE, feed_of, feed_version, file_for_patient
from appointments.models import CalendarFeed
from appointments.permissions import appointment_for, doctor_with_feed
from clinic.audit.try_counts import TryCount
from clinic.core.client_address import is_unencrypted, subscriber_address
from clinic.db.transactions import retrying
from clinic.models import AuditEntry, Event
from clinic.ops.rate_limit import seconds_to_wait
from clinic.web.error_pages import refusal_page
from clinic.web.http import StaffRequest

MAX_UNKNOWN_A_MINUTE = 20  # from one address: a revoked feed is asked for every few minutes


def calendar_feed(request: HttpRequest, token: str) -> HttpResponse:
    """Answer a calendar program with the doctor's appointments, or that nothing has changed.

    404 if the feed has ended, and over a line that others can read; 429 after too many such requests from an address,
    from which open feeds still work.
    """
    feed = None if is_unencrypted(request) else CalendarFeed.objects.open_one(token)
    if feed is None:
        return _refuse_unknown(request)
    now = timezone.now()
    etag = f'W/"{feed_version(feed.doctor, at=now)}"'  # weak: answers differ in their time stamp
    response = get_conditional_response(request, etag=etag)
    if response is None:
        # There is no user: only the client's address in the audit trail can reveal a stolen token.
        AuditEntry.objects.record(Event.READ, feed)
        response = HttpResponse(feed_of(feed.doctor, at=now), content_type=CONTENT_TYPE)
        # Otherwise a browser would name the file after the token.
        response["Content-Disposition"] = 'attachment; filename="diary.ics"'
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _refuse_unknown(request: HttpRequest) -> HttpResponse:
    """Answer 404, or 429 at the limit, and record or count it by the client's address."""
    address = subscriber_address(request)
    TryCount.objects.record_first(Event.REFUSAL, CalendarFeed, address=address, at=timezone.now())
    wait = seconds_to_wait(f"unknown-feed-{address}", most=MAX_UNKNOWN_A_MINUTE)
    if wait:
        return refusal_page(request, 429, {"Retry-After": str(wait)})
    raise Http404


@retrying
def calendar_feed_edit(request: StaffRequest, pk: int) -> HttpResponse:
    """Show a doctor's feed; create one, showing its address only this once; or revoke it."""
    doctor = doctor_with_feed(request.user, pk)
    address = ""
    if "revoke" in request.POST:
        if CalendarFeed.revoke(doctor):
            messages.success(request, f"Calendar feed of {doctor} revoked.")
        return redirect("appointments:calendar_feed_edit", doctor.pk)
    feed = CalendarFeed.objects.filter(doctor=doctor).select_related("doctor__user", "created_by").first()
    if "make" in request.POST:
        if request.POST["make"] != (str(feed.pk) if feed else ""):  # sent twice, or another user was faster
            messages.info(request, "An address has been created in the meantime. If it is lost, replace it.")
            return redirect("appointments:calendar_feed_edit", doctor.pk)
        # No redirect: the secret would have to be stored until the next request.
        token = CalendarFeed.make(doctor, by=request.user)
        address = request.build_absolute_uri(reverse("appointments:calendar_feed", args=[token]))
    context = {"doctor": doctor, "feed": feed, "address": address}
    return render(request, "appointments/calendar_feed/calendar_feed_edit.html", context)


def appointment_calendar(request: StaffRequest, pk: int) -> HttpResponse:
    """Send an appointment as a calendar file for the patient."""
    appointment = appointment_for(request.user, pk, "view")
    AuditEntry.objects.record(Event.READ, appointment)
    response = HttpResponse(file_for_patient(appointment), content_type=CONTENT_TYPE)
    response["Content-Disposition"] = 'attachment; filename="appointment.ics"'
    return response
