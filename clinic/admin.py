"""Admin of users and of the audit trail. Roles are made in `clinic.roles`, so groups are chosen here, not edited."""

from typing import Any

from auditlog.admin import LogEntryAdmin
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from clinic.models import AuditEntry, User
from clinic.safe_admin import SafeModelAdmin

admin.site.unregister(Group)
admin.site.unregister(AuditEntry)


@admin.register(User)
class ClinicUserAdmin(SafeModelAdmin, UserAdmin):
    """Users, with their roles."""

    list_display = ["username", "display_name", "roles", "is_active", "last_login"]
    list_filter = ["groups", "is_active"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Person", {"fields": ["first_name", "last_name", "email"]}),
        ("Access", {"fields": ["is_active", "groups"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"classes": ["wide"], "fields": ["username", "usable_password", "password1", "password2"]}),
        ("Access", {"classes": ["wide"], "fields": ["groups"]}),
    ]
    readonly_fields = ["last_login", "date_joined"]
    filter_horizontal = ["groups"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: who leaves is made inactive, so that the audit trail keeps saying who did what."""
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        """Read the roles of the whole page at once."""
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        """Return the names of the user's roles."""
        return ", ".join(sorted(group.name for group in user.groups.all()))


@admin.register(AuditEntry)
class AuditEntryAdmin(SafeModelAdmin, LogEntryAdmin):
    """The audit trail, to read only: `LogEntryAdmin` refuses to add, change and delete."""
