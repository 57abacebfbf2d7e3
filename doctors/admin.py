"""Admin of doctors and their availability. Displaced appointments are shown before a change is saved."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html

from clinic.administration.base import ProtectedModelAdmin, SafeModelAdmin
from doctors.displacement import displaced_by_saving, follow_up, record_displaced_read
from doctors.forms import AvailabilityForm, ConfirmsDisplacement, TimetableAdminForm
from doctors.models import Closure, Doctor, Leave, Timetable, Weekday

SEEN = ("seen_version", "seen_hits")  # hidden fields of the forms


class DisplacementAdminMixin(SafeModelAdmin):
    """Lists the appointments a change displaces before it is saved, and opens their worklist afterwards."""

    form: type[ConfirmsDisplacement]
    change_form_template = "admin/displaced_change_form.html"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self._follow_up(request, obj, form.displaced, cause=obj.cause)

    def _follow_up(self, request: HttpRequest, obj: Any, displaced: list[Any], *, cause: str) -> None:
        user: Any = request.user  # logged in, as checked by clinic.web.page_access
        obj.worklist = follow_up(displaced, cause=cause, doctors=obj.diaries(), by=user)

    def _changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Roll back the locks that checking a refused form took; Django would commit them."""
        response = super()._changeform_view(request, *args, **kwargs)  # Django's own, in a transaction
        form = getattr(getattr(response, "context_data", {}).get("adminform"), "form", None)
        if request.method == "POST" and getattr(form, "is_bound", False):
            transaction.set_rollback(True)
        return response

    def record_form_read(self, request: HttpRequest, form: Any) -> None:
        super().record_form_read(request, form)
        record_displaced_read(form.named)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        self._follow_up(request, obj, [], cause="")

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete one by one, as from the page."""
        for obj in queryset:
            self.delete_model(request, obj)

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._to_worklist(request, obj) or super().response_add(request, obj, *args, **kwargs)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._to_worklist(request, obj) or super().response_change(request, obj)

    def _to_worklist(self, request: HttpRequest, obj: Any) -> HttpResponse | None:
        if obj.worklist is None or IS_POPUP_VAR in request.POST:
            return None
        self.message_user(request, f"Saved: {obj}.", messages.SUCCESS)
        return redirect(obj.worklist)


@admin.register(Doctor)
class DoctorAdmin(DisplacementAdminMixin, ProtectedModelAdmin):
    """Doctors. One who leaves the clinic is deactivated, not deleted."""

    form = ConfirmsDisplacement
    list_display = ["full_name", "specialization", "is_active", "usual_minutes", "gap_minutes", "user", "created_at"]
    list_filter = ["is_active", "specialization"]
    list_select_related = ["user"]
    search_fields = ["full_name", "specialization"]
    date_hierarchy = "created_at"
    autocomplete_fields = ["user"]
    readonly_fields = ["created_at"]
    actions = ["deactivate", "reactivate"]

    def save_model(self, request: HttpRequest, obj: Doctor, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if obj.is_active and not Doctor.objects.having_hours().filter(pk=obj.pk).exists():
            self._warn_without_hours(request, obj)

    def _warn_without_hours(self, request: HttpRequest, doctor: Doctor) -> None:
        text = format_html("{} has no hours yet, and so can be booked at any time.", doctor)
        if request.user.has_perm("doctors.add_timetable"):
            text = format_html('{} <a href="{}">Enter hours</a>', text, reverse("doctors:hours_add", args=[doctor.pk]))
        self.message_user(request, text, messages.WARNING)

    @admin.action(description="Deactivate selected doctors", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: Any) -> None:
        """Stop new bookings with the selected doctors."""
        self._set_active(request, queryset, is_active=False)

    @admin.action(description="Reactivate selected doctors", permissions=["change"])
    def reactivate(self, request: HttpRequest, queryset: Any) -> None:
        """Allow new bookings with the selected doctors."""
        self._set_active(request, queryset, is_active=True)

    def _set_active(self, request: HttpRequest, queryset: Any, *, is_active: bool) -> None:
        doctors = list(queryset.exclude(is_active=is_active).order_by("pk"))  # as bookings lock them
        for doctor in doctors:
            doctor.is_active = is_active
        changed = [doctor for doctor in doctors if self.save_active(request, doctor)]
        word = "reactivated" if is_active else "deactivated"
        if changed or not doctors:
            self.message_user(request, f"{len(changed)} {word}.", messages.SUCCESS)

    def save_active(self, request: HttpRequest, doctor: Doctor) -> bool:
        """Save a doctor without booked appointments, and return whether it was done."""
        displaced = [] if doctor.is_active else displaced_by_saving(doctor)
        if not displaced:
            doctor.save()
            self._follow_up(request, doctor, [], cause="")
            return True
        message = format_html(
            '{} still has booked appointments: {}. <a href="{}">Open the record</a>, untick “active” and save: '
            "it shows them.",
            doctor,
            len(displaced),
            reverse("admin:doctors_doctor_change", args=[doctor.pk]),
        )
        self.message_user(request, message, messages.ERROR)
        return False


class DoctorRecordAdmin(DisplacementAdminMixin):
    """Records of one doctor, who cannot be changed later."""

    list_select_related = ["doctor"]
    autocomplete_fields = ["doctor"]
    list_filter = ["doctor"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["doctor"] if obj else []


@admin.register(Timetable)
class TimetableAdmin(DoctorRecordAdmin):
    form = TimetableAdminForm
    list_display = ["doctor", "valid_from", "valid_until"]
    fieldsets = [
        (None, {"fields": ["doctor", "valid_from", "valid_until", *SEEN]}),
        (
            "Hours",
            {
                "fields": [day.name.lower() for day in Weekday],
                "description": "Such as 08:00-12:30, 13:30-17:00; the gap is the break. Leave empty for a day off.",
            },
        ),
    ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the portal's own page first shows the appointments displaced when hours end."""
        return False


@admin.register(Leave)
class LeaveAdmin(DoctorRecordAdmin):
    form = AvailabilityForm
    list_display = ["doctor", "span_text", "reason"]
    ordering = ["-start_time"]
    fields = ["doctor", "start_time", "end_time", "reason", *SEEN]


@admin.register(Closure)
class ClosureAdmin(DisplacementAdminMixin):
    form = AvailabilityForm
    list_display = ["date", "name"]
    fields = ["date", "name", *SEEN]
