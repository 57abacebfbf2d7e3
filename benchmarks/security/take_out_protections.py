"""Takes each protection of docs/security.md out, and runs the tests that the row names: they must fail.

Run `python -m benchmarks.security.take_out_protections`. It changes a temporary copy of the project only. Ends with 1
if a test did not notice, a protection is no longer where the list says, or a row or a test has no protection.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

from benchmarks.security.protections import ROOT, Protection, named_tests, protections

MARIADB = os.environ.get("TEST_DATABASE_URL", "mysql://root@127.0.0.1:3306/test")
MAX_SECONDS = 1800  # for a run of tests; what has not ended then counts as not run
# These say that the changed code is broken, which is no proof that a test notices what is missing.
BROKEN = ("NameError", "UnboundLocalError", "ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError")


@dataclass
class Outcome:
    """What happened to tests, by node id without parameters; `passed` and `skipped` hold those that did only that."""

    failed: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)

    def word(self, test: str) -> str:
        """Return what became of a test that should have failed, and why that is no proof."""
        if test in self.broken:
            return f"broke: {self.broken[test]}"
        if test in self.skipped:
            return f"was skipped: {self.skipped[test]}"
        return "DID NOT NOTICE" if test in self.passed else "did not run"


def main() -> int:
    """Take out the protections one after the other, print what the tests noticed, and count what they did not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", default=[], help="such as 2.3.4 3.5.1; all")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rows = {row: tests for row, tests in named_tests().items() if is_asked_for(row, options.rows)}
    tried = [one for one in protections() if one.row in rows]
    faults = list(faults_of_list(rows, tried))
    with copies(options.jobs) as roots:
        on_mariadb = {without_case(test) for one in tried if one.on_mariadb for test in one.tests}
        on_sqlite = {test for tests in rows.values() for test in tests} - on_mariadb
        for tests in (on_sqlite, on_mariadb):
            faults += faults_without_changes(sorted(tests), roots, on_mariadb=tests is on_mariadb) if tests else []
        with ThreadPoolExecutor(options.jobs) as pool:
            for number, (one, found) in enumerate(
                zip(tried, pool.map(lambda one: faults_without(one, rows[one.row], roots), tried), strict=True), 1
            ):
                report(f"{number}/{len(tried)}", one, found)
                faults += [f"{one.row}: {one.taken_out}: {fault}" for fault in found]
    print(f"\n{len(rows)} rows, {len(tried)} protections, {len(faults)} faults", *faults, sep="\n")
    return 1 if faults else 0


def is_asked_for(row: str, asked: list[str]) -> bool:
    """Return whether a row such as `3.5.1, 3.5.2` is one of those asked for, by its name or a number in it."""
    return not asked or row in asked or not set(re.split(", |–", row)).isdisjoint(asked)


def faults_of_list(rows: dict[str, list[str]], listed: list[Protection]) -> Iterator[str]:
    """Yield the tests that no protection of their row must make fail, and texts that are no longer in their files."""
    for row, tests in rows.items():
        proved = {without_case(test) for one in listed if one.row == row for test in one.tests or tests}
        yield from (f"{row}: no protection for {test}" for test in tests if test not in proved)
    for one in listed:
        try:
            one.changed_texts(ROOT)
        except (OSError, ValueError) as error:
            yield str(error)


def without_case(test: str) -> str:
    """Return the node id without its parameters: a slow test may be run for one of its cases only."""
    return test.partition("[")[0]


def report(number: str, one: Protection, faults: list[str]) -> None:
    print(f"{number} {'ok ' if not faults else 'BAD'} {one.row}: {one.taken_out}", *faults, sep="\n      ", flush=True)


@contextmanager
def copies(how_many: int) -> Iterator[Queue]:
    """Yield copies of the project as it is now, with uncommitted files; they share its environment."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    roots: Queue[Path] = Queue(how_many)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(how_many):
            root = Path(folder, f"copy-{number}")
            for file in filter(lambda file: file and (ROOT / file).is_file() and file != ".venv", files):
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, root / file)
            (root / ".venv").symlink_to(ROOT / ".venv")
            roots.put(root)
        yield roots


def faults_without_changes(tests: list[str], roots: Queue, *, on_mariadb: bool) -> list[str]:
    """Return the tests that do not pass although nothing is missing."""
    root = roots.get()
    options = () if on_mariadb else ("-n", str(roots.maxsize), "--dist", "worksteal")
    outcome = run(root, tests, *options, on_mariadb=on_mariadb)
    roots.put(root)
    unpassed = {test: outcome.failed.get(test) or outcome.word(test) for test in tests if test not in outcome.passed}
    return [f"{test} without any change: {why}" for test, why in unpassed.items()]


def faults_without(one: Protection, named: list[str], roots: Queue) -> list[str]:
    """Return what became of those tests that should have failed without the protection, and did not."""
    root = roots.get()
    try:
        changed = one.changed_texts(root)
    except (OSError, ValueError) as error:
        roots.put(root)
        return [str(error)]
    originals = {file: file.read_text() for file in changed}
    tests = list(one.tests or named)
    try:
        write(changed)
        outcome = run(root, tests, on_mariadb=one.on_mariadb)
    finally:
        write(originals)
        roots.put(root)
    return [f"{test}: {outcome.word(test)}" for test in map(without_case, tests) if test not in outcome.failed]


def write(texts: dict[Path, str]) -> None:
    """Write the files, and delete their bytecode: Python compares only its size and second."""
    for file, text in texts.items():
        file.write_text(text)
        for bytecode in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            bytecode.unlink()


def run(root: Path, tests: list[str], *options: str, on_mariadb: bool = False) -> Outcome:
    """Run tests in a copy of the project, on SQLite in memory or on MariaDB."""
    database = f"{MARIADB}_{root.name[-1]}" if on_mariadb else "sqlite://:memory:"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    results = root.parent / f"{root.name}.xml"
    results.unlink(missing_ok=True)
    command = [ROOT / ".venv" / "bin" / "python", "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={results}"]
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [*command, *options, *tests], cwd=root, env={**kept, "ENV_FILE": os.devnull, "DATABASE_URL": database},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=MAX_SECONDS,
        )  # fmt: skip
    return outcome_in(results)


def outcome_in(results: Path) -> Outcome:
    """Return what a file of pytest's results says about each test; a test fails if one of its cases does."""
    outcome = Outcome()
    for case in ET.parse(results).iter("testcase") if results.exists() else ():
        test = without_case(f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '')}")
        verdict = next((child for child in case if child.tag in {"failure", "error", "skipped"}), None)
        why = verdict.get("message", "").partition("\n")[0][:150] if verdict is not None else ""
        if verdict is None:
            outcome.passed.add(test)
        elif verdict.tag == "skipped":
            outcome.skipped[test] = why
        elif verdict.tag == "error" or why.startswith(BROKEN):
            outcome.broken[test] = why
        else:
            outcome.failed[test] = why
    outcome.passed -= {*outcome.failed, *outcome.broken}
    outcome.skipped = {test: why for test, why in outcome.skipped.items() if test not in outcome.passed}
    return outcome


if __name__ == "__main__":
    started_at = time.monotonic()
    status = main()
    print(f"{time.monotonic() - started_at:.0f} s")
    sys.exit(status)
