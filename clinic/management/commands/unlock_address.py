from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from clinic.accounts import lockout
from clinic.models import AuditEntry, Event, User


class Command(BaseCommand):
    """Administrators can unlock users in the admin, but not an address. It adds an audit entry."""

    help = "Lets people log in again from an IP address with too many wrong passwords."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address", metavar="ADDRESS", help="As in the audit trail, such as 203.0.113.7.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            failures = lockout.allow_address_again(options["address"])
        except ValueError:
            raise CommandError("That is not an IP address.") from None
        AuditEntry.objects.record(Event.CREDENTIAL, User, what="address_unlocked", address=options["address"])
        self.stdout.write(f"{failures} wrong passwords forgotten.")
