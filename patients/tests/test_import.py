"""Import of patients: preview, confirmation, and that it is all or nothing."""

import datetime as dt
import io
import threading
from unittest.mock import patch

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from clinic.accounts.roles import ADMINISTRATOR
from clinic.models import AuditEntry, ImportDraft, ImportRow, Verdict
from clinic.spreadsheets.drafts import open_draft
from clinic.tests.factories import UserFactory
from clinic.tests.kit import markup, rolled_back
from clinic.tests.sheets import csv_file, csv_rows, xlsx_rows
from patients.imports import PatientImporter
from patients.models import Patient, SearchKey
from patients.tests.factories import PatientFactory
from patients.tests.test_pages import REFUSALS, typed

UPLOAD = "/patients/import/"
HEADER = ["First name", "Last name", "E-mail", "Phone number", "Date of birth"]
ANA = ["Ana", "Lima", "ana@example.org", "+351 912 000 001", "1990-04-03"]
RUI = ["Rui", "Sá", "rui@example.org", "", ""]


@pytest.fixture
def maria(db):
    return PatientFactory(
        first_name="Maria",
        last_name="Santos",
        email="maria@example.org",
        phone_number="+351 912 345 678",
        date_of_birth=dt.date(1984, 3, 9),
    )


def upload(client, file, month_first="day"):
    return client.post(UPLOAD, {"file": file, "month_first": month_first})


def preview(client, *rows, month_first="day"):
    """Upload rows with the usual header; return the URL and context of the preview."""
    address = upload(client, csv_rows(HEADER, *rows), month_first)["Location"]
    return address, client.get(address).context


def refused(response):
    return [error.code for error in response.context["form"].errors.as_data()["file"]]


def verdicts(context):
    return {row.number: row.verdict for row in context["rows"]}


def remarks(context, number):
    return [tuple(remark) for row in context["rows"] if row.number == number for remark in row.remarks]


def messages_of(response):
    return [str(message) for message in response.context["messages"]]


def many(count):
    """Rows of people without common data."""
    for number in range(count):
        yield [f"Ana{number}", f"Lima{number}", f"ana{number}@example.org", f"+351 93{number:07}", "1990-04-03"]


# Content of files


@pytest.mark.both_databases
@pytest.mark.parametrize("make", [csv_rows, xlsx_rows])
def test_confirmed_rows_are_patients_like_those_typed_in(in_admin, administrator, make):
    address = upload(in_admin, make(HEADER, ANA, RUI))["Location"]
    assert not Patient.objects.exists()

    response = in_admin.post(address, follow=True)

    assert messages_of(response) == ["Imported: 2 patients."]
    ana, rui = Patient.objects.order_by("pk")
    assert (ana.full_name, ana.email, ana.phone_number) == ("Ana Lima", "ana@example.org", "+351 912 000 001")
    assert ana.date_of_birth == dt.date(1990, 4, 3)
    assert (rui.phone_number, rui.date_of_birth) == ("", None)
    assert list(Patient.objects.search("912000001")) == [ana]
    assert list(Patient.objects.search("sa rui")) == [rui]


def test_workbook_cells_are_read_as_they_are_displayed(in_admin):
    file = xlsx_rows(
        HEADER,
        ["Ana", "Lima", "ana@example.org", 912345678, dt.datetime.fromisoformat("1990-04-03")],
        ["Rui", "Sá", "rui@example.org", 912345679.0, dt.date(1991, 5, 4)],
        ["Eva", "Sol", "eva@example.org", "'+351 913", "04/05/1992"],
    )

    in_admin.post(upload(in_admin, file)["Location"])

    assert list(Patient.objects.order_by("pk").values_list("phone_number", "date_of_birth")) == [
        ("912345678", dt.date(1990, 4, 3)),
        ("912345679", dt.date(1991, 5, 4)),
        ("+351 913", dt.date(1992, 5, 4)),
    ]


