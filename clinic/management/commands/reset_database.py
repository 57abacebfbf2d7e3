from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder


class Command(BaseCommand):
    """Drop the tables of the installed apps and migrate again. Other tables of a shared database stay."""

    help = "Delete all data of the portal: drops its tables and runs migrate. Asks first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-input", "--noinput", action="store_true", help="do not ask")
        parser.add_argument("--force", action="store_true", help="do it even though DEBUG is off")

    def handle(self, *args: Any, no_input: bool, force: bool, verbosity: int, **options: Any) -> None:
        if not settings.DEBUG and not force:
            raise CommandError(
                f"DEBUG is off, so {database_text()} may contain real patients. Nothing was changed. "
                "Add --force to delete all of its data."
            )
        tables = portal_tables()
        check_unreferenced(tables)
        if tables and not no_input:
            self._ask(len(tables))
        drop(tables)
        self.stdout.write(f"Dropped {len(tables)} tables of {database_text()}.")
        call_command("migrate", interactive=False, verbosity=verbosity, stdout=self.stdout, stderr=self.stderr)
        self.stdout.write(self.style.SUCCESS("The database is empty and migrated. `manage.py load_demo` fills it."))

    def _ask(self, count: int) -> None:
        self.stdout.write(f"This deletes ALL data of the portal: {count} tables of {database_text()}.")
        try:
            answer = input('Type "yes" to continue: ')
        except EOFError:
            raise CommandError("No input is possible. Nothing was changed. --no-input skips the question.") from None
        if answer.strip() != "yes":
            raise CommandError("Nothing was changed.")


def database_text() -> str:
    database = connection.settings_dict
    host = f" on {database['HOST']}" if database["HOST"] else ""
    return f"the {connection.display_name} database {database['NAME']}{host}"


def portal_tables() -> list[str]:
    """Return the existing tables of the installed apps' models, and that of the migrations already run."""
    existing = set(connection.introspection.table_names())
    ours = {*connection.introspection.django_table_names(), MigrationRecorder.Migration._meta.db_table}
    return sorted(ours & existing)


def check_unreferenced(tables: list[str]) -> None:
    """Raise CommandError if other tables refer to these: rows would point nowhere, and SQLite could not migrate."""
    with connection.cursor() as cursor:
        for other in sorted(set(connection.introspection.table_names(cursor)) - set(tables)):
            for _column, referred in connection.introspection.get_relations(cursor, other).values():
                if referred in tables:
                    raise CommandError(
                        f"The table {other} is not the portal's, but refers to {referred}. Nothing was changed. "
                        f"Drop {other} or its foreign key first."
                    )


def drop(tables: list[str]) -> None:
    """Drop tables that refer to one another, in any order. SQLite drops all or none; MariaDB commits after each."""
    with connection.constraint_checks_disabled(), transaction.atomic(), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DROP TABLE {connection.ops.quote_name(table)}")
    ContentType.objects.clear_cache()  # migrate clears only the cache of a historical model
