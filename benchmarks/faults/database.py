"""A MariaDB server of its own on a free port, which may be frozen, stopped and killed."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import MySQLdb


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MariaDB:
    """Keeps its data in a folder, so that it can be started again after it was killed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"mysql://root@127.0.0.1:{self.port}/clinic"
        self.process: subprocess.Popen[bytes] | None = None

    def install(self) -> None:
        command = ["mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data"]
        subprocess.run([*command, "--auth-root-authentication-method=normal"], check=True, capture_output=True)

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *("mariadbd", "--no-defaults", f"--datadir={self.folder}/data", f"--port={self.port}"),
                    *("--bind-address=127.0.0.1", f"--socket={self.folder}/socket"),
                    *(("--user=root",) if os.geteuid() == 0 else ()),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,  # a shell that ends would wake stopped processes of its own session
            )
        self._wait()

    def connect(self) -> Any:
        return MySQLdb.connect(host="127.0.0.1", port=self.port, user="root")

    def send(self, number: signal.Signals) -> None:
        """Send the server a signal; after one that ends it, wait until it has ended."""
        assert self.process is not None
        self.process.send_signal(number)
        if number in (signal.SIGTERM, signal.SIGKILL):
            self.process.wait()

    def _wait(self) -> None:
        for _attempt in range(200):
            try:
                self.connect().close()
            except MySQLdb.Error:
                time.sleep(0.1)
            else:
                return
        sys.exit(f"MariaDB does not start; its log is {self.folder}/log")


@contextmanager
def mariadb(folder: Path) -> Iterator[MariaDB]:
    """Run an empty server until the block ends."""
    if not shutil.which("mariadbd"):
        sys.exit("MariaDB's server is not installed. On Debian: apt-get install mariadb-server")
    server = MariaDB(folder)
    server.install()
    server.start()
    try:
        with closing(server.connect()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("CREATE DATABASE clinic CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
        yield server
    finally:
        server.send(signal.SIGCONT)
        server.send(signal.SIGKILL)
