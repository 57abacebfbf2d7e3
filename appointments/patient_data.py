"""All that is held on one patient, for the patient: as data for a program and for people to read.

Only this patient's: an appointment that was another's before, or is by now, is told as far as it was this one's. Staff
are named by their role: whom the clinic employs is no data about the patient.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils import timezone

from appointments.models import Appointment, DisplacedAppointment
from appointments.patient_trail import PatientTrail, RelevantEntry, trail_of
from clinic.audit.actor import stored_instant
from clinic.models import Event
from doctors.models import Doctor
from patients.models import Patient

Data = dict[str, Any]

SEARCH_KEYS_ARE_FOR = "Made from name, e-mail and phone number, so that the record is found by parts of them."
# Whose values are ids of staff, or of the appointment and the list it stands on.
_NOT_TOLD = frozenset({"id", "booked_by", "informed_by", "change", "appointment"})
_NOTHING = frozenset({None, "None", ""})  # as the trail holds it


def patient_data(patient: Patient, *, at: dt.datetime | None = None) -> Data:
    """Return all that is held, as JSON can hold it but for instants and dates. Sixteen queries, however much it is."""
    trail = trail_of(patient)
    appointments = Appointment.objects.for_patient(patient.pk).select_related("doctor", "booked_by")
    doctors = _doctors_in(trail)
    notices = _notices_of(patient, trail, doctors)
    own = [
        _appointment(appointment, notices, trail, doctors)
        for appointment in appointments.prefetch_related("booked_by__groups")
    ]
    own_ids = {appointment["id"] for appointment in own}
    return {
        "about": {"patient": patient.pk, "clinic": settings.CLINIC_NAME, "made_at": at or timezone.now()},
        "record": _record(patient),
        "record_history": [_change(told, doctors) for told in trail.record if told.entry.event == Event.WRITE],
        "appointments": own,
        "appointments_no_longer_yours": [
            {"id": pk, "history": _history(entries, doctors)}
            for pk, entries in sorted(trail.appointments.items())
            if pk not in own_ids
        ],
        "who_looked": [_event(told) for told in trail if told.entry.event != Event.WRITE],
        "search_keys": {
            "what_for": SEARCH_KEYS_ARE_FOR,
            "keys": sorted({patient.name_key, *patient.search_keys.values_list("key", flat=True)}),
        },
        "kept": kept_for(),
    }


def kept_for() -> dict[str, str]:
    """Return how long the clinic keeps what, in words."""
    trail_days = getattr(settings, "AUDIT_RETENTION_DAYS", None)
    return {
        "record and appointments": "Until the record is anonymised. The clinic looks at it "
        f"{settings.PATIENT_RETENTION_YEARS} years after the last appointment, or earlier if you ask.",
        "history, and who looked": f"{trail_days} days." if trail_days else "As long as the law asks for.",
        "what staff searched for, and messages on their screens": "Until they log out.",
        "files that are about to be imported": "One hour.",
        "answers to programs, for when they ask again": "One day.",
    }


def _record(patient: Patient) -> Data:
    left_out = {"name_key", "diary_version"}
    return {field.name: getattr(patient, field.attname) for field in _fields(Patient) if field.name not in left_out}


def _appointment(
    appointment: Appointment, notices: dict[int, list[Data]], trail: PatientTrail, doctors: dict[str, str]
) -> Data:
    left_out = {"patient", "doctor", "booked_by"}
    fields = {
        field.name: getattr(appointment, field.attname) for field in _fields(Appointment) if field.name not in left_out
    }
    return {
        **fields,
        "doctor": appointment.doctor.full_name,
        "specialization": appointment.doctor.specialization,
        "booked_by": role_of(appointment.booked_by),
        "notices": notices.get(appointment.pk, []),
        "history": _history(trail.appointments.get(appointment.pk, []), doctors),
    }


def _notices_of(patient: Patient, trail: PatientTrail, doctors: dict[str, str]) -> dict[int, list[Data]]:
    """Return, by appointment, when the doctor was not to be there, and whether the patient has been told."""
    hits = DisplacedAppointment.objects.filter(appointment__patient=patient).select_related("doctor", "informed_by")
    found: dict[int, list[Data]] = {}
    for hit in hits.prefetch_related("informed_by__groups"):
        told = [each for each in trail.hits.get(hit.appointment_id, []) if each.entry.object_id == hit.pk]
        found.setdefault(hit.appointment_id, []).append(
            {
                "doctor": hit.doctor.full_name,
                "start_time": hit.start_time,
                "because": hit.reasons.split(","),
                "stays": hit.reinstated,
                "told_at": hit.informed_at,
                "told_by": role_of(hit.informed_by),
                "history": _history(told, doctors),
            }
        )
    return found


def _history(entries: Iterable[RelevantEntry], doctors: dict[str, str]) -> list[Data]:
    return [_change(told, doctors) for told in entries if told.entry.event == Event.WRITE]


def _change(told: RelevantEntry, doctors: dict[str, str]) -> Data:
    kind: Any = ContentType.objects.get_for_id(told.entry.content_type_id).model_class()
    changed = {
        field: [_value(kind, field, value, doctors) for value in values]
        for field, values in sorted(told.changes.items())
        if field not in _NOT_TOLD | {"patient"} and not _NOTHING.issuperset(values)
    }
    event = _event(told) | {"event": told.entry.get_action_display(), "changed": changed}
    if "patient" in told.changes and not told.is_whole:
        event["event"] = "the appointment became yours" if told.new else "the appointment became another patient's"
    elif reason := (told.entry.additional_data or {}).get("reason"):
        event["why"] = reason  # of an entry that is about two patients it could name the other
    return event


def _value(kind: type[models.Model], field: str, value: Any, doctors: dict[str, str]) -> Any:
    if value in (None, "None"):
        return None
    if isinstance(kind._meta.get_field(field), models.DateTimeField):
        return stored_instant(value) or value
    return doctors.get(str(value), value) if field == "doctor" else value


def _event(told: RelevantEntry) -> Data:
    entry = told.entry
    by = role_of(entry.actor)
    return {
        "at": entry.timestamp,
        "event": entry.get_event_display(),
        "by": f"{by}, by a program" if entry.token_id else by,
    }


def role_of(user: Any) -> str:
    """Return as whom somebody acted, by the roles held now. No query, if the groups were read."""
    if user is None:
        return "The system"
    return ", ".join(sorted(group.name for group in user.groups.all())) or "Staff"


def _doctors_in(trail: PatientTrail) -> dict[str, str]:
    """Return the names of the doctors whom the history mentions, by id. One query."""
    ids = {value for told in trail for value in told.changes.get("doctor", ()) if str(value).isdecimal()}
    return {str(pk): name for pk, name in Doctor.objects.filter(pk__in=ids).order_by().values_list("pk", "full_name")}


def _fields(model: type[models.Model]) -> list[Any]:
    return list(model._meta.concrete_fields)
