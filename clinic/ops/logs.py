"""The log: one line of JSON per record, with ids and codes, never names, contacts, notes, addresses or queries.

Messages of other packages are logged without their arguments, and exceptions by type and place, because their texts may
quote data.
"""

import datetime as dt
import logging
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from clinic.core.database_errors import database_code, with_causes

MAX_MESSAGE = 2000
MAX_FRAMES = 40
_OWN_LOGGERS = ("clinic", "patients", "doctors", "appointments")  # whose messages contain only ids
_REDACTED = "…"
# Extra fields of a record that are logged.
LOGGED_FIELDS = ("view", "method", "status", "ms", "database_ms", "queries", "ids")
# In place of Django's own messages, which contain URLs and invalid headers.
_REFUSED = {400: "Bad request", 401: "Not signed in", 403: "Forbidden", 404: "Not found", 405: "Method not allowed"}
_SERVER_ERROR = 500
_WARNING = re.compile(r"(.+?:\d+: \w+): .*", re.DOTALL)  # Python's: place and category, then a text that may quote data


class _Request:
    def __init__(self, request_id: str, request: Any) -> None:
        self.id, self._request = request_id, request
        self.reason: str | None = None  # why it was refused or failed

    @property
    def user_id(self) -> int | None:
        """The user's id, if the user has been read already: the log starts no query."""
        token = getattr(self._request, "api_token", None)
        user = getattr(self._request, "_cached_user", None)
        return token.user_id if token is not None else getattr(user, "pk", None)


_request: ContextVar[_Request | None] = ContextVar("logged_request", default=None)


@contextmanager
def answering(request: Any, request_id: str) -> Iterator[_Request]:
    """Add this request's id and user to everything logged inside."""
    request.logged = _Request(request_id, request)  # Django logs refusals after all middleware
    with still_answering(request):
        yield request.logged


@contextmanager
def still_answering(request: Any) -> Iterator[None]:
    """Add to everything logged inside the id that `answering` has given to the request."""
    reset = _request.set(request.logged)
    try:
        yield
    finally:
        _request.reset(reset)


def explain(request: Any, reason: str | None) -> None:
    """Add this code to what is logged about the request from now on: why it was refused or failed."""
    if reason and (answered := getattr(request, "logged", None)) is not None:
        answered.reason = reason


class JsonLines(JsonFormatter):
    """Formats a record as one line of JSON in ASCII, so that no input can forge a line or move the cursor."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, json_ensure_ascii=True, **kwargs)

    def format(self, record: logging.LogRecord) -> str:
        answered = _request.get() or getattr(getattr(record, "request", None), "logged", None)
        line: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": message_of(record)[:MAX_MESSAGE],
            "request": answered.id if answered else None,
            "user": answered.user_id if answered else None,
        }
        line |= {name: getattr(record, name) for name in LOGGED_FIELDS if hasattr(record, name)}
        if answered and answered.reason:
            line["reason"] = answered.reason
        if (request := getattr(record, "request", None)) is not None and hasattr(request, "resolver_match"):
            line |= place_of(request)
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = list(_exception_chain(record.exc_info[1]))
        return self.serialize_log_record(line)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 -- logging's name
        """Return the time in UTC."""
        return dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")


def message_of(record: logging.LogRecord) -> str:
    """Return a record's message, without anything users typed."""
    if hasattr(record, "request") and record.name.startswith("django."):
        status = getattr(record, "status_code", None) or _SERVER_ERROR
        return _REFUSED.get(status, "Server error" if status >= _SERVER_ERROR else f"Refused, {status}")
    if record.name == "py.warnings":
        return _WARNING.sub(r"\1", record.getMessage())
    try:
        if record.name.partition(".")[0] in _OWN_LOGGERS or not record.args:
            return record.getMessage()
        return str(record.msg) % _without_texts(record.args, is_quiet=record.levelno < logging.WARNING)
    except (TypeError, ValueError, KeyError):
        return str(record.msg)


def _without_texts(args: Any, *, is_quiet: bool) -> Any:
    """Replace the texts among a message's arguments; at level INFO and below they are the package's own."""
    if isinstance(args, dict):
        return {name: _redacted(each, is_quiet=is_quiet) for name, each in args.items()}
    return tuple(_redacted(each, is_quiet=is_quiet) for each in args)


def _redacted(value: Any, *, is_quiet: bool) -> Any:
    return value if is_quiet or isinstance(value, int | float) else _REDACTED


def place_of(request: Any) -> dict[str, Any]:
    """Return the view's name and the ids in the URL, and nothing else from it."""
    match = request.resolver_match
    if match is None:
        return {"view": None, "ids": {}}
    ids = {name: str(value) for name, value in match.kwargs.items() if re.fullmatch(r"[0-9-]{1,20}", str(value))}
    return {"view": match.view_name, "ids": ids}


def _exception_chain(error: BaseException) -> Iterator[dict[str, Any]]:
    """Yield types and places of an exception and of its causes, with the number of a database error."""
    for each in with_causes(error):
        frames = traceback.extract_tb(each.__traceback__)[-MAX_FRAMES:]
        kind = f"{type(each).__module__}.{type(each).__qualname__}"
        code = database_code(each)
        yield {
            "type": kind,
            **({} if code is None else {"code": code}),
            "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        }


_FEED = re.compile(r"(?<=/calendar/)[^/\s]+")


class HideFeedTokens(logging.Filter):
    """Removes calendar feed tokens, for handlers that log whole URLs."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if (hidden := _FEED.sub("…", text)) != text:
            record.msg, record.args = hidden, ()
        return True
