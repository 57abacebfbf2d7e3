"""The resource types and their search parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import Q

from appointments.fhir import resources, values
from clinic.core.names import fold
from clinic.rest.outcomes import FhirRefused
from patients.models import Patient

MAX_NAMES = 3  # alternative values
MAX_CANDIDATES = 1000  # patients read for each


@dataclass(frozen=True)
class Parameter:
    """A search parameter. `read` converts its name and alternative values, mostly to a condition.

    `targets` are the types that a reference may have. One that `is_personal` is accepted only in the body of a POST.
    """

    type: str
    read: Callable[[str, list[str]], Any]
    documentation: str
    targets: tuple[str, ...] = ()
    is_personal: bool = False
    max_values: int = values.MAX_ALTERNATIVES


@dataclass(frozen=True)
class Kind:
    """A resource type. `sorts` are the values of `_sort`, the default first."""

    name: str
    parameters: Mapping[str, Parameter]
    sorts: tuple[str, ...] = ()

    @property
    def personal(self) -> frozenset[str]:
        """The parameters that are refused in an address."""
        return frozenset(name for name, parameter in self.parameters.items() if parameter.is_personal)


# Conditions


def _has_id(name: str, given: list[str]) -> Q:
    return Q(pk__in=values.parse_ids(name, given))


def _is_identified(name: str, given: list[str]) -> Q:
    """Accept the portal's own ids only: the numbers of others are personal data and may not be in an address."""
    ids = [value.removeprefix(f"{resources.PATIENT_ID_SYSTEM}|") for value in given]
    if not all(value.isascii() and value.isdecimal() for value in ids):
        raise values.bad_value(name, f"only the portal's own ids, as in {resources.PATIENT_ID_SYSTEM}|7")
    return _has_id(name, ids)


def _refers(columns: Mapping[str, str], name: str, given: list[str]) -> Q:
    """`columns` are the names of the foreign keys by type of target."""
    condition = Q(pk__in=())
    for target, ids in values.parse_references(name, given, columns).items():
        condition |= Q(**{f"{columns[target]}__in": ids})
    return condition


def _starts(name: str, given: list[str]) -> Q:
    return values.any_range([values.parse_instants(name, value) for value in given], "start_time")


def _has_status(name: str, given: list[str]) -> Q:
    known = dict.fromkeys((*resources.FHIR_STATUS.values(), *resources.UNUSED_STATUSES))
    codes = values.parse_codes(name, given, tuple(known), resources.STATUS_SYSTEM)
    return Q(status__in=[status for status, code in resources.FHIR_STATUS.items() if code in codes])


def _is_active(name: str, given: list[str]) -> Q:
    codes = values.parse_codes(name, given, ("true", "false"))
    return Q(is_active__in=[code == "true" for code in codes])


def _born(name: str, given: list[str]) -> Q:
    return values.any_range([values.parse_dates(name, value) for value in given], "date_of_birth")


def _named(fields: tuple[str, ...], name: str, given: list[str]) -> Q:
    """Each word of a value must begin a word of the names in these fields. One query for each value.

    The index also finds e-mails and phone numbers, so the names are compared again.
    """
    ids = []
    for value in dict.fromkeys(given):
        wanted = fold(value)
        found = list(Patient.objects.search(wanted, limit=MAX_CANDIDATES + 1).values_list("pk", *fields))
        if len(found) > MAX_CANDIDATES:
            raise FhirRefused(400, "too-costly", f"{name}: too many patients match. Give more of the name.")
        for pk, *parts in found:
            words = fold(" ".join(parts)).split()
            if all(any(word.startswith(beginning) for word in words) for beginning in wanted.split()):
                ids.append(pk)
    return Q(pk__in=ids)