def test_columns_can_have_any_usual_name_in_any_order(in_admin):
    file = csv_file(" E-MAIL ;surname;FIRST_NAME;Born;Telephone\nana@example.org;Lima;Ana;3.4.1990;912 000 001\n")

    in_admin.post(upload(in_admin, file)["Location"])

    patient = Patient.objects.get()
    assert (patient.full_name, patient.email) == ("Ana Lima", "ana@example.org")
    assert (patient.date_of_birth, patient.phone_number) == (dt.date(1990, 4, 3), "912 000 001")


def test_columns_are_recognised_without_brackets_and_number_sign(in_admin):
    file = csv_file(
        "First name(s);Surname [family];E-mail (private);Phone No.;DOB (day/month/year)\r"
        "Ana;Lima;ana@example.org;912 000 001;3.4.1990\r"
    )

    in_admin.post(upload(in_admin, file)["Location"])

    patient = Patient.objects.get()
    assert (patient.full_name, patient.email) == ("Ana Lima", "ana@example.org")
    assert (patient.phone_number, patient.date_of_birth) == ("912 000 001", dt.date(1990, 4, 3))


def test_column_with_brackets_next_to_one_without_is_different(in_admin):
    address = upload(in_admin, csv_rows([*HEADER, "E-mail (work)"], [*ANA, "work@example.org"]))["Location"]

    assert in_admin.get(address).context["notices"] == ["Columns that are not imported: E-mail (work)."]
    in_admin.post(address)
    assert Patient.objects.get().email == "ana@example.org"


def test_two_columns_that_differ_in_brackets_only_are_refused(in_admin):
    header = [*HEADER[:2], "E-mail (work)", "E-mail (private)"]

    assert refused(upload(in_admin, csv_rows(header, ["Ana", "Lima", "a@example.org", "b@example.org"]))) == ["columns"]


def test_unknown_columns_are_named_and_ignored(in_admin):
    address = upload(in_admin, csv_rows([*HEADER, "NIF", ""], [*ANA, "123", ""]))["Location"]

    page = in_admin.get(address)

    assert "Columns that are not imported: NIF." in page.content.decode()


def test_columns_with_cells_but_no_name_are_named_by_their_letter(in_admin):
    for make in (csv_rows, xlsx_rows):
        address = upload(in_admin, make([*HEADER[:2], "", *HEADER[2:], "", ""], [*ANA[:2], "x", *ANA[2:], "", "y"]))

        page = in_admin.get(address["Location"])

        assert page.context["notices"] == ["Columns that are not imported: C (without a name), H (without a name)."]
        assert verdicts(page.context) == {2: Verdict.NEW}, make


def test_guessed_encoding_is_shown_with_a_sample(in_admin):
    text = ",".join(HEADER) + "\nAna,Lima,a@example.org,,\nJoão,Sá,j@example.org,,\n"

    notices = in_admin.get(upload(in_admin, csv_file(text, "cp1252"))["Location"]).context["notices"]

    assert "Windows-1252: “João” in row 3" in notices[0]
    assert in_admin.get(upload(in_admin, csv_file(text))["Location"]).context["notices"] == []


def test_sheets_that_are_not_imported_are_named(in_admin):
    workbook = load_workbook(xlsx_rows(HEADER, ANA))
    workbook.create_sheet("Old patients").append(HEADER)
    file = io.BytesIO()
    workbook.save(file)

    address = upload(in_admin, SimpleUploadedFile("people.xlsx", file.getvalue()))["Location"]

    assert in_admin.get(address).context["notices"] == [
        "Only the first sheet is imported. Others with cells: Old patients."
    ]


def test_formula_without_a_value_is_an_error_of_its_cell(in_admin):
    file = xlsx_rows(HEADER, [*ANA[:3], "=A1", ANA[4]])

    context = in_admin.get(upload(in_admin, file)["Location"]).context

    assert remarks(context, 2)[0][0] == "Phone number"
    assert "formula without a value" in remarks(context, 2)[0][1]


def test_file_without_required_columns_is_refused_with_their_names(in_admin):
    headers = [
        (["First name", "E-mail"], ["no column Last name"]),
        (["Nome", "Apelido"], ["no column First name, Last name, E-mail", "Unknown columns: Nome, Apelido"]),
        ([*HEADER, "Surname"], ["several columns Last name"]),
    ]
    for header, named in headers:
        response = upload(in_admin, csv_rows(header, ["x"] * len(header)))

        assert refused(response) == ["columns"], header
        for text in named:
            assert text in response.context["form"].errors["file"][0]
        assert not ImportDraft.objects.exists(), header


