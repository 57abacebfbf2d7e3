"""Which resource types there are, and what each can be searched by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import Q

from appointments.fhir import resources, values
from clinic.core.names import fold
from clinic.rest.outcomes import FhirRefused
from patients.models import Patient

MAX_NAMES = 3  # alternatives
MAX_CANDIDATES = 1000  # patients looked at for each; more than a third of them could not be answered with anyway


@dataclass(frozen=True)
class Parameter:
    """A search parameter. `read` makes of its name and alternative values what is sought, a condition in most types.

    `targets` are what a reference may be to. What `is_personal` may stand in the body of a search only: addresses are
    kept in logs and histories.
    """

    type: str
    read: Callable[[str, list[str]], Any]
    says: str
    targets: tuple[str, ...] = ()
    is_personal: bool = False
    most: int = values.MAX_ALTERNATIVES


@dataclass(frozen=True)
class Kind:
    """A resource type. `sorts` are the values that `_sort` takes, the first being the usual one."""

    name: str
    parameters: Mapping[str, Parameter]
    sorts: tuple[str, ...] = ()

    @property
    def personal(self) -> frozenset[str]:
        """The parameters that may not stand in an address."""
        return frozenset(name for name, parameter in self.parameters.items() if parameter.is_personal)


# Conditions


def _has_id(name: str, sought: list[str]) -> Q:
    return Q(pk__in=values.ids_asked(name, sought))


def _refers(columns: Mapping[str, str], name: str, sought: list[str]) -> Q:
    """Return that a column refers to what is sought; `columns` says which, by type of target."""
    condition = Q(pk__in=())
    for target, ids in values.references_asked(name, sought, columns).items():
        condition |= Q(**{f"{columns[target]}__in": ids})
    return condition


def _starts(name: str, sought: list[str]) -> Q:
    return values.any_range([values.instants_asked(name, value) for value in sought], "start_time")


def _has_status(name: str, sought: list[str]) -> Q:
    portal = {code: status for status, code in resources.FHIR_STATUS.items()}
    known = (*portal, *resources.UNUSED_STATUSES)
    codes = values.codes_asked(name, sought, known, resources.STATUS_SYSTEM)
    return Q(status__in=[portal[code] for code in codes if code in portal])


def _is_active(name: str, sought: list[str]) -> Q:
    codes = values.codes_asked(name, sought, ("true", "false"))
    return Q(is_active__in=[code == "true" for code in codes])


def _born(name: str, sought: list[str]) -> Q:
    return values.any_range([values.days_asked(name, value) for value in sought], "date_of_birth")


def _named(fields: tuple[str, ...], name: str, sought: list[str]) -> Q:
    """Return that each word of one of the values begins a word of the names in these fields. One query a value.

    The index finds whose name, e-mail or number begins so, whichever of these it is; the names decide.

    Raises:
        FhirRefused: if they are too many to look at.
    """
    ids = []
    for value in dict.fromkeys(sought):
        wanted = fold(value)
        found = list(Patient.objects.search(wanted).values_list("pk", *fields)[: MAX_CANDIDATES + 1])
        if len(found) > MAX_CANDIDATES:
            raise FhirRefused(400, "too-costly", f"{name}: too many patients begin so. Say more of the name.")
        for pk, *parts in found:
            words = fold(" ".join(parts)).split()
            if all(any(word.startswith(beginning) for word in words) for beginning in wanted.split()):
                ids.append(pk)
    return Q(pk__in=ids)


def _reached_at(name: str, sought: list[str]) -> Q:
    """Return that an e-mail or a phone number is one of these, each with or without its system before a bar."""
    condition = Q(pk__in=())
    for value in sought:
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

ID = Parameter("token", _has_id, "ids, several with commas between", most=values.MAX_IDS)
ACTIVE = Parameter("token", _is_active, "true or false: whether the doctor takes appointments")

_NAMES = ("first_name", "last_name")
PATIENT = Kind(
    "Patient",
    {
        "_id": ID,
        "name": Parameter(
            "string",
            partial(_named, _NAMES),
            "beginnings of words of the name, in any order",
            is_personal=True,
            most=MAX_NAMES,
        ),
        "family": Parameter(
            "string",
            partial(_named, ("last_name",)),
            "beginnings of words of the last name",
            is_personal=True,
            most=MAX_NAMES,
        ),
        "given": Parameter(
            "string",
            partial(_named, ("first_name",)),
            "beginnings of words of the first name",
            is_personal=True,
            most=MAX_NAMES,
        ),
        "birthdate": Parameter("date", _born, "date of birth; also a month or a year", is_personal=True),
        "email": Parameter("token", _reached_at, "the whole e-mail", is_personal=True),
        "phone": Parameter("token", _reached_at, "the whole phone number, however it is written", is_personal=True),
        "telecom": Parameter("token", _reached_at, "e-mail or phone number", is_personal=True),
    },
)
PRACTITIONER = Kind("Practitioner", {"_id": ID, "active": ACTIVE})
SCHEDULE = Kind(
    "Schedule",
    {
        "_id": ID,
        "active": ACTIVE,
        "actor": Parameter(
            "reference", partial(_refers, {"Practitioner": "pk"}), "whose schedule", targets=("Practitioner",)
        ),
    },
)
SLOT = Kind(
    "Slot",
    {
        "schedule": Parameter(
            "reference",
            lambda name, sought: values.references_asked(name, sought, ("Schedule",))["Schedule"],
            "whose time; required",
            targets=("Schedule",),
        ),
        "start": Parameter(
            "date",
            lambda name, sought: [values.instants_asked(name, value) for value in sought],
            "from when and until when slots begin, at most 31 days; required",
        ),
        "status": Parameter(
            "token",
            lambda name, sought: values.codes_asked(name, sought, ("free", "busy"), "http://hl7.org/fhir/slotstatus"),
            "free or busy; both if it is left out",
        ),
    },
)
APPOINTMENT = Kind(
    "Appointment",
    {
        "_id": ID,
        "date": Parameter("date", _starts, "when the appointment starts; a date is one of clinic time"),
        "status": Parameter("token", _has_status, "FHIR codes, several with commas between"),
        "actor": Parameter(
            "reference",
            partial(_refers, {"Patient": "patient", "Practitioner": "doctor"}),
            "who takes part: Patient/7 or Practitioner/3",
            targets=("Patient", "Practitioner"),
        ),
        "patient": Parameter(
            "reference", partial(_refers, {"Patient": "patient"}), "who is the patient", targets=("Patient",)
        ),
        "practitioner": Parameter(
            "reference", partial(_refers, {"Practitioner": "doctor"}), "who is the doctor", targets=("Practitioner",)
        ),
    },
    sorts=("date", "-date"),
)
KINDS = (PATIENT, PRACTITIONER, SCHEDULE, SLOT, APPOINTMENT)
