"""The secret address from which a calendar program fetches a doctor's appointments."""

import secrets
from typing import TYPE_CHECKING

from auditlog.registry import auditlog
from django.conf import settings
from django.db import models, transaction

from clinic.db.atomic_save import AuditedRecord
from clinic.rest.models import TOKEN_BYTES, digest_of
from doctors.models import Doctor

if TYPE_CHECKING:
    from clinic.models import User


class CalendarFeedQuerySet(models.QuerySet["CalendarFeed"]):
    def with_token(self, token: str) -> "CalendarFeedQuerySet":
        return self.filter(digest=digest_of(token))

    def open_one(self, token: str) -> "CalendarFeed | None":
        """Return the feed with this token if it is open."""
        feed = self.with_token(token).select_related("doctor__user").first()
        return feed if feed is not None and feed.is_open else None


class CalendarFeed(AuditedRecord):
    """A doctor's calendar feed. Anyone with its token may read it, so only the token's digest is stored."""

    doctor = models.OneToOneField(Doctor, on_delete=models.CASCADE, related_name="calendar_feed")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )

    # The doctor's login as it was when the feed was made.
    login = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )

    objects = CalendarFeedQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"Calendar feed of {self.doctor}"

    @property
    def is_open(self) -> bool:
        """Whether the feed still works: it ends if the doctor's login is deactivated, removed or loses the schedule.

        It works for an inactive doctor, whose booked appointments still take place, and for one without a login.
        """
        user = self.doctor.user
        is_same = self.login_id == self.doctor.user_id
        return is_same and (user is None or user.has_perm("appointments.view_schedule"))

    @classmethod
    def make(cls, doctor: Doctor, *, by: "User") -> str:
        """Replace the doctor's feed and return its token, which cannot be shown again.

        Raises IntegrityError if somebody else creates one at the same time; a second try replaces that one.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        with transaction.atomic():
            cls.revoke(doctor)
            cls.objects.create(doctor=doctor, digest=digest_of(token), created_by=by, login=doctor.user)
        return token

    @classmethod
    def revoke(cls, doctor: Doctor) -> bool:
        """End the doctor's feed and return whether there was one."""
        with transaction.atomic():
            feeds = list(cls.objects.filter(doctor=doctor))
            for feed in feeds:
                feed.delete()  # one by one, for the audit trail
        return bool(feeds)


auditlog.register(CalendarFeed, exclude_fields=["digest"])
