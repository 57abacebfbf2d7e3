"""How long a page waits for a database that does not answer, or for a lock of somebody else."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections, transaction
from django.http import HttpResponse
from django.test import RequestFactory

from clinic import settings as portal_settings
from clinic.core.database_waits import Waits, is_command
from clinic.db import transactions
from clinic.db.transactions import current_waits, retrying, waiting_longer
from clinic.ops.request_cost import RequestCost
from clinic.tests.frozen_server import FrozenServer
from clinic.tests.test_serving import environment_of, gunicorn, own_database, portal, status_of  # noqa: F401 -- fixtures
from clinic.web import database_slots
from clinic.web.database_slots import DatabaseSlotMiddleware
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory

WAITS = Waits(read=5, write=6, lock=3, patience=8)
LOCK_WAIT = OperationalError(1205, "Lock wait timeout exceeded")
DEADLOCK = OperationalError(1213, "Deadlock found when trying to get lock")


# The limits


def test_limits_are_options_of_the_connection():
    options = WAITS.options("django.db.backends.mysql")

    assert (options["connect_timeout"], options["read_timeout"], options["write_timeout"]) == (3, 5, 6)
    assert "innodb_lock_wait_timeout = 3, lock_wait_timeout = 3" in options["init_command"]
    assert WAITS.options("django.db.backends.sqlite3") == {"timeout": 8}


def test_pages_wait_for_seconds_by_default():
    assert Waits(read=5, write=5, lock=3, patience=8) == portal_settings.PAGE_WAITS


def test_imports_and_commands_wait_longer_than_pages():
    assert WAITS.of_imports() == Waits(read=50, write=60, lock=30, patience=80)
    assert WAITS.of_commands() == Waits(read=3600, write=3600, lock=30, patience=80)


def test_commands_are_those_of_manage_py_that_serve_no_pages(monkeypatch):
    table = [
        (["manage.py", "migrate"], True),
        (["/srv/clinic/manage.py", "check_diaries"], True),
        (["./manage.py"], True),
        (["manage.py", "runserver", "0:8000"], False),
        (["/srv/clinic/.venv/bin/gunicorn", "clinic.wsgi"], False),
        (["-c"], False),
    ]
    for arguments, expected in table:
        monkeypatch.setattr("sys.argv", arguments)

        assert is_command() is expected, arguments


def lock_seconds():
    """Return after how many seconds this connection gives up on a lock."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA busy_timeout")
            return cursor.fetchone()[0] / 1000
        cursor.execute("SELECT @@innodb_lock_wait_timeout, @@lock_wait_timeout")
        (lock,) = set(cursor.fetchone())
        return lock


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_connection_has_the_limit_for_locks():
    waits = settings.DATABASE_WAITS

    assert lock_seconds() == (waits.patience if connection.vendor == "sqlite" else waits.lock)


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_waiting_longer_ends_with_its_block():
    usual, options, engine = current_waits(), connection.settings_dict["OPTIONS"], connection.settings_dict["ENGINE"]

    with waiting_longer():
        assert current_waits() == usual.of_imports()
        assert connection.settings_dict["OPTIONS"] == options | usual.of_imports().options(engine)
        if connection.vendor == "mysql":  # a database in memory keeps its connection
            assert lock_seconds() == 10 * usual.lock

    assert current_waits() == usual
    assert connection.settings_dict["OPTIONS"] is options
    assert connection.settings_dict is connections.settings["default"]


@pytest.mark.django_db
def test_waiting_longer_inside_a_transaction_changes_nothing():
    with waiting_longer():
        assert current_waits() == settings.DATABASE_WAITS


# Tries end at the deadline


