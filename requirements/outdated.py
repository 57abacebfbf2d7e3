"""Reports which pins of this directory are behind: the newest patch of their series, and newer series.

A series is what shares major and minor number, such as 5.2. Versions come from the index that pip is set up with, and
only those that this Python can use. It is a report: it ends with 0 whatever it finds.
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from packaging.version import VERSION_PATTERN, Version

PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", re.MULTILINE)
VERSIONS = re.compile(r"^Available versions: (.+)$", re.MULTILINE)
SOUND = re.compile(VERSION_PATTERN, re.VERBOSE | re.IGNORECASE)
AT_ONCE = 4
# Short, for developers who are offline.
IMPATIENT = ("--retries", "1", "--timeout", "10")


class Pin(NamedTuple):
    """A package and the version that is pinned."""

    name: str
    version: Version


def pins_in(files: Iterable[Path]) -> list[Pin]:
    """Return what is pinned, each package once, by name."""
    found = {name: version for file in files for name, version in PIN.findall(file.read_text())}
    return [Pin(name, Version(version)) for name, version in sorted(found.items())]


def versions_of(name: str) -> list[Version]:
    """Return the versions of a package that pip could install, pre-releases left out; none if it finds none."""
    command = [sys.executable, "-m", "pip", "index", "versions", *IMPATIENT, "--disable-pip-version-check", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return parse_versions(done.stdout)


def parse_versions(output: str) -> list[Version]:
    """Return the versions that pip has listed. Old releases have names that are none, such as a date."""
    found = VERSIONS.search(output)
    listed = found[1].split(", ") if found else []
    return [Version(version) for version in listed if SOUND.fullmatch(version)]


def newest_patch(pin: Pin, versions: Iterable[Version]) -> Version | None:
    """Return the newest version of the pin's own series, if the pin is behind it."""
    series = [version for version in versions if version.release[:2] == pin.version.release[:2]]
    return max((version for version in series if version > pin.version), default=None)


def newest_series(pin: Pin, versions: Iterable[Version]) -> Version | None:
    """Return the newest version of a later series, if there is one."""
    return max((version for version in versions if version.release[:2] > pin.version.release[:2]), default=None)


def main(directory: Path) -> None:
    """Print the report, each pin as soon as it is compared."""
    if not versions_of("pip"):
        _print_now("The package index cannot be reached, so nothing is compared.")
        return
    pins = pins_in(sorted(directory.glob("*.txt")))
    _print_now(f"Comparing {len(pins)} pins with the package index.")
    behind = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for pin, versions in zip(pins, pool.map(versions_of, [pin.name for pin in pins]), strict=True):
            news = news_of(pin, versions)
            behind += bool(news)
            for line in news:
                _print_now(line)
    _print_now(f"{behind} of {len(pins)} pins are behind or not found.")


def news_of(pin: Pin, versions: list[Version]) -> list[str]:
    """Return the lines of the report on a pin; none if it is the newest version."""
    if not versions:
        return [f"{pin.name} {pin.version}: not found in the package index"]
    newer = {"newest patch": newest_patch(pin, versions), "newer series": newest_series(pin, versions)}
    return [f"{pin.name} {pin.version} -> {version} ({kind})" for kind, version in newer.items() if version]


def _print_now(line: str) -> None:
    """Print a line at once, even into a pipe."""
    print(line, flush=True)


if __name__ == "__main__":
    main(Path(__file__).parent)
