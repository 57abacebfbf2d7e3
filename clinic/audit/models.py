import datetime as dt
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any, NoReturn

from auditlog.cid import get_cid
from auditlog.diff import model_instance_diff
from auditlog.models import AbstractLogEntry, LogEntryManager
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from django.utils import timezone

from clinic.audit.actor import ANONYMISED, current_origin
from clinic.core import clinic_time
from clinic.db.local_dates import LocalDates

# Each letter typed sends a search: the answers within this time are one entry.
SEARCHES_JOIN_FOR = dt.timedelta(minutes=1)
MAX_JOINED = 50  # patients of an answer, more than any page shows: an entry is looked through for each one that joins
PRUNE_BATCH = 1000
ANONYMISE_BATCH = 200
CANNOT_CHANGE = "The audit trail cannot be changed."
CANNOT_DELETE = "The audit trail cannot be deleted. To remove old entries, run prune_audit_trail."


class Event(models.TextChoices):
    """What happened. For a write, `action` says whether a record was created, changed or deleted."""

    WRITE = "write", "changed"
    READ = "read", "read"
    SEARCH = "search", "searched"
    EXPORT = "export", "exported"
    REFUSAL = "refusal", "refused"
    SIGN_IN = "sign_in", "signed in"
    SIGN_IN_FAILED = "sign_in_failed", "failed to sign in"
    SIGN_OUT = "sign_out", "signed out"
    CREDENTIAL = "credential", "changed a credential"
    EMERGENCY = "emergency", "used emergency access"
    PRUNE = "prune", "pruned the trail"


class ImmutableQuerySet(models.QuerySet):
    """Rows that can be added and read. Changing or deleting them raises TypeError."""

    def update(self, **values: Any) -> int:
        # No rows are no error: Django updates the entries of every user that is deleted.
        if self.exists():
            raise TypeError(CANNOT_CHANGE)
        return 0

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(CANNOT_CHANGE)

    def bulk_create(  # type: ignore[override]  # the refused options are accepted by name only
        self, objs: Iterable[Any], batch_size: int | None = None, **kwargs: Any
    ) -> list[Any]:
        if kwargs.get("update_conflicts") or kwargs.get("ignore_conflicts"):
            raise TypeError(CANNOT_CHANGE)
        return super().bulk_create(objs, batch_size, **kwargs)

    def delete(self) -> NoReturn:
        raise TypeError(CANNOT_DELETE)

    delete.queryset_only = True  # type: ignore[attr-defined]  # Django's own mark: not for managers

    def _raw_delete(self, using: str | None) -> NoReturn:
        # Django calls it for rows that are deleted together with a related record.
        raise TypeError(CANNOT_DELETE)

    _raw_delete.queryset_only = True  # type: ignore[attr-defined]  # as of `delete`


def _delete_unguarded(rows: Any) -> None:
    """For `prune` only."""
    models.QuerySet._raw_delete(rows, using=rows.db)


class WrittenOnce(models.Model):
    """A row that can be inserted. Changing or deleting it raises TypeError."""

    class Meta:
        abstract = True

    def _save_table(self, *args: Any, **kwargs: Any) -> bool:
        # Not in `save()`, which `loaddata` bypasses. Always insert: otherwise a new object with the key of an existing
        # row would replace that row.
        if not self._state.adding:
            raise TypeError(CANNOT_CHANGE)
        raw, kind, _force_insert, _force_update, *rest = args
        saved: bool = super()._save_table(raw, kind, True, False, *rest, **kwargs)  # type: ignore[misc]  # Django's own
        return saved

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(CANNOT_DELETE)


