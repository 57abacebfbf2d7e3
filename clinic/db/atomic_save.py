from typing import Any

from django.db import models, transaction


class AuditedRecord(models.Model):
    """A record that is saved in one transaction with its audit entry, which auditlog writes separately."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic():
            super().save(*args, **kwargs)
