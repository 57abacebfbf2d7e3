"""Cells of sheets: text that a spreadsheet would run as a formula, and how dates, numbers and yes or no are read."""

import datetime as dt
import re

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

WIDGETS = [TextWidget(), PhoneWidget(), DateWidget(), YesNoWidget(), WholeNumberWidget()]


def refusal(widget, cell, **options):
    """Return the text with which a widget refuses a cell, "" if it accepts it."""
    try:
        widget.clean(cell, **options)
    except ValueError as refused:
        return str(refused)
    return ""


# Formulas


def test_text_like_a_formula_is_guarded_and_comes_back_unchanged():
    formulas = [
        "=1+1",
        "+351 912 345 678",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1",
        "＝1",
        "＋1",
        "－1",
        "＠A",
    ]

    assert [text for text in formulas if guarded(text).strip()[0] != "'"] == []
    assert [text for text in formulas if unguarded(guarded(text)) != text] == []


def test_no_cell_begins_like_a_formula_whatever_separates_cells():
    separators = [";", "\t", "\n", "\r\n", "|", "; ", ";;"]
    texts = {f"Anna{separator}{sign}cmd|calc": sign for separator in separators for sign in "=+-@＝"}

    unguarded_cells = {
        text: cell
        for text, sign in texts.items()
        for cell in re.split(r"[;|\t\r\n]", guarded(text))
        if cell.lstrip()[:1] == sign
    }

    assert unguarded_cells == {}
    assert [text for text in texts if unguarded(guarded(text)) != text] == []


def test_text_unlike_a_formula_is_left_alone_both_ways():
    texts = [
        *("", "Maria", "'t Hooft", "912 345 678", "a=1", "1990-04-03", "O'Brien"),
        *("Anna; Bea", "a-b", "1+1", "pain, -2 kg"),
    ]

    assert [text for text in texts if not guarded(text) == unguarded(text) == text] == []


# Cells of a workbook


def test_cell_of_a_workbook_as_text():
    cells = [
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
    ]

    assert [cell_text(value) for value, _text in cells] == [text for _value, text in cells]


# Dates


def date_read(text, *, month_first):
    """Return the date, None if the text is not a valid date, else the refusal."""
    try:
        return DateWidget().clean(text, month_first=month_first)
    except ValueError as refused:
        return None if re.search(r"four digits of the year|date does not exist", str(refused)) else str(refused)


def test_date_is_read_in_the_chosen_order_or_refused():
    april_3, march_4 = dt.date(1990, 4, 3), dt.date(1990, 3, 4)
    day_first_and_month_first = {
        "1990-04-03": (april_3, april_3),
        "1990-04-03 00:00:00": (april_3, april_3),
        "03/04/1990": (april_3, march_4),
        "3.4.1990": (april_3, march_4),
        "3-4-1990": (april_3, march_4),
        "1990/04/03": (april_3, april_3),
        "1990-04-03T00:00:00": (april_3, april_3),
        "1990-04-03T00:00:00Z": (april_3, april_3),
        "1990-04-03T00:00:00.000+00:00": (april_3, april_3),
        "03/04/1990 00:00": (april_3, march_4),
        "3/4/1990 0:00:00": (april_3, march_4),
        "03/04/1990 00:01": (None, None),
        "1990/04-03": (None, None),
        "25/04/1990": (dt.date(1990, 4, 25), None),
        "04/25/1990": (None, dt.date(1990, 4, 25)),
        "03/04/90": (None, None),
        "1990-04-03T10:30:00": (None, None),
        "32967": (None, None),
        "31/02/1990": (None, None),
        "0000-00-00": (None, None),
    }

    read = {
        text: (date_read(text, month_first=False), date_read(text, month_first=True))
        for text in day_first_and_month_first
    }

    assert read == day_first_and_month_first


def test_refused_date_explains_what_is_wrong():
    refusals = {
        ("29/02/1991", False): "This date does not exist.",
        ("1991-02-29", False): "This date does not exist.",
        ("04/25/1990", False): (
            "This date does not exist. If the dates of this file are month first, it is 25 April 1990."
        ),
        ("25/04/1990", True): "This date does not exist. If the dates of this file are day first, it is 25 April 1990.",
        ("4 April 1990", True): ("Write the date as year-month-day or month/day/year, with four digits of the year."),
    }

    messages = {
        (text, month_first): refusal(DateWidget(), text, month_first=month_first) for text, month_first in refusals
    }

    assert messages == refusals


def test_date_that_can_be_misread_is_recognised():
    can_be_misread = {
        "03/04/1990 00:00": True,
        "03/04/1990": True,
        "12/11/1990": True,
        "03/03/1990": False,
        "13/04/1990": False,
        "1990-04-03": False,
    }

    assert {text: DateWidget().can_be_misread(text) for text in can_be_misread} == can_be_misread


# Phone numbers


def test_phone_number_is_what_was_typed():
    numbers = {
        "+351\u00a0912\u202f345": "+351 912 345",
        "\u202a+351 912\u202c\u200e": "+351 912",
        "\u200e'+351 912": "+351 912",
        "912\u2013345\u2011678": "912-345-678",
        "'+351 912": "+351 912",
        "912345678.0": "912345678",
        " 912 345 678 ": "912 345 678",
        "": "",
    }

    assert {cell: PhoneWidget().clean(cell) for cell in numbers} == numbers


def test_phone_number_that_a_spreadsheet_has_rounded_is_refused():
    rounded = ["9.12346E+08", "3,51912E+11", "1e9"]

    assert [cell for cell in rounded if "shortened" not in refusal(PhoneWidget(), cell)] == []


# What no widget reads


def test_failed_formula_is_refused():
    assert [widget for widget in WIDGETS if "#N/A" not in refusal(widget, "#N/A")] == []


def test_cell_of_several_lines_is_refused():
    cell = "1990-04-03\nC,Three,c@x.pt"

    assert [widget for widget in WIDGETS if "quotation mark" not in refusal(widget, cell)] == []


def test_line_end_around_a_text_is_no_second_line():
    assert TextWidget().clean("\nAna\r\n") == "Ana"


# Yes or no, and whole numbers


def test_yes_or_no():
    values = {"yes": True, "No": False, "TRUE": True, "0": False, "": None}

    assert [cell for cell, value in values.items() if YesNoWidget().clean(cell) is not value] == []


def test_other_word_than_yes_or_no_is_refused():
    assert "yes or no" in refusal(YesNoWidget(), "perhaps")


def test_whole_number():
    numbers = {"30": 30, "30.0": 30, "": None}

    assert {cell: WholeNumberWidget().clean(cell) for cell in numbers} == numbers


def test_other_than_a_whole_number_is_refused():
    cells = ["30.5", "half an hour", "-1", "٣٠", "99999"]

    assert [cell for cell in cells if "whole number" not in refusal(WholeNumberWidget(), cell)] == []
