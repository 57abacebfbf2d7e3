"""The audit trail cannot be changed or deleted, except by the command that prunes it."""

import datetime as dt
from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core import serializers
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from clinic.accounts.roles import DOCTOR, RECEPTIONIST
from clinic.models import AuditEntry, Event, SeenPatient
from clinic.tests.factories import UserFactory
from clinic.tests.kit import rolled_back
from clinic.tests.trail import only_entry
from patients.models import Patient

pytestmark = pytest.mark.django_db


@pytest.fixture
def entry(patient):
    return AuditEntry.objects.record(Event.SEARCH, Patient, patients=[patient.pk])


def stored(entry):
    return AuditEntry.objects.filter(pk=entry.pk).values("event", "object_id", "remote_addr", "additional_data").get()


WAYS = {
    "save": lambda entry: entry.save(),
    "save_base": lambda entry: entry.save_base(),
    "delete": lambda entry: entry.delete(),
    "update": lambda entry: AuditEntry.objects.update(remote_addr="192.0.2.9"),
    "update, by the base manager": lambda entry: AuditEntry._base_manager.all().update(remote_addr="192.0.2.9"),
    "queryset delete": lambda entry: AuditEntry.objects.all().delete(),
    "raw delete": lambda entry: AuditEntry.objects.all()._raw_delete("default"),
    "bulk update": lambda entry: AuditEntry.objects.bulk_update([entry], ["remote_addr"]),
    "bulk create over it": lambda entry: AuditEntry.objects.bulk_create(
        [entry], update_conflicts=True, update_fields=["remote_addr"], unique_fields=["id"]
    ),
    "update or create": lambda entry: AuditEntry.objects.update_or_create(
        pk=entry.pk, defaults={"remote_addr": "192.0.2.9"}
    ),
    "delete of its kind": lambda entry: entry.content_type.delete(),
    "seen patients, update": lambda entry: SeenPatient.objects.update(patient_id=0),
    "seen patients, delete": lambda entry: SeenPatient.objects.all().delete(),
    "seen patients, by the entry": lambda entry: entry.seen_patients.all().delete(),
    "seen patient, save": lambda entry: SeenPatient.objects.get().save(),
    "seen patient, delete": lambda entry: SeenPatient.objects.get().delete(),
}


@pytest.mark.both_databases
def test_entry_cannot_be_changed_or_deleted(entry):
    before = stored(entry)
    entry.remote_addr = "192.0.2.9"
    done = []

    for name, way in WAYS.items():
        with rolled_back():
            try:
                with transaction.atomic():
                    way(entry)
            except TypeError:
                if stored(entry) == before and SeenPatient.objects.count() == 1:
                    continue
            done.append(name)

    assert done == []


@pytest.mark.both_databases
def test_new_entry_with_an_existing_key_is_refused(entry):
    before = stored(entry)
    other = AuditEntry(pk=entry.pk, event=Event.READ, action=3, content_type=ContentType.objects.get_for_model(Patient))

    with pytest.raises(IntegrityError), transaction.atomic():
        other.save()

    assert stored(entry) == before


@pytest.mark.both_databases
def test_fixture_with_an_existing_key_is_refused(entry):
    before = stored(entry)
    text = serializers.serialize("json", [AuditEntry.objects.get(pk=entry.pk)]).replace("search", "read")

    (loaded,) = serializers.deserialize("json", text)
    with pytest.raises(IntegrityError), transaction.atomic():
        loaded.save()

    assert stored(entry) == before


@pytest.mark.both_databases
def test_user_with_audit_entries_cannot_be_deleted(entry):
    user = UserFactory()
    AuditEntry.objects.create(event=Event.READ, action=3, content_type=entry.content_type, actor=user)

    with pytest.raises(TypeError), transaction.atomic():
        user.delete()

    assert AuditEntry.objects.filter(actor=user).exists()


def test_library_commands_that_rewrite_the_trail_are_removed():
    for command in ("auditlogflush", "auditlogmigratejson"):
        with pytest.raises(CommandError, match="Unknown command"):
            call_command(command)


