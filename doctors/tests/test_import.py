"""Import of doctors, as far as it differs from that of patients."""

import pytest

from clinic.models import AuditEntry, Verdict
from clinic.tests.sheets import csv_rows, xlsx_rows
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory

pytestmark = pytest.mark.usefixtures("db")

UPLOAD = "/doctors/import/"
HEADER = ["Name", "Specialization", "Active", "Usual length in minutes", "Gap in minutes"]
OKAFOR = ["Dr James Okafor", "Cardiology", "no", "20", "5"]
SILVA = ["Dr Ana Silva", "Dermatology", "", "", ""]


def preview(client, *rows, make=csv_rows):
    address = client.post(UPLOAD, {"file": make(HEADER, *rows)})["Location"]
    return address, client.get(address).context


def verdicts(context):
    return {row.number: row.verdict for row in context["rows"]}


@pytest.mark.both_databases
@pytest.mark.parametrize("make", [csv_rows, xlsx_rows])
def test_confirmed_rows_are_doctors_and_empty_cells_are_defaults(in_admin, administrator, make):
    address, _context = preview(in_admin, OKAFOR, SILVA, make=make)

    in_admin.post(address)

    facts = ("full_name", "specialization", "is_active", "usual_minutes", "gap_minutes")
    assert list(Doctor.objects.order_by("pk").values_list(*facts)) == [
        ("Dr James Okafor", "Cardiology", False, 20, 5),
        ("Dr Ana Silva", "Dermatology", True, 30, 0),
    ]
    for doctor in Doctor.objects.all():
        entry = AuditEntry.objects.get_for_object(doctor).get()
        assert entry.actor == administrator
        assert entry.changes["full_name"] == ["None", doctor.full_name]


def test_optional_columns_may_be_missing(in_admin):
    file = csv_rows(["full_name", "Specialty"], SILVA[:2])

    in_admin.post(in_admin.post(UPLOAD, {"file": file})["Location"])

    assert Doctor.objects.get().is_active


def test_row_is_refused_by_the_rules_of_a_doctor(in_admin):
    refusals = [
        (["", *OKAFOR[1:]], "Name"),
        ([OKAFOR[0], "", "", "", ""], "Specialization"),
        ([*OKAFOR[:2], "perhaps", "", ""], "Active"),
        ([*OKAFOR[:2], "", "14", ""], "Usual length in minutes"),
        ([*OKAFOR[:2], "", "half an hour", ""], "Usual length in minutes"),
        ([*OKAFOR[:2], "", "", "61"], "Gap in minutes"),
    ]
    for row, column in refusals:
        address, context = preview(in_admin, row, SILVA)
        in_admin.post(address)

        assert verdicts(context) == {2: Verdict.ERROR, 3: Verdict.NEW}, row
        assert [remark[0] for remark in context["rows"][0].remarks] == [column], row
        assert not Doctor.objects.exists(), row


@pytest.mark.both_databases
def test_rows_are_compared_with_doctors_by_name_and_specialization(in_admin):
    stored = DoctorFactory(
        full_name="Dr Jámes Okafor", specialization="Cardiology", is_active=False, usual_minutes=20, gap_minutes=5
    )

    address, context = preview(in_admin, OKAFOR, ["DR JAMES OKAFOR", "Surgery", "", "", ""], SILVA)
    in_admin.post(address)

    assert verdicts(context) == {2: Verdict.REGISTERED, 3: Verdict.SAME_PERSON, 4: Verdict.NEW}
    assert [row.similar for row in context["rows"] if row.number in (2, 3)] == [stored, stored]
    assert set(Doctor.objects.values_list("full_name", flat=True)) == {"Dr Jámes Okafor", "Dr Ana Silva"}


def test_existing_doctor_is_shown_with_the_differing_columns(in_admin):
    stored = DoctorFactory(full_name="Dr James Okafor", specialization="Cardiology", usual_minutes=30, gap_minutes=0)
    differences = [
        (["no", "30", "0"], "active"),
        (["", "20", ""], "usual length in minutes"),
        (["yes", "30", "10"], "gap in minutes"),
        (["no", "20", "10"], "active, usual length in minutes, gap in minutes"),
    ]
    for cells, differs in differences:
        _address, context = preview(in_admin, [*OKAFOR[:2], *cells])

        row = context["rows"][0]
        assert (row.verdict, row.similar) == (Verdict.DIFFERS, stored), cells
        assert row.remarks[0][1].endswith(f"differs in {differs}:"), cells


def test_existing_doctor_with_equal_or_empty_cells_does_not_differ(in_admin):
    DoctorFactory(full_name="Dr James Okafor", specialization="Cardiology", usual_minutes=30, gap_minutes=0)

    for cells in (["", "", ""], ["yes", "30", "0"]):
        _address, context = preview(in_admin, [*OKAFOR[:2], *cells])

        assert verdicts(context) == {2: Verdict.REGISTERED}, cells


def test_cells_not_understood_or_empty_are_shown_as_typed(in_admin):
    for cells in (["perhaps", "half an hour", "much"], ["", "", ""], ["no", "14", "61"]):
        _address, context = preview(in_admin, [*OKAFOR[:2], *cells])

        assert [value for _label, value in context["rows"][0].labelled] == [*OKAFOR[:2], *cells]


@pytest.mark.both_databases
def test_rows_are_compared_with_those_before_them(in_admin):
    _address, context = preview(in_admin, SILVA, ["Dr Ana Sílva", "dermatology", "", "", ""], [SILVA[0], "Surgery"])

    assert verdicts(context) == {3: Verdict.ERROR, 4: Verdict.SAME_PERSON, 2: Verdict.NEW}


def test_namesake_is_imported_if_chosen(in_admin):
    DoctorFactory(full_name="Dr James Okafor", specialization="Surgery")
    address, _context = preview(in_admin, OKAFOR)

    in_admin.post(address, {"also": [Verdict.SAME_PERSON]})

    assert Doctor.objects.filter(full_name="Dr James Okafor").count() == 2


def test_doctor_added_since_the_preview_is_noticed(in_admin):
    address, _context = preview(in_admin, OKAFOR, SILVA)
    DoctorFactory(full_name="Dr Ana Silva", specialization="Dermatology")

    response = in_admin.post(address, follow=True)

    assert verdicts(response.context) == {3: Verdict.REGISTERED, 2: Verdict.NEW}
    assert Doctor.objects.count() == 1


def test_doctors_list_links_administrators_to_the_import(in_admin):
    assert f'href="{UPLOAD}"' in in_admin.get("/doctors/").content.decode()


def test_doctor_list_links_only_administrators_to_the_import(at_desk):
    assert UPLOAD not in at_desk.get("/doctors/").content.decode()


def test_import_of_doctors_asks_nothing_about_dates(in_admin):
    assert "month_first" not in in_admin.get(UPLOAD).context["form"].fields
