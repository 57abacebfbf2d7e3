"""Check the whole database for what the triggers refuse."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from appointments.locking import overlapping_pairs
from appointments.models import Appointment


class Command(BaseCommand):
    """Imported appointments are outside, as for the triggers, but must be over."""

    help = "Check all diaries for overlapping appointments; exits with 1 if there are any."

    def handle(self, *args: Any, **options: Any) -> None:
        total = 0
        for diary in ("doctor", "patient"):
            rows = (
                Appointment.objects.blocking()
                .order_by(f"{diary}_id", "start_time")
                .values_list(f"{diary}_id", "pk", "start_time", "end_time")
                .iterator(chunk_size=5000)
            )
            pairs = 0
            for owner, earlier, later in overlapping_pairs(rows):
                pairs += 1
                self.stderr.write(f"{diary} {owner}: appointments {earlier} and {later} overlap")
            self.stdout.write(f"overlapping pairs by {diary}: {pairs}")
            total += pairs
        for pk in Appointment.objects.filter(is_imported=True).upcoming().values_list("pk", flat=True):
            total += 1
            self.stderr.write(f"appointment {pk} is marked as imported, but is not over")
        self.stdout.write(f"{total}")
        if total:
            sys.exit(1)
