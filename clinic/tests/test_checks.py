"""System checks: errors where double bookings could happen, warnings for insecure settings."""

import os
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from django.core import checks
from django.db import connection

from clinic.checks import (
    check_cache_packages,
    check_database_line,
    check_database_session,
    check_hosts,
    check_isolation_setting,
    check_setting_values,
    check_sqlite_folder,
)
from clinic.tests.kit import Cases

MARIADB_ONLY = "SQLite has one writer at a time: there is no isolation level and no strict mode to check"


def ids(messages):
    return [message.id for message in messages]


@pytest.fixture
def configure(monkeypatch):
    """Return a function that sets DATABASES for the check only; the connections stay unchanged."""
    return lambda databases: monkeypatch.setattr("clinic.checks.settings", SimpleNamespace(DATABASES=databases))


@pytest.fixture
def mariadb(transactional_db):
    """The database connection, whose session variables are restored at the end."""
    if connection.vendor != "mysql":
        pytest.skip(MARIADB_ONLY)
    yield connection
    connection.close()


def set_session(connection, statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_isolation_setting_other_than_read_committed_is_refused(configure):
    for level in ("repeatable read", "serializable", "read uncommitted", None):
        configure({"default": {"ENGINE": "django.db.backends.mysql", "OPTIONS": {"isolation_level": level}}})

        messages = check_isolation_setting()

        assert [(message.id, message.level) for message in messages] == [("clinic.E001", checks.ERROR)], level


def test_isolation_setting_read_committed_or_none_is_fine(configure):
    for level in ({}, {"isolation_level": "read committed"}, {"isolation_level": "READ COMMITTED"}):
        configure({"default": {"ENGINE": "django.db.backends.mysql", "OPTIONS": level}})

        assert check_isolation_setting() == [], level


def test_isolation_setting_without_options_is_fine(configure):
    configure({"default": {"ENGINE": "django.db.backends.mysql"}})

    assert check_isolation_setting() == []


def test_isolation_setting_of_sqlite_is_not_checked(configure):
    configure({"default": {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {}}})

    assert check_isolation_setting() == []


def test_isolation_setting_names_each_wrong_database(configure):
    wrong = {"ENGINE": "django.db.backends.mysql", "OPTIONS": {"isolation_level": "repeatable read"}}
    configure({"default": wrong, "archive": wrong})

    assert ids(check_isolation_setting()) == ["clinic.E001", "clinic.E001"]


@pytest.mark.both_databases
@pytest.mark.django_db
def test_checks_as_configured_are_fine():
    assert check_isolation_setting() == []
    assert check_database_session(["default"]) == []


def test_database_session_is_not_asked_without_databases():
    assert check_database_session(None) == []


def test_checks_are_registered_when_the_portal_starts():
    program = (
        "import django; django.setup(); from django.core.checks.registry import registry; "
        "print(*(each.__name__ for each in registry.get_checks(True) if each.__module__ == 'clinic.checks'))"
    )
    environment = os.environ | {"ENV_FILE": os.devnull, "DJANGO_SETTINGS_MODULE": "clinic.tests.settings"}

    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )

    own = (
        check_isolation_setting,
        check_database_session,
        check_setting_values,
        check_sqlite_folder,
        check_hosts,
        check_database_line,
        check_cache_packages,
    )
    assert set(printed.stdout.split()) == {each.__name__ for each in own}


