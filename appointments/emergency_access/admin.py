"""Admin of emergency access: granted to others for at most a day, ended, and never deleted."""

import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone

from appointments.models import EmergencyGrant
from clinic.administration.base import SafeModelAdmin

USUAL_SPAN = dt.timedelta(hours=8)
OPENS = (
    "Until it ends, the downtime pack (today and the next working day on paper) shows the user all names and phone "
    "numbers; nothing else changes. It is for managers and doctors: who works at the desk or administers sees all "
    "names anyway. The user is told on the schedule, and each use is in the audit trail."
)


class EmergencyGrantForm(forms.ModelForm):
    """A grant that knows who gives it before its rules are asked."""

    by: Any = None

    class Meta:
        model = EmergencyGrant
        fields = ["user", "reason", "ends_at"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            self.instance.granted_by = self.by


@admin.register(EmergencyGrant)
class EmergencyGrantAdmin(SafeModelAdmin):
    """Grants of emergency access."""

    form = EmergencyGrantForm
    list_display = ["user", "state", "granted_at", "ends_at", "ended_at", "granted_by", "reason"]
    list_select_related = ["user", "granted_by"]
    list_display_links = ["user"]
    fields = ["user", "reason", "ends_at", "granted_at", "granted_by", "ended_at"]
    readonly_fields = ["granted_at", "granted_by", "ended_at"]
    autocomplete_fields = ["user"]
    actions = ["end"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out of a grant to be given what only one that exists has."""
        return self.fields if obj else EmergencyGrantForm.Meta.fields

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Say what a grant opens, and for whom."""
        return [(None, {"fields": self.get_fields(request, obj), "description": OPENS})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Keep a grant as it was given: it is ended, and another one given."""
        return self.fields if obj else self.readonly_fields

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Let the form know who gives; the class is made anew for each request."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.by = request.user
        return form

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        """Let a grant end with the working day, unless somebody decides otherwise."""
        return {"ends_at": timezone.now() + USUAL_SPAN} | super().get_changeform_initial_data(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: it stays known who could see the names, and when."""
        return False

    def state(self, grant: EmergencyGrant) -> str:
        """Return whether the grant shows names now, or why not."""
        return grant.state(at=timezone.now())

    @admin.action(description="End selected emergency access", permissions=["change"])
    def end(self, request: HttpRequest, queryset: Any) -> None:
        """End the selected grants for good."""
        grants = [grant for grant in queryset if grant.ended_at is None]
        for grant in grants:
            grant.end()
        self.message_user(request, f"{len(grants)} ended.", messages.SUCCESS)
