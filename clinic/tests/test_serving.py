"""The portal under a real gunicorn, started without any option."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from django.db import connection
from redis import Redis

from clinic.tests.fuzz_api import free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
GUNICORN = Path(sys.executable).with_name("gunicorn")
NO_DATABASE = "mysql://nobody@127.0.0.1:1/none"
THREADS = 8  # two workers with four threads each
CREATE_PEOPLE = """
import json
from django.test import Client
from clinic.accounts.roles import RECEPTIONIST
from clinic.tests.factories import UserFactory
from patients.tests.factories import PatientFactory
cookies, patients = {}, []
for username in ("ana", "ben", "eva", "kim", "tom"):
    client = Client()
    client.force_login(UserFactory(username=username, role=RECEPTIONIST))
    cookies[username] = client.cookies["session"].value
for _ in range(80):
    patient = PatientFactory()
    patient.last_name = f"Patient{patient.pk}"
    patient.save()
    patients.append(patient.pk)
print(json.dumps({"cookies": cookies, "patients": patients}))
"""
RECORDED_READS = """
import json
from clinic.models import AuditEntry, Event
reads = AuditEntry.objects.filter(event=Event.READ, patient_id__isnull=False)
print(json.dumps(list(reads.values_list("actor__username", "patient_id"))))
"""


def environment_of(database_url, **settings):
    """Return an environment with test settings: static files come from their sources, uncollected."""
    return os.environ | {
        "ENV_FILE": os.devnull,
        "DJANGO_SETTINGS_MODULE": "clinic.tests.settings",
        "DATABASE_URL": database_url,
        **settings,
    }


@contextmanager
def gunicorn(log, environment):
    """Run `gunicorn clinic.wsgi` until the block ends; yield its port and process."""
    port = free_port()
    with log.open("w") as output:
        server = subprocess.Popen(
            [GUNICORN, "clinic.wsgi"], cwd=ROOT, env=environment | {"PORT": str(port)}, stdout=output, stderr=output
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/livez")
            yield port, server
        finally:
            server.terminate()
            server.wait()


@pytest.fixture(scope="module")
def portal_without_database(tmp_path_factory):
    environment = environment_of(NO_DATABASE, CLIENT_TIMEOUT="1")
    with gunicorn(tmp_path_factory.mktemp("gunicorn") / "log", environment) as (port, _):
        yield port


def status_of(port, path="/livez", headers=None):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        client.request("GET", path, headers=headers or {})
        with closing(client.getresponse()) as response:
            return response.status


def wait_until(is_true):
    for _ in range(120):
        if is_true():
            return
        time.sleep(0.25)
    raise AssertionError("it did not become true within 30 seconds")


def test_portal_is_loaded_without_a_database_connection(portal_without_database):
    # A connection made before the workers are forked would have failed here.
    assert status_of(portal_without_database) == 200
    with pytest.raises(HTTPError) as answer:
        urlopen(f"http://127.0.0.1:{portal_without_database}/readyz")
    with closing(answer.value) as response:
        assert response.status == 503
        assert re.fullmatch(rb"not ready: the database does not answer \(200[23]\)", response.read())


def test_plain_gunicorn_limits_request_line_and_headers(portal_without_database):
    table = [
        (f"/livez?{'x' * 8100}", {}, 200),
        (f"/livez?{'x' * 8200}", {}, 414),
        ("/livez", {f"X-{n}": "x" for n in range(50)}, 200),
        ("/livez", {f"X-{n}": "x" for n in range(61)}, 431),
        ("/livez", {"X-Long": "x" * 8100}, 200),
        ("/livez", {"X-Long": "x" * 8200}, 431),
    ]

    statuses = [status_of(portal_without_database, path, headers) for path, headers, _ in table]

    assert statuses == [expected for *_, expected in table]


def test_connection_is_kept_for_further_requests(portal_without_database):
    with closing(http.client.HTTPConnection("127.0.0.1", portal_without_database, timeout=30)) as client:
        client.request("GET", "/livez")
        client.getresponse().read()
        first = client.sock

        client.request("GET", "/livez")

        assert client.getresponse().read() == b"ok"
        assert client.sock is first is not None


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: ", id="headers"),
        pytest.param(
            b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
            b"Cookie: csrf=" + b"x" * 32 + b"\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nusername=",
            id="body",
        ),
    ],
)
def test_clients_that_stop_sending_do_not_occupy_the_threads(portal_without_database, sent):
    with ExitStack() as stack:
        for _ in range(THREADS):
            stack.enter_context(socket.create_connection(("127.0.0.1", portal_without_database))).sendall(sent)

        assert status_of(portal_without_database) == 200


def test_options_of_gunicorn_come_from_the_settings():
    environment = environment_of(NO_DATABASE, HOST="::1", PORT="8123", WEB_CONCURRENCY="3", WEB_THREADS="5")
    command = [GUNICORN, "clinic.wsgi", "--print-config"]

    printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout

    options = dict(re.findall(r"^(\w+) += (.*)$", printed, re.MULTILINE))
    expected = {
        "bind": "['[::1]:8123']",
        "workers": "3",
        "threads": "6",  # one more, for what needs no database,
        "worker_class": "gthread",
        "preload_app": "True",
        "forwarded_allow_ips": "[]",
        "control_socket_disable": "True",
    }
    assert {name: options[name] for name in expected} == expected


def test_reload_with_invalid_settings_does_not_stop_the_server(tmp_path):
    storage = "django.contrib.staticfiles.storage.StaticFilesStorage"
    (tmp_path / "uncollected.py").write_text(
        f"from clinic.settings import *\nSTORAGES = STORAGES | {{'staticfiles': {{'BACKEND': '{storage}'}}}}"
    )
    (tmp_path / ".env").write_text("SESSION_IDLE_MINUTES=15\n")
    environment = environment_of(
        NO_DATABASE,
        DJANGO_SETTINGS_MODULE="uncollected",
        PYTHONPATH=str(tmp_path),
        ENV_FILE=str(tmp_path / ".env"),
        WEB_CONCURRENCY="1",
    )
    log = tmp_path / "log"
    with gunicorn(log, environment) as (port, server):
        (tmp_path / ".env").write_text("SESSION_IDLE_MINUTES=abc\n")

        server.send_signal(signal.SIGHUP)
        wait_until(lambda: log.read_text().count("Booting worker") == 2)

        assert status_of(port) == 200
        assert server.poll() is None


# Several users at once


@pytest.fixture(scope="module")
def own_database(tmp_path_factory, worker_id, django_db_setup, django_db_blocker):
    """Yield the URL of an empty database that another process can use; on MariaDB and MySQL on the same server."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('served')}/clinic.sqlite3"
        return
    # The tests of this file may run in several processes at once, each of which needs its own.
    server, name = connection.settings_dict, f"{connection.settings_dict['NAME']}_served_{worker_id}"
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
        yield f"mysql://{server['USER']}:{server['PASSWORD']}@{server['HOST']}:{server['PORT'] or 3306}/{name}"
        cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="module")
