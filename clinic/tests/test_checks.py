"""System checks: the portal refuses to serve where double bookings could happen."""

from types import SimpleNamespace

import pytest
from django.core import checks
from django.db import connection

from clinic.checks import check_database_session, check_isolation_setting

MARIADB_ONLY = "SQLite has one writer at a time: there is no isolation level and no strict mode to check"


def ids(messages):
    return [message.id for message in messages]


@pytest.fixture
def configure(monkeypatch):
    """Return a function that sets DATABASES for the check alone: the connections stay as they are."""
    return lambda databases: monkeypatch.setattr("clinic.checks.settings", SimpleNamespace(DATABASES=databases))


@pytest.fixture
def mariadb(transactional_db):
    """The session's connection, whose variables are put back at the end."""
    if connection.vendor != "mysql":
        pytest.skip(MARIADB_ONLY)
    yield connection
    connection.close()


def set_session(connection, statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("level", ["repeatable read", "serializable", "read uncommitted", None])
def test_isolation_setting_other_than_read_committed_is_refused(configure, level):
    configure({"default": {"ENGINE": "django.db.backends.mysql", "OPTIONS": {"isolation_level": level}}})

    messages = check_isolation_setting()

    assert ids(messages) == ["clinic.E001"]
    assert messages[0].level == checks.ERROR


@pytest.mark.parametrize(
    "options",
    [{}, {"isolation_level": "read committed"}, {"isolation_level": "READ COMMITTED"}],
    ids=["default", "lower", "upper"],
)
def test_isolation_setting_read_committed_is_fine(configure, options):
    configure({"default": {"ENGINE": "django.db.backends.mysql", "OPTIONS": options}})

    assert check_isolation_setting() == []


def test_isolation_setting_without_options_is_fine(configure):
    configure({"default": {"ENGINE": "django.db.backends.mysql"}})

    assert check_isolation_setting() == []


def test_isolation_setting_of_sqlite_is_not_looked_at(configure):
    configure({"default": {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {}}})

    assert check_isolation_setting() == []


def test_isolation_setting_names_each_wrong_database(configure):
    wrong = {"ENGINE": "django.db.backends.mysql", "OPTIONS": {"isolation_level": "repeatable read"}}
    configure({"default": wrong, "archive": wrong})

    assert ids(check_isolation_setting()) == ["clinic.E001", "clinic.E001"]


@pytest.mark.django_db
def test_checks_as_configured_are_fine():
    assert check_isolation_setting() == []
    assert check_database_session(["default"]) == []


def test_database_session_is_not_asked_without_databases():
    assert check_database_session(None) == []


@pytest.mark.parametrize("check", [check_isolation_setting, check_database_session])
def test_checks_are_registered(check):
    assert check in checks.registry.registry.get_checks(include_deployment_checks=True)


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE", "READ UNCOMMITTED"])
def test_database_session_other_than_read_committed_is_refused(mariadb, level):
    set_session(mariadb, f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")

    messages = check_database_session(["default"])

    assert ids(messages) == ["clinic.E001"]
    assert messages[0].level == checks.ERROR


def test_database_session_not_strict_is_refused(mariadb):
    set_session(mariadb, "SET SESSION sql_mode = ''")

    messages = check_database_session(["default"])

    assert ids(messages) == ["clinic.E002"]
    assert messages[0].level == checks.ERROR


@pytest.mark.parametrize("mode", ["STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "ANSI_QUOTES,STRICT_TRANS_TABLES"])
def test_database_session_strict_is_fine(mariadb, mode):
    set_session(mariadb, f"SET SESSION sql_mode = '{mode}'")

    assert check_database_session(["default"]) == []


def test_database_session_wrong_in_both_is_refused_for_both(mariadb):
    set_session(mariadb, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    set_session(mariadb, "SET SESSION sql_mode = ''")

    assert ids(check_database_session(["default"])) == ["clinic.E001", "clinic.E002"]
