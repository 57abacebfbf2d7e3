"""Record denied requests of signed-in users in the audit trail: 403, 404 of a record, and `record_refused`."""

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
# The model of the id in a URL, by the URL name or by its first word.
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
    # Django uses this name for any user model. As a dict literal, bandit would take the value for a password.
    **dict.fromkeys(["auth_user_password_change"], "clinic.User"),
}
_ADMIN_VERBS = ("change", "history", "delete")
# Field and parameter names that carry ids of records.
_NAMES = ("patient", "patient_id", "pick", "doctor", "doctor_id", "appointment", "appointment_id", "move")


Refused = tuple[type[Model], int | None]  # model and id


def record_refused(request: HttpRequest, kind: type[Model], pk: int) -> None:
    """Have the audit trail record that the user was denied this record, whatever the answer looks like."""
    vars(request).setdefault("refused_records", []).append((kind, pk))


class RefusalMiddleware:
    """Records denied requests once everything the request did is committed or rolled back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        refused: list[Refused] = getattr(request, "refused_records", [])
        match = request.resolver_match
        is_refused = response.status_code == FORBIDDEN or (
            response.status_code == NOT_FOUND and match is not None and names_record(request, match)
        )
        if (refused or is_refused) and request.user.is_authenticated:
            for kind, pk in refused or [_requested_record(match)]:
                _write(request, response.status_code, kind, pk)
        return response


def names_record(request: HttpRequest, match: ResolverMatch) -> bool:
    """Return whether the URL, or what was sent, names a record by its id."""
    return any(True for _name, _pk in _ids_in(match)) or bool(_ids_sent(request))


def _ids_in(match: ResolverMatch) -> Iterator[tuple[str, int]]:
    for name, value in match.kwargs.items():
        number = None if name == "token" else parse_number(str(value))  # a feed's secret address is no id
        if number is not None:
            yield name, number


def _ids_sent(request: HttpRequest) -> dict[str, int]:
    """Return the ids in the query or body; nothing else that was sent."""
    sent: dict[str, Any] = {**request.GET.dict(), **_body(request)}
    numbers = {name: parse_number(str(sent[name])) for name in _NAMES if name in sent}
    return {name: number for name, number in numbers.items() if number is not None}


def _body(request: HttpRequest) -> dict[str, Any]:
    # Only if a view has read it: a body that was refused for its size or type is not read for this.
    if hasattr(request, "_post") and request.POST:
        return request.POST.dict()
    if is_api(request) and hasattr(request, "_body"):
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}
    return {}


def _requested_record(match: ResolverMatch | None) -> Refused:
    """Return model and id of the record that the URL names; without one, the user model and None."""
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
    AuditEntry.objects.record_by_id(
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
    """Return the request's method, or `other` for an unknown one, which could be any text."""
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
    return request.method if request.method in known else "other"
