"""Users and the audit trail."""

from typing import Any

from auditlog.models import AbstractLogEntry, LogEntryManager
from auditlog.registry import auditlog
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.functional import cached_property

from clinic.audit import current_origin
from clinic.audited import AuditedRecord
from clinic.local_dates import LocalDates


class User(AuditedRecord, AbstractUser):
    """A person who signs in. What one may do comes from the role, which is a group of `clinic.roles`."""

    class Meta(AbstractUser.Meta):
        permissions = [("use_admin", "Can use the administration pages")]

    @cached_property
    def roles_held(self) -> dict[str, set[str]]:
        """The user's roles by name, with the permissions of each. One query, kept as long as this object."""
        held: dict[str, set[str]] = {}
        permission = ("permissions__content_type__app_label", "permissions__codename")
        for name, app, codename in self.groups.order_by("name").values_list("name", *permission):
            allowed = held.setdefault(name, set())
            if codename is not None:
                allowed.add(f"{app}.{codename}")
        return held

    @property
    def role(self) -> str:
        """The names of the user's roles, for people to read."""
        return ", ".join(self.roles_held)

    @property
    def display_name(self) -> str:
        """The full name, or the login name of who has none."""
        return self.get_full_name() or self.get_username()


class AuditQuerySet(LocalDates, models.QuerySet):
    """Entries of the audit trail."""


class AuditEntry(AbstractLogEntry):
    """One change of one record: what, from and to, when, by whom and from where. Nobody edits it."""

    class Meta(AbstractLogEntry.Meta):
        verbose_name = "audit entry"
        verbose_name_plural = "audit trail"

    objects = LogEntryManager.from_queryset(AuditQuerySet)()

    actor: Any
    remote_addr: Any

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Fill in who is acting, then save."""
        origin = current_origin()
        if self.actor is None and origin.actor is not None and origin.actor.is_authenticated:
            self.actor = origin.actor
            self.actor_email = origin.actor.email or origin.actor.get_username()
        self.remote_addr = self.remote_addr or origin.address
        super().save(*args, **kwargs)


auditlog.register(
    User,
    exclude_fields=["password", "last_login", "doctor", "booked_appointments"],
    m2m_fields={"groups"},
)
