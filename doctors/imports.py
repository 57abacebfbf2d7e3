"""Import of doctors from files: their columns, and which of them exist already."""

from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from import_export.fields import Field
from import_export.resources import Resource

from clinic.core import names
from clinic.models import Verdict
from clinic.spreadsheets.cells import TextWidget, WholeNumberWidget, YesNoWidget
from clinic.spreadsheets.importer import Importer, ImportLine, RowMatcher
from doctors.models import Doctor


class DoctorResource(Resource):
    """A doctor as a row; empty cells get the usual defaults."""

    full_name = Field("full_name", "Name", TextWidget())
    specialization = Field("specialization", "Specialization", TextWidget())
    is_active = Field("is_active", "Active", YesNoWidget(), saves_null_values=False)
    usual_minutes = Field("usual_minutes", "Usual length in minutes", WholeNumberWidget(), saves_null_values=False)
    gap_minutes = Field("gap_minutes", "Gap in minutes", WholeNumberWidget(), saves_null_values=False)


class DoctorImporter(Importer):
    """Imports doctors; existing ones, by name and specialization, are left alone."""

    kind = "doctors"
    noun = "doctor"
    list_url = "doctors:doctor_list"
    model = Doctor
    resource_class = DoctorResource
    required = ("full_name", "specialization")
    aliases = {
        "doctor": "full_name",
        "speciality": "specialization",
        "specialty": "specialization",
        "specialisation": "specialization",
        "usualminutes": "usual_minutes",
        "length": "usual_minutes",
        "gap": "gap_minutes",
    }
    verdict_labels = {Verdict.SAME_PERSON: "same name, another specialization"}

    def matcher(self) -> RowMatcher:
        return DoctorMatcher()


_COMPARED = ("is_active", "usual_minutes", "gap_minutes")


class Existing(NamedTuple):
    """An existing doctor, with the values of `_COMPARED`."""

    pk: int
    values: tuple[Any, ...]


class DoctorMatcher(RowMatcher):
    """Compares rows with doctors by name and specialization, ignoring case and accents. One query per file."""

    def __init__(self) -> None:
        self._existing: dict[str, dict[str, Existing]] = {}
        self._rows: dict[str, dict[str, int]] = {}
        doctors = Doctor.objects.values_list("pk", "full_name", "specialization", *_COMPARED).order_by("pk")
        for pk, name, specialization, *values in doctors:
            of_name = self._existing.setdefault(names.fold(name), {})
            of_name.setdefault(names.fold(specialization), Existing(pk, tuple(values)))

    def match(self, lines: list[ImportLine]) -> None:
        for line in lines:
            if line.verdict != Verdict.ERROR:
                self._match_line(line)

    def _match_line(self, line: ImportLine) -> None:
        name, specialization = names.fold(line.record.full_name), names.fold(line.record.specialization)
        existing, rows = self._existing.get(name, {}), self._rows.setdefault(name, {})
        if specialization in rows:
            line.refuse("Name", _("Row %(row)d is the same doctor.") % {"row": rows[specialization]})
        elif specialization in existing:
            _match_existing(line, existing[specialization])
        elif existing:
            line.set_verdict(
                Verdict.SAME_PERSON,
                _("Same name as this doctor:"),
                similar_id=min(each.pk for each in existing.values()),
            )
        elif rows:
            line.set_verdict(Verdict.SAME_PERSON, _("Same name as row %(row)d.") % {"row": min(rows.values())})
        rows.setdefault(specialization, line.number)


def _match_existing(line: ImportLine, existing: Existing) -> None:
    """Say that the doctor exists already, and in which columns the row differs; empty cells do not differ."""
    differs = [
        DoctorResource.fields[name].column_name.lower()
        for name, value in zip(_COMPARED, existing.values, strict=True)
        if line.cells.get(name, "").strip() and getattr(line.record, name) != value
    ]
    if differs:
        message = _("This doctor has the name and specialization, but differs in %(columns)s:")
        line.set_verdict(Verdict.DIFFERS, message % {"columns": ", ".join(differs)}, similar_id=existing.pk)
    else:
        line.set_verdict(Verdict.REGISTERED, _("Same name and specialization as this doctor:"), similar_id=existing.pk)
