"""How often somebody may call in a minute."""

import time

from django.core.cache import cache

MINUTE = 60  # seconds


def seconds_to_wait(who: str, *, most: int) -> int:
    """Count a call, and return how long the caller must wait: 0 while within `most` calls a minute, or if that is 0.

    Calls are counted by minute, in one step if the cache is in memory, memcached or Redis. Each process counts for
    itself unless the cache is one that they share.
    """
    if not most:
        return 0
    now = int(time.time())
    key = f"calls-{who}-{now // MINUTE}"
    cache.add(key, 0, timeout=2 * MINUTE)
    try:
        calls = cache.incr(key)
    except ValueError:  # the cache keeps nothing, or has just dropped it: no reason to refuse anybody
        return 0
    return MINUTE - now % MINUTE if calls > most else 0
