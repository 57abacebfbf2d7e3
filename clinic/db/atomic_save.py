"""Records whose audit entry stands and falls with the write."""

from typing import Any

from django.db import models, transaction


class AuditedRecord(models.Model):
    """A record that is saved together with its audit entry, or not at all: auditlog writes it apart."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save in a transaction."""
        with transaction.atomic():
            super().save(*args, **kwargs)
