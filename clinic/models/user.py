"""The people who sign in."""

from auditlog.registry import auditlog
from django.contrib.auth.models import AbstractUser
from django.utils.functional import cached_property

from clinic.audited import AuditedRecord


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


auditlog.register(
    User,
    exclude_fields=["password", "last_login", "doctor", "booked_appointments", "api_tokens"],
    m2m_fields={"groups"},
)
