"""The memory of gunicorn's workers while eight clients request all pages; benchmarks/README.md says how to run it."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from speed import REPOSITORY, environment_of, in_clinic, notes

SIZE = 1000  # of the clinic, which `speed.py` has written
REQUESTS, STEP, CLIENTS = 5000, 500, 8
# It shows who has looked at a patient, and so would have thousands of lines from these requests.
GROWING = "patients:patient_data"
MEBIBYTE = 1024  # in KiB, as the kernel counts
HOST, PORT = "127.0.0.1", 8765


def main() -> None:
    """Serve the clinic, send the requests, and print the memory of each worker after every `STEP` of them."""
    os.environ |= environment_of(SIZE)
    in_clinic(lambda: None)  # sets Django up
    addresses = _addresses()  # with sessions of now: the server's clock is the real one
    with _gunicorn() as server, ThreadPoolExecutor(CLIENTS) as clients:
        print("| Requests | Resident, MiB | Proportional, MiB |\n|--:|---|---|")
        _print_memory(0, server.pid)
        remaining = islice(cycle(addresses), REQUESTS)
        for sent in range(STEP, REQUESTS + 1, STEP):
            statuses = Counter(clients.map(_request, islice(remaining, STEP)))
            if statuses[200] < 0.8 * STEP or not statuses.keys() <= {200, 302}:
                sys.exit(f"Unexpected answers: {statuses}")
            _print_memory(sent, server.pid)


def _addresses() -> list[tuple[str, dict[str, str]]]:
    """Return the address and the headers of a GET request for each page."""
    from django.conf import settings
    from django.test import Client

    from clinic.models import User
    from clinic.tests.page_requests import page_requests

    kept = json.loads(notes().read_text())
    cookies = {}
    for role, pk in kept["users"].items():
        client = Client()
        client.force_login(User.objects.get(pk=pk))
        cookies[role] = client.cookies[settings.SESSION_COOKIE_NAME].value
    return [
        (
            each.address,
            {"Authorization": f"Bearer {kept['tokens'].get(each.role, '')}"}
            if each.is_api
            else {"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookies.get(each.role, '')}"},
        )
        for each in page_requests(kept["objects"])
        if each.data is None and each.page != GROWING
    ]


@contextmanager
def _gunicorn() -> Iterator[Any]:
    program = Path(sys.executable).with_name("gunicorn")
    environment = os.environ | {"HOST": HOST, "PORT": str(PORT), "ALLOWED_HOSTS": HOST}
    server = subprocess.Popen([program, "clinic.wsgi"], cwd=REPOSITORY, env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait_until_ready()
        yield server
    finally:
        server.terminate()
        server.wait()


def _wait_until_ready() -> None:
    for _attempt in range(100):
        try:
            if _request(("/livez", {})) == 200:
                return
        except OSError:
            time.sleep(0.3)
    sys.exit("The portal does not answer.")


def _request(asked: tuple[str, dict[str, str]]) -> int:
    address, headers = asked
    with closing(http.client.HTTPConnection(HOST, PORT, timeout=60)) as connection:
        connection.request("GET", address, headers=headers)
        response = connection.getresponse()
        response.read()
        return response.status


def _print_memory(sent: int, master: int) -> None:
    """Print the resident set size of each worker, and its share if shared pages are divided among their users."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    measured = [_memory_of(int(pid)) for pid in children]
    resident, proportional = (" / ".join(f"{each[kind]:.0f}" for each in measured) for kind in ("Rss", "Pss"))
    print(f"| {sent:,} | {resident} | {proportional} |", flush=True)


def _memory_of(pid: int) -> dict[str, float]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) / MEBIBYTE for line in lines}


if __name__ == "__main__":
    main()