def test_file_of_another_kind_by_its_name_is_refused(in_admin):
    for name in ("people.xls", "people.csv.exe", "people.html", "people", ".csv"):
        assert refused(upload(in_admin, csv_file("a,b\n1,2\n", name=name))) == ["invalid_extension"], name
        assert not ImportDraft.objects.exists(), name


def test_file_of_a_known_kind_by_its_name_is_opened(in_admin):
    for name in ("people.CSV", "people.tsv", "people.old.txt"):
        assert refused(upload(in_admin, csv_file("a,b\n1,2\n", name=name))) == ["columns"], name


def test_file_without_rows_is_refused(in_admin):
    files = [
        (csv_file(","), "no_rows"),
        (csv_rows(HEADER), "no_rows"),
        (csv_file(""), "empty"),
        (csv_file("a\0"), "not_a_sheet"),
    ]

    assert [refused(upload(in_admin, file)) for file, _code in files] == [[code] for _file, code in files]
    assert not ImportDraft.objects.exists()


def test_unsent_form_shows_no_errors(in_admin):
    assert not in_admin.get(UPLOAD).context["form"].is_bound


def test_form_without_a_file_is_refused(in_admin):
    assert refused(in_admin.post(UPLOAD, {"month_first": "day"})) == ["required"]


def test_dates_are_read_in_the_chosen_order_with_a_notice(in_admin):
    for month_first, day in (("day", dt.date(1990, 4, 3)), ("month", dt.date(1990, 3, 4))):
        with rolled_back():
            address, context = preview(in_admin, [*ANA[:4], "03/04/1990"], RUI, month_first=month_first)

            details = context["draft"].details
            assert details["misread"] == 1, month_first
            assert details["first_misread"] == {
                "row": 2,
                "typed": "03/04/1990",
                "read": day.isoformat(),
            }
            assert f"as {day:%-d %B %Y}" in context["notices"][0]
            in_admin.post(address)
            assert Patient.objects.get(email="ana@example.org").date_of_birth == day


# What each row would do

# A registered e-mail is no error here, and a file with a zero byte is none at all.
ELSEWHERE = {"email_taken", "null_characters_not_allowed"}


@pytest.mark.usefixtures("now")
def test_row_is_refused_by_the_rules_of_the_form(in_admin):
    refusals = [(changes, field) for changes, field, code in REFUSALS if code not in ELSEWHERE]
    assert len(refusals) > 15

    for changes, field in refusals:
        sent = typed(**changes)
        row = [sent[name] for name in ("first_name", "last_name", "email", "phone_number", "date_of_birth")]

        _address, context = preview(in_admin, row, ANA)

        assert verdicts(context) == {2: Verdict.ERROR, 3: Verdict.NEW}, changes
        label = PatientImporter().label(field)
        assert {column for column, _remark in remarks(context, 2)} == {label}, changes


def test_all_errors_of_a_row_are_reported_at_once(in_admin):
    _address, context = preview(in_admin, ANA, ["", "Lima", "ana@example.org", "12", "31/02/1990"])

    assert {column for column, _remark in remarks(context, 3)} == {
        "First name",
        "E-mail",
        "Phone number",
        "Date of birth",
    }


def test_row_with_more_cells_than_columns_is_refused(in_admin):
    _address, context = preview(in_admin, [*ANA, "", "shifted"])

    assert verdicts(context) == {2: Verdict.ERROR}


def test_row_with_fewer_cells_than_columns_has_them_empty(in_admin):
    _address, context = preview(in_admin, RUI[:3])

    assert verdicts(context) == {2: Verdict.NEW}


