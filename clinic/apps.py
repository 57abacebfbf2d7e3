"""The clinic's own app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ClinicConfig(AppConfig):
    """Users, roles, audit trail and what spans the other apps."""

    name = "clinic"

    def ready(self) -> None:
        """Register the system checks, and keep the groups in step with the roles after every `migrate`."""
        from clinic import checks  # noqa: F401 -- importing registers them
        from clinic.roles import sync_roles

        post_migrate.connect(sync_roles, sender=self)
