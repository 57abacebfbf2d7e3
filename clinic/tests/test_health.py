"""Health checks: /livez needs nothing, /readyz says why the portal is not ready, in the body and once in the log."""

from contextlib import contextmanager

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, NotSupportedError, OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder

from clinic.ops import health
from clinic.tests.kit import Cases, lines

pytestmark = pytest.mark.usefixtures("db", "now")

SECRET = "Cannot connect to 10.0.0.1 as Maria"


@pytest.fixture(autouse=True)
def new_process(monkeypatch):
    """Each test starts with a portal that was ready when it was last asked."""
    monkeypatch.setattr(health, "_readiness", health._Readiness())


@contextmanager
def database_raising(error):
    def fail(*args, **kwargs):
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "cursor", fail)
        yield


def applied(**names):
    return MigrationRecorder.Migration.objects.filter(**names)


def logged_by_health(log):
    return [(line["level"], line["message"]) for line in lines(log) if line["logger"] == "clinic.ops.health"]


def test_livez_answers_without_the_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get("/livez")

    assert (response.status_code, response.content) == (200, b"ok")


@pytest.mark.both_databases
def test_readyz_answers_ok_after_one_query(client, django_assert_num_queries):
    with django_assert_num_queries(1):
        response = client.get("/readyz")

    assert (response.status_code, response.content) == (200, b"ok")


@pytest.mark.both_databases
def test_readyz_reads_the_migration_files_once(client, monkeypatch):
    client.get("/readyz")
    monkeypatch.setattr(health, "MigrationLoader", None)

    assert client.get("/readyz").status_code == 200


@pytest.mark.both_databases
def test_readyz_with_an_unapplied_migration_says_so(client):
    applied(app="clinic", name="0001_initial").delete()

    response = client.get("/readyz")

    assert (response.status_code, response["Content-Type"]) == (503, "text/plain; charset=utf-8")
    assert response.content == b"not ready: not all migrations are applied (1 missing)"


@pytest.mark.both_databases
def test_readyz_of_an_empty_database_says_that_it_is_not_migrated(client, monkeypatch):
    monkeypatch.setattr(MigrationRecorder.Migration._meta, "db_table", "of_an_empty_database")

    response = client.get("/readyz")

    missing = len(health.migrations_on_disk())
    assert response.content.decode() == f"not ready: not all migrations are applied ({missing} missing)"


def test_readyz_with_newer_migrations_than_the_portal_is_ready(client):
    MigrationRecorder(connection).record_applied("clinic", "9999_of_the_next_version")

    assert client.get("/readyz").status_code == 200


def test_migration_whose_replaced_ones_are_applied_is_not_missing(client, monkeypatch):
    replaced = frozenset({("clinic", "0001_initial"), ("clinic", "0002_api_tokens")})
    monkeypatch.setattr(health, "migrations_on_disk", lambda: {("clinic", "0001_squashed"): replaced})
    assert client.get("/readyz").status_code == 200

    applied(app="clinic", name="0002_api_tokens").delete()

    assert client.get("/readyz").status_code == 503


def test_readyz_names_the_failure_but_not_its_text(client):
    table = [
        (OperationalError(2003, SECRET), "the database does not answer (2003)"),
        (OperationalError(2013, SECRET), "the database does not answer (2013)"),
        (InterfaceError(0, ""), "the database does not answer"),
        (OperationalError(SECRET), "the database does not answer"),
        (OperationalError(1045, SECRET), "the database reports an error (1045)"),
        (NotSupportedError(SECRET), "the database has a version that is too old"),
        (ImproperlyConfigured(SECRET), "the driver of the database is not installed"),
    ]
    with Cases(client=client) as case:
        for error, reason in table:
            with case(reason):
                with database_raising(error):
                    response = client.get("/readyz")

                assert (response.status_code, response.content.decode()) == (503, f"not ready: {reason}")


def test_readyz_logs_only_changes_of_its_reason(client, log):
    for error in (OperationalError(2003, SECRET), OperationalError(2003, SECRET), OperationalError(1045, SECRET)):
        with database_raising(error):
            client.get("/readyz")

    assert logged_by_health(log) == [
        ("ERROR", "The portal is not ready: the database does not answer (2003)"),
        ("ERROR", "The portal is not ready: the database reports an error (1045)"),
    ]
    assert len(lines(log)) == 2 + 3  # a line for each request, and no error of Django's for each
    assert lines(log)[-1]["reason"] == "the database reports an error (1045)"
    assert SECRET not in log.getvalue()


def test_readyz_logs_that_the_portal_is_ready_again(client, log):
    health._readiness.reason = "the database does not answer (2003)"

    client.get("/readyz")
    client.get("/readyz")

    assert logged_by_health(log) == [("INFO", "The portal is ready again")]


def test_reason_is_shown_to_probes_only(client, settings, log):
    settings.READY_FROM = ["10.20.0.0/16"]

    with database_raising(OperationalError(2003, SECRET)):
        response = client.get("/readyz")

    assert response.status_code == 404
    assert b"not ready" not in response.content
    assert logged_by_health(log) == []