@pytest.mark.both_databases
def test_row_with_a_registered_email_changes_nothing(in_admin, maria):
    before = Patient.objects.values().get()

    for email in ("maria@example.org", " MARIA@Example.org "):
        with rolled_back():
            address, context = preview(in_admin, ["Maria", "Santos", email, "912345678", "09/03/1984"], RUI)
            in_admin.post(address, {"also": [Verdict.SAME_PERSON, Verdict.SAME_PHONE, Verdict.REGISTERED]})

            assert verdicts(context)[2] == Verdict.REGISTERED, email
            assert Patient.objects.values().get(pk=maria.pk) == before, email
            assert Patient.objects.count() == 2, email


def test_registered_email_with_other_data_shows_differences(in_admin, maria):
    _address, context = preview(in_admin, ["Mario", "Santos", "maria@example.org", "912345678", "1985-03-09"])

    assert verdicts(context) == {2: Verdict.DIFFERS}
    assert "first name, date of birth" in remarks(context, 2)[0][1]
    assert context["rows"][0].similar == maria


@pytest.mark.both_databases
def test_row_is_compared_like_the_form(in_admin, maria):
    rows = [
        (["María", "SANTOS", "other@example.org", "", "1984-03-09"], Verdict.SAME_PERSON),
        (["Santos", "Maria", "other@example.org", "", "09/03/1984"], Verdict.SAME_PERSON),
        (["Maria", "Santos", "other@example.org", "", "1984-03-10"], Verdict.NEW),
        (["Maria", "Santos", "other@example.org", "", ""], Verdict.NEW),
        (["Rita", "Lopes", "other@example.org", "00351 912345678", ""], Verdict.SAME_PHONE),
        (["Rita", "Lopes", "other@example.org", "912 345 678", ""], Verdict.SAME_PHONE),
        (["Rita", "Lopes", "other@example.org", "912 345 679", ""], Verdict.NEW),
    ]
    for row, verdict in rows:
        _address, context = preview(in_admin, row)

        assert verdicts(context) == {2: verdict}, row
        assert context["rows"][0].similar == (maria if verdict != Verdict.NEW else None), row


@pytest.mark.both_databases
def test_rows_are_compared_with_earlier_rows(in_admin):
    _address, context = preview(
        in_admin,
        ANA,
        ["Lima", "ana", "other@example.org", "", "03/04/1990"],
        ["Eva", "Sol", "eva@example.org", "912000001", ""],
        ["Eve", "Sol", "ANA@example.org", "", ""],
    )

    assert verdicts(context) == {5: Verdict.ERROR, 3: Verdict.SAME_PERSON, 4: Verdict.SAME_PHONE, 2: Verdict.NEW}
    assert "Row 2" in remarks(context, 5)[0][1]
    assert "row 2" in remarks(context, 3)[0][1]


def test_problems_come_first_and_every_row_can_be_reached(in_admin):
    rows = [*many(60), ["", "Lima", "nobody@example.org", "", ""]]

    address, first = preview(in_admin, *rows)
    second = in_admin.get(address, {"page": 2}).context
    errors = in_admin.get(address, {"show": Verdict.ERROR.value}).context

    assert next(iter(first["rows"])).number == 62
    numbers = [row.number for row in first["rows"] + second["rows"]]
    assert sorted(numbers) == list(range(2, 63))
    assert [row.number for row in errors["rows"]] == [62]


def test_nonsense_in_the_url_of_a_preview_shows_rows(in_admin):
    address, _context = preview(in_admin, ANA)

    for query in ({"page": "x"}, {"page": "999"}, {"show": "99"}, {"show": "x"}):
        assert len(in_admin.get(address, query).context["rows"]) == 1, query


# Confirming


def test_possible_duplicates_are_left_out_unless_chosen(in_admin, maria):
    choices = [
        ([], {"rui"}),
        ([Verdict.SAME_PERSON], {"rui", "namesake"}),
        ([Verdict.SAME_PHONE], {"rui", "child"}),
        ([Verdict.SAME_PERSON, Verdict.SAME_PHONE], {"rui", "namesake", "child"}),
        (["x", Verdict.ERROR, Verdict.REGISTERED], {"rui"}),
    ]
    for also, registered in choices:
        with rolled_back():
            address, _context = preview(
                in_admin,
                ["Maria", "Santos", "namesake@example.org", "", "1984-03-09"],
                ["Rita", "Santos", "child@example.org", "912345678", ""],
                RUI,
            )

            in_admin.post(address, {"also": also})

            emails = Patient.objects.exclude(pk=maria.pk).values_list("email", flat=True)
            assert {email.partition("@")[0] for email in emails} == registered, also


