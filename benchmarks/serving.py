"""Serves a clinic with gunicorn, as in production, for benchmarks that send requests over the network."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
HOST, PORT = "127.0.0.1", 8765


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


@contextmanager
def gunicorn() -> Iterator[int]:
    """Start the portal with the settings of this process's environment, and give the id of its first process."""
    program = Path(sys.executable).with_name("gunicorn")
    environment = os.environ | {"HOST": HOST, "PORT": str(PORT), "ALLOWED_HOSTS": HOST}
    server = subprocess.Popen(
        [program, "clinic.wsgi"],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_ready()
        yield server.pid
    finally:
        server.terminate()
        server.wait()


def _wait_until_ready() -> None:
    for _attempt in range(100):
        try:
            if get("/livez").status == 200:
                return
        except OSError:
            time.sleep(0.3)
    sys.exit("The portal does not answer.")


def get(address: str, headers: Mapping[str, str] | None = None) -> Answer:
    with closing(http.client.HTTPConnection(HOST, PORT, timeout=60)) as connection:
        connection.request("GET", address, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())


def workers_of(master: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]
