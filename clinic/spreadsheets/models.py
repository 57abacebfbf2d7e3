import datetime as dt
from typing import Any

from django.db import models
from django.utils import timezone

from clinic.accounts.models import User
from clinic.db.batches import delete_in_batches

DRAFT_LASTS = dt.timedelta(hours=1)


class Verdict(models.IntegerChoices):
    """What importing a row would do, in the order of the preview."""

    ERROR = 1, "error"
    SAME_PERSON = 2, "perhaps registered already"
    SAME_PHONE = 3, "same phone number"
    DIFFERS = 4, "registered, differs"
    REGISTERED = 5, "registered already"
    NEW = 6, "new"


class ImportDraftQuerySet(models.QuerySet["ImportDraft"]):
    def of(self, owner: Any, kind: str) -> "ImportDraftQuerySet":
        return self.filter(owner=owner, kind=kind, is_ready=True, created_at__gt=timezone.now() - DRAFT_LASTS)

    def purge(self) -> int:
        """Delete expired drafts with their rows, in batches, and return the number of both."""
        over = self.filter(created_at__lte=timezone.now() - DRAFT_LASTS)
        # The rows first: a draft can have 20,000, which would otherwise go with it in one transaction.
        drafts = list(over.values_list("pk", flat=True))
        return sum(delete_in_batches(ImportRow.objects.filter(draft=pk)) for pk in drafts) + delete_in_batches(over)


class ImportDraft(models.Model):
    """An uploaded file, visible to its owner for at most an hour, or until the next upload.

    A confirmed draft contains the number of registered records, and only the rows that were left out.
    """

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    is_ready = models.BooleanField(default=False)
    # Of the file as a whole: its name, how it was read, the columns left out.
    details = models.JSONField(default=dict, db_column="said")
    registered = models.PositiveIntegerField(null=True)  # set when confirmed

    objects = ImportDraftQuerySet.as_manager()

    def __str__(self) -> str:
        return f"import {self.pk}"


class ImportRow(models.Model):
    draft = models.ForeignKey(ImportDraft, on_delete=models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField()
    cells = models.JSONField()
    verdict = models.PositiveSmallIntegerField(choices=Verdict)
    remarks = models.JSONField(default=list)  # pairs of a column (or an empty text) and a sentence
    # The record that is, or may be, the same person.
    similar_id = models.BigIntegerField(null=True, db_column="like")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["draft", "number"], name="import_row_number")]
        indexes = [models.Index(fields=["draft", "verdict", "number"], name="import_row_verdict")]

    def __str__(self) -> str:
        return f"row {self.number}"
