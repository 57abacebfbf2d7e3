from typing import Any

from django.core.checks.registry import registry
from django.core.management.commands import migrate

from clinic.db.triggers import CHECKS_TAG


class Command(migrate.Command):
    """Django's own command. It creates the triggers, so it does not stop because one is missing."""

    def get_check_kwargs(self, options: Any) -> Any:
        kwargs: Any = super().get_check_kwargs(options)
        return {**kwargs, "tags": registry.tags_available() - {CHECKS_TAG}}
