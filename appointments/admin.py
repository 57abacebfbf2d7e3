"""Admin of appointments, with the same rules as the front desk."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest

from appointments import rules
from appointments.booking import actions as booking
from appointments.booking.forms import DefaultDurationMixin, OverrideReasonMixin
from appointments.emergency_access import admin as emergency_admin  # noqa: F401 -- Django looks for admin classes here
from appointments.models import Appointment
from clinic.administration.base import SafeModelAdmin, refusals_of
from clinic.administration.lists import SplitListFilter, first_matches
from clinic.core import clinic_time
from doctors.models import Doctor
from patients.models import Patient

MAX_REFUSALS_SHOWN = 10
OUTSIDE_HOURS = "Outside hours"


class ClinicSplitDateTimeField(forms.SplitDateTimeField):
    """A start in clinic time. A time that the clock change repeats cannot be chosen; `original` is accepted."""

    original: dt.datetime | None = None

    def compress(self, data_list: Any) -> dt.datetime | None:
        if not data_list or None in data_list:
            return super().compress(data_list)
        day, time = data_list
        if self.original is not None:
            original = clinic_time.local(self.original)
            if (day, time) == (original.date(), original.time()):
                return self.original
        try:
            return clinic_time.instant_at(day, time)
        except ValidationError as error:
            if error.code == "ambiguous_time":
                error.message = f"{error.message} Only the portal's booking form can ask."
            raise


class AppointmentAdminForm(OverrideReasonMixin, DefaultDurationMixin, forms.ModelForm):
    """An appointment with the version it was shown for: a form older than the record is refused."""

    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    outside_hours = forms.BooleanField(label="Book although the doctor is not available", required=False)
    field_order = ["outside_hours"]  # before its reason

    class Meta:
        model = Appointment
        fields = ["patient", "doctor", "start_time", "duration_minutes", "reason", "notes", "outside_hours_reason"]
        field_classes = {"start_time": ClinicSplitDateTimeField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "duration_minutes" in self.fields:
            self.fields["duration_minutes"].required = False
        if "outside_hours" in self.fields:
            self.fields["outside_hours"].initial = bool(self.instance.outside_hours_reason)
        if self.instance.pk:
            self.current_minutes = self.instance.duration_minutes
            start_time: Any = self.fields.get("start_time")
            if start_time is not None:
                start_time.original = self.instance.start_time
            self.fields["seen_version"].initial = self.instance.version
            self.fields["seen_version"].required = True

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.instance.pk:
            rules.check_not_stale(self.instance.version, seen_version=self.cleaned_data.get("seen_version"))
        return cleaned


class SpecializationFilter(SplitListFilter):
    title = "specialization"
    parameter_name = "doctor__specialization"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = Doctor.objects.order_by("specialization").values_list("specialization", flat=True).distinct()
        return [(specialization, specialization) for specialization in found]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Filter by the doctors' ids: with a join, MariaDB reads all appointments of these doctors and sorts them."""
        if self.value() is None:
            return queryset
        doctors = list(Doctor.objects.filter(specialization=self.value()).order_by().values_list("pk", flat=True))
        self.parts = [Q(doctor=doctor) for doctor in doctors]
        return queryset.filter(doctor__in=doctors)


