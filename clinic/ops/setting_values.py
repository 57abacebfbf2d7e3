"""Which values settings may have, where a wrong one would go unnoticed or be unsafe.

Used when settings are read (`clinic.ops.environment`) and for those of any settings module (`clinic.checks`).
"""

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

UNREADABLE = "cannot be read"
MIN_KEY_LENGTH = 50
MIN_KEY_PIECES = 30  # different pieces of three characters: fewer are a repetition
_PUBLIC_KEYS = ("django-insecure-", "only-for-")  # how keys begin that are in Django's or this project's source code

_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.IGNORECASE)
_OWN_NAME = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)  # of a machine, which may have an underscore
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONE_PERCENT = re.compile(r"%(?![0-9a-f]{2})", re.IGNORECASE)
# User and password without characters that end them, then a host, then a port; a cache may have several servers.
_SERVER = r"([^\s@\[\]]*@)?([a-z0-9._-]*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
_SERVERS = re.compile(rf"{_SERVER}(,{_SERVER})*", re.IGNORECASE)


def complaint(name: str, expected: str, fault: str) -> str:
    """Return one line that names the setting and never its value, which may be a password."""
    return f"{name} {fault}. Expected: {expected}."


class ValueForm(NamedTuple):
    """What a setting, or each of its values, has to be."""

    expected: str
    is_valid: Callable[[str], bool]
    fault: str = UNREADABLE

    def complaint(self, name: str) -> str:
        return complaint(name, self.expected, self.fault)

    def all_valid(self, values: Iterable[str]) -> bool:
        return all(map(self.is_valid, values))


def _is_strong_key(key: str) -> bool:
    pieces = {key[start : start + 3] for start in range(len(key) - 2)}
    return len(key) >= MIN_KEY_LENGTH and len(pieces) >= MIN_KEY_PIECES and not key.startswith(_PUBLIC_KEYS)


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_served_host(value: str) -> bool:
    """Return whether Django can compare it with a Host header: a name, `.example.org` with all below it, or `*`."""
    if value.startswith("[") and value.endswith("]"):
        return ":" in value and _is_address(value[1:-1])
    return value == "*" or _HOST_NAME.fullmatch(value.removeprefix(".")) is not None


def _is_own_host(value: str) -> bool:
    return _is_address(value) or _OWN_NAME.fullmatch(value) is not None


def _is_origin(value: str) -> bool:
    """Return whether a browser could send it: in lower case, without a path, and without the scheme's own port."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    is_whole = value == f"{parts.scheme}://{parts.netloc}" == value.lower()
    host = parts.netloc.removesuffix(f":{port}")
    is_host = host not in ("*", "") and not host.startswith(".") and _is_served_host(host)
    return is_whole and is_host and parts.scheme in _DEFAULT_PORTS and port != _DEFAULT_PORTS[parts.scheme]


def _is_network(value: str) -> bool:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        return False
    return True


def is_escaped(url: str) -> bool:
    """Return whether a URL can be read in one way only: special characters of user, password and path are escaped."""
    _scheme, _separator, rest = url.partition("://")
    servers = re.split("[/?]", rest, maxsplit=1)[0]
    path, _mark, query = rest.removeprefix(servers).partition("?")
    if "#" in url or "+" in path or _LONE_PERCENT.search(url):
        return False
    # An @ after the server is the end of a password that contains / or ?
    return not servers or (_SERVERS.fullmatch(servers) is not None and "@" not in path + query)


SECRET_KEY = ValueForm(
    f"at least {MIN_KEY_LENGTH} random characters, such as those made by "
    "`python3 -c 'import secrets; print(secrets.token_urlsafe(64))'`",
    _is_strong_key,
    "is too weak",
)
SERVED_HOSTS = ValueForm(
    "host names such as clinic.example.org, without scheme, port or path, separated by commas", _is_served_host
)
OWN_HOST = ValueForm("an IP address or host name of this machine, such as 127.0.0.1, without a port", _is_own_host)
ORIGINS = ValueForm(
    "origins such as https://clinic.example.org, without a path or *, in lower case, separated by commas", _is_origin
)
NETWORKS = ValueForm("networks such as 10.20.0.0/16, separated by commas", _is_network)
