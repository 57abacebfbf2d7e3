"""Doctors."""

from typing import Any

from auditlog.registry import auditlog
from django.conf import settings
from django.db import models
from django.urls import reverse

from clinic import names
from clinic.audited import AuditedRecord
from clinic.fields import ClaimCounterField
from clinic.linked import LinkedRecord
from doctors import rules
from doctors.querysets import DoctorQuerySet


class Doctor(LinkedRecord, AuditedRecord):
    """A person who sees patients and has one diary. `diary_version` counts the diary's changes."""

    full_name = models.CharField(max_length=100, validators=[names.check_name])
    specialization = models.CharField(max_length=100, validators=[names.check_name], db_index=True)
    is_active = models.BooleanField("active", default=True, help_text="Only active doctors can be booked.")
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

    linked_advice = rules.LINKED

    class Meta:
        ordering = ["full_name", "pk"]

    def __str__(self) -> str:
        return self.full_name

    def get_absolute_url(self) -> str:
        """Return the address of the doctor's page."""
        return reverse("doctors:doctor_detail", args=[self.pk])

    def clean_fields(self, exclude: Any = None) -> None:
        """Tidy the texts before their validators look at them."""
        self.full_name = names.clean_name(self.full_name or "")
        self.specialization = names.clean_name(self.specialization or "")
        super().clean_fields(exclude=exclude)


auditlog.register(Doctor, exclude_fields=["diary_version", "appointments"])
