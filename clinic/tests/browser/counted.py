"""How many clicks and keys docs/front-desk.md says a task takes."""

from pathlib import Path

from django.conf import settings

COUNTED = {
    cells[0]: cells[1:]
    for line in Path(settings.BASE_DIR, "docs/front-desk.md").read_text().splitlines()
    if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 4
}


def clicks_of(task):
    return int(COUNTED[task][0])


def keys_of(task):
    return int(COUNTED[task][1])
