"""What protects each row of docs/security.md, and how to take it out of the code."""

import importlib
import pkgutil
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_NODE = re.compile(r"[\w/]+\.py::\w+")


@dataclass(frozen=True)
class Protection:
    """A change that takes one protection out: `find` occurs `count` times in `file`, and each becomes `replace`.

    `taken_out` says what is missing then. `tests` must fail; none means every test that the row names. `also` holds
    further changes (file, find, replace), where one protection alone is not missed because another does the same.
    A protection that only locks of the database can show is tried `on_mariadb`.
    """

    row: str
    taken_out: str
    file: str
    find: str
    replace: str
    tests: tuple[str, ...] = ()
    count: int = 1
    also: tuple[tuple[str, str, str], ...] = ()
    on_mariadb: bool = False

    def changed_texts(self, root: Path) -> dict[Path, str]:
        """Return the texts of the files without the protection.

        Raises:
            ValueError: `find` does not occur as often as it should.
        """
        texts: dict[Path, str] = {}
        for file, find, replace, count in ((self.file, self.find, self.replace, self.count), *self._others()):
            text = texts.get(root / file) or (root / file).read_text()
            if text.count(find) != count:
                raise ValueError(f"{self.row}: {file} has {text.count(find)} times, not {count}: {find!r}")
            texts[root / file] = text.replace(find, replace)
        return texts

    def _others(self) -> list[tuple[str, str, str, int]]:
        return [(*change, 1) for change in self.also]


def protections() -> list[Protection]:
    """Return the protections of all parts of the list, in the order of the document."""
    parts = sorted(part.name for part in pkgutil.iter_modules(__path__))
    return [one for part in parts for one in importlib.import_module(f"{__name__}.{part}").PROTECTIONS]


def named_tests(root: Path = ROOT) -> dict[str, list[str]]:
    """Return the tests that each row of docs/security.md names; rows that name none are left out.

    A row is called by its first cell without the level, such as `3.5.1, 3.5.2` or `(a)(2)(i)`.
    """
    lines = (root / "docs" / "security.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if re.match(r"\| [\d(]", line)]
    found = {re.sub(r" \(level \d\)", "", first): _NODE.findall(tests) for first, *_, tests in cells}
    return {row: tests for row, tests in found.items() if tests}
