"""Renamed fields: audit entries keep the name that a field had when they were written."""

from typing import Any

from django.contrib.contenttypes.models import ContentType

FORMER_NAMES: dict[tuple[str, str], dict[str, str]] = {
    ("appointments", "displacedappointment"): {
        "because": "reasons",
        "impact": "change",
        "reached_at": "informed_at",
        "reached_by": "informed_by",
        "stays": "reinstated",
    },
}


def changes_of(entry: Any) -> dict[str, Any]:
    """Return an entry's changes by the current names of the fields. Content types are cached: no query."""
    changes: dict[str, Any] = entry.changes_dict or {}
    kind = ContentType.objects.get_for_id(entry.content_type_id).natural_key()
    current = FORMER_NAMES.get(kind, {})
    return {current.get(name, name): values for name, values in changes.items()}