def test_file_with_an_error_cannot_be_confirmed(in_admin):
    address, context = preview(in_admin, ANA, ["", "Lima", "x@example.org", "", ""])

    in_admin.post(address, {"also": [Verdict.ERROR]})

    assert not context["can_be_confirmed"]
    assert not Patient.objects.exists()
    assert ImportRow.objects.count() == 2


@pytest.mark.both_databases
def test_imported_patient_has_the_same_audit_entry_as_a_typed_one(in_admin, administrator, now):
    address, _context = preview(in_admin, ANA)
    in_admin.post(address)
    imported = AuditEntry.objects.get_for_object(Patient.objects.get()).values().get()
    first_id = Patient.objects.get().pk
    Patient.objects.all().delete()
    fields = ("first_name", "last_name", "email", "phone_number", "date_of_birth")
    in_admin.post("/patients/new/", dict(zip(fields, ANA, strict=True)))

    saved = AuditEntry.objects.get_for_object(Patient.objects.get()).values().get()

    assert imported["actor_id"] == administrator.pk
    assert imported["remote_addr"] == "127.0.0.1"
    new_id = Patient.objects.get().pk
    for entry, pk in ((imported, first_id), (saved, new_id)):
        assert (entry.pop("object_id"), entry.pop("object_pk")) == (pk, str(pk))
        assert entry["changes"].pop("id") == ["None", str(pk)]
        assert entry.pop("patient_id") == pk
        del entry["id"]
    assert imported == saved


@pytest.mark.both_databases
def test_confirmed_twice_is_imported_once(in_admin):
    address, _context = preview(in_admin, ANA, RUI)

    answers = [in_admin.post(address, follow=True) for _ in range(2)]

    assert [messages_of(answer) for answer in answers] == [["Imported: 2 patients."]] * 2
    assert Patient.objects.count() == 2
    assert not ImportRow.objects.exists()


def test_cancelled_rows_are_deleted(in_admin):
    address, _context = preview(in_admin, ANA)

    in_admin.post(address, {"cancel": "1"})

    assert not ImportRow.objects.exists()
    assert not Patient.objects.exists()
    assert in_admin.post(address)["Location"] == UPLOAD


def test_new_upload_replaces_the_previous_one_with_a_message(in_admin):
    address, _context = preview(in_admin, ANA)

    newer, _context = preview(in_admin, RUI)

    for response in (in_admin.get(address, follow=True), in_admin.post(address, follow=True)):
        assert response.redirect_chain == [(newer, 302)]
        assert "a newer upload has taken its place" in messages_of(response)[0]
    assert not Patient.objects.exists()
    assert [row.cells["first_name"] for row in ImportRow.objects.all()] == ["Rui"]


def test_refused_upload_keeps_the_previous_preview(in_admin):
    address, _context = preview(in_admin, ANA)

    for file in (csv_file("Nome\nAna\n"), csv_rows(HEADER), csv_file('"')):
        assert upload(in_admin, file).status_code == 200

    in_admin.post(address)
    assert Patient.objects.get().first_name == "Ana"


def test_cancelling_a_confirmed_import_reports_the_import(in_admin):
    address, _context = preview(in_admin, ANA, RUI)
    in_admin.post(address)

    response = in_admin.post(address, {"cancel": "1"}, follow=True)

    assert "imported already, 2 patients" in messages_of(response)[-1]
    assert response.redirect_chain == [(address, 302)]
    assert Patient.objects.count() == 2