@admin.register(Appointment)
class AppointmentAdmin(SafeModelAdmin):
    """Statuses change through the actions of `booking`, with one audit entry each."""

    form = AppointmentAdminForm
    list_display = ["start", "length", "patient", "doctor", "status", "reason"]
    list_filter = ["status", SpecializationFilter, "doctor"]
    list_select_related = ["patient", "doctor"]
    indexed_columns = ["start"]
    date_hierarchy = "start_time"
    search_fields = ["patient"]  # turns the search box on; get_search_results() does the search
    search_help_text = "Patient's name in any order, e-mail or phone number"
    autocomplete_fields = ["patient", "doctor"]
    ordering = ["-start_time", "-pk"]
    actions = ["mark_arrived", "start_consultation", "complete", "mark_no_show", "mark_left", "undo"]
    fieldsets = [
        (None, {"fields": ["patient", "doctor", "start_time", "duration_minutes", "reason", "notes", "seen_version"]}),
        (OUTSIDE_HOURS, {"fields": ["outside_hours", "outside_hours_reason"]}),
        ("Status", {"fields": ["status", "arrived_at", "started_at", "completed_at", "left_at"]}),
        ("Cancellation", {"fields": ["cancelled_at", "cancelled_by", "cancel_reason"], "classes": ["collapse"]}),
        ("Record", {"fields": ["is_walk_in", "booked_by", "created_at", "updated_at"], "classes": ["collapse"]}),
    ]
    readonly_fields = [
        "status",
        "arrived_at",
        "started_at",
        "completed_at",
        "left_at",
        "cancelled_at",
        "cancelled_by",
        "cancel_reason",
        "is_walk_in",
        "booked_by",
        "created_at",
        "updated_at",
    ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # users cancel instead, which keeps the record

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Hide what a new appointment does not have yet, and what the role does not allow."""
        fieldsets = super().get_fieldsets(request, obj) if obj else self.fieldsets[:2]
        may = request.user.has_perm("appointments.book_outside_hours")
        return [each for each in fieldsets if may or each[0] != OUTSIDE_HOURS]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if not request.user.has_perm("appointments.book_outside_hours"):
            form.base_fields.pop("outside_hours", None)
        return form

    @admin.display(description="start", ordering="start_time")
    def start(self, appointment: Appointment) -> str:
        return f"{clinic_time.date_text(appointment.start_time)} {clinic_time.time_text(appointment.start_time)}"

    @admin.display(description="minutes", ordering="duration_minutes")
    def length(self, appointment: Appointment) -> int:
        return appointment.duration_minutes

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search by patient, as at the front desk."""
        if not search_term.strip():
            return queryset, False
        patients = first_matches(request, Patient.objects, search_term)
        return queryset.filter(patient__in=patients), False

    def save_model(self, request: HttpRequest, obj: Appointment, form: Any, change: bool) -> None:
        if not change:
            obj.booked_by = request.user  # type: ignore[assignment]  # signed in, as clinic.access has seen
        super().save_model(request, obj, form, change)

    @admin.action(description="Mark arrived", permissions=["change"])
    def mark_arrived(self, request: HttpRequest, queryset: Any) -> None:
        self._each(request, queryset, booking.mark_arrived)

    @admin.action(description="Start consultation", permissions=["change"])
    def start_consultation(self, request: HttpRequest, queryset: Any) -> None:
        self._each(request, queryset, booking.start)

    @admin.action(description="Complete consultation", permissions=["change"])
    def complete(self, request: HttpRequest, queryset: Any) -> None:
        self._each(request, queryset, booking.complete)

    @admin.action(description="Mark no-show", permissions=["change"])
    def mark_no_show(self, request: HttpRequest, queryset: Any) -> None:
        self._each(request, queryset, booking.mark_no_show)

    @admin.action(description="Mark left unseen", permissions=["change"])
    def mark_left(self, request: HttpRequest, queryset: Any) -> None:
        self._each(request, queryset, booking.mark_left)

    @admin.action(description="Undo the last status", permissions=["change"])
    def undo(self, request: HttpRequest, queryset: Any) -> None:
        self._each(request, queryset, booking.undo)

    def _each(self, request: HttpRequest, queryset: Any, verb: Callable[..., Appointment]) -> None:
        """Change each; list those that a rule refuses."""
        refused = []
        appointments = queryset.select_related("patient", "doctor").order_by("start_time", "pk")
        for appointment in appointments:
            try:
                with transaction.atomic():
                    verb(appointment, by=request.user)
            except ValidationError as error:
                refused.append(f"{appointment.patient}, {appointment}: {refusals_of(error)}")
        for message in refused[:MAX_REFUSALS_SHOWN]:
            self.message_user(request, message, messages.ERROR)
        if len(refused) > MAX_REFUSALS_SHOWN:
            self.message_user(request, f"And {len(refused) - MAX_REFUSALS_SHOWN} more were refused.", messages.ERROR)
        if done := len(appointments) - len(refused):
            self.message_user(request, f"{done} changed.", messages.SUCCESS)
