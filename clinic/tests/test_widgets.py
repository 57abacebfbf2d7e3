"""A select drawn at once is the one that Django draws."""

from html.parser import HTMLParser

import pytest
from django import forms

from clinic.html.widgets import DrawnSelect

SPECIAL = """<"'&>"""
CHOICES = [("", "Choose"), (1, "One"), ("Group " + SPECIAL, [("2", "Two"), (SPECIAL, f"Three {SPECIAL}")])]


def parts(html):
    """Return the tags with their attributes and the texts of a piece of HTML."""
    found = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append((tag, dict(attrs)))

        def handle_endtag(self, tag):
            found.append(tag)

        def handle_data(self, data):
            if data.strip():
                found.append(data.strip())

    Parser().feed(html)
    return found


@pytest.mark.parametrize("value", [None, "", 1, "1", "2", SPECIAL, "unknown"])
def test_drawn_select_is_the_one_that_django_draws(value):
    attrs = {"id": "id_who", "required": True, "disabled": False, "data-x": SPECIAL, "size": 3}

    drawn, by_django = (
        str(widget(attrs=attrs, choices=CHOICES).render("who", value)) for widget in (DrawnSelect, forms.Select)
    )

    assert parts(drawn) == parts(by_django)
    assert "<\"'&" not in drawn
