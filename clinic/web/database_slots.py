"""Keeps one thread of each process free of requests that wait for the database, for those that need none."""

import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from clinic.web.error_pages import unavailable

LONGEST_WAIT_SECONDS = 2.0
_WITHOUT_DATABASE = {"/livez"}


class _Slots:
    """As many requests of this process as may use the database at once.

    If a request finds none for `LONGEST_WAIT_SECONDS`, the database does not answer. Until it does, further requests
    that find none are refused at once: otherwise they would occupy the last thread.
    """

    def __init__(self, number: int) -> None:
        self._free = threading.BoundedSemaphore(number)
        self._is_stuck = False

    def take(self) -> bool:
        is_taken = self._free.acquire(timeout=0 if self._is_stuck else LONGEST_WAIT_SECONDS)
        if not is_taken:
            self._is_stuck = True
        return is_taken

    def give_back(self, *, by_database: bool) -> None:
        """Give a slot back; `by_database` if the database has answered the request."""
        if by_database:
            self._is_stuck = False
        self._free.release()


class DatabaseSlotMiddleware:
    """Answer 503 if all threads that may wait for the database are waiting for it. Gunicorn starts one more."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.slots = _Slots(settings.WEB_THREADS)

    def __call__(self, request: Any) -> HttpResponse:
        if request.path_info in _WITHOUT_DATABASE:
            return self.get_response(request)
        if not self.slots.take():
            return unavailable(request, "no database slot")
        by_database = False
        try:
            response = self.get_response(request)
            by_database = request.cost.queries > 0 and response.status_code != HTTPStatus.SERVICE_UNAVAILABLE
            return response
        finally:
            self.slots.give_back(by_database=by_database)
