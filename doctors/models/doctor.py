import datetime as dt
from typing import Any

from auditlog.registry import auditlog
from django.conf import settings
from django.db import models
from django.urls import reverse

from clinic.core import names
from clinic.core.appointment_length import DEFAULT_MINUTES, MAX_MINUTES, MIN_MINUTES, check_duration
from clinic.db.atomic_save import AuditedRecord
from clinic.db.fields import ClaimCounterField, SaveCounterField
from clinic.db.protected import ProtectedRecord
from doctors import rules
from doctors.availability import Span
from doctors.querysets import DoctorQuerySet


class Doctor(ProtectedRecord, AuditedRecord):
    """A person who sees patients and has one diary.

    `diary_version` counts changes of the diary, and `schedule_version` those of the record, hours, leave and closures.
    """

    full_name = models.CharField(max_length=100, validators=[names.check_name])
    specialization = models.CharField(max_length=100, validators=[names.check_name], db_index=True)
    is_active = models.BooleanField("active", default=True, help_text="Only active doctors can be booked.")
    usual_minutes = models.PositiveSmallIntegerField(
        "usual length in minutes",
        default=DEFAULT_MINUTES,
        validators=[check_duration],
        help_text="For appointments booked without a length.",
    )
    gap_minutes = models.PositiveSmallIntegerField(
        "gap in minutes",
        default=0,
        validators=[rules.check_gap_minutes],
        help_text="Left free after each appointment.",
    )
    diary_version = ClaimCounterField()
    schedule_version = SaveCounterField()
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="doctor",
        help_text="The doctor's own login, if any.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DoctorQuerySet.as_manager()

    delete_advice = rules.LINKED

    class Meta:
        ordering = ["full_name", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(usual_minutes__gte=MIN_MINUTES, usual_minutes__lte=MAX_MINUTES),
                name="doctor_usual_minutes",
            ),
            models.CheckConstraint(
                condition=models.Q(gap_minutes__lte=rules.MAX_GAP_MINUTES), name="doctor_gap_minutes"
            ),
        ]

    def __str__(self) -> str:
        return self.full_name

    @property
    def gap(self) -> dt.timedelta:
        return dt.timedelta(minutes=self.gap_minutes)

    @property
    def cause(self) -> str:
        """What displaces appointments when the doctor is deactivated."""
        return f"{self} takes no appointments any more"

    def diaries(self) -> DoctorQuerySet:
        return Doctor.objects.filter(pk=self.pk)

    def touched(self) -> list[Span] | None:
        """Return None: being inactive concerns all dates."""
        return None

    def check_under_lock(self) -> None:
        """Nothing to check: no other row contradicts a doctor."""

    def rows_after_saving(self) -> list["Doctor"]:
        return [self]

    def get_absolute_url(self) -> str:
        return reverse("doctors:doctor_detail", args=[self.pk])

    def clean_fields(self, exclude: Any = None) -> None:
        self.full_name = names.clean_name(self.full_name or "")
        self.specialization = names.clean_name(self.specialization or "")
        super().clean_fields(exclude=exclude)

    def clean_alone(self) -> None:
        """Check the rules that need no other row. No query: the fields have them all."""


auditlog.register(
    Doctor,
    exclude_fields=[
        "diary_version",
        "schedule_version",
        "day_versions",
        "appointments",
        "timetables",
        "leaves",
        "calendar_feed",
    ],
)
