"""What the audit trail holds, as tests compare it."""

from clinic.models import AuditEntry, SeenPatient


def entries(**wanted):
    """Return the entries in the order in which they were written."""
    return list(AuditEntry.objects.filter(**wanted).order_by("pk"))


def only_entry(**wanted):
    """Return the one entry that there is."""
    return AuditEntry.objects.get(**wanted)


def seen_in(entry):
    """Return the ids of the patients whom a list showed."""
    return set(SeenPatient.objects.filter(entry=entry).values_list("patient_id", flat=True))