def portal(own_database, tmp_path_factory):
    """Serve a clinic with users and patients; yield its URL, the users' session cookies, the patients and a shell."""
    environment = environment_of(own_database)

    def shell(program):
        command = [sys.executable, "manage.py", "shell", "--verbosity=0", "--command", program]
        return json.loads(subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True).stdout)

    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], cwd=ROOT, env=environment, check=True)
    people = shell(CREATE_PEOPLE)
    with gunicorn(tmp_path_factory.mktemp("served") / "log", environment) as (port, _):
        yield f"http://127.0.0.1:{port}", people["cookies"], people["patients"], shell


def page_of(url, cookie):
    with urlopen(Request(url, headers={"Cookie": f"session={cookie}"})) as page:
        return page.read().decode()


@pytest.mark.stress
@pytest.mark.both_databases
def test_users_at_once_get_their_own_pages(portal):
    url, cookies, _, _ = portal

    def names(username):
        pages = [page_of(f"{url}/accounts/", cookies[username]) for _ in range(20)]
        return username, {name for page in pages for name in re.findall(r"<summary>(.+?)</summary>", page)}

    with ThreadPoolExecutor(2 * THREADS) as threads:
        seen = list(threads.map(names, [*cookies] * 4))

    assert seen == [(username, {username}) for username in [*cookies] * 4]


