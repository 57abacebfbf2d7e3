"""Limits for templates that the formatter cannot enforce."""

from django.conf import settings

MAX_LINE = 140
MAX_LINES = 120
TEMPLATES = settings.BASE_DIR / "templates"


def lines_by_template():
    return {
        str(path.relative_to(TEMPLATES)): path.read_text().splitlines() for path in sorted(TEMPLATES.rglob("*.html"))
    }


def test_no_line_of_a_template_is_too_long():
    too_long = [
        f"{name}:{number} has {len(line)} characters"
        for name, lines in lines_by_template().items()
        for number, line in enumerate(lines, start=1)
        if len(line) > MAX_LINE
    ]

    assert too_long == []


def test_no_template_has_too_many_lines():
    line_counts = {name: len(lines) for name, lines in lines_by_template().items()}
    too_many = {name: count for name, count in line_counts.items() if count > MAX_LINES}

    assert too_many == {}
