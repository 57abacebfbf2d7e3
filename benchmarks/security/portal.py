"""Serves a temporary demo clinic with gunicorn, as `make serve` does, for scanners on this machine."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
_KEPT = tempfile.TemporaryDirectory()  # deleted when this process ends
PEOPLE = ("reception", "manager", "doctor", "admin")

# Log in as each of the demo's users, without the login page, and confirmed for a day: otherwise a scan of more than ten
# minutes would no longer reach the pages that ask for the password again.
SIGN_IN = """
import json
import time
import django
django.setup()
from django.conf import settings
from django.test import Client
from clinic.models import ApiToken, User
found = {}
for name in %r:
    user = User.objects.get(username=name)
    client = Client()
    client.force_login(user)
    session = client.session
    session["confirmed_at"] = time.time() + 24 * 60 * 60
    session.save()
    token = ApiToken(user=user, name="scanner")
    text = token.make_text()
    token.save()
    found[name] = {"cookie": client.cookies[settings.SESSION_COOKIE_NAME].value, "token": text}
print(json.dumps({"people": found, "session": settings.SESSION_COOKIE_NAME, "csrf": settings.CSRF_COOKIE_NAME}))
"""


@dataclass(frozen=True)
class Portal:
    """A running portal. `people` have a session cookie and a token each; `log` is the server's."""

    url: str
    people: dict[str, dict[str, str]]
    session: str
    csrf: str
    log: Path

    def answers(self) -> list[dict[str, Any]]:
        """Return the portal's log entry of each request."""
        entries = [json.loads(line) for line in self._lines() if line.startswith("{")]
        return [line for line in entries if line["message"] == "answered"]

    def errors(self) -> list[str]:
        """Return the server's errors in the log."""
        return [line for line in self._lines() if line.startswith("Traceback") or _is_error(line)]

    def summary(self) -> str:
        """Return the number of requests by status, as text."""
        answers = self.answers()
        statuses = sorted(Counter(line["status"] for line in answers).items())
        pages = {line["view"] for line in answers if line["status"] == HTTPStatus.OK and line["view"]}
        counts = ", ".join(f"{count} x {status}" for status, count in statuses)
        return f"{len(answers)} requests, {len(pages)} views that answered 200; {counts}"

    def _lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()


def _is_error(line: str) -> bool:
    entry = json.loads(line) if line.startswith("{") else {"level": ""}
    return entry.get("status", 0) >= HTTPStatus.INTERNAL_SERVER_ERROR or entry["level"] in ("ERROR", "CRITICAL")


@contextmanager
def portal() -> Iterator[Portal]:
    """Serve a new demo clinic on a free port of this machine, until the block ends; its database then goes."""
    with tempfile.TemporaryDirectory() as folder, closing((Path(folder) / "server.log").open("w")) as log:
        environment = os.environ | {
            "ENV_FILE": os.devnull,
            "DEBUG": "off",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "DATABASE_URL": f"sqlite:///{folder}/clinic.sqlite3",
            "USE_HTTPS": "off",
            "DJANGO_SETTINGS_MODULE": "benchmarks.security.settings",
            "REQUIRE_SECOND_FACTOR": "off",
            "SESSION_IDLE_MINUTES": "600",
            "API_CALLS_A_MINUTE": "0",
            "PAGES_A_MINUTE": "0",
        }
        shutil.copy(_demo(), f"{folder}/clinic.sqlite3")
        prepared = _prepared(environment)
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [BIN / "gunicorn", "clinic.wsgi", "--log-level=warning"]
        environment["PORT"] = str(port)
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log, stdout=log)
        try:
            _wait_for(f"http://127.0.0.1:{port}/livez")
            yield Portal(f"http://127.0.0.1:{port}", log=Path(log.name), **prepared)
        finally:
            server.terminate()
            server.wait()


def _prepared(environment: dict[str, str]) -> dict[str, Any]:
    _run(["-m", "clinic.ops.serving"], environment)
    output = _run(["-c", SIGN_IN % (PEOPLE,)], environment | {"PYTHONPATH": str(ROOT)})
    return json.loads(output.splitlines()[-1])


@cache
def _demo() -> Path:
    """Return a database with the demo's data, created once for all portals."""
    made = Path(_KEPT.name) / "demo.sqlite3"
    environment = os.environ | {"DEBUG": "on", "DATABASE_URL": f"sqlite:///{made}"}
    _run(["manage.py", "migrate", "--verbosity=0"], environment)
    _run(["manage.py", "load_demo", "--if-empty"], environment)
    return made


def _run(words: list[str], environment: dict[str, str]) -> str:
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def _wait_for(url: str) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            time.sleep(0.25)
        else:
            return
    raise SystemExit(f"{url} does not answer")
