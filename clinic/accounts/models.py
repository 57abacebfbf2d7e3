import datetime as dt
from typing import Any

from auditlog.registry import auditlog
from django.apps import apps
from django.contrib.auth.models import AbstractUser
from django.db import models, transaction
from django.utils import timezone
from django.utils.functional import cached_property

from clinic.audit.actor import current_origin
from clinic.audit.models import AuditEntry, Event
from clinic.core.names import check_fields_with_names
from clinic.db.atomic_save import AuditedRecord

TEMPORARY_PASSWORD_LASTS = dt.timedelta(days=3)


class User(AuditedRecord, AbstractUser):
    """A person who signs in. Permissions come only from roles, which are the groups in `clinic.accounts.roles`."""

    _password: str | None  # Django's: a new password until it is saved; test_passwords.py fails if it changes

    temporary_password_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(AbstractUser.Meta):
        permissions = [("use_admin", "Can use the administration pages")]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a new password is recorded in the audit trail, and temporary if somebody else set it.

        A user who is not active loses all sessions, so that they sign in again once they are active.
        """
        is_new_password = self._password is not None
        if is_new_password:
            self.temporary_password_until = self._end_of_password()
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "temporary_password_until"}
        with transaction.atomic():
            super().save(*args, **kwargs)
            if is_new_password:
                AuditEntry.objects.record(Event.CREDENTIAL, self, what="password_set")
            if not self.is_active:
                self._end_sessions()

    def _end_sessions(self) -> None:
        session: Any = apps.get_model("clinic.Session")  # by name: it is in a layer above this one
        ended, _by_model = session.objects.filter(user=self).delete()
        if ended:
            AuditEntry.objects.record(Event.SIGN_OUT, self, ended_by="deactivation", sessions=ended)

    def _end_of_password(self) -> dt.datetime | None:
        """Return when a new password expires: never if its owner or a command sets it."""
        actor = current_origin().actor
        is_by_other = actor is not None and actor.is_authenticated and actor.pk != self.pk
        return timezone.now() + TEMPORARY_PASSWORD_LASTS if is_by_other else None

    @property
    def password_is_temporary(self) -> bool:
        """Whether somebody else set the password, so that it has to be changed before anything else."""
        return self.temporary_password_until is not None

    def has_overdue_password(self, *, at: dt.datetime) -> bool:
        """Return whether the password was temporary and has expired."""
        return self.temporary_password_until is not None and self.temporary_password_until <= at

    def clean_fields(self, exclude: Any = None) -> None:
        """Check that the names are visible: Django allows some letters that are not."""
        check_fields_with_names(super().clean_fields, self, ("username", "first_name", "last_name"), exclude)

    @cached_property
    def permissions_by_role(self) -> dict[str, set[str]]:
        """Permissions by role name. One query for the lifetime of this object."""
        permissions: dict[str, set[str]] = {}
        permission = ("permissions__content_type__app_label", "permissions__codename")
        for name, app, codename in self.groups.order_by("name").values_list("name", *permission):
            allowed = permissions.setdefault(name, set())
            if codename is not None:
                allowed.add(f"{app}.{codename}")
        return permissions

    @property
    def role(self) -> str:
        return ", ".join(self.permissions_by_role)

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.get_username()


auditlog.register(
    User,
    exclude_fields=[
        "password",
        "last_login",
        # Relations from other models, which the library would record as values of the user.
        "doctor",
        "booked_appointments",
        "api_tokens",
        "recovery_codes",
        "emergency_grants",
    ],
    m2m_fields={"groups"},
)
