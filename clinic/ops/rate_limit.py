import time
from contextlib import suppress

from django.core.cache import cache

MINUTE = 60  # seconds


def seconds_to_wait(caller: str, *, most: int) -> int:
    """Count a call; return seconds to wait, 0 within `most` a minute. Per process unless they share a cache."""
    if not most:
        return 0
    now = int(time.time())
    key = f"calls-{caller}-{now // MINUTE}"
    return MINUTE - now % MINUTE if _count(key) > most else 0


def _count(key: str) -> int:
    """Return how many calls this is, exactly in all processes; 0 if the cache stores nothing or fails."""
    with suppress(ValueError):
        return cache.incr(key)
    cache.add(key, 0, timeout=2 * MINUTE)
    with suppress(ValueError):
        return cache.incr(key)
    return 0