class Clock:
    """The time that passes in waits, and in work that says how long it takes."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch, settings):
    settings.DATABASE_WAITS = WAITS
    clock = Clock()
    monkeypatch.setattr(transactions, "time", clock)
    return clock


@pytest.mark.django_db(transaction=True)
def test_tries_end_before_the_deadline(clock):
    # Seconds that each try takes, and how many are made within eight seconds.
    for seconds, error, tries in ((3, LOCK_WAIT, 2), (50, LOCK_WAIT, 1), (1, LOCK_WAIT, 7), (0.001, DEADLOCK, 12)):
        ended = []

        @retrying
        def work(seconds=seconds, error=error, ended=ended):
            clock.sleep(seconds)
            ended.append(clock.now)
            raise error

        began = clock.now
        with pytest.raises(OperationalError):
            work()

        assert len(ended) == tries, seconds
        assert ended[-1] - began < max(8, seconds) + 0.1, seconds


@pytest.mark.django_db(transaction=True)
def test_import_is_tried_again_after_a_long_try(clock):
    tries = []

    @waiting_longer()
    @retrying
    def work():
        clock.sleep(15)
        tries.append(1)
        if len(tries) < 3:
            raise DEADLOCK

    work()

    assert len(tries) == 3


@contextmanager
def row_lock(doctor):
    """Hold the doctor's row as somebody else, through another connection, until the block ends."""
    held, end = threading.Event(), threading.Event()

    def hold():
        with closing(connection), transaction.atomic():
            Doctor.objects.filter(pk=doctor.pk).update(full_name="Dr One")
            held.set()
            end.wait(timeout=60)
            transaction.set_rollback(True)

    with ThreadPoolExecutor(1) as somebody:
        holding = somebody.submit(hold)
        try:
            assert held.wait(timeout=10)
            yield
        finally:
            end.set()
            holding.result()


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_row_locked_by_somebody_else_is_given_up_at_the_deadline(settings):
    if connection.vendor == "sqlite":
        pytest.skip("a database in memory has one connection")
    doctor = DoctorFactory()
    settings.DATABASE_WAITS = Waits(read=5, write=5, lock=1, patience=3)

    @retrying
    def work():
        with transaction.atomic():
            Doctor.objects.filter(pk=doctor.pk).update(full_name="Dr Two")

    with row_lock(doctor):
        connection.close()
        connection.settings_dict = connection.settings_dict | {
            "OPTIONS": connection.settings_dict["OPTIONS"] | settings.DATABASE_WAITS.options(connection.vendor)
        }
        try:
            began = time.monotonic()
            with pytest.raises(OperationalError) as raised:
                work()
            took = time.monotonic() - began
        finally:
            connection.close()
            connection.settings_dict = connections.settings["default"]
    work()

    assert raised.value.args[0] == 1205
    assert 1.5 < took < 4


# Slots


class SlowPages:
    """Pages at `/slow/` do not end before `end` is called, and then with the given status; others end at once.

    The login page needs no query.
    """

    def __init__(self):
        self.begun, self.ends, self.status = threading.Semaphore(0), threading.Event(), 200

    def __call__(self, request):
        if request.path_info == "/accounts/login/":
            return HttpResponse("ok")
        request.cost.queries = 2
        if request.path_info != "/slow/":
            return HttpResponse("ok")
        self.begun.release()
        assert self.ends.wait(timeout=30)
        return HttpResponse(status=self.status)

    def open(self, threads, middleware, number):
        """Ask for slow pages, and return when they have begun."""
        self.ends.clear()
        pages = [threads.submit(answer, middleware, "/slow/") for _ in range(number)]
        for _ in pages:
            assert self.begun.acquire(timeout=10)
        return pages

    def end(self, pages, *, status):
        self.status = status
        self.ends.set()
        return [page.result()[0] for page in pages]


@pytest.fixture
def slow_pages(settings, monkeypatch):
    settings.WEB_THREADS = 2
    monkeypatch.setattr(database_slots, "LONGEST_WAIT_SECONDS", 1)
    return SlowPages()


