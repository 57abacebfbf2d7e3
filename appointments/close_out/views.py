"""The close-out page. Who may call it is in `clinic.web.page_access`; its buttons are in `action_views`."""

from django.http import HttpResponse
from django.shortcuts import render

from appointments.close_out.pending import close_out_for
from clinic.web.http import StaffRequest


def close_out(request: StaffRequest) -> HttpResponse:
    """Show the past appointments without an outcome, each with a button for how it ended."""
    return render(request, "appointments/close_out/close_out.html", {"close_out": close_out_for(request.user)})
