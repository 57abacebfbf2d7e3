from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from clinic.core import clinic_time
from doctors.models import Closure, Doctor

MAX_CLOSURES = 10


def doctor_list(request: HttpRequest) -> HttpResponse:
    """List the doctors, active ones first, by specialization and name."""
    doctors = Doctor.objects.order_by("-is_active", "specialization", "full_name", "pk")
    return render(request, "doctors/doctor_list.html", {"doctors": doctors})


def doctor_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a doctor with present and future hours and leave."""
    doctor = get_object_or_404(Doctor, pk=pk)
    now = timezone.now()
    today = clinic_time.today(at=now)
    context = {
        "doctor": doctor,
        "today": today,
        "has_hours": doctor.timetables.exists(),
        "timetables": doctor.timetables.valid_within(today, None).prefetch_related("working_hours"),
        "leaves": doctor.leaves.filter(end_time__gt=now),
        "closures": Closure.objects.filter(date__gte=today)[:MAX_CLOSURES],
    }
    return render(request, "doctors/doctor_detail.html", context)
