"""Audit entries, as tests compare them."""

from clinic.models import AuditEntry, SeenPatient


def entries(**wanted):
    """Return the entries, oldest first."""
    return list(AuditEntry.objects.filter(**wanted).order_by("pk"))


def only_entry(**wanted):
    return AuditEntry.objects.get(**wanted)


def seen_in(entry):
    """Return the ids of the patients in a list."""
    return set(SeenPatient.objects.filter(entry=entry).values_list("patient_id", flat=True))
