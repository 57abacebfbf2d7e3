"""The page of the patients who are waiting now."""

from django.http import HttpResponse, HttpResponseNotModified
from django.shortcuts import render

from appointments.waiting_room.patients import waiting_room as waiting_room_for
from appointments.waiting_time import STEPS_TEXT
from clinic.web.http import StaffRequest
from clinic.web.session_limits import BACKGROUND


def waiting_room(request: StaffRequest) -> HttpResponse:
    """Show who waits, the longest first. The page's own refresh gets the list alone, if it has changed."""
    room = waiting_room_for(request.user)
    if BACKGROUND not in request.headers:
        template = "appointments/waiting_room/waiting_room.html"
    elif request.headers.get("If-None-Match") == room.etag:
        return HttpResponseNotModified()
    else:
        template = "appointments/waiting_room/_waiting.html"
    return render(request, template, {"room": room, "waiting_steps": STEPS_TEXT})
