"""Patients, and the keys they are found by."""

import datetime as dt
from typing import Any

from auditlog.registry import auditlog
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone

from clinic.core import clinic_time, names
from clinic.core.field_errors import FieldErrors
from clinic.db.atomic_save import AuditedRecord
from clinic.db.fields import ClaimCounterField, NormalizedEmailField
from clinic.db.protected import ProtectedRecord
from clinic.db.transactions import LostRace
from patients import rules
from patients.querysets import FOUND_BY, PatientQuerySet
from patients.search_keys import keys_for

NAME_LENGTH = 50
PHONE_LENGTH = 32


class Patient(ProtectedRecord, AuditedRecord):
    """A person registered with the clinic."""

    first_name = models.CharField(max_length=NAME_LENGTH, validators=[names.check_name])
    last_name = models.CharField(max_length=NAME_LENGTH, validators=[names.check_name])
    email = NormalizedEmailField("e-mail", validators=[rules.check_email_characters])
    phone_number = models.CharField(max_length=PHONE_LENGTH, blank=True, validators=[rules.check_phone_number])
    date_of_birth = models.DateField(null=True, blank=True)
    name_key = models.CharField(max_length=names.MAX_SORT_KEY, editable=False, db_index=True)
    diary_version = ClaimCounterField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)
    anonymised_at = models.DateTimeField("anonymised", null=True, blank=True, editable=False)

    objects = PatientQuerySet.as_manager()

    delete_advice = rules.LINKED

    class Meta:
        ordering = ["name_key", "pk"]
        constraints = [models.UniqueConstraint(fields=["email"], name="patient_email_unique")]
        permissions = [
            ("view_own_patient", "Can view patients who have an appointment in one's own diary"),
            ("import_patient", "Can import patients from a file"),
            ("export_patient", "Can export all patients to a file"),
            ("anonymise_patient", "Can anonymise patients, for good"),
        ]

    def __str__(self) -> str:
        return self.full_name

    @property
    def trail_patient_id(self) -> int:
        """The patient whose data an audit entry of this record holds."""
        return self.pk

    @property
    def full_name(self) -> str:
        """First and last name, as they were typed."""
        return f"{self.first_name} {self.last_name}"

    @property
    def option_text(self) -> str:
        """Name, date of birth and phone number, to tell namesakes apart in a list of choices."""
        born = f"{self.date_of_birth:%d/%m/%Y}" if self.date_of_birth else ""
        return " · ".join(filter(None, (self.full_name, born, self.phone_number)))

    def age_on(self, day: dt.date) -> int | None:
        """Return the age in whole years on a date, or None without a date of birth.

        Who is born on 29 February comes of age on 1 March in other years.
        """
        born = self.date_of_birth
        if born is None:
            return None
        return day.year - born.year - ((day.month, day.day) < (born.month, born.day))

    def get_absolute_url(self) -> str:
        """Return the address of the patient's record."""
        return reverse("patients:patient_detail", args=[self.pk])

    def clean_fields(self, exclude: Any = None) -> None:
        """Tidy the names before their validators look at them."""
        self.first_name = names.clean_name(self.first_name or "")
        self.last_name = names.clean_name(self.last_name or "")
        self.phone_number = (self.phone_number or "").strip()
        super().clean_fields(exclude=exclude)

    def clean(self) -> None:
        """Check the rules of a patient.

        Raises:
            ValidationError: by field: `email_taken`, `date_of_birth`; `anonymised` of the whole.
        """
        errors = FieldErrors()
        with errors.at(NON_FIELD_ERRORS):
            rules.check_not_anonymised(self.anonymised_at)
        with errors.at("email"):
            rules.check_email_free(self.email, Patient.objects.exclude(pk=self.pk))
        self._check_alone(errors)
        errors.raise_any()

    def clean_alone(self) -> None:
        """Check those rules that ask no other patient; an import asks about thousands at once. No query.

        Raises:
            ValidationError: by field: `date_of_birth`.
        """
        errors = FieldErrors()
        self._check_alone(errors)
        errors.raise_any()

    def _check_alone(self, errors: FieldErrors) -> None:
        with errors.at("date_of_birth"):
            rules.check_date_of_birth(self.date_of_birth, today=clinic_time.today(at=timezone.now()))

    def validate_constraints(self, exclude: Any = None) -> None:
        """Leave the unique e-mail to `clean()`, which says what to do about it."""

    def found_by(self) -> set[str]:
        """Return what the patient is found by."""
        return keys_for(
            first_name=self.first_name, last_name=self.last_name, email=self.email, phone_number=self.phone_number
        )

    def update_search_keys(self) -> None:
        """Set the key that patients are sorted by: last name, then first name, folded."""
        self.name_key = names.sort_key(self.first_name, self.last_name)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the patient and, in the same transaction, what the patient is found by.

        Locks: the row, so that nobody writes back what was read before the record was anonymised.

        Raises:
            LostRace: `anonymised`.
        """
        only = kwargs.get("update_fields")
        is_found_anew = only is None or not FOUND_BY.isdisjoint(only)
        if only is not None:
            derived = FOUND_BY | {"name_key"} if is_found_anew else set()
            kwargs["update_fields"] = {*only, "updated_at", *derived}
        if is_found_anew:
            self.update_search_keys()
        with transaction.atomic():
            self._check_still_somebodys()
            super().save(*args, **kwargs)
            if is_found_anew:
                self._replace_keys()

    def _check_still_somebodys(self) -> None:
        if self._state.adding:
            return
        row = Patient.objects.select_for_update().filter(pk=self.pk).order_by()
        try:
            rules.check_not_anonymised(row.values_list("anonymised_at", flat=True).first())
        except ValidationError as error:
            raise LostRace(error) from error

    def _replace_keys(self) -> None:
        wanted = self.found_by()
        held = set(self.search_keys.values_list("key", flat=True))
        if stale := held - wanted:
            self.search_keys.filter(key__in=stale).delete()
        if missing := wanted - held:
            SearchKey.objects.bulk_create([SearchKey(patient=self, key=key) for key in missing])


class SearchKey(models.Model):
    """A folded text whose beginning finds a patient; see `patients.search_keys`."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="search_keys")
    key = models.CharField(max_length=64)

    class Meta:
        indexes = [models.Index(fields=["key", "patient"], name="patient_search_key")]

    def __str__(self) -> str:
        return f"key {self.pk}"


auditlog.register(
    Patient,
    exclude_fields=["name_key", "diary_version", "updated_at", "search_keys", "appointments"],
)
