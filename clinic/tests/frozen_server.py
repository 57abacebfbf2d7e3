"""A way to the database server that can freeze: connections are accepted, and nothing is passed on."""

import socket
import threading
from contextlib import suppress


class FrozenServer:
    """Passes connections to a port of this machine on to `host` and `port`, until it is told to freeze."""

    def __init__(self, host, port):
        self.target = host, port
        self.is_running = threading.Event()
        self.is_running.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = [self.listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self):
        self.is_running.clear()

    def go_on(self):
        self.is_running.set()

    def close(self):
        self.go_on()
        for each in self.sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client):
        self.is_running.wait()
        server = socket.create_connection(self.target)
        self.sockets += [client, server]
        threading.Thread(target=self._pass_on, args=[server, client], daemon=True).start()
        self._pass_on(client, server)

    def _pass_on(self, source, target):
        with suppress(OSError):
            while data := source.recv(65536):
                self.is_running.wait()
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
