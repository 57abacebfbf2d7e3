"""A real Redis server for tests, on a port of its own."""

import shutil
import socket
import subprocess
import time
from contextlib import closing

import pytest

from clinic.tests.fuzz_api import free_port

BINARY = shutil.which("redis-server")


class RedisServer:
    """Starts with nothing stored. `kill` ends it as a crash does; `start` starts it again."""

    def __init__(self, folder):
        if BINARY is None:
            pytest.skip("redis-server is not installed. On Debian: apt-get install redis-server")
        self.folder, self.port, self.process = folder, free_port(), None
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self.process = subprocess.Popen([BINARY, *options], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        for _attempt in range(200):
            if self._answers():
                return
            time.sleep(0.02)
        raise AssertionError("redis-server does not answer")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def _answers(self):
        try:
            with closing(socket.create_connection(("127.0.0.1", self.port), timeout=1)) as client:
                client.sendall(b"PING\r\n")
                return client.recv(7) == b"+PONG\r\n"
        except OSError:
            return False
