"""Doctors in files: the columns they have there, and who of a file is kept already."""

from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from import_export.fields import Field
from import_export.resources import Resource

from clinic.core import names
from clinic.models import Verdict
from clinic.spreadsheets.cells import TextWidget, WholeNumberWidget, YesNoWidget
from clinic.spreadsheets.importer import Importer, Judge, Line
from doctors.models import Doctor


class DoctorResource(Resource):
    """A doctor as a row. What is left empty is as for a doctor who is typed in."""

    full_name = Field("full_name", "Name", TextWidget())
    specialization = Field("specialization", "Specialization", TextWidget())
    is_active = Field("is_active", "Active", YesNoWidget(), saves_null_values=False)
    usual_minutes = Field("usual_minutes", "Usual length in minutes", WholeNumberWidget(), saves_null_values=False)
    gap_minutes = Field("gap_minutes", "Gap in minutes", WholeNumberWidget(), saves_null_values=False)


class DoctorImporter(Importer):
    """Doctors. Who is kept already, by name and specialization, is left alone."""

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

    def judge(self) -> Judge:
        """Return who compares with the doctors kept now."""
        return DoctorJudge()


_COMPARED = ("is_active", "usual_minutes", "gap_minutes")


class Kept(NamedTuple):
    """A doctor who is kept already, with what a row may say otherwise, in the order of `_COMPARED`."""

    pk: int
    facts: tuple[Any, ...]


class DoctorJudge(Judge):
    """Compares rows with doctors by name and specialization, without case and marks. One query a file."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Kept]] = {}
        self._rows: dict[str, dict[str, int]] = {}
        kept = Doctor.objects.values_list("pk", "full_name", "specialization", *_COMPARED).order_by("pk")
        for pk, name, specialization, *facts in kept:
            of_name = self._kept.setdefault(names.fold(name), {})
            of_name.setdefault(names.fold(specialization), Kept(pk, tuple(facts)))

    def judge(self, lines: list[Line]) -> None:
        """Give each line its verdict. No query."""
        for line in lines:
            if line.verdict != Verdict.ERROR:
                self._settle(line)

    def _settle(self, line: Line) -> None:
        name, specialization = names.fold(line.record.full_name), names.fold(line.record.specialization)
        kept, rows = self._kept.get(name, {}), self._rows.setdefault(name, {})
        if specialization in rows:
            line.refuse("Name", _("Row %(row)d is the same doctor.") % {"row": rows[specialization]})
        elif specialization in kept:
            _settle_registered(line, kept[specialization])
        elif kept:
            line.settle(
                Verdict.SAME_PERSON, _("Same name as this doctor:"), like=min(each.pk for each in kept.values())
            )
        elif rows:
            line.settle(Verdict.SAME_PERSON, _("Same name as row %(row)d.") % {"row": min(rows.values())})
        rows.setdefault(specialization, line.number)


def _settle_registered(line: Line, kept: Kept) -> None:
    """Say that the row's doctor is kept already, and in what the row says otherwise; an empty cell says nothing."""
    differs = [
        DoctorResource.fields[name].column_name.lower()
        for name, held in zip(_COMPARED, kept.facts, strict=True)
        if line.cells.get(name, "").strip() and getattr(line.record, name) != held
    ]
    if differs:
        said = _("This doctor has the name and specialization, but differs in %(columns)s:")
        line.settle(Verdict.DIFFERS, said % {"columns": ", ".join(differs)}, like=kept.pk)
    else:
        line.settle(Verdict.REGISTERED, _("Same name and specialization as this doctor:"), like=kept.pk)
