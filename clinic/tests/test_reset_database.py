"""`reset_database`: which tables it recreates, which it keeps, and when it refuses."""

import pytest
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from appointments.models import Appointment
from appointments.overlap_triggers import missing_triggers
from appointments.tests.factories import AppointmentFactory
from clinic.accounts.roles import ROLES
from clinic.management.commands import reset_database
from clinic.models import AuditEntry
from patients.models import Patient
from patients.tests.factories import PatientFactory

# Tables are dropped and created, which a test's rollback does not undo.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def migrated_again(transactional_db):
    """Restore all tables for the tests that follow."""
    yield
    call_command("migrate", verbosity=0, interactive=False)


@pytest.fixture
def debug(settings):
    settings.DEBUG = True


@pytest.fixture
def foreign_table(migrated_again):
    """A foreign table in the same database."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE lab_result (finding varchar(20) NOT NULL)")
        cursor.execute("INSERT INTO lab_result VALUES ('normal')")
    yield "lab_result"
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE lab_result")


@pytest.fixture
def referring_table(migrated_again):
    """A foreign table that refers to one of ours."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE lab_order (patient_id bigint NOT NULL, "
            "FOREIGN KEY (patient_id) REFERENCES patients_patient (id))"
        )
    yield "lab_order"
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE lab_order")


@pytest.fixture
def answers(monkeypatch):
    """Answer the command's question and store its text."""
    asked = []

    def give(answer):
        monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or answer)
        return asked

    return give


def test_reset_database_empties_and_migrates(debug):
    AppointmentFactory()
    ContentType.objects.get_for_model(Patient).pk = 1_000_000  # the cached object is this one
    before = set(MigrationRecorder(connection).applied_migrations())
    oldest = MigrationRecorder.Migration.objects.order_by("applied").values_list("applied", flat=True)[0]

    call_command("reset_database", "--no-input", verbosity=0)

    assert not Appointment.objects.exists()
    assert not Patient.objects.exists()
    assert set(MigrationRecorder(connection).applied_migrations()) == before
    assert MigrationRecorder.Migration.objects.filter(applied__gt=oldest).count() == len(before) > 0
    assert set(Group.objects.values_list("name", flat=True)) == ROLES.keys()
    assert all(group.permissions.exists() for group in Group.objects.all())
    assert missing_triggers(connection) == []
    # New rows with the same distribution as in the statistics.
    patient = AppointmentFactory().patient
    assert AuditEntry.objects.get_for_object(patient).get().content_type.model == "patient"


def test_reset_database_resumes_and_keeps_foreign_tables_and_key_checks(debug, foreign_table):
    reset_database.drop(["appointments_appointment", "django_migrations"])  # as if it had been interrupted here

    call_command("reset_database", "--no-input", verbosity=0)

    assert not Appointment.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT finding FROM lab_result")
        assert list(cursor.fetchall()) == [("normal",)]
        asked = "PRAGMA foreign_keys" if connection.vendor == "sqlite" else "SELECT @@SESSION.foreign_key_checks"
        cursor.execute(asked)
        assert cursor.fetchone() == (1,)


def test_reset_database_refuses_while_a_foreign_table_refers_to_ours(debug, referring_table):
    PatientFactory()

    with pytest.raises(CommandError, match=r"lab_order .* refers to patients_patient"):
        call_command("reset_database", "--no-input", verbosity=0)
    assert Patient.objects.count() == 1


def test_reset_database_drops_all_our_tables(debug, foreign_table):
    tables = reset_database.portal_tables()

    reset_database.drop(tables)

    assert {"patients_patient", "clinic_user", "clinic_user_groups", "django_migrations"} <= set(tables)
    # SQLite has internal tables after an ANALYZE of another test.
    assert [name for name in connection.introspection.table_names() if not name.startswith("sqlite_")] == [
        foreign_table
    ]
    assert reset_database.portal_tables() == []


def test_reset_database_names_the_database_and_needs_a_yes(debug, answers, capsys):
    PatientFactory()

    for number, answer in enumerate(("no", "", "y", "YES"), start=1):
        asked = answers(answer)

        with pytest.raises(CommandError, match="Nothing was changed"):
            call_command("reset_database", verbosity=0)
        assert len(asked) == number
        assert str(connection.settings_dict["NAME"]) in capsys.readouterr().out
        assert Patient.objects.count() == 1, answer


def test_reset_database_without_input_changes_nothing(debug, monkeypatch):
    def no_input(question):
        raise EOFError

    monkeypatch.setattr("builtins.input", no_input)
    PatientFactory()

    with pytest.raises(CommandError, match="--no-input"):
        call_command("reset_database", verbosity=0)
    assert Patient.objects.count() == 1


def test_reset_database_refuses_with_debug_off(settings):
    settings.DEBUG = False
    PatientFactory()

    with pytest.raises(CommandError, match="--force"):
        call_command("reset_database", "--no-input", verbosity=0)
    assert Patient.objects.count() == 1


def test_reset_database_with_debug_off_and_force_still_asks(settings, answers):
    settings.DEBUG = False
    asked = answers("yes")
    PatientFactory()

    call_command("reset_database", "--force", verbosity=0)

    assert len(asked) == 1
    assert not Patient.objects.exists()


def test_database_text_contains_no_user_or_password(monkeypatch):
    connected = {"NAME": "clinic", "HOST": "db.example.org", "USER": "portal", "PASSWORD": "secret"}

    with monkeypatch.context() as patch:
        for name, value in connected.items():
            patch.setitem(connection.settings_dict, name, value)
        text = reset_database.database_text()

    assert text == f"the {connection.display_name} database clinic on db.example.org"
