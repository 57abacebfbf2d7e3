"""Look through the whole database for appointments that share time."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from appointments.locking import overlapping_pairs
from appointments.models import Appointment


class Command(BaseCommand):
    """Print how many overlapping pairs there are, by doctor and by patient; exit 1 if any."""

    help = "Look through all diaries for overlapping appointments; exits 1 if there are any."

    def handle(self, *args: Any, **options: Any) -> None:
        """Read each kind of diary once, in order."""
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
        self.stdout.write(f"{total}")
        if total:
            sys.exit(1)
