"""The audit trail."""

import datetime as dt
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any, NoReturn

from auditlog.cid import get_cid
from auditlog.diff import model_instance_diff
from auditlog.models import AbstractLogEntry, LogEntryManager
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction

from clinic.audit.actor import ANONYMISED, current_origin
from clinic.db.local_dates import LocalDates

MAX_NAMED = 20  # patients of a list whom the entry itself holds, to be read by people
PRUNED_AT_ONCE = 1000
UNCHANGED = "Nobody changes the audit trail."
KEPT = "Nobody deletes from the audit trail; its command prunes what is old enough."
ANONYMISED_AT_ONCE = 200  # entries in a statement


class Event(models.TextChoices):
    """What happened. Of a write, `action` says whether a record was made, changed or deleted."""

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


class Immutable(models.QuerySet):
    """Rows that are added and read, and that nobody changes or deletes."""

    def update(self, **values: Any) -> int:
        """Refuse. Of no rows nothing is changed, as when a user is deleted who has done nothing.

        Raises:
            TypeError: if there is a row that would be changed.
        """
        if self.exists():
            raise TypeError(UNCHANGED)
        return 0

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse.

        Raises:
            TypeError: always.
        """
        raise TypeError(UNCHANGED)

    def bulk_create(  # type: ignore[override]  # what would change rows is refused, and so only taken by name
        self, objs: Iterable[Any], batch_size: int | None = None, **kwargs: Any
    ) -> list[Any]:
        """Add rows.

        Raises:
            TypeError: for `update_conflicts` and `ignore_conflicts`, by which rows would be changed or lost.
        """
        if kwargs.get("update_conflicts") or kwargs.get("ignore_conflicts"):
            raise TypeError(UNCHANGED)
        return super().bulk_create(objs, batch_size, **kwargs)

    def delete(self) -> NoReturn:
        """Refuse.

        Raises:
            TypeError: always.
        """
        raise TypeError(KEPT)

    delete.queryset_only = True  # type: ignore[attr-defined]  # Django's own mark: not for managers

    def _raw_delete(self, using: str | None) -> NoReturn:
        # By it Django deletes what belongs to a record that is deleted.
        raise TypeError(KEPT)

    _raw_delete.queryset_only = True  # type: ignore[attr-defined]  # as of `delete`


def _delete_for_good(rows: Any) -> None:
    """Delete rows past their guards, which nothing but `prune` does."""
    models.QuerySet._raw_delete(rows, using=rows.db)


class WrittenOnce(models.Model):
    """A row that is inserted, and neither changed nor deleted afterwards."""

    class Meta:
        abstract = True

    def _save_table(self, *args: Any, **kwargs: Any) -> bool:
        # Below `save_base()`, by which `loaddata` goes past `save()`. Insert, whatever was asked for: a new object with
        # the key of an old row would else replace it.
        if not self._state.adding:
            raise TypeError(UNCHANGED)
        raw, kind, _force_insert, _force_update, *rest = args
        saved: bool = super()._save_table(raw, kind, True, False, *rest, **kwargs)  # type: ignore[misc]  # Django's own
        return saved

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse.

        Raises:
            TypeError: always.
        """
        raise TypeError(KEPT)