def test_result_lists_counts_and_skipped_rows(in_admin, maria):
    address, _context = preview(
        in_admin,
        ["Maria", "Santos", "namesake@example.org", "", "1984-03-09"],
        ["Rita", "Santos", "child@example.org", "912345678", ""],
        ["Maria", "Santos", "maria@example.org", "", ""],
        RUI,
    )

    result = in_admin.post(address, {"also": [Verdict.SAME_PHONE]}, follow=True)

    assert messages_of(result) == ["Imported: 2 patients."]
    assert result.context["registered"] == "2 patients"
    assert [(share.verdict, share.rows) for share in result.context["shares"]] == [
        (Verdict.SAME_PERSON, 1),
        (Verdict.REGISTERED, 1),
    ]
    assert [(row.number, row.similar) for row in result.context["rows"]] == [(2, maria), (4, maria)]
    assert maria.get_absolute_url() in result.content.decode()
    assert set(ImportRow.objects.values_list("number", flat=True)) == {2, 4}


def test_result_can_be_seen_again_without_its_message(in_admin):
    address, _context = preview(in_admin, ANA)
    in_admin.post(address, follow=True)

    again = in_admin.get(address)

    assert again.context["registered"] == "1 patient"
    assert messages_of(again) == []


def test_dismissed_result_is_deleted(in_admin, maria):
    address, _context = preview(in_admin, RUI, ["Maria", "Santos", "maria@example.org", "", ""])
    in_admin.post(address)

    in_admin.post(address, {"dismiss": "1"})

    assert not ImportDraft.objects.exists()
    assert Patient.objects.count() == 2


def test_unconfirmed_preview_cannot_be_dismissed(in_admin):
    address, _context = preview(in_admin, ANA)

    in_admin.post(address, {"dismiss": "1"})

    assert ImportRow.objects.count() == 1


def test_preview_stays_if_no_row_is_ticked_or_new(in_admin, maria):
    address, _context = preview(in_admin, ["Maria", "Santos", "other@example.org", "", "1984-03-09"])

    response = in_admin.post(address, follow=True)

    assert "Tick" in messages_of(response)[0]
    assert verdicts(response.context) == {2: Verdict.SAME_PERSON}
    in_admin.post(address, {"also": [Verdict.SAME_PERSON]})
    assert Patient.objects.count() == 2


def test_button_mentions_ticks_only_if_there_are_any(in_admin, maria):
    rita, registered = ["Rita", "Sol", "rita@example.org", "912345678", ""], ["Maria", "Santos", maria.email, "", ""]
    wordings = [
        ([RUI], "Import 1 patient<"),
        ([RUI, registered], "Import 1 patient<"),
        ([RUI, rita], "Import 1 patient and what is ticked<"),
        ([rita], "Import what is ticked<"),
    ]
    for rows, wording in wordings:
        address, _context = preview(in_admin, *rows)

        assert wording in markup(in_admin.get(address)), rows


def test_ticks_stay_when_other_rows_are_shown(in_admin, maria):
    children = [[f"Rita{number}", "Sol", f"rita{number}@example.org", "912345678", ""] for number in range(60)]
    address, _context = preview(in_admin, *children, RUI)

    turned = in_admin.post(address, {"look": "page=2&show=3", "also": [Verdict.SAME_PHONE]}, follow=True).context

    assert (turned["page"].number, turned["shown"]) == (2, Verdict.SAME_PHONE)
    assert [share.is_ticked for share in turned["shares"]] == [True, False]
    assert Patient.objects.count() == 1


def test_ticks_stay_when_something_has_changed_meanwhile(in_admin, maria):
    address, _context = preview(in_admin, ["Rita", "Sol", "rita@example.org", "912345678", ""], RUI)
    PatientFactory(email="rui@example.org")

    response = in_admin.post(address, {"also": [Verdict.SAME_PHONE]}, follow=True)

    assert next(share for share in response.context["shares"] if share.is_doubtful).is_ticked


def test_other_rows_are_shown_on_the_same_page(in_admin):
    address, _context = preview(in_admin, ANA)

    for look in ("", "page=x&show=", "http://example.org/", "page=1&next=//example.org"):
        assert in_admin.post(address, {"look": look})["Location"].partition("?")[0] == address, look


