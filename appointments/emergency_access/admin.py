import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone

from appointments.models import EmergencyGrant
from clinic.administration.base import SafeModelAdmin

DEFAULT_SPAN = dt.timedelta(hours=8)
HELP = (
    "Until it ends, the paper backup (today and the next working day) shows the user all names and phone numbers; "
    "nothing else changes. It is meant for managers and doctors: receptionists and administrators see all names "
    "already. The user sees a notice on the schedule, and each use is recorded in the audit trail."
)


class EmergencyGrantForm(forms.ModelForm):
    by: Any = None  # who grants it, as the rules need to know

    class Meta:
        model = EmergencyGrant
        fields = ["user", "reason", "ends_at"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            self.instance.granted_by = self.by


@admin.register(EmergencyGrant)
class EmergencyGrantAdmin(SafeModelAdmin):
    form = EmergencyGrantForm
    list_display = ["user", "state", "granted_at", "ends_at", "ended_at", "granted_by", "reason"]
    list_select_related = ["user", "granted_by"]
    list_display_links = ["user"]
    fields = ["user", "reason", "ends_at", "granted_at", "granted_by", "ended_at"]
    readonly_fields = ["granted_at", "granted_by", "ended_at"]
    autocomplete_fields = ["user"]
    actions = ["end"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else EmergencyGrantForm.Meta.fields

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [(None, {"fields": self.get_fields(request, obj), "description": HELP})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Refuse changes of a grant: it is ended, and another one added."""
        return self.fields if obj else self.readonly_fields

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Set who grants it on the form class, which is a new one for each request."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.by = request.user
        return form

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        return {"ends_at": timezone.now() + DEFAULT_SPAN} | super().get_changeform_initial_data(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse, so that it stays known who could see the names, and when."""
        return False

    def state(self, grant: EmergencyGrant) -> str:
        return grant.state(at=timezone.now())

    @admin.action(description="End selected emergency access", permissions=["change"])
    def end(self, request: HttpRequest, queryset: Any) -> None:
        grants = [grant for grant in queryset if grant.ended_at is None]
        for grant in grants:
            grant.end()
        self.message_user(request, f"{len(grants)} ended.", messages.SUCCESS)
