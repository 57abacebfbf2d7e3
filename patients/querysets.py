"""Chainable words for patients."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models, transaction

from clinic.linked import LinkedQuerySet
from clinic.local_dates import LocalDates
from patients.search_keys import AFTER_EVERY_CHARACTER, sought

if TYPE_CHECKING:
    from patients.models import Patient  # noqa: F401 -- for the annotation below only

MOST_FOUND = 20
# The fields that search keys are made from.
FOUND_BY = frozenset({"first_name", "last_name", "email", "phone_number"})


class PatientQuerySet(LinkedQuerySet, LocalDates, models.QuerySet["Patient"]):
    """Patients, and the guards of what is derived from their data."""

    def search(self, text: str) -> "PatientQuerySet":
        """Return the patients whose name words, e-mail or phone number begin with what was typed, by name.

        Words may stand in any order. Nothing typed finds nobody. One query, by index.
        """
        from patients.models import SearchKey

        wanted = sought(text)
        if not wanted:
            return self.none()
        found = self
        for beginnings in wanted:
            ranges = models.Q()
            for beginning in beginnings:
                ranges |= models.Q(key__gte=beginning, key__lt=beginning + AFTER_EVERY_CHARACTER)
            found = found.filter(pk__in=SearchKey.objects.filter(ranges).values("patient"))
        return found.order_by("name_key", "pk")

    def visible_to(self, user: Any) -> "PatientQuerySet":
        """Return the patients whose record the user may see: all, one's own as a doctor, or none."""
        if user.has_perm("patients.view_patient"):
            return self.all()
        if user.has_perm("patients.view_own_patient"):
            # Reverse relations by name: this app does not import the ones above it.
            return self.filter(appointments__doctor__user=user).distinct()
        return self.none()

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """Insert many patients with what is derived from their data, in one transaction.

        Raises:
            TypeError: for `ignore_conflicts` and `update_conflicts`, which do not say whose keys are whose.
        """
        if kwargs.get("ignore_conflicts") or kwargs.get("update_conflicts"):
            raise TypeError("Leave out those who are registered already: bulk_create cannot tell whose keys are whose.")
        from patients.models import SearchKey

        patients = list(objs)
        for patient in patients:
            patient.derive()
        with transaction.atomic(using=self.db):
            created = super().bulk_create(patients, *args, **kwargs)
            ids = self._ids_by_email(created)
            SearchKey.objects.bulk_create(
                [
                    SearchKey(patient_id=ids[patient.email], key=key)
                    for patient in created
                    for key in patient.found_by()
                ],
                batch_size=5000,
            )
        return created

    def _ids_by_email(self, patients: list[Any]) -> dict[str, int]:
        # MySQL, unlike MariaDB and SQLite, does not hand back the ids of a bulk insert.
        if all(patient.pk for patient in patients):
            return {patient.email: patient.pk for patient in patients}
        return dict(self.filter(email__in=[patient.email for patient in patients]).values_list("email", "pk"))

    def update(self, **values: Any) -> int:
        """Update, but refuse what the search keys are derived from: only `save()` keeps them in step.

        Raises:
            TypeError: for a name, e-mail or phone number.
        """
        if refused := FOUND_BY & values.keys():
            raise TypeError(f"Save patients one by one to change {', '.join(sorted(refused))}.")
        return super().update(**values)