class AuditQuerySet(LocalDates, Immutable):
    """Entries of the audit trail; see `prune` for the one way in which they end."""

    def writes(self) -> "AuditQuerySet":
        """Return the changes of records alone."""
        return self.filter(event=Event.WRITE)

    def note(
        self,
        event: Event,
        subject: models.Model | type[models.Model],
        *,
        patients: Iterable[int] | None = None,
        **told: Any,
    ) -> Any:
        """Write an entry of something other than a change of a record, and return it.

        `subject` is the record, or the kind of records where it is none in particular. `patients` are the ids of those
        whose data a list shows: the trail is searched by them, too. What is `told` beside it are ids, numbers and
        codes: never names, contacts or what somebody typed. One query, a second one of a list.
        """
        record = subject if isinstance(subject, models.Model) else None
        return self.note_of(
            event,
            subject._meta.model,  # which a lazily loaded user has as well
            pk=record.pk if record else None,
            patient_id=patient_id_of(record),
            patients=patients,
            **told,
        )

    def note_of(
        self,
        event: Event,
        kind: type[models.Model],
        *,
        pk: int | None,
        patient_id: int | None,
        patients: Iterable[int] | None = None,
        **told: Any,
    ) -> Any:
        """Write the same of a record that is known by its id only, be there such a record or not."""
        listed = list(dict.fromkeys(patients or ()))
        if patients is not None:
            told |= {"found": len(listed), "patients": listed[:MAX_NAMED]}
        with transaction.atomic(savepoint=False) if listed else nullcontext():
            entry: Any = self.create(
                event=event,
                action=AbstractLogEntry.Action.ACCESS,
                content_type=ContentType.objects.get_for_model(kind),
                object_pk="" if pk is None else str(pk),
                object_id=pk,
                patient_id=patient_id,
                additional_data=told or None,
                cid=get_cid(),
            )
            if listed:
                SeenPatient.objects.note(entry, listed)
        return entry

    def record_listed(self, event: Event, kind: type[models.Model], records: Iterable[models.Model]) -> None:
        """Write that a list has shown these records of one kind, if it is one that holds patients' data."""
        if hasattr(kind, "trail_patient_id"):
            self.note(event, kind, patients=filter(None, map(patient_id_of, records)))

    def record_created(self, records: Iterable[models.Model]) -> None:
        """Write the entries that saving these new records one by one would have left. They are of one model."""
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
        """Take from these entries every value they hold, or the `old` or the `new` ones only; not in `AuditEntry.save`.

        What happened, when, by whom, to which record and in which fields stays. This and `prune` are the only ways in
        which the trail changes.
        """
        entries: list[Any] = list(self)
        for entry in entries:
            entry.take_values(old=old, new=new)
        fields = ["object_repr", "changes", "changes_text", "serialized_data", "additional_data"]
        plain: Any = models.QuerySet(self.model, using=self.db)
        plain.bulk_update(entries, fields, batch_size=ANONYMISED_AT_ONCE)

    def prune(self, *, before: dt.datetime) -> int:
        """Delete the entries from before an instant for good, oldest first, and return how many those were.

        An entry of its own is written first. Each batch is deleted for itself, so that nobody waits long for a lock.
        """
        self.note(Event.PRUNE, self.model, before=before.isoformat(), found=self.older_than(before).count())
        pruned = 0
        while ids := list(self.older_than(before).order_by("timestamp").values_list("pk", flat=True)[:PRUNED_AT_ONCE]):
            with transaction.atomic():
                _delete_for_good(SeenPatient.objects.filter(entry__in=ids))
                _delete_for_good(self.filter(pk__in=ids))
            pruned += len(ids)
        return pruned

    def older_than(self, before: dt.datetime) -> "AuditQuerySet":
        """Return the entries from before an instant."""
        return self.filter(timestamp__lt=before)


class AuditManager(LogEntryManager.from_queryset(AuditQuerySet)):  # type: ignore[misc]  # made at run time
    """Writes entries, also for the library, which calls `log_create` after every change of a record."""

    def log_create(self, instance: models.Model, force_log: bool = False, **kwargs: Any) -> Any:
        """Write the entry of a change, with the patient whose data it holds."""
        return super().log_create(instance, force_log, patient_id=patient_id_of(instance), **kwargs)

    def log_m2m_changes(
        self, changed_queryset: Any, instance: models.Model, operation: str, field_name: str, **kwargs: Any
    ) -> None:
        """Write what belonged to a record before and what does now; the library says only what came or went.

        Asked from the other side, as by `group.user_set.add()`, it is still each user's entry.
        """
        if field_name not in {field.name for field in instance._meta.many_to_many}:
            for record in changed_queryset:
                self._log_held(record, {str(instance)}, operation, field_name)
        elif changed := set(map(str, changed_queryset)):
            self._log_held(instance, changed, operation, field_name)

    def _log_held(self, record: models.Model, changed: set[str], operation: str, field_name: str) -> None:
        now = set(map(str, getattr(record, field_name).all()))
        before = now - changed if operation == "add" else now | changed
        changes = {field_name: [", ".join(sorted(before)), ", ".join(sorted(now))]}
        self.log_create(record, action=AbstractLogEntry.Action.UPDATE, changes=changes)


