"""Import of patients: the columns, and which rows are registered already."""

from typing import Any, NamedTuple

from django.db.models import Min
from django.utils.translation import gettext as _
from import_export.fields import Field
from import_export.resources import Resource

from clinic.core import names
from clinic.models import Verdict
from clinic.spreadsheets.cells import DateWidget, PhoneWidget, TextWidget
from clinic.spreadsheets.importer import Importer, ImportLine, RowMatcher
from patients.models import Patient, SearchKey
from patients.search_keys import phone_keys_to_compare

NameAndBirth = tuple[str, Any]


class PatientResource(Resource):
    first_name = Field("first_name", "First name", TextWidget())
    last_name = Field("last_name", "Last name", TextWidget())
    email = Field("email", "E-mail", TextWidget())
    phone_number = Field("phone_number", "Phone number", PhoneWidget())
    date_of_birth = Field("date_of_birth", "Date of birth", DateWidget())


class PatientImporter(Importer):
    """Adds patients. A row with a registered e-mail changes nothing."""

    kind = "patients"
    noun = "patient"
    list_url = "patients:patient_search"
    model = Patient
    resource_class = PatientResource
    required = ("first_name", "last_name", "email")
    aliases = {
        "forename": "first_name",
        "givenname": "first_name",
        "surname": "last_name",
        "familyname": "last_name",
        "mail": "email",
        "emailaddress": "email",
        "phone": "phone_number",
        "telephone": "phone_number",
        "telephonenumber": "phone_number",
        "mobile": "phone_number",
        "born": "date_of_birth",
        "birthdate": "date_of_birth",
        "birthday": "date_of_birth",
        "dob": "date_of_birth",
    }
    verdict_labels = {
        Verdict.SAME_PERSON: "same name and date of birth",
        Verdict.DIFFERS: "e-mail registered, other data",
        Verdict.REGISTERED: "e-mail registered",
    }

    def matcher(self) -> RowMatcher:
        return PatientMatcher()


class Candidate(NamedTuple):
    """A line with the keys it is compared by: folded names with date of birth, and phone keys."""

    line: ImportLine
    people: list[NameAndBirth]
    phones: set[str]


class PatientMatcher(RowMatcher):
    """Compares rows with patients, and with earlier rows, by e-mail, name and date of birth, and phone number."""

    def __init__(self) -> None:
        self._emails: dict[str, int] = {}
        self._people: dict[NameAndBirth, int] = {}
        self._phones: dict[str, int] = {}
        # Patients added by this import are compared as rows.
        self._newest = Patient.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        self._registered = Patient.objects.filter(pk__lte=self._newest).order_by()

    def match(self, lines: list[ImportLine]) -> None:
        """Set the verdict of each line. Three queries per batch."""
        valid = [line for line in lines if line.verdict != Verdict.ERROR]
        candidates = [Candidate(line, _people_keys(line.record), _phone_keys(line.record)) for line in valid]
        same_email = self._registered.in_bulk([line.record.email for line in valid], field_name="email")
        people = self._find_people({key for candidate in candidates for key in candidate.people})
        phones = self._find_phones({key for candidate in candidates for key in candidate.phones})
        self._refuse_repeated_emails(lines)
        for candidate in candidates:
            line = candidate.line
            if line.verdict == Verdict.ERROR:
                continue
            if patient := same_email.get(line.record.email):
                _match_registered(line, patient)
            else:
                self._match_similar(candidate, people, phones)
            self._add_row(candidate)

    def _refuse_repeated_emails(self, lines: list[ImportLine]) -> None:
        """Refuse the rows with the e-mail of an earlier row, as either could be the right one."""
        for line in lines:
            if email := line.record.email:
                earlier = self._emails.setdefault(email, line.number)
                if earlier != line.number:
                    line.refuse("E-mail", _("Row %(row)d has the same e-mail.") % {"row": earlier})

    def _find_people(self, keys: set[NameAndBirth]) -> dict[NameAndBirth, int]:
        names_of, births_of = {key for key, _born in keys}, {born for _key, born in keys}
        found = self._registered.filter(name_key__in=names_of, date_of_birth__in=births_of)
        counted = found.values_list("name_key", "date_of_birth").annotate(first=Min("pk"))
        return {(key, born): pk for key, born, pk in counted}

    def _find_phones(self, keys: set[str]) -> dict[str, int]:
        # Only the first patient with a number: thousands may share that of a switchboard.
        found = SearchKey.objects.filter(key__in=keys, patient_id__lte=self._newest).order_by()
        return dict(found.values_list("key").annotate(first=Min("patient_id")))

    def _match_similar(self, candidate: Candidate, people: dict[NameAndBirth, int], phones: dict[str, int]) -> None:
        line = candidate.line
        if pk := _first(people, candidate.people):
            line.set_verdict(Verdict.SAME_PERSON, _("Same name and date of birth as this patient:"), similar_id=pk)
        elif earlier := _first(self._people, candidate.people):
            line.set_verdict(Verdict.SAME_PERSON, _("Same name and date of birth as row %(row)d.") % {"row": earlier})
        elif pk := _first(phones, candidate.phones):
            line.set_verdict(Verdict.SAME_PHONE, _("Same phone number as this patient:"), similar_id=pk)
        elif earlier := _first(self._phones, candidate.phones):
            line.set_verdict(Verdict.SAME_PHONE, _("Same phone number as row %(row)d.") % {"row": earlier})

    def _add_row(self, candidate: Candidate) -> None:
        number = candidate.line.number
        for key in candidate.people:
            self._people.setdefault(key, number)
        for phone in candidate.phones:
            self._phones.setdefault(phone, number)


def _match_registered(line: ImportLine, patient: Patient) -> None:
    """Set the verdict of a row whose e-mail is registered, with the columns in which it differs from the record."""
    given = {name: getattr(line.record, name) for name in line.cells if getattr(line.record, name)}
    differs = [name for name, value in given.items() if not _is_same_value(name, getattr(patient, name), value)]
    if differs:
        columns = ", ".join(PatientResource.fields[name].column_name.lower() for name in differs)
        message = _("This patient has the e-mail, with another %(columns)s:") % {"columns": columns}
        line.set_verdict(Verdict.DIFFERS, message, similar_id=patient.pk)
    else:
        line.set_verdict(Verdict.REGISTERED, _("This patient has the e-mail:"), similar_id=patient.pk)


def _is_same_value(name: str, stored: Any, given: Any) -> bool:
    """Compare a field of a record with a row's, in any spelling."""
    if name == "phone_number":
        return stored == given or not phone_keys_to_compare(stored).isdisjoint(phone_keys_to_compare(given))
    return names.fold(stored) == names.fold(given) if isinstance(stored, str) else stored == given


def _people_keys(record: Patient) -> list[NameAndBirth]:
    """Return folded name and date of birth, the name in both orders; empty without both."""
    if record.date_of_birth is None:
        return []
    orders = (record.first_name, record.last_name), (record.last_name, record.first_name)
    return [(key, record.date_of_birth) for order in orders if (key := names.sort_key(*order))]


def _phone_keys(record: Patient) -> set[str]:
    return phone_keys_to_compare(record.phone_number)


def _first(known: dict[Any, int], keys: Any) -> int | None:
    """Return the lowest value that is known for any of the keys."""
    return min((known[key] for key in keys if key in known), default=None)
