from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from clinic.core import clinic_time
from doctors.models import Closure, Doctor

MAX_CLOSURES = 10
MAX_QUERY = 100  # characters, as in a doctor's name
DOCTORS_PER_PAGE = 50


def doctor_list(request: HttpRequest) -> HttpResponse:
    """List a page of all doctors, or of those found: active ones first, by specialization and name."""
    doctors = Doctor.objects.with_has_hours().order_by("-is_active", "specialization", "full_name", "pk")
    query = request.GET.get("q", "").strip()[:MAX_QUERY]
    if query:
        doctors = doctors.filter(Q(full_name__icontains=query) | Q(specialization__icontains=query))
    page = Paginator(doctors, DOCTORS_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "doctors/doctor_list.html", {"doctors": page, "query": query, "max_query": MAX_QUERY})


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