class AuditEntry(WrittenOnce, AbstractLogEntry):  # noqa: DJ008 -- the library's has a text
    """What happened to which record, with old and new values, when, by whom and from where. Nobody edits it."""

    event = models.CharField(max_length=16, choices=Event.choices, default=Event.WRITE)
    # No relations: an entry outlives the patient and the token it names.
    patient_id = models.BigIntegerField("patient", null=True, blank=True)
    token_id = models.BigIntegerField("API token", null=True, blank=True)

    class Meta(AbstractLogEntry.Meta):
        verbose_name = "audit entry"
        verbose_name_plural = "audit trail"
        # Deleting a user or a kind of record goes by the base manager: it must refuse what the default one refuses.
        base_manager_name = "objects"
        indexes = [
            models.Index(fields=["patient_id", "timestamp"], name="audit_patient_time"),
            models.Index(fields=["actor", "timestamp"], name="audit_actor_time"),
            models.Index(fields=["event", "timestamp"], name="audit_event_time"),
        ]

    objects = AuditManager()

    actor: Any
    remote_addr: Any
    object_repr: Any
    changes: Any
    additional_data: Any

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Fill in who is acting, then save."""
        if self._state.adding:
            self.record_origin()
        super().save(*args, **kwargs)

    def take_values(self, *, old: bool, new: bool) -> None:
        """Say `anonymised` in place of every old or new value. Nothing is saved."""
        taken = (old, new)
        self.changes = self.changes and {
            field: [ANONYMISED if is_taken else value for value, is_taken in zip(values, taken, strict=True)]
            for field, values in self.changes_dict.items()
        }
        if self.event == Event.WRITE:
            self.object_repr = self.object_repr and ANONYMISED
            self.changes_text, self.serialized_data = "", None
            self.additional_data = self.additional_data and dict.fromkeys(self.additional_data, ANONYMISED)

    def record_origin(self) -> None:
        """Fill in who is acting, by which token and from where."""
        origin = current_origin()
        if self.actor is None and origin.actor is not None and origin.actor.is_authenticated:
            self.actor = origin.actor
            self.actor_email = origin.actor.email or origin.actor.get_username()
        self.remote_addr = self.remote_addr or origin.address
        self.token_id = self.token_id or origin.token


class SeenPatientQuerySet(Immutable):
    """Patients of whom lists have shown something."""

    def note(self, entry: AuditEntry, patient_ids: list[int]) -> None:
        """Write them."""
        self.bulk_create([SeenPatient(entry=entry, patient_id=pk, timestamp=entry.timestamp) for pk in patient_ids])


class SeenPatient(WrittenOnce):
    """A patient among those whose data a list showed, so that who saw a record is found by the patient.

    A table of its own keeps a list one entry, be it of twenty patients, and the search for one patient in an index.
    """

    entry = models.ForeignKey(AuditEntry, on_delete=models.CASCADE, related_name="seen_patients")
    patient_id = models.BigIntegerField("patient")  # no relation: it outlives the patient
    timestamp = models.DateTimeField()  # the entry's, for the index

    objects = SeenPatientQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        indexes = [models.Index(fields=["patient_id", "timestamp"], name="seen_patient_time")]

    def __str__(self) -> str:
        return f"patient {self.patient_id} in entry {self.entry_id}"


def patient_id_of(record: models.Model | None) -> int | None:
    """Return whose data a record holds: records of patients say so by `trail_patient_id`."""
    return getattr(record, "trail_patient_id", None)