@pytest.mark.both_databases
def test_database_session_other_than_read_committed_is_refused(mariadb):
    for level in ("REPEATABLE READ", "SERIALIZABLE", "READ UNCOMMITTED"):
        set_session(mariadb, f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")

        messages = check_database_session(["default"])

        assert [(message.id, message.level) for message in messages] == [("clinic.E001", checks.ERROR)], level


@pytest.mark.both_databases
def test_database_session_not_strict_is_refused(mariadb):
    set_session(mariadb, "SET SESSION sql_mode = ''")

    messages = check_database_session(["default"])

    assert ids(messages) == ["clinic.E002"]
    assert messages[0].level == checks.ERROR


@pytest.mark.both_databases
def test_database_session_strict_is_fine(mariadb):
    for mode in ("STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "ANSI_QUOTES,STRICT_TRANS_TABLES"):
        set_session(mariadb, f"SET SESSION sql_mode = '{mode}'")

        assert check_database_session(["default"]) == [], mode


@pytest.mark.both_databases
def test_database_session_wrong_in_both_is_refused_for_both(mariadb):
    set_session(mariadb, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    set_session(mariadb, "SET SESSION sql_mode = ''")

    assert ids(check_database_session(["default"])) == ["clinic.E001", "clinic.E002"]


def test_allowed_hosts_wildcard_gives_a_warning(settings):
    for hosts in (["*"], ["a.example", "*"]):
        settings.ALLOWED_HOSTS = hosts

        assert ids(check_hosts()) == ["clinic.W001"], hosts


def test_named_allowed_hosts_give_no_warning(settings):
    for hosts in (["clinic.example.org"], [".example.org"], []):
        settings.ALLOWED_HOSTS = hosts

        assert check_hosts() == [], hosts


def test_values_of_another_settings_module_are_refused(settings):
    table = [
        ("SECRET_KEY", "short", "clinic.E004"),
        ("SECRET_KEY_FALLBACKS", [settings.SECRET_KEY, "short"], "clinic.E004"),
        ("ALLOWED_HOSTS", ["https://clinic.example.org"], "clinic.E005"),
        ("CSRF_TRUSTED_ORIGINS", ["https://clinic.example.org/"], "clinic.E006"),
        ("READY_FROM", ["10.20.1.5/16"], "clinic.E007"),
    ]
    assert check_setting_values() == []
    with Cases() as case:
        for name, value, code in table:
            with case(name):
                before = getattr(settings, name)
                setattr(settings, name, value)

                (error,) = check_setting_values()

                setattr(settings, name, before)
                assert (error.id, error.level) == (code, checks.ERROR)
                assert error.msg.startswith(f"{name} ")
                assert "short" not in error.msg


def test_sqlite_file_that_cannot_be_written_is_refused(monkeypatch, tmp_path):
    (tmp_path / "clinic.sqlite3").touch()
    (tmp_path / "read-only.sqlite3").touch()
    locked = {tmp_path / "locked", tmp_path / "read-only.sqlite3"}  # root, who may run the tests, may write everywhere
    monkeypatch.setattr("clinic.checks.os.access", lambda path, mode: path.exists() and path not in locked)
    (tmp_path / "locked").mkdir()
    table = [
        ("clinic.sqlite3", []),
        ("new.sqlite3", []),
        ("none/clinic.sqlite3", ["clinic.E008"]),
        ("locked/clinic.sqlite3", ["clinic.E008"]),
        ("read-only.sqlite3", ["clinic.E008"]),
    ]
    for name, codes in table:
        file = SimpleNamespace(vendor="sqlite", settings_dict={"NAME": tmp_path / name}, is_in_memory_db=lambda: False)
        monkeypatch.setattr("clinic.checks.connections", SimpleNamespace(all=lambda file=file: [file]))

        assert ids(check_sqlite_folder()) == codes, name


def test_other_databases_have_no_folder_to_check():
    assert check_sqlite_folder() == []  # in memory, or on a server


@pytest.fixture
def database_at(monkeypatch):
    """Return a function that sets the default database's host and TLS cipher."""

    def put(host, cipher, vendor="mysql"):
        row = ("Ssl_cipher", cipher)
        cursor = SimpleNamespace(execute=lambda statement: None, fetchone=lambda: row)
        reached = SimpleNamespace(vendor=vendor, settings_dict={"HOST": host}, cursor=lambda: nullcontext(cursor))
        monkeypatch.setattr("clinic.checks.connections", {"default": reached})

    return put


def test_remote_database_without_tls_gives_a_warning(database_at):
    database_at("db.example.org", cipher="")

    assert ids(check_database_line(["default"])) == ["clinic.W002"]


def test_database_with_tls_or_local_gives_no_warning(database_at):
    databases = [
        ("db.example.org", "TLS_AES_256_GCM_SHA384", "mysql"),
        ("localhost", "", "mysql"),
        ("127.0.0.1", "", "mysql"),
        ("::1", "", "mysql"),
        ("", "", "mysql"),
        ("/run/mysqld/mysqld.sock", "", "mysql"),
        ("", "", "sqlite"),
    ]
    for host, cipher, vendor in databases:
        database_at(host, cipher, vendor)

        assert check_database_line(["default"]) == [], (host, cipher, vendor)
        assert check_database_line(None) == []


@pytest.mark.both_databases
def test_cipher_is_read_from_the_session(mariadb, monkeypatch):
    monkeypatch.setattr("clinic.checks._is_local", lambda alias: False)
    with mariadb.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        cipher = cursor.fetchone()[1]

    assert ids(check_database_line(["default"])) == ([] if cipher else ["clinic.W002"])
