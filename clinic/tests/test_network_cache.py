"""A cache on another server: no page fails without it, and with it limits are exact."""

import json
import logging
import os
import secrets
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from django.core.cache import cache, caches

from clinic.checks import check_cache_packages
from clinic.ops import environment
from clinic.ops.logs import JsonLines
from clinic.ops.network_cache import LOGGED_EVERY, LONGEST_WAIT, PAUSE
from clinic.ops.rate_limit import seconds_to_wait
from clinic.tests.fuzz_api import free_port

ROOT = Path(__file__).resolve().parents[2]
PAGE = "/patients/"
PASSWORD = "not-for-the-log"
# What each operation returns if there is nothing stored, or nothing can be.
MISSES = {
    "add": (("key", 1), False),
    "get": (("key", "default"), "default"),
    "set": (("key", 1), None),
    "touch": (("key",), False),
    "delete": (("key",), False),
    "has_key": (("key",), False),
    "get_many": ((["key"],), {}),
    "set_many": (({"key": 1},), ["key"]),
    "delete_many": ((["key"],), None),
    "get_or_set": (("key", 7), 7),
    "clear": ((), None),
}


@pytest.fixture
def use_cache(settings, monkeypatch):
    """Return a function that makes this URL the portal's cache."""

    def use(url):
        monkeypatch.setenv("CACHE_URL", url)
        settings.CACHES = {"default": environment.cache("CACHE_URL", default="")}

    return use


