"""Entries of the audit trail that were written before a field was renamed."""

import pytest
from django.apps import apps

from appointments.displaced.finder import open_schedule_change
from appointments.tests.factories import AppointmentFactory
from clinic.audit.former_names import FORMER_NAMES, changes_of
from clinic.audit_trail.entries import describe_entries
from clinic.models import AuditEntry
from patients.privacy.subject_access import export_patient_data

pytestmark = pytest.mark.django_db

OLD_CHANGES = {
    "because": ["leave", "closed"],
    "impact": ["1", "2"],
    "reached_at": ["None", "2026-11-24 09:00:00"],
    "reached_by": ["None", "7"],
    "stays": ["False", "True"],
}


@pytest.fixture
def displaced(db):
    return open_schedule_change([AppointmentFactory()], cause="Leave", by=None).displaced.get()


@pytest.fixture
def old_entry(displaced):
    return AuditEntry.objects.log_create(displaced, action=AuditEntry.Action.UPDATE, changes=OLD_CHANGES)


def test_every_former_name_maps_to_a_current_field():
    for kind, names in FORMER_NAMES.items():
        fields = {field.name for field in apps.get_model(*kind)._meta.get_fields()}

        assert set(names.values()) <= fields
        assert fields.isdisjoint(names)


def test_old_entry_has_current_names(old_entry):
    assert set(changes_of(old_entry)) == {"reasons", "change", "informed_at", "informed_by", "reinstated"}


def test_trail_shows_an_old_entry_with_current_labels(old_entry):
    (row,) = describe_entries([old_entry])

    assert ("informed at", "–", "Tue 24 Nov 2026 09:00") in row.changes
    assert ("reinstated", "no", "yes") in row.changes


def test_patient_data_hides_staff_in_old_entries(old_entry, displaced):
    data = export_patient_data(displaced.appointment.patient)

    (notice,) = data["appointments"][0]["notices"]
    assert set(notice["history"][-1]["changed"]) == {"reasons", "informed_at", "reinstated"}