class AuditQuerySet(LocalDates, ImmutableQuerySet):
    """Entries of the audit trail. Only `prune` deletes them and only `anonymise` changes them."""

    def writes(self) -> "AuditQuerySet":
        return self.filter(event=Event.WRITE)

    def record(
        self,
        event: Event,
        subject: models.Model | type[models.Model],
        *,
        patients: Iterable[int] | None = None,
        **details: Any,
    ) -> Any:
        """Write and return an entry for anything but a change of a record.

        `subject` is a record, or a model if no record in particular is meant. `patients` are the ids of the patients in
        a list; the trail can be searched by them. `details` are ids, numbers and codes, never names, contact data or
        typed text. One query; two with `patients`; at most three for a search, see `record_search`.
        """
        record = subject if isinstance(subject, models.Model) else None
        return self.record_by_id(
            event,
            subject._meta.model,  # which a lazily loaded user has as well
            pk=record.pk if record else None,
            patient_id=patient_id_of(record),
            patients=patients,
            **details,
        )

    def record_by_id(
        self,
        event: Event,
        kind: type[models.Model],
        *,
        pk: int | None,
        patient_id: int | None,
        patients: Iterable[int] | None = None,
        **details: Any,
    ) -> Any:
        """Do the same as `record` for a record that is known by its id only, and need not exist."""
        listed = list(dict.fromkeys(patients or ()))
        if event == Event.SEARCH and patients is not None and pk is None and not details and len(listed) <= MAX_JOINED:
            return self.record_search(kind, listed)
        if patients is not None:
            details["found"] = len(listed)
        with transaction.atomic(savepoint=False) if listed else nullcontext():
            entry = self._create_access(event, kind, pk=pk, patient_id=patient_id, details=details)
            SeenPatient.objects.record(entry, listed, at=entry.timestamp)
        return entry

    def record_search(self, kind: type[models.Model], found: list[int]) -> Any:
        """Record the ids of the patients whom a search for records of a model has shown; return the entry.

        Answers to the same user, token and address within `SEARCHES_JOIN_FOR` and one day join one entry, which has
        each patient once. An answer with no others writes nothing.
        """
        entry = self._last_search(kind)
        if entry is not None:
            noted = set(entry.seen_patients.filter(patient_id__in=found).values_list("patient_id", flat=True))
            SeenPatient.objects.record(entry, [pk for pk in found if pk not in noted], at=timezone.now())
            return entry
        with transaction.atomic(savepoint=False) if found else nullcontext():
            entry = self._create_access(Event.SEARCH, kind, pk=None, patient_id=None, details={})
            SeenPatient.objects.record(entry, found, at=entry.timestamp)
        return entry

    def _last_search(self, kind: type[models.Model]) -> Any:
        """Return the entry that a search joins, or None. One query for the user's searches of the last minute."""
        origin, now = current_origin(), timezone.now()
        if origin.actor is None or not origin.actor.is_authenticated:
            return None
        # Not over midnight: an entry is shown on one day.
        since = max(now - SEARCHES_JOIN_FOR, clinic_time.day_bounds(clinic_time.local_date(now))[0])
        searches: Any = self.filter(actor_id=origin.actor.pk, event=Event.SEARCH, timestamp__gte=since)
        wanted = (origin.token, origin.address, ContentType.objects.get_for_model(kind).pk, None, None)
        # Compared here, because SQLite would choose the index of one of these columns and read years of entries.
        # An entry with details contains a number of patients, which would become untrue.
        for entry in searches.order_by("-timestamp", "-pk"):
            known = (entry.token_id, entry.remote_addr, entry.content_type_id, entry.object_id, entry.additional_data)
            if known == wanted:
                return entry
        return None

    def _create_access(
        self, event: Event, kind: type[models.Model], *, pk: int | None, patient_id: int | None, details: dict[str, Any]
    ) -> Any:
        return self.create(
            event=event,
            action=AbstractLogEntry.Action.ACCESS,
            content_type=ContentType.objects.get_for_model(kind),
            object_pk="" if pk is None else str(pk),
            object_id=pk,
            patient_id=patient_id,
            additional_data=details or None,
            cid=get_cid(),
        )

    def record_listed(self, event: Event, kind: type[models.Model], records: Iterable[models.Model]) -> None:
        """Write that a list showed these records, all of the model `kind`, if that model stores patients' data."""
        if hasattr(kind, "trail_patient_id"):
            self.record(event, kind, patients=filter(None, map(patient_id_of, records)))

    def record_created(self, records: Iterable[models.Model]) -> None:
        """Write the entries for new records of one model that were saved in bulk."""
        entries = [self._entry_of_new(record) for record in records]
        for entry in entries:
            entry.record_origin()
        self.bulk_create(entries)

    def _entry_of_new(self, record: models.Model) -> Any:
        return self.model(
            action=AbstractLogEntry.Action.CREATE,
            content_type=ContentType.objects.get_for_model(record),
            object_pk=str(record.pk),
            object_id=record.pk,
            object_repr=str(record),
            patient_id=patient_id_of(record),
            changes=model_instance_diff(None, record),
            cid=get_cid(),
        )

    def anonymise(self, *, old: bool = True, new: bool = True) -> None:
        """Replace the old values, the new values or both in these entries.

        What happened, when, by whom, to which record and to which fields remains readable.
        """
        entries: list[Any] = list(self)
        for entry in entries:
            entry.anonymise_values(old=old, new=new)
        fields = ["object_repr", "changes", "changes_text", "serialized_data", "additional_data"]
        unguarded: Any = models.QuerySet(self.model, using=self.db)
        unguarded.bulk_update(entries, fields, batch_size=ANONYMISE_BATCH)

    def prune(self, *, before: dt.datetime) -> int:
        """Delete the entries from before an instant, oldest first, and return their number.

        Each batch is a transaction of its own, so that locks are short.
        """
        self.record(Event.PRUNE, self.model, before=before.isoformat(), found=self.older_than(before).count())
        pruned = 0
        while ids := list(self.older_than(before).order_by("timestamp").values_list("pk", flat=True)[:PRUNE_BATCH]):
            with transaction.atomic():
                _delete_unguarded(SeenPatient.objects.filter(entry__in=ids))
                _delete_unguarded(self.filter(pk__in=ids))
            pruned += len(ids)
        return pruned

    def older_than(self, before: dt.datetime) -> "AuditQuerySet":
        return self.filter(timestamp__lt=before)


