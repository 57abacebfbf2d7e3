"""Admin of users, API tokens and the audit trail. Roles are defined in `clinic.accounts.roles`."""

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
from clinic.rest.models import USUAL_LIFE, ApiToken
from clinic.sessions.models import Session

admin.site.unregister(Group)
admin.site.unregister(AuditEntry)
admin.site.unregister(TOTPDevice)  # nobody looks at the secret of another


def _is_above(user: User | None, request: HttpRequest) -> bool:
    """Return whether a user is a superuser, and the one who asks is none."""
    return user is not None and user.is_superuser and not request.user.is_superuser


@admin.register(User)
class ClinicUserAdmin(SafeModelAdmin, UserAdmin):
    """Users, with their roles. A superuser is above administrators, who leave one as it is."""

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
        ("Access", {"classes": ["wide"], "fields": ["groups"]}),
    ]
    readonly_fields = ["last_login", "date_joined"]
    filter_horizontal = ["groups"]
    actions = ["allow_again", "remove_second_factor", "end_sessions"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody but a superuser change a superuser."""
        return not _is_above(obj, request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: who leaves is made inactive, so that the audit trail keeps saying who did what."""
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        """Read the roles and second factors of the whole page at once."""
        return super().get_queryset(request).prefetch_related("groups", "totpdevice_set")

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        """Return the names of the user's roles."""
        return ", ".join(sorted(group.name for group in user.groups.all()))

    @admin.display(description="second factor", boolean=True)
    def has_second_factor(self, user: Any) -> bool:
        """Return whether the user has set one up."""
        return bool(user.totpdevice_set.all())

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list; who is locked out is looked up for all its rows at once, which are read once, here."""
        changes = super().get_changelist_instance(request)
        locked = lockout.locked_out(changes.result_list, at=timezone.now())
        for user in changes.result_list:
            user.is_locked_out = user.pk in locked
        return changes

    @admin.display(description="password", ordering="temporary_password_until")
    def password_state(self, user: User) -> str:
        """Return until when a password that somebody else has set can be used, or since when no longer."""
        until = user.temporary_password_until
        if until is None:
            return ""
        is_over = user.has_overdue_password(at=timezone.now())
        text = f"{clinic_time.date_text(until)} {clinic_time.time_text(until)}"
        return f"over since {text}" if is_over else f"temporary until {text}"

    @admin.display(description="locked")
    def has_to_wait(self, user: Any) -> str:
        """Return whether too many wrong passwords keep the user out now."""
        return "now" if user.is_locked_out else ""

    @admin.action(description="Allow to log in again", permissions=["change"])
    def allow_again(self, request: HttpRequest, queryset: Any) -> None:
        """Forget the wrong passwords that keep the selected users out."""
        users = self._changeable(request, queryset)
        locked = lockout.locked_out(users, at=timezone.now())
        for user in users:
            lockout.allow_again(user)
            AuditEntry.objects.record(Event.CREDENTIAL, user, what="allowed_again")
        if locked:
            self.message_user(request, f"{len(locked)} can log in again.", messages.SUCCESS)
        if others := len(users) - len(locked):
            self.message_user(request, f"{others} {'was' if others == 1 else 'were'} not locked out.", messages.INFO)

    @admin.action(description="Remove the second factor (telephone lost)", permissions=["change"])
    def remove_second_factor(self, request: HttpRequest, queryset: Any) -> None:
        """Let the selected users sign in without the telephone that they have lost."""
        others = [user for user in self._changeable(request, queryset) if user != request.user]
        removed = [user for user in others if second_factor.remove(user)]
        self._end_sessions(request, removed)
        self.message_user(request, f"The second factor of {len(removed)} is removed.", messages.SUCCESS)
        if request.user in queryset:
            self.message_user(request, "Your own second factor is changed on “Your account”.", messages.WARNING)

    def _changeable(self, request: HttpRequest, users: Any) -> list[User]:
        return [user for user in users if self.has_change_permission(request, user)]

    @admin.action(description="End all sessions", permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: Any) -> None:
        """Sign the selected users out, wherever they are; the session in which this is done goes on."""
        ended = self._end_sessions(request, self._changeable(request, queryset))
        self.message_user(request, f"{ended} session{'' if ended == 1 else 's'} ended.", messages.SUCCESS)

    def _end_sessions(self, request: HttpRequest, users: list[User]) -> int:
        """End all sessions of users but the one in use, and return how many there were."""
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
    """An entry of the audit trail, to read only: `LogEntryAdmin` refuses to add, change and delete."""

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Lead to the portal's page of the trail, which says more and is made for people. There are no actions."""
        return redirect("audit_trail")


@admin.register(ApiToken)
class ApiTokenAdmin(SafeModelAdmin):
    """Tokens of programs. One is shown when it is made, and then no more; it ends by its date or when revoked.

    A superuser's is a superuser's to change.
    """

    list_display = ["name", "beginning", "user", "state", "created_at", "expires_at", "last_used_at"]
    list_filter = ["user"]
    list_select_related = ["user"]
    search_fields = ["name", "beginning"]
    fields = ["user", "name", "expires_at", "beginning", "created_at", "revoked_at", "last_used_at"]
    readonly_fields = ["beginning", "created_at", "revoked_at", "last_used_at"]
    autocomplete_fields = ["user"]
    actions = ["revoke"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out of a token to be made what only one that exists has."""
        return self.fields if obj else ["user", "name", "expires_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Keep a token with its user, since it is theirs in the audit trail, and one that has ended as it is."""
        if obj is None:
            return self.readonly_fields
        return self.fields if obj.has_ended(at=timezone.now()) else [*self.readonly_fields, "user"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody but a superuser change a superuser's token."""
        return not _is_above(obj and obj.user, request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a token is revoked, so that it stays known who had one."""
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        """Let a token end in a year, unless somebody decides otherwise."""
        return {"expires_at": timezone.now() + USUAL_LIFE} | super().get_changeform_initial_data(request)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Save; a new token first gets its secret. Of an old one only what was typed: revoked is revoked."""
        if change:
            obj.save(update_fields=form.changed_data)
            return
        obj.text_to_show = obj.make_text()
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        """Show the new token, in this answer only: neither a message nor an address may hold it."""
        context = {**self.admin_site.each_context(request), "title": "API token", "token": obj, "opts": self.opts}
        return TemplateResponse(request, "admin/api_token_made.html", context)

    def state(self, token: ApiToken) -> str:
        """Return whether the token opens anything now, or why not."""
        return token.state(at=timezone.now())

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let nobody but a superuser make a superuser's token: it would give more than the own rights."""
        if db_field.name == "user" and not request.user.is_superuser:
            kwargs["queryset"] = User.objects.filter(is_superuser=False)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Offer one way to save: a token that has been made is shown, and nothing else."""
        context |= {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description="Revoke selected tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        """End the selected tokens for good."""
        tokens = [
            token for token in queryset if token.revoked_at is None and self.has_change_permission(request, token)
        ]
        for token in tokens:
            token.revoke()
        self.message_user(request, f"{len(tokens)} revoked.", messages.SUCCESS)