def test_errors_are_counted_by_column(in_admin):
    rows = [[f"Ana{number}", "Lima", f"ana{number}@example.org", "12", ""] for number in range(1200)]

    _address, context = preview(in_admin, *rows, ["Eva", "Sol", "eva@example.org", "12", "31/02/1990"], ANA)

    assert context["errors_text"] == "1,201 rows: Phone number 1,201 · Date of birth 1"
    assert context["total_text"] == "1,202 rows"
    assert context["turns"] == [("Next rows", 2), ("Last rows", 25)]


def test_preview_is_for_its_owner_only(in_admin):
    address, _context = preview(in_admin, ANA)
    other = Client()
    other.force_login(UserFactory(role=ADMINISTRATOR))

    assert other.get(address)["Location"] == UPLOAD
    assert other.post(address)["Location"] == UPLOAD
    assert other.post(address, {"cancel": "1"})["Location"] == UPLOAD
    assert ImportRow.objects.count() == 1
    assert not Patient.objects.exists()


def test_preview_of_patients_cannot_be_confirmed_as_one_of_doctors(in_admin):
    address, _context = preview(in_admin, ANA)

    assert in_admin.post(address.replace("patients", "doctors"))["Location"] == "/doctors/import/"
    assert ImportRow.objects.count() == 1


@pytest.mark.parametrize(("minutes", "is_there"), [(59, True), (60, False)])
def test_preview_lasts_an_hour(in_admin, now, minutes, is_there):
    address, _context = preview(in_admin, ANA)
    now.shift(dt.timedelta(minutes=minutes))

    response = in_admin.post(address, follow=True)

    assert Patient.objects.exists() is is_there
    assert ("older than an hour" in messages_of(response)[0]) is not is_there


def test_rows_older_than_an_hour_are_deleted_at_any_login(in_admin, receptionist, now):
    preview(in_admin, ANA)
    now.shift(dt.timedelta(minutes=61))

    Client().post("/accounts/login/", {"username": receptionist.username, "password": "demo-clinic-2026"})

    assert not ImportRow.objects.exists()


def test_log_records_an_import_without_names(in_admin, administrator, caplog):
    address, _context = preview(in_admin, ANA)

    with caplog.at_level("INFO"):
        in_admin.post(address)

    assert f"import of patients by user {administrator.pk}: 1 registered" in caplog.text
    assert "Ana" not in caplog.text
    assert "ana@" not in caplog.text


# All or nothing


@pytest.mark.both_databases
def test_changes_since_the_preview_are_shown_before_the_import(in_admin):
    address, _context = preview(in_admin, RUI, ANA)
    PatientFactory(email="ana@example.org", first_name="Anna")

    response = in_admin.post(address, follow=True)

    assert Patient.objects.count() == 1
    assert "since this preview" in messages_of(response)[0]
    assert verdicts(response.context) == {3: Verdict.DIFFERS, 2: Verdict.NEW}
    in_admin.post(address)
    assert set(Patient.objects.values_list("email", flat=True)) == {"ana@example.org", "rui@example.org"}


def test_record_deleted_since_the_preview_is_noticed(in_admin, maria):
    address, _context = preview(in_admin, ["Maria", "Santos", "maria@example.org", "", ""])
    maria.delete()

    response = in_admin.post(address, follow=True)

    assert verdicts(response.context) == {2: Verdict.NEW}
    assert not Patient.objects.exists()


@pytest.mark.both_databases
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite allows no other writes during an import")
@pytest.mark.django_db(transaction=True)
def test_email_registered_between_check_and_write_rolls_the_import_back(in_admin):
    address, _context = preview(in_admin, *many(600))
    insert = PatientImporter.insert
    batches = []

    def insert_after_rival(importer, records):
        batches.append(len(records))
        if len(batches) == 2:
            in_another_connection(lambda: PatientFactory(email=records[-1].email))
        insert(importer, records)

    with patch.object(PatientImporter, "insert", insert_after_rival):
        response = in_admin.post(address, follow=True)

    assert batches == [500, 100, 500]  # repeated, and found to have changed in the second batch
    assert "since this preview" in messages_of(response)[0]
    assert Patient.objects.count() == AuditEntry.objects.writes().filter(content_type__model="patient").count() == 1
    assert next(row.number for row in response.context["rows"]) == 601


