"""Read settings from the environment. Errors never repeat the value: it may be a password. Empty counts as not set."""

import ipaddress
import os
import re
import warnings
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import environ
from django.core.exceptions import ImproperlyConfigured

from clinic.ops.network_cache import without_errors

_ON = {"on", "true", "yes", "1"}
_OFF = {"off", "false", "no", "0"}
_ENGINES = ("django.db.backends.sqlite3", "django.db.backends.mysql")
_ORIGIN = re.compile(r"https?://[^/\s]+")


class SettingError(ImproperlyConfigured):
    def __init__(self, name: str, expected: str) -> None:
        super().__init__(f"{name} cannot be read. Expected: {expected}.")


def read_file(default: Path) -> None:
    """Add a file's settings to the environment, which has priority. `ENV_FILE` may name another file."""
    file = Path(text("ENV_FILE", str(default)))
    if file.exists():
        environ.Env.read_env(file)
    elif file != default:
        raise SettingError("ENV_FILE", "the path of a file that exists")


def text(name: str, default: str) -> str:
    return os.environ.get(name) or default


def texts(name: str, default: list[str]) -> list[str]:
    parts = [part.strip() for part in os.environ.get(name, "").split(",")]
    return [part for part in parts if part] or default


def switch(name: str, *, default: bool) -> bool:
    value = text(name, "on" if default else "off").lower()
    if value not in _ON | _OFF:
        raise SettingError(name, "on or off")
    return value in _ON


def number(name: str, default: int, *, minimum: int, maximum: int) -> int:
    """Return a whole number from `minimum` to `maximum`, both included."""
    value = text(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", value) or not minimum <= int(value) <= maximum:
        raise SettingError(name, f"a whole number from {minimum} to {maximum}")
    return int(value)


def time_zone(name: str, default: str) -> str:
    value = text(name, default)
    try:
        ZoneInfo(value)
    except (OSError, ValueError, LookupError):
        raise SettingError(name, "the name of a time zone, such as Europe/Lisbon") from None
    return value


def networks(name: str, default: list[str]) -> list[str]:
    """Return a comma-separated list of networks such as `10.20.0.0/16`."""
    values = texts(name, default)
    try:
        for value in values:
            ipaddress.ip_network(value)
    except ValueError:
        raise SettingError(name, "networks such as 10.20.0.0/16, separated by commas") from None
    return values


def origins(name: str) -> list[str]:
    """Return a comma-separated list of origins such as `https://clinic.example.org`."""
    values = texts(name, [])
    if not all(_ORIGIN.fullmatch(value) for value in values):
        raise SettingError(name, "origins such as https://clinic.example.org, separated by commas")
    return values


def database(name: str, default: str) -> dict[str, Any]:
    """Return Django's settings for a SQLite, MariaDB or MySQL database."""
    expected = "sqlite:////path/to/file or mysql://user:password@host:3306/name"
    found = _from_url(name, expected, environ.Env.db_url_config, text(name, default))
    if found.get("ENGINE") not in _ENGINES or not found["NAME"]:
        raise SettingError(name, expected)
    return found


def cache(name: str, default: str) -> dict[str, Any]:
    """Return Django's settings for a cache. Errors of one on another server are misses."""
    expected = "a cache URL such as locmemcache:// or redis://host:6379/1"
    return without_errors(_from_url(name, expected, environ.Env.cache_url_config, text(name, default)))


def email(name: str, default: str) -> dict[str, Any]:
    expected = "an e-mail URL such as smtp://user:password@host:25 or consolemail://"
    return _from_url(name, expected, environ.Env.email_url_config, text(name, default))


def _from_url(name: str, expected: str, parse: Any, value: str) -> dict[str, Any]:
    with warnings.catch_warnings(action="error"):  # they quote the value, password included
        try:
            return parse(value)
        except (ValueError, LookupError, ImproperlyConfigured, Warning):
            raise SettingError(name, expected) from None
