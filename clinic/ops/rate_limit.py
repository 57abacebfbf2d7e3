import time

from django.core.cache import cache

MINUTE = 60  # seconds


def seconds_to_wait(caller: str, *, most: int) -> int:
    """Count a call; return seconds to wait, 0 within `most` a minute. Per process unless they share a cache."""
    if not most:
        return 0
    now = int(time.time())
    key = f"calls-{caller}-{now // MINUTE}"
    cache.add(key, 0, timeout=2 * MINUTE)
    try:
        calls = cache.incr(key)
    except ValueError:  # the cache has dropped it, or stores nothing: no reason to refuse a call
        return 0
    return MINUTE - now % MINUTE if calls > most else 0
