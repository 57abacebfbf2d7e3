"""Admin of doctors and their time, as far as it is theirs alone.

`appointments.displaced.admin` registers it: there it is known whom a change hits.
"""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest

from clinic.administration.base import ProtectedModelAdmin, SafeModelAdmin
from doctors.models import Doctor, Weekday

SEEN = ("seen_version", "seen_hits")  # what the forms carry unseen


class DoctorAdmin(ProtectedModelAdmin):
    """Doctors; who leaves the clinic is deactivated, not deleted."""

    list_display = ["full_name", "specialization", "is_active", "usual_minutes", "gap_minutes", "user", "created_at"]
    list_filter = ["is_active", "specialization"]
    list_select_related = ["user"]
    search_fields = ["full_name", "specialization"]
    date_hierarchy = "created_at"
    autocomplete_fields = ["user"]
    readonly_fields = ["created_at"]
    actions = ["deactivate", "reactivate"]

    @admin.action(description="Deactivate selected doctors", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: Any) -> None:
        """Keep the selected doctors from being booked; what is booked stays."""
        self._set_active(request, queryset, is_active=False)

    @admin.action(description="Reactivate selected doctors", permissions=["change"])
    def reactivate(self, request: HttpRequest, queryset: Any) -> None:
        """Let the selected doctors be booked again."""
        self._set_active(request, queryset, is_active=True)

    def _set_active(self, request: HttpRequest, queryset: Any, *, is_active: bool) -> None:
        doctors = list(queryset.exclude(is_active=is_active).order_by("pk"))  # as bookings claim them
        for doctor in doctors:
            doctor.is_active = is_active
        changed = [doctor for doctor in doctors if self.save_active(request, doctor)]
        word = "reactivated" if is_active else "deactivated"
        if changed or not doctors:
            self.message_user(request, f"{len(changed)} {word}.", messages.SUCCESS)

    def save_active(self, request: HttpRequest, doctor: Doctor) -> bool:
        """Save a doctor who was made active or inactive, with an audit entry; return whether it was done."""
        doctor.save()
        return True


class DoctorsTimeAdmin(SafeModelAdmin):
    """Of what belongs to a doctor: whose it is, is said once."""

    list_select_related = ["doctor"]
    autocomplete_fields = ["doctor"]
    list_filter = ["doctor"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Keep a record with its doctor."""
        return ["doctor"] if obj else []


class TimetableAdmin(DoctorsTimeAdmin):
    """The hours of a week, a line a day."""

    list_display = ["doctor", "valid_from", "valid_until"]
    fieldsets = [
        (None, {"fields": ["doctor", "valid_from", "valid_until", *SEEN]}),
        (
            "Hours",
            {
                "fields": [day.name.lower() for day in Weekday],
                "description": "Such as 08:00-12:30, 13:30-17:00; the gap is the break. Empty: not working.",
            },
        ),
    ]


class LeaveAdmin(DoctorsTimeAdmin):
    """Leaves of doctors."""

    list_display = ["doctor", "span_text", "reason"]
    ordering = ["-start_time"]
    fields = ["doctor", "start_time", "end_time", "reason", *SEEN]


class ClosureAdmin(SafeModelAdmin):
    """Dates on which the clinic is closed."""

    list_display = ["date", "name"]
    fields = ["date", "name", *SEEN]
