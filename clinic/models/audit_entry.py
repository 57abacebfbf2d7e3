"""The audit trail."""

from collections.abc import Iterable
from typing import Any

from auditlog.cid import get_cid
from auditlog.diff import model_instance_diff
from auditlog.models import AbstractLogEntry, LogEntryManager
from django.contrib.contenttypes.models import ContentType
from django.db import models

from clinic.audit import current_origin
from clinic.local_dates import LocalDates


class AuditQuerySet(LocalDates, models.QuerySet):
    """Entries of the audit trail."""

    def record_created(self, records: Iterable[models.Model]) -> None:
        """Write the entries that saving these new records one by one would have left. They are of one model."""
        entries = [self._entry_of_new(record) for record in records]
        for entry in entries:
            entry.note_origin()
        self.bulk_create(entries)

    def _entry_of_new(self, record: models.Model) -> Any:
        return self.model(
            action=AbstractLogEntry.Action.CREATE,
            content_type=ContentType.objects.get_for_model(record),
            object_pk=str(record.pk),
            object_id=record.pk,
            object_repr=str(record),
            changes=model_instance_diff(None, record),
            cid=get_cid(),
        )


class AuditEntry(AbstractLogEntry):
    """One change of one record: what, from and to, when, by whom and from where. Nobody edits it."""

    class Meta(AbstractLogEntry.Meta):
        verbose_name = "audit entry"
        verbose_name_plural = "audit trail"

    objects = LogEntryManager.from_queryset(AuditQuerySet)()

    actor: Any
    remote_addr: Any

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Fill in who is acting, then save."""
        self.note_origin()
        super().save(*args, **kwargs)

    def note_origin(self) -> None:
        """Fill in who is acting, and from where."""
        origin = current_origin()
        if self.actor is None and origin.actor is not None and origin.actor.is_authenticated:
            self.actor = origin.actor
            self.actor_email = origin.actor.email or origin.actor.get_username()
        self.remote_addr = self.remote_addr or origin.address
