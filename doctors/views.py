"""Pages of doctors. Administrators keep the records in the admin."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from clinic import clinic_time
from doctors.models import Doctor


def doctor_list(request: HttpRequest) -> HttpResponse:
    """List the doctors, active ones first, by specialization and name."""
    doctors = Doctor.objects.order_by("-is_active", "specialization", "full_name", "pk")
    return render(request, "doctors/doctor_list.html", {"doctors": doctors})


def doctor_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one doctor, with the way to the diary."""
    doctor = get_object_or_404(Doctor, pk=pk)
    return render(request, "doctors/doctor_detail.html", {"doctor": doctor, "today": clinic_time.today()})
