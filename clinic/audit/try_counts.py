"""Failed attempts of strangers: how many of them have an audit entry, and the numbers of the others.

Nobody needs a login for such an attempt, so entries without a limit would let anyone fill the audit trail:
docs/decisions/014-audit-trail.md.
"""

import datetime as dt
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, models, transaction

from clinic.audit.actor import Origin, originating
from clinic.audit.models import AuditEntry, Event
from clinic.db.transactions import retrying

PERIOD = dt.timedelta(minutes=15)
MAX_ENTRIES = 100  # of one kind in a period; later attempts are only counted
MAX_ADDRESSES = 50  # of one kind in a period that are counted separately; attempts from others are counted together


def period_of(at: dt.datetime) -> dt.datetime:
    """Return the start of the quarter of an hour in which an instant lies."""
    return at - (at - dt.datetime.min.replace(tzinfo=at.tzinfo)) % PERIOD


class TryCountQuerySet(models.QuerySet["TryCount"]):
    def add(self, event: Event, kind: type[models.Model], *, address: str, at: dt.datetime) -> None:
        """Count an attempt from an address. One query, or four for the first attempt from an address in a period."""
        if not self._increase(_key(event, address, at), at=at):
            self._add_first(event, kind, address=address, at=at)

    def record_first(self, event: Event, kind: type[models.Model], *, address: str, at: dt.datetime) -> None:
        """Write an audit entry for the first attempt from an address in a period, and count the others."""
        if not self._increase(_key(event, address, at), at=at):
            self._add_first(event, kind, address=address, at=at, with_entry=True)

    def has_room(self, event: Event, *, at: dt.datetime) -> bool:
        """Return whether an attempt may have an audit entry of its own. One query, by the index of events."""
        return AuditEntry.objects.filter(event=event, timestamp__gte=period_of(at)).count() < MAX_ENTRIES

    def close(self, *, at: dt.datetime) -> int:
        """Write the numbers of past periods to the audit trail, one entry each; return how many.

        One query if there are none. Several processes may do this at once: each number is written once.
        """
        ended = list(self.filter(first_at__lt=period_of(at)).order_by("pk").values_list("pk", flat=True))
        return sum(map(retrying(self._close_one), ended))

    def _close_one(self, pk: int) -> int:
        """Replace a count with its audit entry; return 0 if another process was faster. Locks: the row."""
        with transaction.atomic():
            count = self.select_for_update().filter(pk=pk).first()
            if count is None:
                return 0
            count.delete()
            count.write_entry()
        return 1

    def _increase(self, key: str, *, at: dt.datetime) -> bool:
        changes = {"tries": models.F("tries") + 1, "last_at": at}
        return bool(retrying(self.filter(key=key).update)(**changes))

    def _add_first(
        self, event: Event, kind: type[models.Model], *, address: str, at: dt.datetime, with_entry: bool = False
    ) -> None:
        """Make the row of an address; beyond `MAX_ADDRESSES`, count in the row of all others."""
        self.close(at=at)
        if address and self.filter(event=event).count() >= MAX_ADDRESSES:
            self.add(event, kind, address="", at=at)
            return
        try:
            with transaction.atomic():
                self.create(
                    key=_key(event, address, at),
                    event=event,
                    content_type=ContentType.objects.get_for_model(kind),
                    address=address or None,
                    first_at=at,
                    last_at=at,
                    tries=0 if with_entry else 1,
                )
                if with_entry:
                    AuditEntry.objects.record(event, kind)
        except IntegrityError:  # another attempt from this address was faster
            self._increase(_key(event, address, at), at=at)


class TryCount(models.Model):
    """How many attempts from an address in a period have no audit entry. Its entry replaces it after the period."""

    key = models.CharField(max_length=100, unique=True)
    event = models.CharField(max_length=20)
    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE, related_name="+")
    address = models.GenericIPAddressField(null=True)  # None: of all addresses beyond `MAX_ADDRESSES`
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    tries = models.PositiveIntegerField()

    content_type_id: int

    objects = TryCountQuerySet.as_manager()

    def __str__(self) -> str:
        return f"attempts {self.pk}"

    def write_entry(self) -> None:
        """Write the number to the audit trail, as of nobody who is signed in now."""
        kind: Any = ContentType.objects.get_for_id(self.content_type_id).model_class()
        if not self.tries or kind is None:
            return
        with originating(Origin(address=self.address)):
            AuditEntry.objects.record(
                Event(self.event),
                kind,
                tries=self.tries,
                since=self.first_at.isoformat(),
                until=self.last_at.isoformat(),
                **({} if self.address else {"from_other_addresses": True}),
            )


def _key(event: Event, address: str, at: dt.datetime) -> str:
    return f"{event}|{address}|{period_of(at):%Y%m%dT%H%M}"
