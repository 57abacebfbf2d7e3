"""Names of people: validation, normalisation, and folding for search."""

import unicodedata

import hypothesis
from hypothesis import strategies as st

from clinic.core.names import check_name, clean_name, fold
from clinic.tests.kit import refusal_code
from clinic.tests.properties import examples

thoroughly = examples(500)
ANY_TEXT = st.text(max_size=20)


def codes_of_names(names):
    """Return the error code of each name, None if it is valid."""
    return {name: refusal_code(check_name, name) for name in names}


# check_name


def test_check_name_accepts_visible_text():
    names = [
        *("Maria", "X", "Ó", "O'Brien", "Anne-Marie", "José", "Jose\u0301", "3"),
        *("محمد", "李", "𠮷", "किरण", "Ольга", "김", "Χρήστος", "می\u200cخواهم"),
        *("😀", "👩\u200d⚕️"),
    ]

    assert codes_of_names(names) == dict.fromkeys(names)


def test_check_name_accepts_fifty_characters_of_any_script():
    names = [(letter * 50)[:50] for letter in ("a", "é", "Ж", "ش", "李", "कि", "김", "𠮷", "😀")]

    assert codes_of_names(names) == dict.fromkeys(names)


def test_check_name_refuses_invisible_text():
    blanks = ["", " ", "\u00a0", "\u2003\u3000"]
    zero_width = ["\u200b", "\u200b\u200c\u200d\u2060\ufeff", "\u00ad"]
    fillers = ["\u115f", "\u1160", "\u3164", "\uffa0", "\u2800"]
    marks_alone = ["\u0301", "\ufe0f"]
    names = [*blanks, *zero_width, *fillers, *marks_alone, "\ue000"]

    assert codes_of_names(names) == dict.fromkeys(names, "blank_name")


def test_check_name_refuses_characters_that_cannot_be_shown_or_mislead():
    characters = ["\x00", "\x07", "\n", "\x7f", "\x85", "\ud800", "\u202e", "\u202a", "\u2066", "\u2069"]
    alone_first_inside_last = ["{}", "{}Maria", "Ma{}ria", "Maria{}"]
    names = [name.format(character) for character in characters for name in alone_first_inside_last]

    assert codes_of_names(names) == dict.fromkeys(names, "bad_character")


# clean_name


def test_clean_name_composes_and_leaves_single_blanks():
    cleaned = {
        "Maria": "Maria",
        "  Maria  ": "Maria",
        "Maria   João": "Maria João",
        "Maria\t\nJoão": "Maria João",
        "\u00a0Maria\u3000João\u2003": "Maria João",
        "Jose\u0301": "José",
        "": "",
        "   ": "",
        "O'Brien": "O'Brien",
        "McDONALD": "McDONALD",
    }

    assert {typed: clean_name(typed) for typed in cleaned} == cleaned


@thoroughly
@hypothesis.given(ANY_TEXT)
def test_clean_name_of_a_clean_name_changes_nothing(name):
    cleaned = clean_name(name)

    assert clean_name(cleaned) == cleaned


# fold


def test_fold_drops_case_and_marks():
    folded = {
        "MARIA": "maria",
        "José": "jose",
        "Jose\u0301": "jose",
        "João Conceição": "joao conceicao",
        "Weiß": "weiss",
        "WEISS": "weiss",
        "ẞ": "ss",
        "Müller": "muller",
        "Sørensen": "sorensen",
        "SØRENSEN": "sorensen",
        "Łukasz": "lukasz",
        "Đỗ": "do",
        "Guðrún": "gudrun",
        "Þór": "thor",
        "Æsa": "aesa",
        "Œuvray": "oeuvray",
        "İbrahim": "ibrahim",
        "Işık": "isik",
        "Ångström": "angstrom",
        "Nguyễn Thị": "nguyen thi",
        "Ζωή": "ζωη",
        "Ольга": "ольга",
    }

    assert {name: fold(name) for name in folded} == folded


def test_fold_does_not_split_words_at_vowel_signs():
    names = ["किरण", "मीनाक्षी", "ปิยะ", "שָׁלוֹם", "محمّد"]

    assert {name: len(fold(name).split()) for name in names} == dict.fromkeys(names, 1)


def test_fold_drops_all_kinds_of_apostrophe():
    names = [f"O{apostrophe}Brien" for apostrophe in "'\u2019\u2018`\u00b4\u02bc\u02bb"]

    assert {name: fold(name) for name in names} == dict.fromkeys(names, "obrien")


def test_fold_splits_words_at_hyphens_and_other_punctuation():
    names = [f"Anne{hyphen}Marie" for hyphen in "-\u2010\u2011\u2013/.,_\u00b7"]

    assert {name: fold(name) for name in names} == dict.fromkeys(names, "anne marie")


def test_fold_drops_zero_width_characters():
    names = [f"Ma{character}ria" for character in "\u200b\u200d\ufeff\u00ad\u2060"]

    assert {name: fold(name) for name in names} == dict.fromkeys(names, "maria")


def test_fold_of_text_without_letters_is_empty():
    texts = ["", "  ", "'", "-", "\u0301", "\ud800", "\x00"]

    assert {text: fold(text) for text in texts} == dict.fromkeys(texts, "")


def test_fold_leaves_one_blank_between_words_and_none_at_the_ends():
    assert fold("  Maria \t  João -- ") == "maria joao"


def test_fold_turns_styled_capitals_into_plain_small_letters():
    names = ["𝐌aria", "Ｍaria", "ᴹaria", "ℳaria"]

    assert {name: fold(name) for name in names} == dict.fromkeys(names, "maria")


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
def test_fold_ignores_case(text):
    assert fold(text.upper()) == fold(text.lower())
