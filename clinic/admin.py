from typing import Any

from auditlog.admin import LogEntryAdmin
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from clinic.account_pages.forms import TEMPORARY_TEXT, NewUserForm, OthersPasswordForm, UserAccessForm
from clinic.accounts import lockout, second_factor
from clinic.accounts.models import User
from clinic.administration.base import SafeModelAdmin
from clinic.audit.models import AuditEntry, Event
from clinic.core import clinic_time
from clinic.rest.models import DEFAULT_LIFETIME, ApiToken
from clinic.sessions.models import Session

admin.site.unregister(Group)
admin.site.unregister(AuditEntry)
admin.site.unregister(TOTPDevice)  # its secret is for its owner only


def _is_above(user: User | None, request: HttpRequest) -> bool:
    """Return whether the user is a superuser and the requesting user is not."""
    return user is not None and user.is_superuser and not request.user.is_superuser


@admin.register(User)
class ClinicUserAdmin(SafeModelAdmin, UserAdmin):
    """Users and their roles. Only superusers can change a superuser."""

    form = UserAccessForm
    add_form = NewUserForm
    change_password_form = OthersPasswordForm

    list_display = [
        "username",
        "display_name",
        "roles",
        "has_second_factor",
        "is_active",
        "password_state",
        "has_to_wait",
        "last_login",
    ]
    list_filter = ["groups", "is_active"]
    indexed_columns = ["username"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Person", {"fields": ["first_name", "last_name", "email"]}),
        ("Access", {"fields": ["is_active", "groups"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (
            None,
            {"classes": ["wide"], "fields": ["username", "password1", "password2"], "description": TEMPORARY_TEXT},
        ),
        ("Access", {"classes": ["wide"], "fields": ["groups", "away_entry"]}),
    ]
    readonly_fields = ["last_login", "date_joined"]
    filter_horizontal = ["groups"]
    actions = ["allow_again", "remove_second_factor", "end_sessions"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not _is_above(obj, request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: users who leave are made inactive, so that the audit trail still names them."""
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        """Prefetch roles and second factors of the whole page."""
        return super().get_queryset(request).prefetch_related("groups", "totpdevice_set")

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        return ", ".join(sorted(group.name for group in user.groups.all()))

    @admin.display(description="second factor", boolean=True)
    def has_second_factor(self, user: User) -> bool:
        return bool(user.totpdevice_set.all())  # type: ignore[attr-defined]  # otp's relation, prefetched above

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Look up the lockouts of all rows at once, after reading the rows once."""
        changes = super().get_changelist_instance(request)
        locked = lockout.locked_out(changes.result_list, at=timezone.now())
        for user in changes.result_list:
            user.is_locked_out = user.pk in locked
        return changes

    @admin.display(description="password", ordering="temporary_password_until")
    def password_state(self, user: User) -> str:
        until = user.temporary_password_until
        if until is None:
            return ""
        is_over = user.has_overdue_password(at=timezone.now())
        text = f"{clinic_time.date_text(until)} {clinic_time.time_text(until)}"
        return f"over since {text}" if is_over else f"temporary until {text}"

    @admin.display(description="locked")
    def has_to_wait(self, user: User) -> str:
        return "now" if user.is_locked_out else ""  # type: ignore[attr-defined]  # set by get_changelist_instance

    @admin.action(description="Allow to log in again", permissions=["change"])
    def allow_again(self, request: HttpRequest, queryset: Any) -> None:
        users = self._changeable(request, queryset)
        locked = lockout.locked_out(users, at=timezone.now())
        for user in users:
            lockout.allow_again(user)
            AuditEntry.objects.record(Event.CREDENTIAL, user, what="allowed_again")
        if locked:
            self.message_user(request, f"{len(locked)} can log in again.", messages.SUCCESS)
        if others := len(users) - len(locked):
            self.message_user(request, f"{others} {'was' if others == 1 else 'were'} not locked out.", messages.INFO)

    @admin.action(description="Remove the second factor (phone lost)", permissions=["change"])
    def remove_second_factor(self, request: HttpRequest, queryset: Any) -> None:
        """Let the selected users sign in without the phone that they have lost."""
        others = [user for user in self._changeable(request, queryset) if user != request.user]
        removed = [user for user in others if second_factor.remove(user)]
        self._end_sessions(request, removed)
        self.message_user(request, f"The second factor of {len(removed)} is removed.", messages.SUCCESS)
        if request.user in queryset:
            self.message_user(request, "Change your own second factor in “Your account”.", messages.WARNING)

    def _changeable(self, request: HttpRequest, users: Any) -> list[User]:
        return [user for user in users if self.has_change_permission(request, user)]

    @admin.action(description="End all sessions", permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: Any) -> None:
        """Log the selected users out everywhere, except in the session that does it."""
        ended = self._end_sessions(request, self._changeable(request, queryset))
        self.message_user(request, f"{ended} session{'' if ended == 1 else 's'} ended.", messages.SUCCESS)

    def _end_sessions(self, request: HttpRequest, users: list[User]) -> int:
        sessions = Session.objects.exclude(pk=request.session.session_key)
        ended = 0
        for user in users:
            own = sessions.filter(user=user)
            count = own.in_force(at=timezone.now()).count()
            own.delete()
            AuditEntry.objects.record(Event.SIGN_OUT, user, ended_by="administrator", sessions=count)
            ended += count
        return ended


@admin.register(AuditEntry)
class AuditEntryAdmin(SafeModelAdmin, LogEntryAdmin):
    """Read-only audit entries: `LogEntryAdmin` refuses to add, change and delete."""

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Redirect to the portal's audit trail page. There are no actions."""
        return redirect("audit_trail")


@admin.register(ApiToken)
class ApiTokenAdmin(SafeModelAdmin):
    """API tokens, whose text is shown once. Only superusers can change a superuser's token."""

    list_display = ["name", "beginning", "user", "state", "created_at", "expires_at", "last_used_at"]
    list_filter = ["user"]
    list_select_related = ["user"]
    search_fields = ["name", "beginning"]
    fields = ["user", "name", "expires_at", "beginning", "created_at", "revoked_at", "last_used_at"]
    readonly_fields = ["beginning", "created_at", "revoked_at", "last_used_at"]
    autocomplete_fields = ["user"]
    actions = ["revoke"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ["user", "name", "expires_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Lock the user, since the audit trail names them, and every field of a token that has ended."""
        if obj is None:
            return self.readonly_fields
        return self.fields if obj.has_ended(at=timezone.now()) else [*self.readonly_fields, "user"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not _is_above(obj and obj.user, request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a token is revoked, so that the audit trail can still name it."""
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        return {"expires_at": timezone.now() + DEFAULT_LIFETIME} | super().get_changeform_initial_data(request)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Give a new token its secret. Of an old one save only changed fields: a revocation in between stays."""
        if change:
            obj.save(update_fields=form.changed_data)
            return
        obj.text_to_show = obj.make_text()
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        """Show the new token, in this response only: neither a message nor a URL may contain it."""
        context = {**self.admin_site.each_context(request), "title": "API token", "token": obj, "opts": self.opts}
        return TemplateResponse(request, "admin/api_token_made.html", context)

    def state(self, token: ApiToken) -> str:
        return token.state(at=timezone.now())

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Do not offer superusers to others: a superuser's token has more permissions than theirs."""
        if db_field.name == "user" and not request.user.is_superuser:
            kwargs["queryset"] = User.objects.filter(is_superuser=False)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Offer only one save button: after saving, the token is shown and nothing else."""
        context |= {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description="Revoke selected tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        tokens = [
            token for token in queryset if token.revoked_at is None and self.has_change_permission(request, token)
        ]
        for token in tokens:
            token.revoke()
        self.message_user(request, f"{len(tokens)} revoked.", messages.SUCCESS)
