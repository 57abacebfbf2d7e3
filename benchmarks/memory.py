"""The memory of gunicorn's workers while eight clients request all pages; benchmarks/README.md says how to run it."""

import json
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

from serving import get, gunicorn, workers_of
from speed import environment_of, in_clinic, notes

SIZE = 1000  # of the clinic, which `speed.py` has written
REQUESTS, STEP, CLIENTS = 5000, 500, 8
# It shows who has looked at a patient, and so would have thousands of lines from these requests.
GROWING = "patients:patient_data"
MEBIBYTE = 1024  # in KiB, as the kernel counts


def main() -> None:
    """Serve the clinic, send the requests, and print the memory of each worker after every `STEP` of them."""
    os.environ |= environment_of(SIZE)
    in_clinic(lambda: None)  # sets Django up
    addresses = _addresses()  # with sessions of now: the server's clock is the real one
    with gunicorn() as master, ThreadPoolExecutor(CLIENTS) as clients:
        print("| Requests | Resident, MiB | Proportional, MiB |\n|--:|---|---|")
        _print_memory(0, master)
        remaining = islice(cycle(addresses), REQUESTS)
        for sent in range(STEP, REQUESTS + 1, STEP):
            statuses = Counter(clients.map(_status_of, islice(remaining, STEP)))
            if statuses[200] < 0.8 * STEP or not statuses.keys() <= {200, 302}:
                sys.exit(f"Unexpected answers: {statuses}")
            _print_memory(sent, master)


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


def _status_of(asked: tuple[str, dict[str, str]]) -> int:
    return get(*asked).status


def _print_memory(sent: int, master: int) -> None:
    """Print the resident set size of each worker, and its share if shared pages are divided among their users."""
    measured = [_memory_of(pid) for pid in workers_of(master)]
    resident, proportional = (" / ".join(f"{each[kind]:.0f}" for each in measured) for kind in ("Rss", "Pss"))
    print(f"| {sent:,} | {resident} | {proportional} |", flush=True)


def _memory_of(pid: int) -> dict[str, float]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) / MEBIBYTE for line in lines}


if __name__ == "__main__":
    main()