@pytest.mark.stress
@pytest.mark.both_databases
def test_reads_at_once_are_recorded_with_their_user(portal):
    url, cookies, patients, shell = portal
    usernames = [*cookies]
    reads = [(usernames[n % len(usernames)], pk) for n, pk in enumerate(patients)]

    with ThreadPoolExecutor(2 * THREADS) as threads:
        pages = list(threads.map(lambda read: page_of(f"{url}/patients/{read[1]}/", cookies[read[0]]), reads))

    assert all(f"Patient{pk}" in page for page, (_, pk) in zip(pages, reads, strict=True))
    assert sorted(map(tuple, shell(RECORDED_READS))) == sorted(reads)


# The cache that all processes share


@pytest.fixture
def counting(own_database, tmp_path):
    """Return a function that returns an environment in which pages are counted in this cache."""
    (tmp_path / "counting.py").write_text(
        "from clinic.tests.settings import *\nfrom clinic.settings import PAGES_A_MINUTE\n"
    )

    def environment(cache_url, most):
        return environment_of(
            own_database,
            DJANGO_SETTINGS_MODULE="counting",
            PYTHONPATH=str(tmp_path),
            CACHE_URL=cache_url,
            PAGES_A_MINUTE=str(most),
            WEB_CONCURRENCY="1",
        )

    return environment


@pytest.mark.stress
@pytest.mark.both_databases
def test_five_users_go_on_when_redis_is_killed(portal, counting, redis_server, tmp_path):
    _, cookies, _, _ = portal
    statuses = []

    def click(cookie):
        statuses.extend(status_of(port, "/patients/", {"Cookie": f"session={cookie}"}) for _ in range(40))

    log = tmp_path / "log"
    with gunicorn(log, counting(redis_server.url, most=1000)) as (port, _), ThreadPoolExecutor(5) as users:
        clicks = [users.submit(click, cookie) for cookie in cookies.values()]
        wait_until(lambda: len(statuses) > 50)
        with closing(Redis(port=redis_server.port)) as client:
            assert client.dbsize() >= len(cookies)
        redis_server.kill()
        for each in clicks:
            each.result()

    assert statuses == [200] * 40 * len(cookies)
    assert log.read_text().count("The cache has failed") == 1


@pytest.mark.stress
@pytest.mark.both_databases
def test_limit_of_ten_lets_ten_through_on_two_processes(portal, counting, redis_server, tmp_path):
    _, cookies, _, _ = portal
    headers = {"Cookie": f"session={cookies['ana']}"}
    # Without a cache that both share, each of them lets ten through.
    for cache_url, passed in ((redis_server.url, 10), ("locmemcache://", 20)):
        environment = counting(cache_url, most=10)
        with (
            gunicorn(tmp_path / "log1", environment) as (first, _),
            gunicorn(tmp_path / "log2", environment) as (second, _),
            ThreadPoolExecutor(8) as threads,
        ):
            if time.time() % 60 > 50:
                time.sleep(60 - time.time() % 60)  # the limit is that of a minute of the clock
            statuses = list(threads.map(lambda port: status_of(port, "/patients/", headers), [first, second] * 15))

        assert sorted(statuses) == [200] * passed + [429] * (30 - passed), cache_url
