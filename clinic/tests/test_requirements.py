"""Requirements are pinned with hashes, and the report lists outdated pins."""

import importlib.util
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
REPORT = REQUIREMENTS / "outdated.py"
FILES = ("base", "mysql", "redis", "dev", "browser")


def pins_of(name):
    """Return each requirement of a file, with its hashes, as one text."""
    text = (REQUIREMENTS / f"{name}.txt").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@pytest.fixture(scope="module")
def outdated():
    """The report script, which is not part of a package."""
    spec = importlib.util.spec_from_file_location("outdated", REPORT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_requirement_files_are_complete():
    assert {file.stem for file in REQUIREMENTS.glob("*.txt")} == set(FILES)


def test_every_requirement_is_one_version_with_hashes():
    pins = {name: pins_of(name) for name in FILES}
    pattern = r"[A-Za-z0-9._-]+(\[[a-z0-9,._-]+\])?==[^ ;]+( --hash=sha256:[0-9a-f]{64})+"

    assert [name for name in FILES if not pins[name]] == []
    lines = [" ".join(pin.split()) for name in FILES for pin in pins[name]]
    assert [line for line in lines if not re.fullmatch(pattern, line)] == []


def test_pins_include_extras_required_by_packages():
    missing = []
    for name in FILES:
        pinned = {}
        for pin in pins_of(name):
            requirement = Requirement(pin.partition(" ")[0])
            pinned[canonicalize_name(requirement.name)] = requirement.extras

        missing += [
            (name, package, str(needed))
            for package, extras in pinned.items()
            for needed in needs_of(package, extras)
            if not needed.extras <= pinned.get(canonicalize_name(needed.name), needed.extras)
        ]

    # Without them pip 23 takes a newer version for the extra, and then misses its hash.
    assert missing == []


def needs_of(package, extras):
    """Return the requirements of an installed package with these extras; empty if it is not installed."""
    try:
        requires = metadata.requires(package) or []
    except metadata.PackageNotFoundError:
        return []
    needs = [Requirement(text) for text in requires]
    return [need for need in needs if not need.marker or any(need.marker.evaluate({"extra": e}) for e in ("", *extras))]


def test_every_pin_is_read_once(outdated, tmp_path):
    (tmp_path / "a.txt").write_text("toy[extra]==1.2.3 \\\n    --hash=sha256:00\n    # via x==9\nother==4\n")
    (tmp_path / "b.txt").write_text("toy==1.2.3\n")

    assert outdated.pins_in(sorted(tmp_path.glob("*.txt"))) == [("other", Version("4")), ("toy", Version("1.2.3"))]


def test_newer_versions_of_a_pin(outdated):
    versions = [Version(version) for version in ("4.2", "5.2.9", "5.2.21", "5.2.20", "6.0", "6.0.1")]
    patch_and_series = {
        "5.2.19": ("5.2.21", "6.0.1"),
        "5.2.21": (None, "6.0.1"),
        "5.2": ("5.2.21", "6.0.1"),
        "5.1.9": (None, "6.0.1"),
        "6.0.1": (None, None),
        "7.0": (None, None),
    }
    for pinned, (patch, series) in patch_and_series.items():
        pin = outdated.Pin("toy", Version(pinned))

        assert outdated.newest_patch(pin, versions) == (patch and Version(patch)), pinned
        assert outdated.newest_series(pin, versions) == (series and Version(series)), pinned


def test_invalid_version_names_are_ignored(outdated):
    output = "toy (2.0)\nAvailable versions: 2.0, 1.10.post1, 2013-12-31, 0.9\n  LATEST: 2.0\n"

    assert outdated.parse_versions(output) == [Version("2.0"), Version("1.10.post1"), Version("0.9")]


def report(tmp_path, **pip):
    """Return the report on the pins of a directory, with only this pip configuration."""
    script = tmp_path / REPORT.name
    script.write_text(REPORT.read_text())
    other_variables = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    env = other_variables | {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | pip
    done = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_report_lists_outdated_pins(tmp_path):
    (tmp_path / "base.txt").write_text("toy==1.0.1\ncurrent==3.1\nmissing==1\n")
    for wheel in ("pip-99", "toy-1.0.1", "toy-1.0.3", "toy-1.0.4rc1", "toy-2.0", "current-3.1"):
        (tmp_path / f"{wheel}-py3-none-any.whl").touch()

    output = report(tmp_path, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))

    assert output.splitlines() == [
        "Comparing 3 pins with the package index.",
        "missing 1: not found in the package index",
        "toy 1.0.1 -> 1.0.3 (newest patch)",
        "toy 1.0.1 -> 2.0 (newer series)",
        "2 of 3 pins are behind or not found.",
    ]


def test_report_without_an_index_shows_a_message(tmp_path):
    (tmp_path / "base.txt").write_text("toy==1.0.1\n")

    output = report(tmp_path, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0")

    assert output == "The package index cannot be reached, so nothing is compared.\n"
