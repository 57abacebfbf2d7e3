"""What is about to be imported."""

import datetime as dt
from typing import Any

from django.db import models
from django.utils import timezone

from clinic.accounts.models import User

DRAFT_LASTS = dt.timedelta(hours=1)


class Verdict(models.IntegerChoices):
    """What importing a row would do; those that people should look at come first."""

    ERROR = 1, "error"
    SAME_PERSON = 2, "perhaps registered already"
    SAME_PHONE = 3, "same phone number"
    DIFFERS = 4, "registered, differs"
    REGISTERED = 5, "registered already"
    NEW = 6, "new"


class ImportDraftQuerySet(models.QuerySet["ImportDraft"]):
    """Drafts of imports. They hold personal data of people who may never be registered, so they do not last."""

    def of(self, owner: Any, kind: str) -> "ImportDraftQuerySet":
        """Return the drafts of one kind that are ready for their owner."""
        return self.filter(owner=owner, kind=kind, is_ready=True, created_at__gt=timezone.now() - DRAFT_LASTS)

    def purge(self) -> None:
        """Delete the drafts whose time is over."""
        self.filter(created_at__lte=timezone.now() - DRAFT_LASTS).delete()


class ImportDraft(models.Model):
    """A file that somebody has uploaded, kept for its owner only: at most an hour, and until the next upload.

    Once confirmed it keeps how many records were registered, so that confirming twice is once, and of its rows those
    that were left out, so that people can see whom. The rows that became records are deleted.
    """

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    is_ready = models.BooleanField(default=False)
    said = models.JSONField(default=dict)  # of the file as a whole: its name, how it was read, what was left aside
    registered = models.PositiveIntegerField(null=True)  # once it is confirmed

    objects = ImportDraftQuerySet.as_manager()

    def __str__(self) -> str:
        return f"import {self.pk}"


class ImportRow(models.Model):
    """A row of such a file: its cells as texts by field, and what importing it would do."""

    draft = models.ForeignKey(ImportDraft, on_delete=models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField()
    cells = models.JSONField()
    verdict = models.PositiveSmallIntegerField(choices=Verdict)
    remarks = models.JSONField(default=list)  # pairs of a column, or nothing, and a sentence
    like = models.BigIntegerField(null=True)  # the id of the record that is, or may be, the same

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["draft", "number"], name="import_row_number")]
        indexes = [models.Index(fields=["draft", "verdict", "number"], name="import_row_verdict")]

    def __str__(self) -> str:
        return f"row {self.number}"
