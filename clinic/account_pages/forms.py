from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    AuthenticationForm,
    PasswordChangeForm,
    UserChangeForm,
    UserCreationForm,
)
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _

from clinic.accounts import lockout, second_factor
from clinic.accounts.models import TEMPORARY_PASSWORD_LASTS, User
from clinic.accounts.roles import ADMINISTRATOR, AWAY_ENTRY, RECEPTIONIST
from clinic.audit.actor import current_origin

MAX_CODE = 40
_DAYS = TEMPORARY_PASSWORD_LASTS.days
TEMPORARY_TEXT = f"The password is temporary: it expires after {_DAYS} days and must be changed at the first login."


class LoginForm(AuthenticationForm):
    """Username and password. The error is the same whether the user exists or not."""

    def get_invalid_login_error(self) -> ValidationError:
        is_locked_out = self.request is not None and lockout.is_locked_out(self.request)
        return lockout.locked_error() if is_locked_out else super().get_invalid_login_error()


class CodeField(forms.CharField):
    def __init__(self, **kwargs: Any) -> None:
        attrs = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}
        super().__init__(max_length=MAX_CODE, widget=forms.TextInput(attrs=attrs), **kwargs)


class CodeForm(forms.Form):
    code = CodeField(label=_("Code from the app, or a recovery code"))

    def __init__(self, request: HttpRequest, user: User, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.request, self.user = request, user

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        _check_code(self.request, self.user, code)
        return code


class ConfirmForm(forms.Form):
    """Password and, with a second factor, a code: proof that it is still the same person."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    code = CodeField(label=_("Code from the app, or a recovery code"))

    def __init__(self, request: HttpRequest, user: User, *, with_code: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.request, self.user = request, user
        if not with_code:
            del self.fields["code"]

    def clean(self) -> dict[str, Any] | None:
        if not self.errors:
            if not _is_password_of(self.request, self.user, self.cleaned_data["password"]):
                raise _refusal(self.request, _("This is not your password."), "wrong_password")
            if "code" in self.fields:
                _check_code(self.request, self.user, self.cleaned_data["code"])
        return super().clean()


class OwnPasswordForm(PasswordChangeForm):
    """A new password, with the old one: wrong guesses count as at the login."""

    def __init__(self, request: HttpRequest, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        old_password: str = self.cleaned_data["old_password"]
        if not _is_password_of(self.request, self.user, old_password):
            raise _refusal(self.request, str(self.error_messages["password_incorrect"]), "password_incorrect")
        return old_password

    def clean(self) -> dict[str, Any] | None:
        """Refuse the old password as the new one: its administrator would still know it."""
        cleaned = super().clean()
        old = self.cleaned_data.get("old_password")
        if old is not None and old == self.cleaned_data.get("new_password1"):
            self.add_error("new_password1", _unchanged())
        return cleaned


class SetUpForm(forms.Form):
    secret = forms.CharField(widget=forms.HiddenInput)
    code = CodeField(label=_("Code that the app shows now"))


class NewUserForm(UserCreationForm):
    """A new user in the admin, who needs a password: there is no other way to log in."""

    away_entry = forms.BooleanField(
        label=_("Away entry"),
        initial=True,
        required=False,
        help_text=_("A receptionist may enter that a doctor is away today. For other roles, this does nothing."),
    )

    def clean(self) -> dict[str, Any] | None:
        """Add the role of the tick box to a receptionist's."""
        cleaned = super().clean()
        roles = self.cleaned_data.get("groups")
        if roles is not None and self.cleaned_data.get("away_entry") and roles.filter(name=RECEPTIONIST).exists():
            self.cleaned_data["groups"] = Group.objects.filter(Q(pk__in=roles) | Q(name=AWAY_ENTRY))
        return cleaned


class OthersPasswordForm(AdminPasswordChangeForm):
    """A new password that an administrator sets for a user."""

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.fields.pop("usable_password", None)  # to lock somebody out, make the user inactive
        for field in self.fields.values():
            field.required = True

    @property
    def hint(self) -> str:
        """What setting somebody else's password means; empty for one's own."""
        actor = current_origin().actor
        return "" if actor is not None and actor.pk == self.user.pk else TEMPORARY_TEXT


class UserAccessForm(UserChangeForm):
    def clean(self) -> dict[str, Any] | None:
        """Keep administrators from locking themselves out: there may be no other to let them in again."""
        cleaned = super().clean()
        actor = current_origin().actor
        if actor is None or actor.pk != self.instance.pk:
            return cleaned
        if self.cleaned_data.get("is_active") is False:
            self.add_error("is_active", _own_access())
        groups = self.cleaned_data.get("groups")
        if (
            groups is not None
            and ADMINISTRATOR in actor.permissions_by_role
            and not groups.filter(name=ADMINISTRATOR).exists()
        ):
            self.add_error("groups", _own_access())
        return cleaned


def _own_access() -> ValidationError:
    return ValidationError(_("You can't remove your own access. Ask another administrator."), code="own_access")


def _unchanged() -> ValidationError:
    return ValidationError(_("This is your old password. Choose a different one."), code="password_unchanged")


def _is_password_of(request: HttpRequest, user: User, password: str) -> bool:
    return authenticate(request, username=user.get_username(), password=password) is not None


def _check_code(request: HttpRequest, user: User, code: str) -> None:
    if not lockout.may_try(request, user):
        raise lockout.locked_error()
    if not second_factor.accepts(user, code):
        lockout.record_failure(request, user)
        raise _refusal(request, second_factor.wrong_code_text(code), "wrong_code")


def _refusal(request: HttpRequest, text: str, code: str) -> ValidationError:
    """Return the error, or the lockout's error after one attempt too many."""
    return lockout.locked_error() if lockout.is_locked_out(request) else ValidationError(text, code=code)
