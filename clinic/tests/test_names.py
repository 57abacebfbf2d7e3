"""Names of people: what is accepted, how it is tidied, and how it is folded for search."""

import unicodedata

import hypothesis
import pytest
from django.core.exceptions import ValidationError
from hypothesis import strategies as st

from clinic.core.names import check_name, clean_name, fold
from clinic.tests.properties import examples

thoroughly = examples(500)
ANY_TEXT = st.text(max_size=20)


# check_name


@pytest.mark.parametrize(
    "name",
    [
        "Maria",
        "X",
        "Ó",
        "O'Brien",
        "Anne-Marie",
        "José",
        "Jose\u0301",
        "محمد",
        "李",
        "𠮷",
        "किरण",
        "Ольга",
        "김",
        "Χρήστος",
        "😀",
        "👩\u200d⚕️",
        "می\u200cخواهم",
        "3",
    ],
)
def test_check_name_accepts_what_can_be_seen(name):
    assert check_name(name) is None


@pytest.mark.parametrize("letter", ["a", "é", "Ж", "ش", "李", "कि", "김", "𠮷", "😀"])
def test_check_name_accepts_fifty_characters_of_any_script(letter):
    assert check_name((letter * 50)[:50]) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "\u00a0",
        "\u2003\u3000",
        "\u200b",
        "\u200b\u200c\u200d\u2060\ufeff",
        "\u00ad",
        "\u115f",
        "\u1160",
        "\u3164",
        "\uffa0",
        "\u2800",
        "\u0301",
        "\ufe0f",
        "\ue000",
    ],
    ids=lambda name: "+".join(f"U+{ord(char):04X}" for char in name) or "empty",
)
def test_check_name_refuses_what_cannot_be_seen(name):
    with pytest.raises(ValidationError) as refusal:
        check_name(name)

    assert refusal.value.code == "blank_name"


@pytest.mark.parametrize(
    "char",
    ["\x00", "\x07", "\n", "\x7f", "\x85", "\ud800", "\u202e", "\u202a", "\u2066", "\u2069"],
    ids=lambda char: f"U+{ord(char):04X}",
)
@pytest.mark.parametrize("name", ["{}", "{}Maria", "Ma{}ria", "Maria{}"], ids=["alone", "first", "inside", "last"])
def test_check_name_refuses_characters_that_cannot_be_shown_or_mislead(char, name):
    with pytest.raises(ValidationError) as refusal:
        check_name(name.format(char))

    assert refusal.value.code == "bad_character"


# clean_name


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("Maria", "Maria"),
        ("  Maria  ", "Maria"),
        ("Maria   João", "Maria João"),
        ("Maria\t\nJoão", "Maria João"),
        ("\u00a0Maria\u3000João\u2003", "Maria João"),
        ("Jose\u0301", "José"),
        ("", ""),
        ("   ", ""),
        ("O'Brien", "O'Brien"),
        ("McDONALD", "McDONALD"),
    ],
)
def test_clean_name_composes_and_leaves_single_blanks(typed, cleaned):
    assert clean_name(typed) == cleaned


@thoroughly
@hypothesis.given(ANY_TEXT)
def test_clean_name_of_a_clean_name_changes_nothing(name):
    cleaned = clean_name(name)

    assert clean_name(cleaned) == cleaned


# fold


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("MARIA", "maria"),
        ("José", "jose"),
        ("Jose\u0301", "jose"),
        ("João Conceição", "joao conceicao"),
        ("Weiß", "weiss"),
        ("WEISS", "weiss"),
        ("ẞ", "ss"),
        ("Müller", "muller"),
        ("Sørensen", "sorensen"),
        ("SØRENSEN", "sorensen"),
        ("Łukasz", "lukasz"),
        ("Đỗ", "do"),
        ("Guðrún", "gudrun"),
        ("Þór", "thor"),
        ("Æsa", "aesa"),
        ("Œuvray", "oeuvray"),
        ("İbrahim", "ibrahim"),
        ("Işık", "isik"),
        ("Ångström", "angstrom"),
        ("Nguyễn Thị", "nguyen thi"),
        ("Ζωή", "ζωη"),
        ("Ольга", "ольга"),
    ],
)
def test_fold_drops_case_and_marks(name, folded):
    assert fold(name) == folded


@pytest.mark.parametrize("name", ["किरण", "मीनाक्षी", "ปิยะ", "שָׁלוֹם", "محمّد"])
def test_fold_does_not_part_words_at_vowel_signs(name):
    assert len(fold(name).split()) == 1


@pytest.mark.parametrize(
    "apostrophe",
    ["'", "\u2019", "\u2018", "`", "\u00b4", "\u02bc", "\u02bb"],
    ids=lambda char: f"U+{ord(char):04X}",
)
def test_fold_drops_whatever_people_type_as_apostrophe(apostrophe):
    assert fold(f"O{apostrophe}Brien") == "obrien"


@pytest.mark.parametrize("hyphen", ["-", "\u2010", "\u2011", "\u2013", "/", ".", ",", "_", "\u00b7"])
def test_fold_parts_words_at_hyphens_and_other_punctuation(hyphen):
    assert fold(f"Anne{hyphen}Marie") == "anne marie"


@pytest.mark.parametrize("char", ["\u200b", "\u200d", "\ufeff", "\u00ad", "\u2060"], ids=lambda c: f"U+{ord(c):04X}")
def test_fold_drops_zero_width_characters(char):
    assert fold(f"Ma{char}ria") == "maria"


@pytest.mark.parametrize("text", ["", "  ", "'", "-", "\u0301", "\ud800", "\x00"])
def test_fold_of_what_has_no_letters_is_empty(text):
    assert fold(text) == ""


def test_fold_leaves_one_blank_between_words_and_none_at_the_ends():
    assert fold("  Maria \t  João -- ") == "maria joao"


@pytest.mark.parametrize("name", ["𝐌aria", "Ｍaria", "ᴹaria", "ℳaria"])
def test_fold_brings_styled_capitals_to_plain_small_letters(name):
    assert fold(name) == "maria"


@thoroughly
@hypothesis.given(ANY_TEXT)
@hypothesis.example("ℌ")
@hypothesis.example("ϒ")
@hypothesis.example("𝐌")
@hypothesis.example("İ")
@hypothesis.example("ŉ")
@hypothesis.example("ﬃ")
def test_fold_is_idempotent(text):
    folded = fold(text)

    assert fold(folded) == folded


@thoroughly
@hypothesis.given(ANY_TEXT)
def test_fold_is_the_same_for_composed_and_decomposed_text(text):
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


@thoroughly
@hypothesis.given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzáéíóúãõçüñåäö -'", max_size=20))
def test_fold_does_not_look_at_case(text):
    assert fold(text.upper()) == fold(text.lower())
