"""Admin of doctors."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest

from clinic.safe_admin import LinkedModelAdmin
from doctors.models import Doctor


@admin.register(Doctor)
class DoctorAdmin(LinkedModelAdmin):
    """Doctors; who leaves the clinic is deactivated, not deleted."""

    list_display = ["full_name", "specialization", "is_active", "user", "created_at"]
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
        doctors = list(queryset.exclude(is_active=is_active))
        for doctor in doctors:  # one by one, so that each leaves its audit entry
            doctor.is_active = is_active
            doctor.save()
        word = "reactivated" if is_active else "deactivated"
        self.message_user(request, f"{len(doctors)} {word}.", messages.SUCCESS)
