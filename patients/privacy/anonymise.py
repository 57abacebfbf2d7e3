"""Anonymising a patient: see docs/decisions/015-privacy.md for why not deleting, and for the locks."""

from typing import TYPE_CHECKING

from auditlog.models import AbstractLogEntry
from django.db import transaction
from django.utils import timezone

from clinic.audit.actor import acting
from clinic.db.transactions import retrying
from clinic.models import AuditEntry
from patients.models import Patient
from patients.privacy.holders import registered_holders
from patients.privacy.temporary_data import FormerValues, erase_temporary_data
from patients.privacy.trail import PatientTrail, trail_of
from patients.rules import check_not_anonymised

if TYPE_CHECKING:
    from clinic.models import User


def former_values_of(patient: Patient) -> FormerValues:
    """Return the values that identify the patient, to be read before the patient is anonymised."""
    return FormerValues(patient, trail_of(patient))


def check_may_anonymise(patient: Patient) -> None:
    """Refuse if the patient cannot be anonymised now: `anonymised`, `open_appointments`. No lock."""
    check_not_anonymised(patient.anonymised_at)
    for holder in registered_holders():
        holder.check_may_anonymise(patient)


@retrying
def anonymise(patient: Patient, *, by: "User | None") -> Patient:
    """Permanently remove the patient's identity from everything the portal stores, and return the new record.

    Locks: what the holders of personal data lock (the diaries of the patient's doctors), then the patient.

    Raises:
        ValidationError: `anonymised`, `open_appointments`.
        LostRace: if an appointment was booked before the locks were taken.
    """
    with acting(by), transaction.atomic():
        for holder in registered_holders():
            holder.lock(patient.pk)
        current = Patient.objects.select_for_update().get(pk=patient.pk)
        check_may_anonymise(current)
        _erase(current)
    return current


def _erase(patient: Patient) -> None:
    trail = trail_of(patient)
    former = FormerValues(patient, trail)
    _anonymise_trail(trail)
    for holder in registered_holders():
        holder.erase(patient.pk)
    now = timezone.now()
    Patient.objects.anonymise(patient.pk, at=now)
    erase_temporary_data(former)
    patient.refresh_from_db()
    changes = {"anonymised_at": ["None", now.isoformat()]}
    AuditEntry.objects.log_create(patient, action=AbstractLogEntry.Action.UPDATE, changes=changes)


def _anonymise_trail(trail: PatientTrail) -> None:
    ids_by_side: dict[tuple[bool, bool], list[int]] = {}
    for relevant in trail:
        ids_by_side.setdefault((relevant.old, relevant.new), []).append(relevant.entry.pk)
    for (old, new), ids in ids_by_side.items():
        AuditEntry.objects.filter(pk__in=ids).anonymise(old=old, new=new)
