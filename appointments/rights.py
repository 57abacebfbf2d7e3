"""Anonymising a patient: what the clinic does where it may keep somebody's data no longer.

Why not delete, and why nothing comes between the claim and the end: docs/decisions/015-privacy.md.
"""

from typing import TYPE_CHECKING, Any

from auditlog.models import AbstractLogEntry
from django.db import transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone

from appointments import locking
from appointments.models import Appointment
from appointments.patient_trail import PatientTrail, trail_of
from appointments.rights_rules import TEXTS, check_no_open_appointments
from appointments.short_lived import FormerValues, forget
from clinic.audit.actor import ANONYMISED, acting
from clinic.core import clinic_time
from clinic.db.transactions import LostRace, retrying
from clinic.models import AuditEntry
from patients.models import Patient
from patients.rules import check_not_anonymised

if TYPE_CHECKING:
    from clinic.models import User

# They say that an appointment was cancelled for a reason, or booked outside hours: that stays, and what was said goes.
_KEPT_AS_A_MARK = ("cancel_reason", "outside_hours_reason")


def former_values_of(patient: Patient) -> FormerValues:
    """Return what is held on a patient in words, as it will no longer be once the patient is anonymised."""
    return FormerValues(patient, trail_of(patient))


def check_may_anonymise(patient: Patient) -> None:
    """Check that a patient can be anonymised now. It only looks; `anonymise` looks again under the claim.

    Raises:
        ValidationError: `anonymised`, `open_appointments`.
    """
    check_not_anonymised(patient.anonymised_at)
    open_appointments = Appointment.objects.for_patient(patient.pk).open().select_related("doctor")
    check_no_open_appointments(open_appointments, today=clinic_time.today())


@retrying
def anonymise(patient: Patient, *, by: "User | None") -> Patient:
    """Take from all that the portal holds who the patient was, for good, and return the record as it is then.

    Doctors, times and statuses of appointments stay, for statistics, as does in the audit trail that something was
    changed, when and by whom. The act leaves one entry.

    Locks: the diaries of all doctors whom the patient has seen, and the patient's: a booking at the same moment comes
    before and is then an open appointment, or after and is refused; an edit of an old appointment likewise.

    Raises:
        ValidationError: `anonymised`, `open_appointments`.
        LostRace: if an appointment to yet another doctor came in between.
    """
    with acting(by), transaction.atomic():
        _claim(patient.pk)
        current = Patient.objects.get(pk=patient.pk)
        check_may_anonymise(current)
        trail = trail_of(current)
        former = FormerValues(current, trail)
        _anonymise_trail(trail)
        _anonymise_appointments(current.pk)
        now = timezone.now()
        Patient.objects.anonymise(current.pk, at=now)
        forget(former)
        current.refresh_from_db()
        changes = {"anonymised_at": ["None", now.isoformat()]}
        AuditEntry.objects.log_create(current, action=AbstractLogEntry.Action.UPDATE, changes=changes)
    return current


def _claim(patient_id: int) -> None:
    seen = Appointment.objects.for_patient(patient_id).order_by().values_list("doctor_id", flat=True)
    doctor_ids = set(seen)
    locking.lock_diaries(doctor_ids=doctor_ids, patient_ids=[patient_id])
    if set(seen.all()) != doctor_ids:
        raise LostRace("An appointment has come in between.", code="stale")


def _anonymise_trail(trail: PatientTrail) -> None:
    sides: dict[tuple[bool, bool], list[int]] = {}
    for told in trail:
        sides.setdefault((told.old, told.new), []).append(told.entry.pk)
    for (old, new), ids in sides.items():
        AuditEntry.objects.filter(pk__in=ids).anonymise(old=old, new=new)


def _anonymise_appointments(patient_id: int) -> None:
    """Take what was written about the appointments. Not by `save()`, whose audit entries would hold it.

    The version goes up, so that a form opened before is refused as out of date.
    """
    emptied: dict[str, Any] = dict.fromkeys(set(TEXTS) - set(_KEPT_AS_A_MARK), "")
    marked = {name: Case(When(**{name: ""}, then=Value("")), default=Value(ANONYMISED)) for name in _KEPT_AS_A_MARK}
    appointments = Appointment.objects.for_patient(patient_id).order_by()
    appointments.update(**emptied, **marked, version=F("version") + 1, updated_at=timezone.now())
