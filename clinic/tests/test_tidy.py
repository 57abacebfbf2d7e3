"""`manage.py tidy` deletes what has expired, and the admin's home page says when it last ran."""

import datetime as dt
from io import StringIO

import pytest
from axes.models import AccessAttempt
from django.apps import apps
from django.core.management import call_command
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from clinic.db import batches
from clinic.management.commands import tidy
from clinic.models import (
    DRAFT_LASTS,
    AuditEntry,
    Event,
    ImportDraft,
    ImportRow,
    SavedForm,
    Session,
    StoredResponse,
    TidyRun,
    TryCount,
    User,
)
from clinic.tests.factories import UserFactory
from clinic.tests.kit import NOW
from clinic.tests.test_login import sign_in

pytestmark = pytest.mark.usefixtures("db", "now")

DAY = dt.timedelta(days=1)
EXPIRING = [ImportDraft, ImportRow, SavedForm, StoredResponse, Session, AccessAttempt, TryCount]


def run():
    out = StringIO()
    call_command("tidy", stdout=out)
    return out.getvalue()


@pytest.fixture
def temporary(at_desk, receptionist):
    """Create something of everything that expires, all of this moment."""
    draft = ImportDraft.objects.create(owner=receptionist, kind="patients", is_ready=True)
    ImportRow.objects.bulk_create(ImportRow(draft=draft, number=n, cells={}, verdict=6) for n in range(3))
    SavedForm.objects.store(user_id=receptionist.pk, path="/patients/new/", data="first_name=Nuno")
    StoredResponse.objects.create(user=receptionist, key="7" * 32, digest="x", body="Nuno")
    sign_in(address="10.0.0.9")
    TryCount.objects.add(Event.SIGN_IN_FAILED, User, address="10.0.0.9", at=NOW)


def counts():
    return [kind._default_manager.count() for kind in EXPIRING]


@pytest.mark.both_databases
def test_tidy_deletes_all_that_has_expired(temporary, now):
    assert 0 not in counts()
    now.shift(DAY + dt.timedelta(seconds=1))

    output = run()

    assert counts() == [0] * len(EXPIRING)
    assert output == (
        "Deleted: 4 rows and drafts of imports, 1 half-filled forms, 1 stored API responses, 1 ended sessions, "
        "1 counts of wrong passwords, 1 counts of attempts, now in the audit trail.\n"
    )


@pytest.mark.both_databases
def test_tidy_leaves_what_has_not_expired(temporary):
    before = counts()

    run()

    assert counts() == before


def test_drafts_and_forms_are_deleted_after_their_hour(temporary, now):
    now.shift(DRAFT_LASTS - dt.timedelta(seconds=1))
    run()
    assert (ImportRow.objects.count(), SavedForm.objects.count()) == (3, 1)

    now.shift(1)
    run()

    assert (ImportRow.objects.count(), SavedForm.objects.count()) == (0, 0)


@pytest.mark.both_databases
def test_tidy_works_in_batches(temporary, now, monkeypatch):
    monkeypatch.setattr(batches, "DELETED_AT_ONCE", 2)
    now.shift(DAY + dt.timedelta(seconds=1))

    with CaptureQueriesContext(connection) as queries:
        run()

    deletes = [query["sql"] for query in queries if query["sql"].startswith("DELETE") and "importrow" in query["sql"]]
    assert len(deletes) >= 2
    assert counts() == [0] * len(EXPIRING)


@pytest.mark.both_databases
def test_row_that_is_renewed_meanwhile_is_not_deleted(temporary, now):
    """The same form is saved again between the look-up of a batch and its deletion."""
    now.shift(DAY)
    delete = models.QuerySet.delete

    def renew_and_delete(rows):
        SavedForm.objects.update(created_at=NOW + DAY)
        return delete(rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models.QuerySet, "delete", renew_and_delete)
        deleted = SavedForm.objects.purge()

    assert (deleted, SavedForm.objects.count()) == (0, 1)


def test_second_tidy_finds_nothing(temporary, now):
    now.shift(DAY + dt.timedelta(seconds=1))
    run()

    output = run()

    assert [word for word in output.replace(",", "").split() if word.isdecimal()] == ["0"] * 6


def test_sign_in_deletes_the_same_without_a_scheduled_job(temporary, now, client):
    now.shift(DAY + dt.timedelta(seconds=1))

    client.force_login(UserFactory())

    assert counts() == [0, 0, 0, 0, 1, 0, 0]  # but for the session that has begun
    assert not TidyRun.objects.exists()


def test_each_model_with_an_expiry_is_tidied_or_kept_for_a_reason():
    kept = {
        "appointments.EmergencyGrant": "a grant shows who had access",
        "axes.AccessAttemptExpiration": "not used",
        "clinic.ApiToken": "an expired token stays in the list of tokens",
        "clinic.User": "a temporary password that has expired stays in the list of users",
        "doctors.Timetable": "hours of the past",
    }
    words = ("expire", "ends_at", "until")
    found = {
        model._meta.label
        for model in apps.get_models()
        if any(word in field.name for field in model._meta.concrete_fields for word in words)
    }

    assert found - {model._meta.label for model in EXPIRING} == set(kept)


# When it last ran


@pytest.mark.both_databases
def test_last_run_is_stored_in_one_row(now):
    run()
    now.shift(DAY)
    run()

    assert list(TidyRun.objects.values_list("finished_at", flat=True)) == [NOW + DAY]


def test_run_that_fails_is_not_stored(monkeypatch):
    monkeypatch.setattr(tidy, "delete_expired_data", lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        run()

    assert not TidyRun.objects.exists()


def home(client):
    return " ".join(client.get("/admin/").content.decode().split())


def test_admin_home_warns_that_tidy_has_never_run(in_admin):
    page = home(in_admin)

    assert '<li class="warning"> Expired data is deleted only at logins' in page


def test_admin_home_says_when_tidy_last_ran(in_admin, administrator, now):
    run()
    assert "last deleted by <code>manage.py tidy</code> on 24 November 2026, 09:00." in home(in_admin)
    assert 'class="warning"' not in home(in_admin)

    now.shift(DAY)
    in_admin.force_login(administrator)
    assert 'class="warning"' not in home(in_admin)
    now.shift(1)

    assert "on 24 November 2026, 09:00, more than a day ago." in home(in_admin)
    assert 'class="warning"' in home(in_admin)


def test_page_of_one_app_does_not_mention_tidy(in_admin):
    assert "manage.py tidy" not in home_of_app(in_admin)


def home_of_app(client):
    return client.get("/admin/clinic/").content.decode()


def test_tidy_leaves_the_audit_trail_alone(temporary, now):
    before = set(AuditEntry.objects.values_list("pk", flat=True))
    now.shift(DAY * 4000)

    run()

    assert before <= set(AuditEntry.objects.values_list("pk", flat=True))