def answer(middleware, path):
    """Return the status of the answer, the seconds that it took, and after how many to try again."""
    began = time.monotonic()
    request = RequestFactory().get(path)
    request.cost = RequestCost()
    response = middleware(request)
    return response.status_code, time.monotonic() - began, response.headers.get("Retry-After")


def test_request_without_a_slot_is_refused_and_the_next_at_once(slow_pages):
    middleware = DatabaseSlotMiddleware(slow_pages)
    with ThreadPoolExecutor(2) as threads:
        slow = slow_pages.open(threads, middleware, 2)

        waited = answer(middleware, "/patients/")
        refused = answer(middleware, "/api/patients")
        alive = answer(middleware, "/livez")

        assert slow_pages.end(slow, status=200) == [200, 200]

    assert waited[0] == refused[0] == 503
    assert waited[1] >= 1 > refused[1]
    assert waited[2] == refused[2] == "5"
    assert alive[0] == 200
    assert answer(middleware, "/patients/")[0] == 200


def test_slots_stay_closed_until_the_database_has_answered(slow_pages):
    middleware = DatabaseSlotMiddleware(slow_pages)
    with ThreadPoolExecutor(2) as threads:
        slow = slow_pages.open(threads, middleware, 2)
        assert answer(middleware, "/patients/")[1] >= 1
        slow_pages.end(slow, status=503)

        assert answer(middleware, "/accounts/login/")[0] == 200

        slow = slow_pages.open(threads, middleware, 2)
        refused = answer(middleware, "/patients/")
        slow_pages.end(slow, status=503)

    assert refused[0] == 503
    assert refused[1] < 1
    assert answer(middleware, "/patients/")[0] == 200


def test_slot_of_a_page_that_fails_is_given_back(settings):
    settings.WEB_THREADS = 1
    refusals = iter([ValueError(), None])

    def page(request):
        if error := next(refusals):
            raise error
        return HttpResponse("ok")

    middleware = DatabaseSlotMiddleware(page)
    with pytest.raises(ValueError, match=r"^$"):
        answer(middleware, "/patients/")

    assert answer(middleware, "/patients/")[0] == 200


# A real server that does not answer


@pytest.fixture
def frozen(portal, own_database, tmp_path):  # noqa: F811 -- fixtures
    """Serve the clinic through a way to its database that can freeze; yield the port, a user's headers, and the way."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no server")
    _, cookies, _, _ = portal
    server = connection.settings_dict
    way = FrozenServer(server["HOST"], int(server["PORT"] or 3306))
    url = own_database.replace(f":{server['PORT'] or 3306}/", f":{way.port}/")
    waits = {"DATABASE_READ_TIMEOUT": "2", "WEB_CONCURRENCY": "1", "WEB_THREADS": "2"}
    with closing(way), gunicorn(tmp_path / "log", environment_of(url, **waits)) as (port, _):
        yield port, {"Cookie": f"session={cookies['ana']}"}, way
        way.go_on()


def timed_status(port, path, headers):
    began = time.monotonic()
    return status_of(port, path, headers), time.monotonic() - began


@pytest.mark.stress
@pytest.mark.both_databases
def test_frozen_database_is_503_within_seconds_and_livez_at_once(frozen):
    port, headers, way = frozen
    with ThreadPoolExecutor(12) as desks:
        assert {status_of(port, "/patients/", headers) for _ in range(6)} == {200}

        way.freeze()
        pages = [desks.submit(timed_status, port, "/patients/", headers) for _ in range(10)]
        time.sleep(3)  # longer than a page waits for a slot
        alive = [timed_status(port, "/livez", {}) for _ in range(5)]
        answers = [page.result() for page in pages]
        way.go_on()

    assert {status for status, _ in answers} == {503}
    # Two seconds for an answer, three to connect again, two for a slot, and what a busy machine adds.
    assert max(seconds for _, seconds in answers) < 10
    assert {status for status, _ in alive} == {200}
    assert max(seconds for _, seconds in alive) < 2
    assert {status_of(port, "/patients/", headers) for _ in range(6)} == {200}
