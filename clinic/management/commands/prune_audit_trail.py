import datetime as dt
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from clinic.models import AuditEntry


class Command(BaseCommand):
    """The only way to delete audit entries. It adds an entry about the deletion."""

    help = "Deletes the entries of the audit trail that are older than AUDIT_RETENTION_DAYS, and prints how many."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Print how many there are, and delete none.")

    def handle(self, *args: Any, **options: Any) -> None:
        days = settings.AUDIT_RETENTION_DAYS
        if days < 1:
            raise CommandError("AUDIT_RETENTION_DAYS must be at least 1.")
        before = timezone.now() - dt.timedelta(days=days)
        if options["dry_run"]:
            self.stdout.write(f"{AuditEntry.objects.older_than(before).count()} entries would be deleted.")
        else:
            self.stdout.write(f"{AuditEntry.objects.prune(before=before)} entries deleted.")
