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
from clinic.db.fields import ClaimCounterField, DerivedDateTimeField, NormalizedEmailField
from clinic.db.protected import ProtectedRecord
from clinic.db.transactions import LostRace
from patients import corrections, rules
from patients.querysets import SEARCHED_FIELDS, PatientQuerySet
from patients.search_keys import MAX_KEY, MAX_OTHER_WORDS, keys_for, name_pairs

NAME_LENGTH = 50
PHONE_LENGTH = 32


class Patient(ProtectedRecord, AuditedRecord):
    first_name = models.CharField(max_length=NAME_LENGTH, validators=[names.check_name])
    last_name = models.CharField(max_length=NAME_LENGTH, validators=[names.check_name])
    email = NormalizedEmailField("e-mail", validators=[rules.check_email_characters])
    phone_number = models.CharField(max_length=PHONE_LENGTH, blank=True, validators=[rules.check_phone_number])
    date_of_birth = models.DateField(null=True, blank=True)
    name_key = models.CharField(max_length=names.MAX_SORT_KEY, editable=False, db_index=True)
    diary_version = ClaimCounterField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    # The start of the last appointment, or the registration if there was none. The app of the appointments writes it.
    last_contact = DerivedDateTimeField(begins_as="created_at")
    updated_at = models.DateTimeField(auto_now=True)
    anonymised_at = models.DateTimeField("anonymised", null=True, blank=True, editable=False)

    objects = PatientQuerySet.as_manager()

    delete_advice = rules.LINKED

    class Meta:
        ordering = ["name_key", "pk"]
        indexes = [
            # All that the retention review filters and orders by.
            models.Index(fields=["anonymised_at", "last_contact", "id", "created_at"], name="patient_last_contact")
        ]
        constraints = [models.UniqueConstraint(fields=["email"], name="patient_email_unique")]
        permissions = [
            ("view_own_patient", "Can view patients who have an appointment with the user"),
            ("import_patient", "Can import patients from a file"),
            ("export_patient", "Can export all patients to a file"),
            ("anonymise_patient", "Can permanently anonymise patients"),
        ]

    def __str__(self) -> str:
        return self.full_name

    @property
    def trail_patient_id(self) -> int:
        """The patient whom audit entries of this record are about."""
        return self.pk

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def option_text(self) -> str:
        """Name, date of birth and phone number, to tell namesakes apart in a list of choices."""
        born = f"{self.date_of_birth:%d/%m/%Y}" if self.date_of_birth else ""
        return " · ".join(filter(None, (self.full_name, born, self.phone_number)))

    def age_on(self, day: dt.date) -> int | None:
        """Return the age in whole years. A birthday on 29 February counts from 1 March in other years."""
        born = self.date_of_birth
        if born is None:
            return None
        return day.year - born.year - ((day.month, day.day) < (born.month, born.day))

    def get_absolute_url(self) -> str:
        return reverse("patients:patient_detail", args=[self.pk])

    def clean_fields(self, exclude: Any = None) -> None:
        self.first_name = names.clean_name(self.first_name or "")
        self.last_name = names.clean_name(self.last_name or "")
        self.phone_number = (self.phone_number or "").strip()
        super().clean_fields(exclude=exclude)

    def clean(self) -> None:
        """Check the rules: `email_taken` and `date_of_birth` by field, `anonymised` of the whole record."""
        errors = FieldErrors()
        with errors.at(NON_FIELD_ERRORS):
            rules.check_not_anonymised(self.anonymised_at)
        with errors.at("email"):
            rules.check_email_free(self.email, Patient.objects.exclude(pk=self.pk))
        self._check_alone(errors)
        errors.raise_any()

    def clean_alone(self) -> None:
        """Check the rules that need no other patient, as an import does for thousands at once. No query."""
        errors = FieldErrors()
        self._check_alone(errors)
        errors.raise_any()

    def _check_alone(self, errors: FieldErrors) -> None:
        with errors.at("date_of_birth"):
            rules.check_date_of_birth(self.date_of_birth, today=clinic_time.today(at=timezone.now()))

    def validate_constraints(self, exclude: Any = None) -> None:
        """Leave the unique e-mail to `clean()`, whose message says what to do."""

    def wanted_search_keys(self) -> set[str]:
        return keys_for(
            first_name=self.first_name, last_name=self.last_name, email=self.email, phone_number=self.phone_number
        )

    def wanted_name_pairs(self) -> set[tuple[str, str]]:
        return name_pairs(self.first_name, self.last_name)

    def update_search_keys(self) -> None:
        """Set the sort key: last name, then first name, folded."""
        self.name_key = names.sort_key(self.first_name, self.last_name)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the patient and the search keys in one transaction.

        Locks: the row, so that values from before the record was anonymised are not written back.

        Raises:
            LostRace: `anonymised`.
        """
        only = kwargs.get("update_fields")
        changes_keys = only is None or not SEARCHED_FIELDS.isdisjoint(only)
        if only is not None:
            derived = SEARCHED_FIELDS | {"name_key"} if changes_keys else set()
            kwargs["update_fields"] = {*only, "updated_at", *derived}
        if changes_keys:
            self.update_search_keys()
        with transaction.atomic():
            self._check_not_anonymised()
            is_new = self._state.adding
            super().save(*args, **kwargs)
            if changes_keys:
                self._replace_keys()
            if not is_new:
                corrections.record_changed(self.pk)

    def _check_not_anonymised(self) -> None:
        if self._state.adding:
            return
        row = Patient.objects.select_for_update().filter(pk=self.pk).order_by()
        try:
            rules.check_not_anonymised(row.values_list("anonymised_at", flat=True).first())
        except ValidationError as error:
            raise LostRace(error) from error

    def _replace_keys(self) -> None:
        _replace_rows(self, SearchKey, ("key",), {(key,) for key in self.wanted_search_keys()})
        _replace_rows(self, NamePair, ("key", "others"), self.wanted_name_pairs())


def _replace_rows(patient: Patient, model: Any, fields: tuple[str, ...], wanted: set[Any]) -> None:
    """Delete and insert a patient's rows so that these have the wanted values; unchanged rows stay."""
    rows = model.objects.filter(patient=patient).values_list("pk", *fields)
    present = {tuple(values): pk for pk, *values in rows}
    if stale := present.keys() - wanted:
        model.objects.filter(pk__in=[present[values] for values in stale]).delete()
    if missing := wanted - present.keys():
        model.objects.bulk_create(
            [model(patient=patient, **dict(zip(fields, values, strict=True))) for values in missing]
        )


class SearchKey(models.Model):
    """A folded text by whose beginning a patient is found; see `patients.search_keys`."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="search_keys")
    key = models.CharField(max_length=64)

    class Meta:
        indexes = [models.Index(fields=["key", "patient"], name="patient_search_key")]

    def __str__(self) -> str:
        return f"key {self.pk}"


class NamePair(models.Model):
    """Two words of a name, by the beginnings of which a patient is found; see `patients.search_keys.name_pairs`."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="name_pairs")
    key = models.CharField(max_length=MAX_KEY + 2)
    others = models.CharField(max_length=MAX_OTHER_WORDS)

    class Meta:
        # `others` is here so that the search reads nothing but this index.
        indexes = [models.Index(fields=["key", "patient", "others"], name="patient_name_pair")]

    def __str__(self) -> str:
        return f"pair {self.pk}"


auditlog.register(
    Patient,
    exclude_fields=[
        "name_key",
        "diary_version",
        "last_contact",
        "updated_at",
        "search_keys",
        "name_pairs",
        "appointments",
    ],
)
