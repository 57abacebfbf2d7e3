"""Emergency access: patients' names and phone numbers in the paper backup, for users without that permission."""

import datetime as dt
from typing import TYPE_CHECKING

from auditlog.registry import auditlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from appointments.emergency_access import rules
from clinic.accounts.access_state import access_state
from clinic.core.field_errors import FieldErrors
from clinic.db.atomic_save import AuditedRecord
from clinic.db.constraints import CheckConstraintWithoutValidation

if TYPE_CHECKING:
    from clinic.models import User


class EmergencyGrantQuerySet(models.QuerySet["EmergencyGrant"]):
    def in_force(self, user: "User", *, at: dt.datetime) -> "EmergencyGrant | None":
        """Return the user's grant that is valid at `at`, if there is one. One query."""
        found = self.filter(user=user, user__is_active=True, ended_at=None, granted_at__lte=at, ends_at__gt=at)
        return found.order_by("-ends_at").first()


class EmergencyGrant(AuditedRecord):
    """Lets a user print the paper backup with names and phone numbers, for at most a day."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="emergency_grants")
    granted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, editable=False, related_name="+")
    reason = models.CharField(max_length=200, help_text="What has happened. No patient's name.")
    granted_at = models.DateTimeField("granted", default=timezone.now, editable=False)
    ends_at = models.DateTimeField("until", help_text="At most 24 hours from now.")
    ended_at = models.DateTimeField("ended", null=True, blank=True, editable=False)

    objects = EmergencyGrantQuerySet.as_manager()

    class Meta:
        verbose_name = "emergency access"
        verbose_name_plural = "grants of emergency access"
        ordering = ["-granted_at", "-pk"]
        indexes = [models.Index(fields=["user", "ends_at"], name="emergency_user_end")]
        constraints = [
            CheckConstraintWithoutValidation(
                condition=models.Q(ends_at__lte=models.F("granted_at") + rules.MAX_EMERGENCY),
                name="emergency_within_a_day",
            )
        ]

    def __str__(self) -> str:
        return f"Emergency access {self.pk}"

    def clean(self) -> None:
        """Check the rules of a new grant.

        Raises:
            ValidationError: by field: `emergency_span`, `emergency_self`, `inactive_user`, `emergency_needless`.
        """
        if not self._state.adding:
            return
        errors = FieldErrors()
        with errors.at("ends_at"):
            if self.ends_at is not None:
                rules.check_emergency_span(self.granted_at, self.ends_at)
        with errors.at("user"):
            rules.check_granted_to_another(self.user_id, self.granted_by_id)
            if self.user_id is not None and not self.user.is_active:
                raise ValidationError(_("This user is not active."), code="inactive_user")
            if self.user_id is not None:
                rules.check_grant_opens_something(sees_all_names=_sees_all_names(self.user))
        errors.raise_any()

    def state(self, *, at: dt.datetime) -> str:
        return access_state(self.user, ended_at=self.ended_at, expires_at=self.ends_at, at=at)

    def end(self) -> None:
        if self.ended_at is None:
            self.ended_at = timezone.now()
            self.save(update_fields=["ended_at"])


def may_see_names(user: "User", *, at: dt.datetime) -> "EmergencyGrant | None":
    """Return the grant that is in force; None also for a user who does not need one."""
    if _sees_all_names(user):
        return None
    return EmergencyGrant.objects.in_force(user, at=at)


def _sees_all_names(user: "User") -> bool:
    return user.has_perm("patients.view_patient")


auditlog.register(EmergencyGrant)
