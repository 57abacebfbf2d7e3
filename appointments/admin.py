"""Admin of appointments: the same rules and the same safety as at the front desk."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from appointments import emergency_admin as emergency_admin  # Django looks for admin classes here
from appointments import patient_admin as patient_admin
from appointments import rules
from appointments.booking import actions as booking
from appointments.booking.forms import DefaultDurationMixin, OverrideReasonMixin
from appointments.models import Appointment
from clinic.administration.base import SafeModelAdmin, refusals_of
from clinic.core import clinic_time
from patients.models import Patient

MAX_REFUSALS_TOLD = 10
OUTSIDE_HOURS = "Outside hours"


class ClinicSplitDateTimeField(forms.SplitDateTimeField):
    """A start in clinic time, refused as at the desk where the clocks change.

    A time that comes twice cannot be chosen here; one that is `held` already stays as it is.
    """

    held: dt.datetime | None = None

    def compress(self, data_list: Any) -> dt.datetime | None:
        """Return the instant of date and time."""
        if not data_list or None in data_list:
            return super().compress(data_list)
        day, time = data_list
        if self.held is not None:
            held = clinic_time.local(self.held)
            if (day, time) == (held.date(), held.time()):
                return self.held
        try:
            return clinic_time.instant_at(day, time)
        except ValidationError as error:
            if error.code == "ambiguous_time":
                error.message = f"{error.message} Only the portal's booking form can ask."
            raise


class AppointmentAdminForm(OverrideReasonMixin, DefaultDurationMixin, forms.ModelForm):
    """An appointment with the version it was shown in, so that nobody overwrites what somebody else has changed."""

    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    outside_hours = forms.BooleanField(label="Book it although the doctor is not there then", required=False)
    field_order = ["outside_hours"]  # before the reason that counts with it

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
            self.held_minutes = self.instance.duration_minutes
            start_time: Any = self.fields.get("start_time")
            if start_time is not None:
                start_time.held = self.instance.start_time
            self.fields["seen_version"].initial = self.instance.version
            self.fields["seen_version"].required = True

    def clean(self) -> dict[str, Any] | None:
        """Refuse a form that shows an older state than the record's."""
        cleaned = super().clean()
        if self.instance.pk:
            rules.check_not_stale(self.instance.version, seen_version=self.cleaned_data.get("seen_version"))
        return cleaned


