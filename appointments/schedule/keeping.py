"""Keeps in memory what is the same for many requests: nothing about patients (docs/security.md).

Keys have the versions of what a value was made from, so a value is never outdated, and no process has to tell another.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, TypeVar

from django.db import connection

K = TypeVar("K")
V = TypeVar("V")

MAX_VALUES = 4000  # at most 4 kB each

_values: OrderedDict[Any, Any] = OrderedDict()  # the least recently used first
_lock = Lock()


def keep(keys: Mapping[K, Any], make: Callable[[list[K]], Mapping[K, V]]) -> dict[K, V]:
    """Return a value for each of `keys`: the one kept under its key, or else one that `make` returns.

    Values are shared by all requests of the process, so they must not be changed. Inside a transaction nothing is kept:
    it may read versions that are rolled back and then given to something else.
    """
    if connection.in_atomic_block:
        return dict(make(list(keys)))
    with _lock:
        kept = {name: _values[key] for name, key in keys.items() if key in _values}
        for name in kept:
            _values.move_to_end(keys[name])
    missing = [name for name in keys if name not in kept]
    if not missing:
        return kept
    made = make(missing)
    with _lock:
        _values.update((keys[name], made[name]) for name in missing)
        while len(_values) > MAX_VALUES:
            _values.popitem(last=False)
    return kept | dict(made)


def forget_all() -> None:
    with _lock:
        _values.clear()