class AuditManager(LogEntryManager.from_queryset(AuditQuerySet)):  # type: ignore[misc]  # made at run time
    """django-auditlog calls `log_create` and `log_m2m_changes` after every change of a record."""

    def log_create(self, instance: models.Model, force_log: bool = False, **kwargs: Any) -> Any:
        return super().log_create(instance, force_log, patient_id=patient_id_of(instance), **kwargs)

    def log_m2m_changes(
        self, changed_queryset: Any, instance: models.Model, operation: str, field_name: str, **kwargs: Any
    ) -> None:
        """Write all related objects before and after; the library would write only those added or removed.

        A change from the other side, as by `group.user_set.add()`, becomes an entry of each user.
        """
        if field_name not in {field.name for field in instance._meta.many_to_many}:
            for record in changed_queryset:
                self._log_related(record, {str(instance)}, operation, field_name)
        elif changed := set(map(str, changed_queryset)):
            self._log_related(instance, changed, operation, field_name)

    def _log_related(self, record: models.Model, changed: set[str], operation: str, field_name: str) -> None:
        now = set(map(str, getattr(record, field_name).all()))
        before = now - changed if operation == "add" else now | changed
        changes = {field_name: [", ".join(sorted(before)), ", ".join(sorted(now))]}
        self.log_create(record, action=AbstractLogEntry.Action.UPDATE, changes=changes)


class AuditEntry(WrittenOnce, AbstractLogEntry):  # noqa: DJ008 -- the library's has a text
    """What happened to which record, with old and new values, when, by whom and from which address."""

    event = models.CharField(max_length=16, choices=Event.choices, default=Event.WRITE)
    # Not foreign keys: the entry remains when the patient or the token is deleted.
    patient_id = models.BigIntegerField("patient", null=True, blank=True)
    token_id = models.BigIntegerField("API token", null=True, blank=True)

    class Meta(AbstractLogEntry.Meta):
        verbose_name = "audit entry"
        verbose_name_plural = "audit trail"
        # Django deletes related rows through the base manager, so that one must refuse too.
        base_manager_name = "objects"
        indexes = [
            models.Index(fields=["patient_id", "timestamp"], name="audit_patient_time"),
            models.Index(fields=["actor", "timestamp"], name="audit_actor_time"),
            models.Index(fields=["event", "timestamp"], name="audit_event_time"),
        ]

    objects = AuditManager()

    # When a list showed the patient by whom the trail is filtered, set by `clinic.audit_trail.entries`.
    seen_at: dt.datetime | None = None

    actor: Any
    remote_addr: Any
    object_repr: Any
    changes: Any
    additional_data: Any

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self._state.adding:
            self.record_origin()
        super().save(*args, **kwargs)

    def anonymise_values(self, *, old: bool, new: bool) -> None:
        """Replace old values, new values or both, without saving."""
        replaced = (old, new)
        self.changes = self.changes and {
            field: [ANONYMISED if is_replaced else value for value, is_replaced in zip(values, replaced, strict=True)]
            for field, values in self.changes_dict.items()
        }
        if self.event == Event.WRITE:
            self.object_repr = self.object_repr and ANONYMISED
            self.changes_text, self.serialized_data = "", None
            self.additional_data = self.additional_data and dict.fromkeys(self.additional_data, ANONYMISED)

    def record_origin(self) -> None:
        """Fill in the user, token and address that are acting, without saving."""
        origin = current_origin()
        if self.actor is None and origin.actor is not None and origin.actor.is_authenticated:
            self.actor = origin.actor
            self.actor_email = origin.actor.email or origin.actor.get_username()
        self.remote_addr = self.remote_addr or origin.address
        self.token_id = self.token_id or origin.token


class SeenPatientQuerySet(ImmutableQuerySet):
    def record(self, entry: AuditEntry, patient_ids: list[int], *, at: dt.datetime) -> None:
        """Add patients whom the response of this moment shows; no query without any."""
        self.bulk_create([SeenPatient(entry=entry, patient_id=pk, timestamp=at) for pk in patient_ids])


class SeenPatient(WrittenOnce):
    """A patient in a list that a user saw.

    In a table of its own, so that a list is one entry and an index finds the entries of one patient.
    """

    entry = models.ForeignKey(AuditEntry, on_delete=models.CASCADE, related_name="seen_patients")
    patient_id = models.BigIntegerField("patient")  # not a foreign key: it remains when the patient is deleted
    timestamp = models.DateTimeField()  # of the response; later than the entry if it joined an earlier search

    objects = SeenPatientQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        indexes = [models.Index(fields=["patient_id", "timestamp"], name="seen_patient_time")]

    def __str__(self) -> str:
        return f"patient {self.patient_id} in entry {self.entry_id}"


def patient_id_of(record: models.Model | None) -> int | None:
    """Return the patient that a record is about; models with patients' data have `trail_patient_id`."""
    return getattr(record, "trail_patient_id", None)