@admin.register(Appointment)
class AppointmentAdmin(SafeModelAdmin):
    """Appointments. Statuses change by actions, through the verbs of `booking`, one audit entry each."""

    form = AppointmentAdminForm
    list_display = ["start", "length", "patient", "doctor", "status", "reason"]
    list_filter = ["status", "doctor__specialization", "doctor"]
    list_select_related = ["patient", "doctor"]
    date_hierarchy = "start_time"
    search_fields = ["reason"]
    search_help_text = "Patient's name, e-mail or phone number, or the reason of the appointment"
    autocomplete_fields = ["patient", "doctor"]
    ordering = ["-start_time", "-pk"]
    actions = ["mark_arrived", "start_consultation", "complete", "mark_no_show", "undo"]
    fieldsets = [
        (None, {"fields": ["patient", "doctor", "start_time", "duration_minutes", "reason", "notes", "seen_version"]}),
        (OUTSIDE_HOURS, {"fields": ["outside_hours", "outside_hours_reason"]}),
        ("Status", {"fields": ["status", "arrived_at", "started_at", "completed_at"]}),
        ("Cancellation", {"fields": ["cancelled_at", "cancelled_by", "cancel_reason"], "classes": ["collapse"]}),
        ("Record", {"fields": ["booked_by", "created_at", "updated_at"], "classes": ["collapse"]}),
    ]
    readonly_fields = [
        "status",
        "arrived_at",
        "started_at",
        "completed_at",
        "cancelled_at",
        "cancelled_by",
        "cancel_reason",
        "booked_by",
        "created_at",
        "updated_at",
    ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: an appointment is cancelled, which keeps the record."""
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        """Leave out a start in the address that is no time."""
        initial: dict[str, Any] = dict(super().get_changeform_initial_data(request))
        try:
            initial["start_time"] = forms.DateTimeField().clean(initial["start_time"])
        except (KeyError, ValidationError):
            initial.pop("start_time", None)
        return initial

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out what a new appointment does not have yet, and what the role does not allow."""
        fieldsets = super().get_fieldsets(request, obj) if obj else self.fieldsets[:2]
        may = request.user.has_perm("appointments.book_outside_hours")
        return [each for each in fieldsets if may or each[0] != OUTSIDE_HOURS]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Leave out the tick, too, for who may not book outside hours."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if not request.user.has_perm("appointments.book_outside_hours"):
            form.base_fields.pop("outside_hours", None)
        return form

    @admin.display(description="start", ordering="start_time")
    def start(self, appointment: Appointment) -> str:
        """Return the start in clinic time."""
        return f"{clinic_time.date_text(appointment.start_time)} {clinic_time.time_text(appointment.start_time)}"

    @admin.display(description="minutes", ordering="duration_minutes")
    def length(self, appointment: Appointment) -> int:
        """Return the length in minutes."""
        return appointment.duration_minutes

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Find by patient, as at the front desk, or by reason."""
        if not search_term.strip():
            return queryset, False
        by_reason, _may_repeat = super().get_search_results(request, queryset, search_term)
        found = Patient.objects.search(search_term).order_by().values("pk")
        return by_reason | queryset.filter(patient__in=found), False

    def save_model(self, request: HttpRequest, obj: Appointment, form: Any, change: bool) -> None:
        """Save, noting who booked."""
        if not change:
            obj.booked_by = request.user  # type: ignore[assignment]  # signed in, as clinic.access has seen
        super().save_model(request, obj, form, change)

    @admin.action(description="Mark arrived", permissions=["change"])
    def mark_arrived(self, request: HttpRequest, queryset: Any) -> None:
        """Mark the selected patients arrived."""
        self._each(request, queryset, booking.mark_arrived)

    @admin.action(description="Start consultation", permissions=["change"])
    def start_consultation(self, request: HttpRequest, queryset: Any) -> None:
        """Start the selected consultations."""
        self._each(request, queryset, booking.start)

    @admin.action(description="Complete consultation", permissions=["change"])
    def complete(self, request: HttpRequest, queryset: Any) -> None:
        """Complete the selected consultations."""
        self._each(request, queryset, booking.complete)

    @admin.action(description="Mark no-show", permissions=["change"])
    def mark_no_show(self, request: HttpRequest, queryset: Any) -> None:
        """Mark the selected patients as not come."""
        self._each(request, queryset, booking.mark_no_show)

    @admin.action(description="Undo the last status", permissions=["change"])
    def undo(self, request: HttpRequest, queryset: Any) -> None:
        """Take back the last status of the selected appointments."""
        self._each(request, queryset, booking.undo)

    def _each(self, request: HttpRequest, queryset: Any, verb: Callable[..., Appointment]) -> None:
        """Carry out a verb on each; what a rule refuses is listed, the others are done."""
        refused = []
        appointments = queryset.select_related("patient", "doctor").order_by("start_time", "pk")
        for appointment in appointments:
            try:
                with transaction.atomic():
                    verb(appointment, by=request.user)
            except ValidationError as error:
                refused.append(f"{appointment.patient}, {appointment}: {refusals_of(error)}")
        for message in refused[:MAX_REFUSALS_TOLD]:
            self.message_user(request, message, messages.ERROR)
        if len(refused) > MAX_REFUSALS_TOLD:
            self.message_user(request, f"And {len(refused) - MAX_REFUSALS_TOLD} more were refused.", messages.ERROR)
        if done := len(appointments) - len(refused):
            self.message_user(request, f"{done} changed.", messages.SUCCESS)
