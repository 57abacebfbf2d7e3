"""The faults: each breaks something, waits, and mends it, while the desks go on."""

import asyncio
import contextlib
import html
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.database import MariaDB
from benchmarks.faults.portal import Portal

FROZEN_SECONDS, LOCKED_SECONDS = 130, 75
WORKER_KILLS, RELOADS, POLLS = 10, 5, 2000
SLOW_CLIENTS, SLOW_SECONDS = 200, 30
DISK_MEGABYTES = 64


@dataclass
class Scene:
    """What a fault works on; `notes` are sentences for the table."""

    portal: Portal
    database: MariaDB | None
    folder: Path
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Fault:
    title: str
    run: Callable[[Scene], None]
    desks_of_first_doctor: int = 1
    needs_sqlite: bool = False
    is_promised: bool = True  # that pages and probes are answered in time


def frozen(scene: Scene) -> None:
    assert scene.database is not None
    scene.database.send(signal.SIGSTOP)
    time.sleep(FROZEN_SECONDS)
    scene.database.send(signal.SIGCONT)


def locked(scene: Scene) -> None:
    """Somebody else's transaction holds the row of a doctor for whom eight more desks book."""
    assert scene.database is not None
    with closing(scene.database.connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SELECT * FROM clinic.doctors_doctor WHERE id = %s FOR UPDATE", [scene.portal.doctors[0]])
        time.sleep(LOCKED_SECONDS)
        connection.rollback()


def workers_killed(scene: Scene) -> None:
    for number in range(WORKER_KILLS):
        workers = scene.portal.workers()
        os.kill(workers[number % len(workers)], signal.SIGKILL)
        time.sleep(2)


def _restart(number: signal.Signals) -> Callable[[Scene], None]:
    def run(scene: Scene) -> None:
        assert scene.database is not None
        scene.database.send(number)
        time.sleep(5)
        scene.database.start()

    return run


def reloaded(scene: Scene) -> None:
    for _ in range(RELOADS):
        scene.portal.server.send_signal(signal.SIGHUP)
        time.sleep(4)


def disk_full(scene: Scene) -> None:
    filler = scene.folder / "disk" / "filler"
    with filler.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 65536)
            file.flush()
    time.sleep(15)
    filler.unlink()


def _slow(start: bytes) -> Callable[[Scene], None]:
    """Clients that send a byte a second, and connect again when they are disconnected."""

    def run(scene: Scene) -> None:
        deadline = time.monotonic() + SLOW_SECONDS
        address = ("127.0.0.1", scene.portal.port)
        disconnected = 0
        with ExitStack() as stack:
            clients: list[socket.socket] = []
            while time.monotonic() < deadline:
                for _ in range(SLOW_CLIENTS - len(clients)):
                    client = stack.enter_context(socket.create_connection(address))
                    client.sendall(start)
                    clients.append(client)
                time.sleep(1)
                alive = [client for client in clients if _sends(client)]
                disconnected += len(clients) - len(alive)
                clients = alive
        scene.notes.append(f"{disconnected} of the slow clients were disconnected")

    return run


def _sends(client: socket.socket) -> bool:
    try:
        client.sendall(b"x")
    except OSError:
        return False
    return True


def polls(scene: Scene) -> None:
    """As many screens ask at once whether the day has changed."""
    portal = scene.portal
    page = portal.ask("GET", "/schedule/", {"Cookie": portal.cookie}).body.decode()
    path, etag = (html.unescape(_found(rf'data-{name}="([^"]+)"', page)) for name in ("url", "etag"))
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nCookie: {portal.cookie}\r\n"
    asked = f"{head}X-Background: 1\r\nIf-None-Match: {etag}\r\n\r\n".encode()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 3 * POLLS)), hard))
    began = time.monotonic()
    statuses = asyncio.run(_all_at_once(portal.port, asked))
    counts = ", ".join(f"{count} x {status or 'no answer'}" for status, count in sorted(Counter(statuses).items()))
    scene.notes.append(f"{counts}; the last after {time.monotonic() - began:.0f} s")


def _found(pattern: str, page: str) -> str:
    match = re.search(pattern, page)
    if match is None:
        sys.exit(f"The day does not have what its script polls with: {pattern}")
    return match[1]


async def _all_at_once(port: int, asked: bytes) -> list[int]:
    return await asyncio.gather(*(_status(port, asked) for _ in range(POLLS)))


async def _status(port: int, asked: bytes) -> int:
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 60)
        writer.write(asked)
        line = await asyncio.wait_for(reader.readline(), 120)
        writer.close()
        return int(line.split()[1])
    except (OSError, TimeoutError, IndexError):
        return 0


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a disk of a few megabytes, in memory; raises CalledProcessError without the right to."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "none", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="faults-")


_HEADERS = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
_BODY = (
    b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nCookie: csrf=" + b"c" * 32 + b"\r\n\r\nusername="
)

# Against slow clients a proxy is needed that reads a request before it passes it on: docs/security.md.
FAULTS = {
    "frozen": Fault(f"database frozen for {FROZEN_SECONDS} s", frozen),
    "locked": Fault(f"a doctor's row locked by somebody else for {LOCKED_SECONDS} s", locked, desks_of_first_doctor=9),
    "workers": Fault(f"a worker killed every 2 s, {WORKER_KILLS} times", workers_killed),
    "database-term": Fault("database stopped (TERM) for 5 s", _restart(signal.SIGTERM)),
    "database-kill": Fault("database killed (KILL), started again after 5 s", _restart(signal.SIGKILL)),
    "reload": Fault(f"portal reloaded (HUP) {RELOADS} times", reloaded),
    "disk-full": Fault("disk full for 15 s (SQLite)", disk_full, needs_sqlite=True),
    "slow-headers": Fault(
        f"{SLOW_CLIENTS} clients that send their headers byte by byte", _slow(_HEADERS), is_promised=False
    ),
    "slow-bodies": Fault(f"{SLOW_CLIENTS} clients that send a form byte by byte", _slow(_BODY), is_promised=False),
    "polls": Fault(f"{POLLS:,} screens that ask at once whether the day has changed", polls),
}
