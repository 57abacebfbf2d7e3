import datetime as dt

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.utils import timezone

from clinic.accounts.models import User
from clinic.db.batches import delete_in_batches

FORM_LASTS = dt.timedelta(hours=1)
MAX_OF_USER = 10  # more tabs than anyone fills in at once


class SavedFormQuerySet(models.QuerySet["SavedForm"]):
    """Saved forms. They contain patients' data that is in no record, so they are deleted within an hour."""

    def of(self, user: User | AnonymousUser) -> "SavedFormQuerySet":
        """Return a user's forms that have not expired."""
        return self.filter(user=user, created_at__gt=timezone.now() - FORM_LASTS)

    def store(self, *, user_id: int, path: str, data: str) -> None:
        """Save a page's form in place of an earlier one, and delete the user's oldest beyond `MAX_OF_USER`.

        Not to be called in a transaction: two tabs at once stay within the limit because each counts after its own
        commit.
        """
        values = {"data": data, "created_at": timezone.now()}
        self.update_or_create(user_id=user_id, path=path, defaults=values)
        latest_first = self.filter(user_id=user_id).order_by("-created_at", "-pk").values_list("pk", flat=True)
        if surplus := list(latest_first[MAX_OF_USER:]):
            self.filter(pk__in=surplus).delete()

    def purge(self) -> int:
        """Delete expired forms and return their number."""
        return delete_in_batches(self.filter(created_at__lte=timezone.now() - FORM_LASTS))


class SavedForm(models.Model):
    """A half-filled form, shown to its user once when the page is opened after the next login, for an hour at most."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=200)
    data = models.TextField()  # as a browser sends a form
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = SavedFormQuerySet.as_manager()

    class Meta:
        db_table = "clinic_keptform"  # its name when the table was made
        constraints = [models.UniqueConstraint(fields=["user", "path"], name="kept_form_path")]

    def __str__(self) -> str:
        return f"form {self.pk}"
