"""Refusals in the audit trail: who asked for what they may not have, or for what is not there.

In one place, after everything else has been rolled back: every 403 of a signed-in person, every 404 at an address that
names a record, and what a view says it has refused although its answer is a page (`record_refused`). What strangers are
refused is not in it: they hear the same of every address, and the process log counts them.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch

from clinic.accounts.models import User
from clinic.audit.models import AuditEntry, Event, patient_id_of
from clinic.rest.errors import is_api
from clinic.web.http import parse_number

FORBIDDEN, NOT_FOUND = 403, 404
# Which record the id in an address is of, by the first word of the address's name, or by the whole of it.
_KINDS = {
    "patient": "patients.Patient",
    "appointment": "appointments.Appointment",
    **dict.fromkeys(["schedule_change_detail", "schedule_change_print"], "appointments.ScheduleChange"),
    "doctor": "doctors.Doctor",
    "practitioner": "doctors.Doctor",
    "schedule": "doctors.Doctor",
    "calendar": "doctors.Doctor",
    "leave": "doctors.Leave",
    "leave_add": "doctors.Doctor",
    "hours": "doctors.Timetable",
    "hours_add": "doctors.Doctor",
    "closure": "doctors.Closure",
    "patient_import_preview": "clinic.ImportDraft",
    "doctor_import_preview": "clinic.ImportDraft",
    # Django names it so whatever the user's model is. Written so, bandit does not take the model for a password.
    **dict.fromkeys(["auth_user_password_change"], "clinic.User"),
}
_ADMIN_VERBS = ("change", "history", "delete")
# What a form, an address or a program may name records by.
_NAMES = ("patient", "patient_id", "pick", "doctor", "doctor_id", "appointment", "appointment_id", "move")


Refused = tuple[type[Model], int | None]  # a kind of record, and the id of the one


def record_refused(request: HttpRequest, kind: type[Model], pk: int) -> None:
    """Have the audit trail say that the user was refused this record, whatever the answer looks like."""
    vars(request).setdefault("refused_records", []).append((kind, pk))


class RefusalMiddleware:
    """Writes refusals, when all that the request did is done or rolled back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on, and look at its answer."""
        response = self.get_response(request)
        refused: list[Refused] = getattr(request, "refused_records", [])
        match = request.resolver_match
        is_refused = response.status_code == FORBIDDEN or (
            response.status_code == NOT_FOUND and match is not None and names_record(request, match)
        )
        if (refused or is_refused) and request.user.is_authenticated:
            for kind, pk in refused or [_asked_for(match)]:
                _write(request, response.status_code, kind, pk)
        return response


def names_record(request: HttpRequest, match: ResolverMatch) -> bool:
    """Return whether an address, or what a program sent to it, names a record by its id."""
    return any(True for _name, _pk in _ids_in(match)) or (is_api(request) and bool(_ids_sent(request)))


def _ids_in(match: ResolverMatch) -> Iterator[tuple[str, int]]:
    for name, value in match.kwargs.items():
        number = parse_number(str(value))
        if number is not None:
            yield name, number


def _ids_sent(request: HttpRequest) -> dict[str, int]:
    """Return the ids that the address or the body names beside the route; nothing else that was typed."""
    sent: dict[str, Any] = {**request.GET.dict(), **_body(request)}
    numbers = {name: parse_number(str(sent[name])) for name in _NAMES if name in sent}
    return {name: number for name, number in numbers.items() if number is not None}


def _body(request: HttpRequest) -> dict[str, Any]:
    # Only what a view has read: a body that was refused for its size or kind is not read for this.
    if hasattr(request, "_post") and request.POST:
        return request.POST.dict()
    if is_api(request) and hasattr(request, "_body"):
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}
    return {}


def _asked_for(match: ResolverMatch | None) -> Refused:
    """Return the kind and the id of the record that an address names; if it names none, users without an id."""
    if match is None:
        return User, None
    name = match.url_name or ""
    label = _KINDS.get(name) or _KINDS.get(name.split("_")[0])
    if match.namespaces == ["admin"]:
        app_and_model, _line, verb = name.rpartition("_")
        is_usual = verb in _ADMIN_VERBS and name not in _KINDS
        label = app_and_model.replace("_", ".", 1) if is_usual else _KINDS.get(name)
    pk = next((pk for _name, pk in _ids_in(match)), None)
    return (apps.get_model(label), pk) if label and pk is not None else (User, None)


def _write(request: HttpRequest, status: int, kind: type[Model], pk: int | None) -> None:
    match = request.resolver_match
    record = None if pk is None else kind._default_manager.filter(pk=pk).first()
    named = {name: number for name, number in _ids_in(match) if number != pk} if match else {}
    AuditEntry.objects.note_of(
        Event.REFUSAL,
        kind,
        pk=pk,
        patient_id=patient_id_of(record),
        status=status,
        method=known_method(request),
        view=match.view_name if match else "",
        **{f"{name}_named": number for name, number in (named | _ids_sent(request)).items()},
    )


def known_method(request: HttpRequest) -> str:
    """Return the method of a request; of one that nobody knows, no word: it was typed."""
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
    return request.method if request.method in known else "other"
