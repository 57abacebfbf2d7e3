"""The apps that store personal data of patients beside the patient's own record."""

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from patients.models import Patient
    from patients.privacy.trail import LinkedEntries, PatientTrail


class PersonalDataHolder(ABC):
    """What an app knows about the patient's data that it stores."""

    # Parts of the addresses of forms about patients; half-filled ones are deleted when any patient is anonymised.
    form_paths: tuple[str, ...] = ()

    @abstractmethod
    def lock(self, patient_id: int) -> None:
        """Lock what has to be locked before the patient's record, until the transaction ends."""

    @abstractmethod
    def check_may_anonymise(self, patient: "Patient") -> None:
        """Raise a ValidationError if the patient cannot be anonymised now."""

    @abstractmethod
    def erase(self, patient_id: int) -> None:
        """Remove the patient's identity from the records, but not from the audit trail."""

    @abstractmethod
    def trail(self, patient: "Patient", entries: list[Any]) -> "LinkedEntries":
        """Return the audit entries about the patient of each model; `entries` are those that name the patient."""

    @abstractmethod
    def texts(self, trail: "PatientTrail") -> Iterator[str]:
        """Yield the texts about the patient that people have written, former ones included."""

    @abstractmethod
    def export(self, patient: "Patient", trail: "PatientTrail") -> dict[str, Any]:
        """Return the parts of the patient's export: JSON values, dates and datetimes."""

    @abstractmethod
    def in_use(self, *, before: dt.datetime) -> list[models.Exists]:
        """Return conditions on a query of patients whose last contact was before an instant.

        A record that meets one of them is still needed.
        """

    @abstractmethod
    def review_columns(self) -> dict[str, Any]:
        """Return annotations that the retention review shows."""


_holders: list[PersonalDataHolder] = []


def register(holder: PersonalDataHolder) -> None:
    """Add a holder, in `AppConfig.ready()`."""
    _holders.append(holder)


def registered_holders() -> Iterable[PersonalDataHolder]:
    return tuple(_holders)
