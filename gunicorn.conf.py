"""What `make serve` asks of gunicorn beside its command line: a log in the portal's own form."""

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
