"""Audit entries in words. Nothing here makes a query: names of records are passed in."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps
from django.db import models
from django.utils.formats import date_format

from clinic.audit.actor import stored_instant
from clinic.audit.models import Event
from clinic.audit.record_names import named_model
from clinic.core import clinic_time

MAX_CHARACTERS = 200  # of a value on the page of the trail; notes are longer
EMPTY = "–"
NameOf = Callable[[type[models.Model], int], str]

_SPECIAL_VALUES: dict[str, dict[str, str]] = {
    "status": {"403": "not allowed", "404": "not found"},
    "method": {"GET": "tried to open", "HEAD": "tried to open"}
    | dict.fromkeys(["POST", "PUT", "PATCH"], "tried to send"),
    "ended_by": {
        "user": "ended by the user",
        "administrator": "ended by an administrator",
        "deactivation": "ended when the user was deactivated",
    },
    "what": {"allowed_again": "allowed to log in again", "address_unlocked": "unlocked an address"},
    "locks": {
        "device": "locks this user on this device",
        "user_here": "locks this user at this address",
        "user": "locks this user at every address",
        "address": "locks this address",
    },
    "tries": {"1": "1 more attempt"},
    "from_other_addresses": {"True": "from other addresses"},
    "of_event": {value: f"only “{label}”" for value, label in Event.choices},
    "second_factor": {"True": "with the second factor"},
    "is_named": {"True": "with names", "False": "with initials only"},
    "rows": {"1": "1 row"},
    "sessions": {"1": "1 session"},
}
# Other records that a refused address or form named.
_REFUSED_IDS = dict.fromkeys(["doctor_named", "doctor_id_named"], "doctors.Doctor") | dict.fromkeys(
    ["patient_named", "patient_id_named", "pick_named"], "patients.Patient"
)
_TEMPLATES = {
    "rows": "{} rows",
    "tries": "{} more attempts",
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
    **dict.fromkeys(_REFUSED_IDS, "with {}"),
}
_INSTANTS = {"before", "since", "until"}
_DATES = {"day", "days", "printed", "first", "last"}
_MODELS_OF_IDS = {"of_user": "clinic.User", "doctor": "doctors.Doctor", **_REFUSED_IDS}


def describe_actor(entry: Any) -> str:
    """Return who acted; empty for the system and for people who are not logged in."""
    return entry.actor.display_name if entry.actor else entry.actor_email or ""


def field_label(name: str, field: Any) -> str:
    return str(getattr(field, "verbose_name", name.replace("_", " ")))


def describe_value(field: Any, value: Any, *, name_of: NameOf) -> str:
    """Return an old or new value of a field. Text is not shortened."""
    if value in (None, "") or (value == "None" and not _is_required_text(field)):
        return EMPTY
    text = str(value)
    related = named_model(field)
    if related is not None and text.isdecimal():
        return name_of(related, int(text))
    if isinstance(field, models.DateTimeField):
        return describe_instant(text)
    if isinstance(field, models.DateField):
        return describe_date(text)
    if isinstance(field, models.BooleanField):
        return describe_bool(text)
    labels = {str(choice): str(label) for choice, label in getattr(field, "flatchoices", ())}
    return labels.get(text, text)


def _is_required_text(field: Any) -> bool:
    # Only in such a field can a stored "None" be typed text.
    return isinstance(field, models.CharField | models.TextField) and not field.null


def records_in_details(details: dict[str, Any]) -> Iterator[tuple[type[models.Model], int]]:
    """Yield the model and id of the records that an entry's details mention."""
    for name, value in details.items():
        for each in value if isinstance(value, list) else [value]:
            if name in _MODELS_OF_IDS and str(each).isdecimal():
                yield apps.get_model(_MODELS_OF_IDS[name]), int(each)


def describe_detail(name: str, value: Any, *, name_of: NameOf) -> str:
    if (special := _SPECIAL_VALUES.get(name, {}).get(str(value))) is not None:
        return special
    texts = [_describe_one(name, each, name_of) for each in (value if isinstance(value, list) else [value])]
    label = name.removesuffix("_named").removesuffix("_id").replace("_", " ")
    return _TEMPLATES.get(name, f"{label} {{}}").format(", ".join(texts)[:MAX_CHARACTERS])


def _describe_one(name: str, value: Any, name_of: NameOf) -> str:
    if name in _MODELS_OF_IDS and str(value).isdecimal():
        return name_of(apps.get_model(_MODELS_OF_IDS[name]), int(value))
    if name == "view":
        return describe_page(value)
    if name == "what":
        return str(value).replace("_", " ")
    if name in _INSTANTS:
        return describe_instant(str(value))
    if name in _DATES:
        return describe_date(str(value))
    return describe_bool(str(value)) if isinstance(value, bool) else str(value)


def describe_page(view: str) -> str:
    """Return the page of a view name, as `patient retention` or `admin: user, list`."""
    namespace, _colon, name = view.rpartition(":")
    app, _line, rest = name.partition("_")
    model, _line, verb = rest.partition("_")
    kind = apps.all_models.get(app, {}).get(model) if namespace == "admin" else None
    words = f"{kind._meta.verbose_name}, {verb}".replace("changelist", "list") if kind else name
    part = {"admin": "admin: ", "api": "API: ", "fhir": "FHIR: "}.get(namespace, "")
    return f"{part}{words}".replace("_", " ")


# Stored values that cannot be read, as anonymised ones, are returned unchanged.


def describe_bool(value: str) -> str:
    return {"True": "yes", "False": "no"}.get(value, value)


def describe_date(value: str) -> str:
    try:
        return date_format(dt.date.fromisoformat(value), "D j M Y")
    except ValueError:
        return value


def describe_instant(value: str) -> str:
    """Return an instant in clinic time."""
    instant = stored_instant(value)
    return f"{clinic_time.date_text(instant)} {clinic_time.time_text(instant)}" if instant else value
