import datetime as dt
import re

import pytest

from clinic.spreadsheets.cells import (
    DateWidget,
    PhoneWidget,
    TextWidget,
    WholeNumberWidget,
    YesNoWidget,
    cell_text,
    guarded,
    unguarded,
)

FORMULAS = ["=1+1", "+351 912 345 678", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "＋1", "－1", "＠A"]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_begins_like_a_formula_is_guarded_and_comes_back_as_it_was(text):
    assert guarded(text).strip()[0] == "'"
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("parts", [";", "\t", "\n", "\r\n", "|", "; ", ";;"])
@pytest.mark.parametrize("sign", "=+-@＝")
def test_no_cell_begins_like_a_formula_whatever_parts_them(parts, sign):
    text = f"Anna{parts}{sign}cmd|calc"

    cells = re.split(r"[;|\t\r\n]", guarded(text))

    assert [cell for cell in cells if cell.lstrip()[:1] == sign] == []
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", ["'t Hooft", "Anna; Bea", "a-b", "1+1", "pain, -2 kg"])
def test_what_is_no_formula_stays(text):
    assert guarded(text) == unguarded(text) == text


@pytest.mark.parametrize("text", ["", "Maria", "'t Hooft", "912 345 678", "a=1", "1990-04-03", "O'Brien"])
def test_what_does_not_is_left_alone_on_both_ways(text):
    assert guarded(text) == text
    assert unguarded(text) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("Maria ", "Maria "),
        (912345678, "912345678"),
        (912345678.0, "912345678"),
        (1.5, "1.5"),
        (True, "yes"),
        (False, "no"),
        (dt.datetime.fromisoformat("1990-04-03"), "1990-04-03"),
        (dt.datetime.fromisoformat("1990-04-03T10:30"), "1990-04-03T10:30:00"),
        (dt.date(1990, 4, 3), "1990-04-03"),
    ],
)
def test_cell_of_a_workbook_as_text(value, text):
    assert cell_text(value) == text


@pytest.mark.parametrize(
    ("text", "day_first", "month_first"),
    [
        ("1990-04-03", dt.date(1990, 4, 3), dt.date(1990, 4, 3)),
        ("1990-04-03 00:00:00", dt.date(1990, 4, 3), dt.date(1990, 4, 3)),
        ("03/04/1990", dt.date(1990, 4, 3), dt.date(1990, 3, 4)),
        ("3.4.1990", dt.date(1990, 4, 3), dt.date(1990, 3, 4)),
        ("3-4-1990", dt.date(1990, 4, 3), dt.date(1990, 3, 4)),
        ("1990/04/03", dt.date(1990, 4, 3), dt.date(1990, 4, 3)),
        ("1990-04-03T00:00:00", dt.date(1990, 4, 3), dt.date(1990, 4, 3)),
        ("1990-04-03T00:00:00Z", dt.date(1990, 4, 3), dt.date(1990, 4, 3)),
        ("1990-04-03T00:00:00.000+00:00", dt.date(1990, 4, 3), dt.date(1990, 4, 3)),
        ("03/04/1990 00:00", dt.date(1990, 4, 3), dt.date(1990, 3, 4)),
        ("3/4/1990 0:00:00", dt.date(1990, 4, 3), dt.date(1990, 3, 4)),
        ("03/04/1990 00:01", None, None),
        ("1990/04-03", None, None),
        ("25/04/1990", dt.date(1990, 4, 25), None),
        ("04/25/1990", None, dt.date(1990, 4, 25)),
        ("03/04/90", None, None),
        ("1990-04-03T10:30:00", None, None),
        ("32967", None, None),
        ("31/02/1990", None, None),
        ("0000-00-00", None, None),
    ],
)
def test_date_is_read_in_the_order_that_was_chosen_or_refused(text, day_first, month_first):
    for is_month_first, expected in ((False, day_first), (True, month_first)):
        if expected is None:
            with pytest.raises(ValueError, match=r"four digits of the year|no such day"):
                DateWidget().clean(text, month_first=is_month_first)
        else:
            assert DateWidget().clean(text, month_first=is_month_first) == expected


@pytest.mark.parametrize(
    ("text", "month_first", "said"),
    [
        ("29/02/1991", False, "There is no such day."),
        ("1991-02-29", False, "There is no such day."),
        ("04/25/1990", False, "There is no such day. If the dates of this file are month first, it is 25 April 1990."),
        ("25/04/1990", True, "There is no such day. If the dates of this file are day first, it is 25 April 1990."),
        ("4 April 1990", True, "Write the date as year-month-day or month/day/year, with four digits of the year."),
    ],
)
def test_refused_date_says_what_is_wrong_with_it(text, month_first, said):
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        DateWidget().clean(text, month_first=month_first)


@pytest.mark.parametrize(
    ("text", "can_be"),
    [
        ("03/04/1990 00:00", True),
        ("03/04/1990", True),
        ("12/11/1990", True),
        ("03/03/1990", False),
        ("13/04/1990", False),
        ("1990-04-03", False),
    ],
)
def test_date_that_can_be_misread_is_known(text, can_be):
    assert DateWidget().can_be_misread(text) is can_be


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("+351\u00a0912\u202f345", "+351 912 345"),
        ("\u202a+351 912\u202c\u200e", "+351 912"),
        ("\u200e'+351 912", "+351 912"),
        ("912\u2013345\u2011678", "912-345-678"),
        ("'+351 912", "+351 912"),
        ("912345678.0", "912345678"),
        (" 912 345 678 ", "912 345 678"),
        ("", ""),
    ],
)
def test_phone_number_is_what_was_typed(cell, number):
    assert PhoneWidget().clean(cell) == number


@pytest.mark.parametrize("cell", ["9.12346E+08", "3,51912E+11", "1e9"])
def test_phone_number_that_a_spreadsheet_has_rounded_is_refused(cell):
    with pytest.raises(ValueError, match="shortened"):
        PhoneWidget().clean(cell)


@pytest.mark.parametrize("widget", [TextWidget(), PhoneWidget(), DateWidget(), YesNoWidget(), WholeNumberWidget()])
def test_failed_formula_is_refused(widget):
    with pytest.raises(ValueError, match="#N/A"):
        widget.clean("#N/A")


@pytest.mark.parametrize("widget", [TextWidget(), PhoneWidget(), DateWidget(), YesNoWidget(), WholeNumberWidget()])
def test_cell_of_several_lines_is_refused(widget):
    with pytest.raises(ValueError, match="quotation mark"):
        widget.clean("1990-04-03\nC,Three,c@x.pt")


def test_line_end_around_a_text_is_no_second_line():
    assert TextWidget().clean("\nAna\r\n") == "Ana"


@pytest.mark.parametrize(("cell", "value"), [("yes", True), ("No", False), ("TRUE", True), ("0", False), ("", None)])
def test_yes_or_no(cell, value):
    assert YesNoWidget().clean(cell) is value


def test_other_word_than_yes_or_no_is_refused():
    with pytest.raises(ValueError, match="yes or no"):
        YesNoWidget().clean("perhaps")


@pytest.mark.parametrize(("cell", "value"), [("30", 30), ("30.0", 30), ("", None)])
def test_whole_number(cell, value):
    assert WholeNumberWidget().clean(cell) == value


@pytest.mark.parametrize("cell", ["30.5", "half an hour", "-1", "٣٠", "99999"])
def test_other_than_a_whole_number_is_refused(cell):
    with pytest.raises(ValueError, match="whole number"):
        WholeNumberWidget().clean(cell)
