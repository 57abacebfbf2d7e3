import datetime as dt
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models, transaction

from clinic.core import names
from clinic.db.local_dates import LocalDates
from clinic.db.protected import ProtectedQuerySet
from patients.search_keys import phone_keys_to_compare

if TYPE_CHECKING:
    from clinic.models import User
    from patients.models import Patient  # noqa: F401 -- for the annotation below only

MAX_FOUND = 20  # on a page
MAX_MATCHES = 1000  # of one search
MAX_DUPLICATES = 5
# The fields that search keys are made from.
SEARCHED_FIELDS = frozenset({"first_name", "last_name", "email", "phone_number"})


class PatientQuerySet(ProtectedQuerySet, LocalDates, models.QuerySet["Patient"]):
    def search(self, text: str, *, limit: int = MAX_MATCHES) -> "PatientQuerySet":
        """Return those of the patients nearest to a text who are in this queryset, by name.

        Each word of the text begins a word of the name, in any order; a text of one word may also begin the e-mail or
        phone number. If more than `limit` patients match, those whose words it leaves the least of are taken, before
        any other condition applies. An empty text finds no patients.

        The patients are looked up now, by index, in a time that does not grow with their number; this queryset
        only reads them.
        """
        from patients.search import matching_ids

        return self.filter(pk__in=matching_ids(text, limit=limit)).order_by("name_key", "pk")

    def not_anonymised(self) -> "PatientQuerySet":
        return self.filter(anonymised_at=None)

    def with_next_appointment(self, user: "User", *, at: dt.datetime | None = None) -> "PatientQuerySet":
        """Prefetch the next appointment that the user may see, as a list `next_appointments`. One query.

        Only its start and the doctor's name are read.
        """
        # The reverse relation by name: this app does not import the ones above it.
        appointment: Any = self.model._meta.get_field("appointments").related_model
        following = appointment.objects.visible_to(user).open().upcoming(at=at).select_related("doctor")
        following = following.only("patient_id", "start_time", "doctor__full_name")[:1]
        return self.prefetch_related(models.Prefetch("appointments", following, to_attr="next_appointments"))

    def possible_duplicates(
        self, *, first_name: str, last_name: str, date_of_birth: dt.date | None, phone_number: str, email: str
    ) -> list["Patient"]:
        """Return at most `MAX_DUPLICATES` patients with the same e-mail, name and birth date, or phone number.

        First and last name may be swapped; empty values are not compared. At most three queries.
        """
        found: dict[int, Patient] = {}
        for matches in (
            self.with_email(email),
            self._with_name_and_birth(first_name, last_name, date_of_birth),
            self.with_phone(phone_number),
        ):
            for patient in matches.order_by("name_key", "pk")[:MAX_DUPLICATES]:
                found.setdefault(patient.pk, patient)
        return list(found.values())[:MAX_DUPLICATES]

    def with_email(self, email: str) -> "PatientQuerySet":
        """Filter by a lower-case e-mail."""
        # All stored e-mails are ASCII, and MariaDB treats é as e.
        return self.filter(email=email) if email and email.isascii() else self.none()

    def _with_name_and_birth(self, first_name: str, last_name: str, date_of_birth: dt.date | None) -> "PatientQuerySet":
        keys = {names.sort_key(first_name, last_name), names.sort_key(last_name, first_name)} - {""}
        if date_of_birth is None or not keys:
            return self.none()
        return self.filter(name_key__in=keys, date_of_birth=date_of_birth)

    def with_phone(self, phone_number: str) -> "PatientQuerySet":
        """Filter by a phone number in any spelling; no patients if it is too short to compare."""
        from patients.models import SearchKey

        keys = phone_keys_to_compare(phone_number)
        return self.filter(pk__in=SearchKey.objects.filter(key__in=keys).values("patient")) if keys else self.none()

    def visible_to(self, user: "User") -> "PatientQuerySet":
        """Return the patients whose record the user may see; for a doctor, those with an appointment with them."""
        if user.has_perm("patients.view_patient"):
            return self.all()
        if user.has_perm("patients.view_own_patient"):
            # Reverse relations by name: this app does not import the ones above it.
            return self.filter(appointments__doctor__user=user).distinct()
        return self.none()

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """Insert many patients with their search keys, in one transaction.

        Raises:
            TypeError: for `ignore_conflicts` and `update_conflicts`, after which the new rows' ids are unknown.
        """
        if kwargs.get("ignore_conflicts") or kwargs.get("update_conflicts"):
            raise TypeError("Leave out registered patients: bulk_create cannot assign search keys after a conflict.")
        from patients.models import NamePair, SearchKey

        patients = list(objs)
        for patient in patients:
            patient.update_search_keys()
        with transaction.atomic(using=self.db):
            created = super().bulk_create(patients, *args, **kwargs)
            ids = self._ids_by_email(created)
            keys = [
                SearchKey(patient_id=ids[patient.email], key=key)
                for patient in created
                for key in patient.wanted_search_keys()
            ]
            pairs = [
                NamePair(patient_id=ids[patient.email], key=key, others=others)
                for patient in created
                for key, others in patient.wanted_name_pairs()
            ]
            SearchKey.objects.bulk_create(keys, batch_size=5000)
            NamePair.objects.bulk_create(pairs, batch_size=5000)
        return created

    def _ids_by_email(self, patients: list[Any]) -> dict[str, int]:
        # MySQL, unlike MariaDB and SQLite, does not return the ids of a bulk insert.
        if all(patient.pk for patient in patients):
            return {patient.email: patient.pk for patient in patients}
        return dict(self.filter(email__in=[patient.email for patient in patients]).values_list("email", "pk"))

    def anonymise(self, pk: int, *, at: dt.datetime) -> None:
        """Overwrite the patient's identity and delete the search keys. Adds no audit entry."""
        from patients.models import NamePair, SearchKey

        # RFC 2606 reserves `.invalid`; a random address cannot have been registered before.
        first_name, last_name = "Anonymised", f"patient {pk}"
        super(PatientQuerySet, self.filter(pk=pk)).update(
            first_name=first_name,
            last_name=last_name,
            name_key=names.sort_key(first_name, last_name),
            email=f"{uuid.uuid4().hex}@anonymised.invalid",
            phone_number="",
            date_of_birth=None,
            anonymised_at=at,
            updated_at=at,
        )
        SearchKey.objects.filter(patient=pk).delete()
        NamePair.objects.filter(patient=pk).delete()

    def update(self, **values: Any) -> int:
        """Raise a TypeError for a name, e-mail or phone number: only `save()` updates the search keys."""
        if refused := SEARCHED_FIELDS & values.keys():
            raise TypeError(f"Save patients one by one to change {', '.join(sorted(refused))}.")
        return super().update(**values)
