"""How gunicorn serves the portal, whoever starts it: `make serve`, or plain `gunicorn clinic.wsgi`.

The command line and GUNICORN_CMD_ARGS have priority over this file.
"""

import socket
import struct
import sys
from typing import Any

from clinic.ops.serving import why_not

if reason := why_not():
    sys.exit(reason)

from django.conf import settings

bind = f"[{settings.HOST}]:{settings.PORT}" if ":" in settings.HOST else f"{settings.HOST}:{settings.PORT}"

# The portal is loaded once, before the workers are forked from it: they share its memory, and the first request finds
# all pages loaded. For new code or settings restart the server: SIGHUP only replaces the workers.
preload_app = True
workers = settings.WEB_CONCURRENCY
worker_class = "gthread"
# One more than may wait for the database, for what needs none: `clinic.web.database_slots`.
threads = settings.WEB_THREADS + 1

# Longer than proxies keep an idle connection: whoever closes first must not be the side that gets the next request.
keepalive = 75
# A worker whose main loop does not answer for so long is replaced. It answers however long a request takes.
timeout = 120

# Limits of the request line and headers, for clients that a proxy does not hold back.
limit_request_line = 8190
limit_request_fields = 60
limit_request_field_size = 8190
# Who the client is, and whether it used HTTPS, is up to BEHIND_PROXY alone.
forwarded_allow_ips = ""
control_socket_disable = True


def when_ready(server: Any) -> None:
    """Drop clients that stop in the middle of a request or response: each occupies a thread, and gunicorn has no limit.

    Connections inherit the limit from the socket that accepts them.
    """
    seconds = struct.pack("ll", settings.CLIENT_TIMEOUT, 0)
    for listener in server.LISTENERS:
        for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.sock.setsockopt(socket.SOL_SOCKET, direction, seconds)


logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "clinic.ops.logs.JsonLines"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
        # Its lines hold whole addresses; the portal writes one of its own for each request.
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
    },
}