@pytest.mark.both_databases
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one write after the other anyway")
@pytest.mark.django_db(transaction=True)
def test_two_simultaneous_confirmations_import_once(in_admin, administrator):
    address, _context = preview(in_admin, *many(600))
    insert = PatientImporter.insert
    answers = []

    def second_click():
        other = Client()
        other.force_login(administrator)
        answers.append(messages_of(other.post(address, follow=True)))
        connection.close()

    second = threading.Thread(target=second_click)

    def insert_during_second_click(importer, records):
        if not second.ident:
            second.start()
            second.join(timeout=1)  # it waits for the draft
        insert(importer, records)

    with patch.object(PatientImporter, "insert", insert_during_second_click):
        answers.append(messages_of(in_admin.post(address, follow=True)))
        second.join()

    assert answers == [["Imported: 600 patients."]] * 2
    assert Patient.objects.count() == 600


def in_another_connection(work):
    def run():
        work()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_import_whose_audit_entries_fail_stores_nothing(in_admin, client):
    address, _context = preview(in_admin, *many(600))
    record_created = AuditEntry.objects.record_created
    written = []

    def failing(records):
        written.append(len(records))
        if len(written) == 2:
            raise RuntimeError("the audit trail is full")
        record_created(records)

    client.raise_request_exception = False
    with patch.object(AuditEntry.objects, "record_created", failing):
        response = client.post(address)

    assert response.status_code == 500
    assert written == [500, 100]
    assert not Patient.objects.exists()
    assert not SearchKey.objects.exists()
    assert not AuditEntry.objects.writes().filter(content_type__model="patient").exists()
    assert ImportRow.objects.count() == 600
    client.post(address)
    assert Patient.objects.count() == 600


@pytest.mark.stress
@pytest.mark.django_db(transaction=True)
def test_import_that_fails_at_row_19999_stores_nothing(in_admin):
    address = upload(in_admin, csv_rows(HEADER, *many(20_000)))["Location"]
    taken = ImportRow.objects.get(number=20_000)  # the 19,999th below the header
    PatientFactory(email=taken.cells["email"])

    response = in_admin.post(address, follow=True)

    assert "since this preview" in messages_of(response)[0]
    assert Patient.objects.count() == 1
    assert set(SearchKey.objects.values_list("patient", flat=True)) == {Patient.objects.get().pk}
    assert AuditEntry.objects.writes().filter(content_type__model="patient").count() == 1
    assert next(row.number for row in response.context["rows"]) == 20_000


# Cost


def queries_of(work):
    with CaptureQueriesContext(connection) as queries:
        work()
    reading = [query for query in queries if query["sql"].startswith("SELECT")]
    return len(reading), len(queries)


@pytest.mark.both_databases
def test_preview_and_confirmation_make_the_same_queries_for_30_and_300(in_admin):
    cost = {}
    for count in (30, 300):
        file = csv_rows(HEADER, *many(count))
        uploading = queries_of(lambda file=file: upload(in_admin, file))
        address = f"{UPLOAD}{ImportDraft.objects.get().pk}/"
        showing = queries_of(lambda address=address: in_admin.get(address))
        confirming = queries_of(lambda address=address: in_admin.post(address))
        cost[count] = uploading, showing, confirming
        Patient.objects.all().delete()

    for few, most in zip(cost[30], cost[300], strict=True):
        assert few[0] == most[0] < 20  # what is read
        assert most[1] - few[1] < 20  # what is written, SQLite taking at most 999 values at a time


@pytest.mark.both_databases
def test_upload_refused_half_way_stores_nothing(administrator, monkeypatch):
    monkeypatch.setattr("clinic.spreadsheets.reader.MAX_ROWS", 600)

    with pytest.raises(ValidationError) as refused:
        open_draft(PatientImporter(), csv_rows(HEADER, *many(601)), by=administrator, month_first=False)

    assert refused.value.code == "too_many_rows"
    assert not ImportDraft.objects.exists()
    assert not ImportRow.objects.exists()
