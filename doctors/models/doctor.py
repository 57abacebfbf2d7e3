"""Doctors."""

import datetime as dt
from typing import Any

from auditlog.registry import auditlog
from django.conf import settings
from django.db import models
from django.urls import reverse

from clinic.core import names
from clinic.core.appointment_length import DEFAULT_MINUTES, MAX_MINUTES, MIN_MINUTES, check_duration
from clinic.db.atomic_save import AuditedRecord
from clinic.db.fields import ClaimCounterField
from clinic.db.protected import ProtectedRecord
from doctors import rules
from doctors.availability import Span
from doctors.querysets import DoctorQuerySet


class Doctor(ProtectedRecord, AuditedRecord):
    """A person who sees patients and has one diary. `diary_version` counts the diary's changes."""

    full_name = models.CharField(max_length=100, validators=[names.check_name])
    specialization = models.CharField(max_length=100, validators=[names.check_name], db_index=True)
    is_active = models.BooleanField("active", default=True, help_text="Only active doctors can be booked.")
    usual_minutes = models.PositiveSmallIntegerField(
        "usual length in minutes",
        default=DEFAULT_MINUTES,
        validators=[check_duration],
        help_text="Of an appointment for which no length is given.",
    )
    gap_minutes = models.PositiveSmallIntegerField(
        "gap in minutes",
        default=0,
        validators=[rules.check_gap_minutes],
        help_text="Kept free after each appointment.",
    )
    diary_version = ClaimCounterField()
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
        """What is kept free after each appointment."""
        return dt.timedelta(minutes=self.gap_minutes)

    @property
    def cause(self) -> str:
        """What an appointment is hit by when the doctor is made inactive."""
        return f"{self} takes no appointments any more"

    def diaries(self) -> DoctorQuerySet:
        """Return the doctor alone."""
        return Doctor.objects.filter(pk=self.pk)

    def touched(self) -> list[Span] | None:
        """Return None: being active concerns all dates."""
        return None

    def get_absolute_url(self) -> str:
        """Return the address of the doctor's page."""
        return reverse("doctors:doctor_detail", args=[self.pk])

    def clean_fields(self, exclude: Any = None) -> None:
        """Tidy the texts before their validators look at them."""
        self.full_name = names.clean_name(self.full_name or "")
        self.specialization = names.clean_name(self.specialization or "")
        super().clean_fields(exclude=exclude)

    def clean_alone(self) -> None:
        """Check those rules that ask no other doctor: the fields say them all. No query."""


auditlog.register(Doctor, exclude_fields=["diary_version", "appointments", "timetables", "leaves", "calendar_feed"])
