"""The clinic's own app."""

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_migrate


class ClinicConfig(AppConfig):
    """Users, roles, audit trail and what spans the other apps."""

    name = "clinic"

    def ready(self) -> None:
        """Register the system checks, and keep the groups in step with the roles after every `migrate`."""
        from clinic import checks  # noqa: F401 -- importing registers them
        from clinic.roles import sync_roles

        post_migrate.connect(sync_roles, sender=self)
        user_logged_in.connect(_forget_what_is_over)


def _forget_what_is_over(**kwargs: Any) -> None:
    """Delete uploaded rows and kept answers whose time is over, be there no import and no call for months."""
    from clinic.models import ImportDraft, KeptAnswer

    ImportDraft.objects.purge()
    KeptAnswer.objects.purge()