def test_admin_cannot_change_an_entry_by_any_method(in_admin, entry):
    before = stored(entry)

    for page in ("change", "delete", "history"):
        for method in ("post", "put", "patch", "delete"):
            getattr(in_admin, method)(f"/admin/clinic/auditentry/{entry.pk}/{page}/", {"remote_addr": "192.0.2.9"})

            assert AuditEntry.objects.filter(pk=entry.pk).exists(), (page, method)
            assert stored(entry) == before, (page, method)


def test_admin_cannot_delete_entries_by_an_action(in_admin, entry):
    sent = {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"}

    in_admin.post("/admin/clinic/auditentry/", sent)

    assert AuditEntry.objects.filter(pk=entry.pk).exists()


def test_admin_cannot_add_an_entry(in_admin):
    response = in_admin.post("/admin/clinic/auditentry/add/", {})

    assert response.status_code == 403


# Roles of users, old and new


def role_changes(user):
    writes = AuditEntry.objects.get_for_object(user).writes().order_by("pk")
    return [entry.changes_dict["groups"] for entry in writes if "groups" in entry.changes_dict]


def test_change_of_roles_is_recorded_with_old_and_new_roles():
    user = UserFactory(role=DOCTOR)
    receptionist = Group.objects.get(name=RECEPTIONIST)

    user.groups.set([receptionist])

    assert role_changes(user) == [["", "Doctor"], ["Doctor", ""], ["", "Receptionist"]]


def test_role_added_through_the_group_is_an_entry_of_the_user():
    user = UserFactory()

    Group.objects.get(name=RECEPTIONIST).user_set.add(user)

    assert role_changes(user) == [["", "Receptionist"]]


def test_unchanged_roles_leave_no_entry():
    user = UserFactory(role=DOCTOR)

    user.groups.set(user.groups.all())

    assert len(role_changes(user)) == 1


# Pruning


@pytest.fixture
def old_and_new(db, settings):
    """Entries one minute older and one minute newer than the retention limit, each with a patient."""
    settings.AUDIT_RETENTION_DAYS = 10
    limit = timezone.now() - dt.timedelta(days=10)
    kind = ContentType.objects.get_for_model(Patient)
    common = {"event": Event.SEARCH, "action": 3, "content_type": kind}
    old = AuditEntry.objects.create(timestamp=limit - dt.timedelta(minutes=1), **common)
    SeenPatient.objects.record(old, [7], at=old.timestamp)
    new = AuditEntry.objects.create(timestamp=limit + dt.timedelta(minutes=1), **common)
    SeenPatient.objects.record(new, [8], at=new.timestamp)
    return old, new


def pruned(*options):
    out = StringIO()
    call_command("prune_audit_trail", *options, stdout=out)
    return out.getvalue()


@pytest.mark.both_databases
def test_pruning_deletes_only_entries_that_are_too_old(now, old_and_new):
    old, new = old_and_new

    output = pruned()

    assert output.startswith("1 ")
    assert not AuditEntry.objects.filter(pk=old.pk).exists()
    assert AuditEntry.objects.filter(pk=new.pk).exists()
    assert [seen.patient_id for seen in SeenPatient.objects.all()] == [8]


def test_pruning_leaves_an_entry_of_its_own(now, old_and_new):
    pruned()

    entry = only_entry(event=Event.PRUNE)
    assert entry.additional_data["found"] == 1
    assert entry.additional_data["before"].startswith("2026-11-14")


@pytest.mark.both_databases
def test_pruning_works_in_batches(now, old_and_new, monkeypatch):
    monkeypatch.setattr("clinic.audit.models.PRUNE_BATCH", 1)
    old, _new = old_and_new
    AuditEntry.objects.create(timestamp=old.timestamp, event=Event.READ, action=3, content_type_id=old.content_type_id)

    assert pruned().startswith("2 ")


def test_dry_run_deletes_nothing_and_leaves_no_entry(now, old_and_new):
    output = pruned("--dry-run")

    assert output.startswith("1 ")
    assert AuditEntry.objects.count() == 2


def test_pruning_with_a_retention_of_0_days_is_refused(now, old_and_new, settings):
    settings.AUDIT_RETENTION_DAYS = 0

    with pytest.raises(CommandError):
        pruned()

    assert AuditEntry.objects.count() == 2