@pytest.fixture
def nobody(use_cache):
    """Use a cache at which no server answers."""
    use_cache(f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0")


@pytest.fixture
def black_hole(use_cache):
    """Use a cache to which clients can connect, but which never answers; yield its socket."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.setblocking(False)
        use_cache(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        yield listener


@pytest.fixture
def without_redis(use_cache, monkeypatch):
    """Use Redis, although its package cannot be imported."""
    monkeypatch.setitem(sys.modules, "redis", None)
    use_cache("redis://127.0.0.1:6379/0")


@pytest.fixture
def clock(monkeypatch):
    """Stop the clock of the pauses; return a function that puts it forward by seconds."""
    seconds = [1000.0]
    monkeypatch.setattr("clinic.ops.network_cache.monotonic", lambda: seconds[0])

    def put_forward(by):
        seconds[0] += by

    return put_forward


@pytest.fixture
def log():
    """The log of the cache, formatted as configured."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(JsonLines().format(record))
    logging.getLogger("clinic.ops.network_cache").addHandler(handler)
    yield lines
    logging.getLogger("clinic.ops.network_cache").removeHandler(handler)


def connections_to(listener):
    """Return how many clients have connected since the last call."""
    count = 0
    while True:
        try:
            client, _address = listener.accept()
        except BlockingIOError:
            return count
        client.close()
        count += 1


# A cache that works


def test_redis_stores_what_is_put_there(redis_server, use_cache):
    use_cache(redis_server.url)

    assert cache.add("number", 1)
    assert not cache.add("number", 5)
    cache.set("person", {"name": "Ana"})
    assert cache.set_many({"a": 1, "b": 2}) == []
    cache.delete_many(["b"])

    assert cache.incr("number", 2) == 3
    assert cache.decr("number") == 2
    assert cache.get("person") == {"name": "Ana"}
    assert cache.get_many(["a", "b"]) == {"a": 1}
    assert cache.touch("a", 60)
    assert "a" in cache
    assert cache.delete("a")
    assert cache.get_or_set("a", 9) == 9
    cache.clear()
    assert cache.get("number") is None


def test_number_that_is_not_stored_is_no_error(redis_server, use_cache, log):
    use_cache(redis_server.url)

    with pytest.raises(ValueError, match="number"):
        cache.incr("number")

    cache.set("number", 1)
    assert cache.incr("number") == 2
    assert log == []


def test_redis_waits_a_fifth_of_a_second_unless_the_url_says_otherwise(use_cache):
    for query, seconds in (("", LONGEST_WAIT), ("?socket_timeout=1.5", 1.5)):
        use_cache(f"redis://127.0.0.1:6379/0{query}")

        options = caches["default"]._wrapped._cache.get_client().connection_pool.connection_kwargs

        assert (options["socket_connect_timeout"], options["socket_timeout"]) == (0.2, seconds)


def test_cache_in_memory_is_used_as_it_is():
    assert environment.cache("NO_SUCH_SETTING", default="locmemcache://") == {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "",
    }


def test_rate_limit_is_counted_in_redis(redis_server, use_cache, now):
    use_cache(redis_server.url)

    assert [seconds_to_wait("caller", most=2) for _call in range(4)] == [0, 0, 60, 60]


# A cache that fails


def test_every_operation_of_a_failed_cache_is_a_miss(nobody):
    for operation, (arguments, miss) in MISSES.items():
        assert getattr(cache, operation)(*arguments) == miss, operation
    with pytest.raises(ValueError, match="number"):
        cache.incr("key")
    assert seconds_to_wait("caller", most=1) == 0


@pytest.mark.parametrize("failing", ["nobody", "black_hole", "without_redis"])
def test_pages_are_served_without_the_cache(failing, request, at_desk, api, settings):
    request.getfixturevalue(failing)
    settings.PAGES_A_MINUTE = settings.API_CALLS_A_MINUTE = 1

    assert [at_desk.get(PAGE).status_code for _page in range(3)] == [200] * 3
    assert [api.get("/doctors").status_code for _call in range(3)] == [200] * 3


def test_failed_cache_is_asked_once_in_some_seconds(black_hole, clock):
    for _pause in range(3):
        for _page in range(20):
            assert cache.get("key") is None
        assert connections_to(black_hole) == 1

        clock(PAUSE - 0.1)
        assert cache.get("key") is None
        assert connections_to(black_hole) == 0
        clock(0.1)


def test_cache_is_used_again_after_it_has_come_back(redis_server, use_cache, clock):
    use_cache(redis_server.url)
    cache.set("key", 1)
    redis_server.kill()
    assert cache.get("key") is None
    redis_server.start()
    clock(PAUSE)

    cache.set("key", 2)

    assert [cache.get("key") for _page in range(3)] == [2, 2, 2]


def test_failure_is_logged_once_a_minute_without_anything_sensitive(nobody, log, clock):
    def ask_for_a_minute():
        for _second in range(LOGGED_EVERY):
            cache.set("MariaSantos", "Sore knee")
            clock(1)

    ask_for_a_minute()
    assert len(log) == 1
    ask_for_a_minute()

    assert len(log) == 2
    line = json.loads(log[0])
    assert line["level"] == "ERROR"
    assert (
        line["message"] == "The cache has failed and is asked again every 5 seconds: redis.exceptions.ConnectionError"
    )
    assert "exception" not in line
    for secret in (PASSWORD, "Maria", "Sore knee", "127.0.0.1"):
        assert secret not in log[0]


def test_value_that_cannot_be_read_is_a_miss(redis_server, use_cache, log):
    use_cache(redis_server.url)
    cache._wrapped._cache.get_client().set(cache._wrapped.make_key("key"), b"not pickled")

    assert cache.get("key") is None
    assert len(log) == 1


# The package is not installed


def test_missing_package_is_an_error_of_the_check(without_redis):
    assert [(each.id, each.level) for each in check_cache_packages()] == [("clinic.E003", logging.ERROR)]


def test_installed_or_unneeded_package_is_no_error(use_cache):
    for url in ("redis://127.0.0.1:6379/0", "locmemcache://", "filecache:///tmp/portal"):
        use_cache(url)

        assert check_cache_packages() == [], url


def check(*options):
    """Run `manage.py check` for a cache in Redis, in a process that cannot import its package."""
    program = (
        "import sys; from django.core.management import execute_from_command_line; "
        "sys.modules['redis'] = None; execute_from_command_line()"
    )
    settings = {
        "CACHE_URL": f"redis://:{PASSWORD}@127.0.0.1:6379/0",
        "DATABASE_URL": "sqlite://:memory:",
        "DJANGO_SETTINGS_MODULE": "clinic.settings",
        "ENV_FILE": os.devnull,
        "PATH": os.environ["PATH"],
        "SECRET_KEY": secrets.token_urlsafe(64),
    }
    command = [sys.executable, "-c", program, "check", *options]
    return subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=60)


def test_check_for_deployment_reports_a_missing_package():
    ordinary, deploy = check(), check("--deploy")

    assert ordinary.returncode == 0, ordinary.stderr
    assert deploy.returncode == 1
    assert "(clinic.E003) Cache 'default' needs the package redis." in deploy.stderr
    assert PASSWORD not in deploy.stderr
