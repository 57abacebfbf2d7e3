"""What an entry of the audit trail tells beside its record, in words. No query: names of records are handed in."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps
from django.db import models
from django.utils.formats import date_format

from clinic.audit.actor import stored_instant
from clinic.audit.models import Event
from clinic.core import clinic_time

MAX_CHARACTERS = 200  # of a value; notes are longer
NameOf = Callable[[type[models.Model], int], str]

_IN_WORDS: dict[str, dict[str, str]] = {
    "status": {"403": "not allowed", "404": "not found"},
    "method": {"GET": "tried to open", "HEAD": "tried to open"}
    | dict.fromkeys(["POST", "PUT", "PATCH"], "tried to send"),
    "ended_by": {"user": "ended by the user", "administrator": "ended by an administrator"},
    "what": {"allowed_again": "allowed to log in again"},
    "of_event": {value: f"only “{label}”" for value, label in Event.choices},
    "second_factor": {"True": "with the second factor"},
    "is_named": {"True": "with names", "False": "with initials only"},
    "rows": {"1": "1 row"},
    "sessions": {"1": "1 session"},
}
# What a refused address or form named beside the record.
_NAMED = dict.fromkeys(["doctor_named", "doctor_id_named"], "doctors.Doctor") | dict.fromkeys(
    ["patient_named", "patient_id_named", "pick_named"], "patients.Patient"
)
_TOLD = {
    "rows": "{} rows",
    "sessions": "{} sessions",
    "format": "as {}",
    "status": "answered {}",
    "method": "by {}",
    "view": "page “{}”",
    "what": "{}",
    "day": "of {}",
    "days": "of {}",
    "printed": "printed {}",
    "first": "from {}",
    "last": "to {}",
    "before": "from before {}",
    "of_event": "only “{}”",
    "of_user": "only of {}",
    "doctor": "of {}",
    "reason": "why: {}",
    **dict.fromkeys(_NAMED, "with {}"),
}
_DAYS = {"day", "days", "printed", "first", "last"}
# What is told by the id of a record, and of which kind that is.
_KINDS = {
    "of_user": "clinic.User",
    "doctor": "doctors.Doctor",
    **_NAMED,
}


def records_told(told: dict[str, Any]) -> Iterator[tuple[type[models.Model], int]]:
    """Yield the records that an entry tells by their ids."""
    for name, value in told.items():
        if name in _KINDS and str(value).isdecimal():
            yield apps.get_model(_KINDS[name]), int(value)


def told_text(name: str, value: Any, *, name_of: NameOf) -> str:
    """Return in words what an entry tells under a name."""
    if (known := _IN_WORDS.get(name, {}).get(str(value))) is not None:
        return known
    texts = [_value_text(name, each, name_of) for each in (value if isinstance(value, list) else [value])]
    label = name.removesuffix("_named").removesuffix("_id").replace("_", " ")
    return _TOLD.get(name, f"{label} {{}}").format(", ".join(texts)[:MAX_CHARACTERS])


def _value_text(name: str, value: Any, name_of: NameOf) -> str:
    if name in _KINDS and str(value).isdecimal():
        return name_of(apps.get_model(_KINDS[name]), int(value))
    if name == "view":
        return page_text(value)
    if name == "what":
        return str(value).replace("_", " ")
    if name == "before":
        return instant_text(str(value))
    if name in _DAYS:
        return day_text(str(value))
    return yes_or_no(str(value)) if isinstance(value, bool) else str(value)


def page_text(view: str) -> str:
    """Return in words which page an address is of, as `patient retention` or `admin: user, list`."""
    namespace, _colon, name = view.rpartition(":")
    app, _line, rest = name.partition("_")
    model, _line, verb = rest.partition("_")
    kind = apps.all_models.get(app, {}).get(model) if namespace == "admin" else None
    words = f"{kind._meta.verbose_name}, {verb}".replace("changelist", "list") if kind else name
    part = {"admin": "admin: ", "api": "API: ", "fhir": "FHIR: "}.get(namespace, "")
    return f"{part}{words}".replace("_", " ")


def yes_or_no(value: str) -> str:
    """Return what the trail holds of a yes or no; what is neither as it is."""
    return {"True": "yes", "False": "no"}.get(value, value)


def day_text(value: str) -> str:
    """Return a date of the trail as the clinic writes it; what is none as it is."""
    try:
        return date_format(dt.date.fromisoformat(value), "D j M Y")
    except ValueError:
        return value


def instant_text(value: str) -> str:
    """Return an instant of the trail in clinic time; what is none, as of a record that was anonymised, as it is."""
    instant = stored_instant(value)
    return f"{clinic_time.date_text(instant)} {clinic_time.time_text(instant)}" if instant else value
