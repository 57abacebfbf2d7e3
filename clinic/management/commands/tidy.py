from typing import Any

from django.core.management.base import BaseCommand

from clinic.administration.models import TidyRun
from clinic.expired_data import delete_expired_data


class Command(BaseCommand):
    """The admin's home page says when this last finished."""

    help = "Deletes all data that has expired, and prints how much. Run it every few minutes."

    def handle(self, *args: Any, **options: Any) -> None:
        deleted = delete_expired_data()
        TidyRun.objects.record()
        self.stdout.write("Deleted: " + ", ".join(f"{number} {kind}" for kind, number in deleted.items()) + ".")