def _has_contact(name: str, given: list[str]) -> Q:
    """Match e-mails or phone numbers, each with or without its system before a bar."""
    condition = Q(pk__in=())
    for value in given:
        system, _bar, address = value.rpartition("|")
        system = system or {"email": "email", "phone": "phone"}.get(name, "email" if "@" in address else "phone")
        if system == "email" and name != "phone":
            condition |= Q(pk__in=Patient.objects.with_email(address.lower()).values("pk"))
        elif system == "phone" and name != "email":
            condition |= Q(pk__in=Patient.objects.with_phone(address).values("pk"))
        else:
            raise values.bad_value(name, "the system is email or phone")
    return condition


# Types

ID = Parameter("token", _has_id, "ids, several with commas between", max_values=values.MAX_IDS)
ACTIVE = Parameter("token", _is_active, "true or false: whether the doctor takes appointments")

_NAMES = ("first_name", "last_name")
PATIENT = Kind(
    "Patient",
    {
        "_id": ID,
        "identifier": Parameter(
            "token",
            _is_identified,
            f"the portal's own ids, with or without {resources.PATIENT_ID_SYSTEM}| before each",
            max_values=values.MAX_IDS,
        ),
        "name": Parameter(
            "string",
            partial(_named, _NAMES),
            "beginnings of words of the name, in any order",
            is_personal=True,
            max_values=MAX_NAMES,
        ),
        "family": Parameter(
            "string",
            partial(_named, ("last_name",)),
            "beginnings of words of the last name",
            is_personal=True,
            max_values=MAX_NAMES,
        ),
        "given": Parameter(
            "string",
            partial(_named, ("first_name",)),
            "beginnings of words of the first name",
            is_personal=True,
            max_values=MAX_NAMES,
        ),
        "birthdate": Parameter("date", _born, "date of birth; also a month or a year", is_personal=True),
        "email": Parameter("token", _has_contact, "the whole e-mail", is_personal=True),
        "phone": Parameter("token", _has_contact, "the whole phone number, in any format", is_personal=True),
        "telecom": Parameter("token", _has_contact, "e-mail or phone number", is_personal=True),
    },
)
PRACTITIONER = Kind("Practitioner", {"_id": ID, "active": ACTIVE})
SCHEDULE = Kind(
    "Schedule",
    {
        "_id": ID,
        "active": ACTIVE,
        "actor": Parameter(
            "reference", partial(_refers, {"Practitioner": "pk"}), "the doctor", targets=("Practitioner",)
        ),
    },
)
SLOT = Kind(
    "Slot",
    {
        "schedule": Parameter(
            "reference",
            lambda name, given: values.parse_references(name, given, ("Schedule",))["Schedule"],
            "the doctor's schedule; required",
            targets=("Schedule",),
        ),
        "start": Parameter(
            "date",
            lambda name, given: [values.parse_instants(name, value) for value in given],
            "start of the slots, from and until, at most 31 days; required",
        ),
        "status": Parameter(
            "token",
            lambda name, given: values.parse_codes(name, given, ("free", "busy"), "http://hl7.org/fhir/slotstatus"),
            "free or busy; both if omitted",
        ),
    },
)
APPOINTMENT = Kind(
    "Appointment",
    {
        "_id": ID,
        "date": Parameter("date", _starts, "start of the appointment; dates are in clinic time"),
        "status": Parameter("token", _has_status, "FHIR codes, separated by commas"),
        "actor": Parameter(
            "reference",
            partial(_refers, {"Patient": "patient", "Practitioner": "doctor"}),
            "a participant: Patient/7 or Practitioner/3",
            targets=("Patient", "Practitioner"),
        ),
        "patient": Parameter(
            "reference", partial(_refers, {"Patient": "patient"}), "the patient", targets=("Patient",)
        ),
        "practitioner": Parameter(
            "reference", partial(_refers, {"Practitioner": "doctor"}), "the doctor", targets=("Practitioner",)
        ),
    },
    sorts=("date", "-date"),
)
KINDS = (PATIENT, PRACTITIONER, SCHEDULE, SLOT, APPOINTMENT)
