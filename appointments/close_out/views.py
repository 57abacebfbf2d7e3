"""The close-out page. The views of its buttons are in `appointments.detail.status_views`."""

from django.http import HttpResponse
from django.shortcuts import render

from appointments.close_out.pending import close_out_for
from clinic.web.http import StaffRequest


def close_out(request: StaffRequest) -> HttpResponse:
    return render(request, "appointments/close_out/close_out.html", {"close_out": close_out_for(request.user)})
