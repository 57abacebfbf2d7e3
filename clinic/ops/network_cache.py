"""A cache on another server. Whatever goes wrong with it is a miss and a line in the log: no page fails without it."""

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from time import monotonic
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.utils.functional import cached_property
from django.utils.module_loading import import_string

log = logging.getLogger(__name__)

PAUSE = 5  # seconds for which a cache that has failed is not asked again
LOGGED_EVERY = 60  # seconds
LONGEST_WAIT = 0.2  # seconds to connect, and to wait for each answer

_REDIS = "django.core.cache.backends.redis.RedisCache"
# Those in memory do not fail. An error of the database must not be hidden from the transaction that it ends.
_AS_THEY_ARE = {
    "django.core.cache.backends.locmem.LocMemCache",
    "django.core.cache.backends.dummy.DummyCache",
    "django.core.cache.backends.db.DatabaseCache",
}
_PACKAGES = {
    _REDIS: "redis",
    "django.core.cache.backends.memcached.PyMemcacheCache": "pymemcache",
    "django.core.cache.backends.memcached.PyLibMCCache": "pylibmc",
}


def without_errors(cache: dict[str, Any]) -> dict[str, Any]:
    """Return Django's settings for this cache, wrapped in `NetworkCache` if it may fail."""
    backend = cache["BACKEND"]
    if backend in _AS_THEY_ARE:
        return cache
    limits = {"socket_connect_timeout": LONGEST_WAIT, "socket_timeout": LONGEST_WAIT} if backend == _REDIS else {}
    options = limits | cache.get("OPTIONS", {})
    return cache | {"BACKEND": f"{__name__}.NetworkCache", "WRAPPED": backend, "OPTIONS": options}


def load_package(cache: dict[str, Any]) -> str | None:
    """Load the package that a cache with these settings needs; return its name if it is not installed."""
    package = _PACKAGES.get(cache.get("WRAPPED", cache["BACKEND"]))
    try:
        if package is not None:
            import_module(package)
    except ImportError:
        return package
    return None


class _State:
    """Whether a cache may be asked, for all threads of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked_again_at: float | None = None  # None: it works
        self._logged_again_at = 0.0

    def may_be_asked(self) -> bool:
        """Return whether to ask the cache now. After a pause one caller asks, while the others go on without it."""
        if self._asked_again_at is None:
            return True
        with self._lock:
            now = monotonic()
            if self._asked_again_at is not None and now < self._asked_again_at:
                return False
            self._asked_again_at = now + PAUSE
            return True

    def record_answer(self) -> None:
        if self._asked_again_at is not None:
            self._asked_again_at = None

    def record_error(self, error: Exception) -> None:
        """Start a pause. The text of an error is not logged: it may contain a key or a password."""
        with self._lock:
            now = monotonic()
            self._asked_again_at = now + PAUSE
            if now < self._logged_again_at:
                return
            self._logged_again_at = now + LOGGED_EVERY
        kind = f"{type(error).__module__}.{type(error).__qualname__}"
        log.error("The cache has failed and is asked again every %s seconds: %s", PAUSE, kind)


_states: defaultdict[str, _State] = defaultdict(_State)


class NetworkCache(BaseCache):
    """Asks the cache that the setting `WRAPPED` names. While it fails, nothing is stored and nothing is found."""

    def __init__(self, location: Any, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._location, self._params = location, {name: value for name, value in params.items() if name != "WRAPPED"}
        self._backend = params["WRAPPED"]
        self._state = _states[f"{self._backend} {location}"]

    @cached_property
    def _wrapped(self) -> Any:
        return import_string(self._backend)(self._location, self._params)

    def _ask(self, operation: str, *args: Any, miss: Any, answers: tuple[type[Exception], ...] = ()) -> Any:
        """Return the cache's answer, or `miss`. `answers` are exceptions that are no errors."""
        if not self._state.may_be_asked():
            return miss
        try:
            answer = getattr(self._wrapped, operation)(*args)
        except answers:
            self._state.record_answer()
            raise
        except Exception as error:  # of the package, of a missing package, of sockets, or of old data
            self._state.record_error(error)
            return miss
        self._state.record_answer()
        return answer

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        return self._ask("add", key, value, timeout, version, miss=False)

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return self._ask("get", key, default, version, miss=default)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> None:
        self._ask("set", key, value, timeout, version, miss=None)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        return self._ask("touch", key, timeout, version, miss=False)

    def delete(self, key: Any, version: Any = None) -> bool:
        return self._ask("delete", key, version, miss=False)

    def has_key(self, key: Any, version: Any = None) -> bool:
        return self._ask("has_key", key, version, miss=False)

    def get_many(self, keys: Iterable[Any], version: Any = None) -> dict[Any, Any]:
        return self._ask("get_many", keys, version, miss={})

    def set_many(self, data: dict[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> list[Any]:
        return self._ask("set_many", data, timeout, version, miss=list(data))

    def delete_many(self, keys: Iterable[Any], version: Any = None) -> None:
        self._ask("delete_many", keys, version, miss=None)

    def clear(self) -> None:
        self._ask("clear", miss=None)

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> int:
        """Raise ValueError for a miss, as Django's caches do."""
        number = self._ask("incr", key, delta, version, miss=None, answers=(ValueError,))
        if number is None:
            raise ValueError("The cache has no such number")
        return number

    def close(self, **kwargs: Any) -> None:
        if "_wrapped" in self.__dict__:
            with suppress(Exception):
                self._wrapped.close(**kwargs)
