"""A clinic served by gunicorn with production settings, from this checkout or from another one."""

import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faults.database import free_port

BIN = Path(sys.executable).parent
DOCTORS, PATIENTS = 8, 200

PREPARE = f"""
import json
from django.conf import settings
from django.test import Client
from clinic.accounts.roles import RECEPTIONIST
from clinic.models import ApiToken
from clinic.tests.factories import UserFactory
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory
client, user = Client(), UserFactory(username="desk", role=RECEPTIONIST)
client.force_login(user)
token = ApiToken(user=user, name="desk")
text = token.make_text()
token.save()
print(json.dumps({{
    "cookie": f"{{settings.SESSION_COOKIE_NAME}}={{client.cookies[settings.SESSION_COOKIE_NAME].value}}",
    "token": text,
    "doctors": [DoctorFactory().pk for _ in range({DOCTORS})],
    "patients": [PatientFactory().pk for _ in range({PATIENTS})],
}}))
"""
BOOKED = """
import json
from appointments.models import Appointment
fields = ("pk", "doctor_id", "patient_id", "start_time", "end_time")
rows = [[*row[:3], *(time.timestamp() for time in row[3:])] for row in Appointment.objects.values_list(*fields)]
print(json.dumps(rows))
"""


@dataclass(frozen=True)
class Answer:
    """One request: when it began (seconds of the monotonic clock), how long it took, and its status; 0 for none."""

    began: float
    seconds: float
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def ended(self) -> float:
        return self.began + self.seconds


@dataclass(frozen=True)
class Portal:
    port: int
    server: "subprocess.Popen[bytes]"
    environment: Mapping[str, str]
    code: Path
    cookie: str
    token: str
    doctors: list[int]
    patients: list[int]

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: str = "", *, limit: float = 200
    ) -> Answer:
        """Send a request on a connection of its own; a connection that breaks, or no answer in time, has status 0."""
        began = time.monotonic()
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=limit)) as connection:
                connection.request(method, path, body, dict(headers or {}))
                response = connection.getresponse()
                content = response.read()
        except (OSError, http.client.HTTPException):
            return Answer(began, time.monotonic() - began, 0)
        return Answer(began, time.monotonic() - began, response.status, dict(response.getheaders()), content)

    def workers(self) -> list[int]:
        master = self.server.pid
        return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]

    def booked(self) -> list[tuple[int, int, int, float, float]]:
        """Return the id, doctor, patient, start and end of each appointment in the database."""
        return [tuple(row) for row in shell(self.code, self.environment, BOOKED)]

    def have_no_overlaps(self) -> bool:
        command = [sys.executable, "manage.py", "check_diaries"]
        return subprocess.run(command, cwd=self.code, env=self.environment, capture_output=True).returncode == 0


def shell(code: Path, environment: Mapping[str, str], program: str) -> Any:
    command = [sys.executable, "manage.py", "shell", "--verbosity=0", "--command", program]
    done = subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"The clinic cannot be prepared or read:\n{done.stderr}")
    return json.loads(done.stdout)


@contextmanager
def portal(code: Path, database_url: str, log: Path) -> Iterator[Portal]:
    """Make a clinic in an empty database and serve it until the block ends."""
    port = free_port()
    environment = os.environ | {
        "ENV_FILE": os.devnull,
        "DEBUG": "off",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "DATABASE_URL": database_url,
        "USE_HTTPS": "off",
        "REQUIRE_SECOND_FACTOR": "off",
        "SESSION_IDLE_MINUTES": "600",
        "API_CALLS_A_MINUTE": "0",
        "PAGES_A_MINUTE": "0",
        "PORT": str(port),
    }
    for command in (["-m", "clinic.ops.serving"], ["manage.py", "migrate", "--verbosity=0"]):
        subprocess.run([sys.executable, *command], cwd=code, env=environment, check=True, stdout=subprocess.DEVNULL)
    people = shell(code, environment, PREPARE)
    with log.open("wb") as output:
        server = subprocess.Popen(
            [BIN / "gunicorn", "clinic.wsgi"], cwd=code, env=environment, stdout=output, stderr=output
        )
        served = Portal(port, server, environment, code, **people)
        try:
            _wait(served)
            yield served
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def _wait(served: Portal) -> None:
    for _attempt in range(200):
        if served.ask("GET", "/livez", limit=2).status == 200:
            return
        time.sleep(0.2)
    sys.exit("The portal does not answer.")
