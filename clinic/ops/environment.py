"""Read settings from the environment. Errors never repeat the value: it may be a password.

Empty counts as not set, except for the secret key and the database: without these, others would take their place.
"""

import io
import os
import re
import warnings
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import environ
from django.core.exceptions import ImproperlyConfigured

from clinic.ops import setting_values
from clinic.ops.network_cache import without_errors
from clinic.ops.setting_values import ValueForm

_ON = {"on", "true", "yes", "1"}
_OFF = {"off", "false", "no", "0"}
_ENGINES = ("django.db.backends.sqlite3", "django.db.backends.mysql")
_COMMENT = re.compile(r"\s*#")
_SETTING = re.compile(r"(export )?[A-Za-z_0-9]+=")
_IN_MEMORY = "sqlite://:memory:"
_ESCAPED = ", with special characters escaped (%40 for @)"


class SettingError(ImproperlyConfigured):
    def __init__(self, name: str, expected: str, fault: str = setting_values.UNREADABLE) -> None:
        super().__init__(setting_values.complaint(name, expected, fault))


def read_file(default: Path) -> None:
    """Add a file's settings to the environment, which has priority. `ENV_FILE` may name another file.

    The library would ignore lines that it cannot read, and print them, passwords included.
    """
    file = Path(text("ENV_FILE", str(default)))
    if file == default and not file.exists():
        return
    name = "ENV_FILE" if file != default else file.name
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise SettingError(name, "the path of a file that exists and can be read") from None
    settings = {number: line for number, line in enumerate(lines, 1) if line.strip() and not _COMMENT.match(line)}
    for number, line in settings.items():
        if not _SETTING.match(line):
            raise SettingError(name, f"lines such as NAME=value, unlike line {number}")
    environ.Env.read_env(io.StringIO("\n".join(settings.values())))


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


def secret_key(name: str, *, development_key: str | None) -> str:
    """Return the key; in development any, or `development_key` if none is set."""
    key = os.environ.get(name, development_key or "")
    if not key.strip():
        raise SettingError(name, setting_values.SECRET_KEY.expected, "is not set")
    return key if development_key else _checked(name, [key], setting_values.SECRET_KEY)[0]


def former_keys(name: str, *, is_development: bool) -> list[str]:
    keys = texts(name, [])
    return keys if is_development else _checked(name, keys, setting_values.SECRET_KEY)


def served_hosts(name: str, default: list[str]) -> list[str]:
    """Return a comma-separated list of host names such as `clinic.example.org`."""
    return _checked(name, texts(name, default), setting_values.SERVED_HOSTS)


def own_host(name: str, default: str) -> str:
    return _checked(name, [text(name, default)], setting_values.OWN_HOST)[0]


def networks(name: str, default: list[str]) -> list[str]:
    """Return a comma-separated list of networks such as `10.20.0.0/16`."""
    return _checked(name, texts(name, default), setting_values.NETWORKS)


def origins(name: str) -> list[str]:
    """Return a comma-separated list of origins such as `https://clinic.example.org`."""
    return _checked(name, texts(name, []), setting_values.ORIGINS)


def database(name: str, default: str) -> dict[str, Any]:
    """Return Django's settings for a SQLite, MariaDB or MySQL database."""
    expected = f"sqlite:////path/to/file or mysql://user:password@host:3306/name{_ESCAPED}"
    url = os.environ.get(name, default)
    found = _from_url(name, expected, environ.Env.db_url_config, url)
    if not _is_database(found) or (found["NAME"] == ":memory:" and url != _IN_MEMORY):
        raise SettingError(name, expected)
    return found


def _is_database(found: dict[str, Any]) -> bool:
    is_known = found.get("ENGINE") in _ENGINES and bool(found["NAME"])
    return is_known and (found["ENGINE"] == _ENGINES[0] or "/" not in found["NAME"])


def cache(name: str, default: str) -> dict[str, Any]:
    """Return Django's settings for a cache. Errors of one on another server are misses."""
    expected = f"a cache URL such as locmemcache:// or redis://host:6379/1{_ESCAPED}"
    return without_errors(_from_url(name, expected, environ.Env.cache_url_config, text(name, default)))


def email(name: str, default: str) -> dict[str, Any]:
    expected = f"an e-mail URL such as smtp://user:password@host:25 or consolemail://{_ESCAPED}"
    return _from_url(name, expected, environ.Env.email_url_config, text(name, default))


def _checked(name: str, values: list[str], form: ValueForm) -> list[str]:
    if not form.all_valid(values):
        raise SettingError(name, form.expected, form.fault)
    return values


def _from_url(name: str, expected: str, parse: Any, value: str) -> dict[str, Any]:
    if value != _IN_MEMORY and not setting_values.is_escaped(value):
        raise SettingError(name, expected)
    with warnings.catch_warnings(action="error"):  # they quote the value, password included
        try:
            return parse(value)
        except (ValueError, LookupError, ImproperlyConfigured, Warning):
            raise SettingError(name, expected) from None
