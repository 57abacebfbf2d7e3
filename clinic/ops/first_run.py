"""`python -m clinic.ops.first_run HOST PORT`, before `make run`: check the port, and write a missing `.env`."""

import errno
import os
import secrets
import socket
import sys
from pathlib import Path

ENV_FILE = Path(__file__).resolve().parents[2] / ".env"
_MAX_PORT = 65_535


def write_env(file: Path) -> bool:
    """Write settings for development with a new secret key. Return False and change nothing if the file exists."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as opened:
        opened.write(
            "# Settings of this machine, for development. docs/settings.md lists them all.\n"
            f"DEBUG=on\nSECRET_KEY={secrets.token_urlsafe(64)}\n"
        )
    return True


def why_not(host: str, port: str) -> str | None:
    """Return why the development server cannot listen on this port and what to do, or None if it can."""
    if not port.isdecimal() or not 0 < int(port) <= _MAX_PORT:
        return f"PORT={port} is not a port. Choose a number such as: make run PORT=8001"
    try:
        family, kind, _protocol, _name, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except PermissionError:
        return f"Port {port} needs root. Choose another: make run PORT=8001"
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return f"HOST={host} is not an address of this machine. Leave it out, or: make run HOST=0.0.0.0"
        another = int(port) + 1 if int(port) < _MAX_PORT else 8001
        return f"Port {port} is in use. Choose another: make run PORT={another}"
    return None


def main(host: str, port: str) -> str | None:
    if reason := why_not(host, port):
        return reason
    if write_env(ENV_FILE):
        sys.stdout.write("Wrote .env with DEBUG=on and a new SECRET_KEY\n")
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
