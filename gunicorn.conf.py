"""Gunicorn reads this before it starts: a check of the settings, and logs in the portal's own format."""

import subprocess
import sys

# In a separate process: workers would inherit settings loaded here, even after a reload with other settings.
if subprocess.run([sys.executable, "-m", "clinic.ops.serving"], check=False).returncode:  # noqa: S603 -- our own command
    sys.exit(1)

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
