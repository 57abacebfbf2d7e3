"""The system check of the triggers that refuse overlapping appointments."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 -- Django's own name
from django.db import connections

from appointments.overlap_triggers import GRANT_HINT, TABLE, missing_triggers
from clinic.db import triggers
from clinic.db.triggers import CHECKS_TAG

_MIGRATE_HINT = "Run manage.py migrate, which creates them."


@register(CHECKS_TAG)
def check_overlap_triggers(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Report databases without the triggers: a warning where the account may not create any, else an error."""
    return [
        _without_triggers(alias, missing)
        for alias in databases or ()
        if (missing := missing_triggers(connections[alias]))
    ]


def _without_triggers(alias: str, missing: list[str]) -> CheckMessage:
    text = (
        f"Database '{alias}' does not refuse overlapping appointments: triggers missing or different from what they "
        f"should be: {', '.join(missing)}."
    )
    if triggers.may_create(TABLE, connections[alias]):
        return Error(text, hint=_MIGRATE_HINT, id="appointments.E001")
    return Warning(text, hint=GRANT_HINT, id="appointments.W001")
