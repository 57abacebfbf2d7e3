"""Lockout over HTTP: guests' Wi-Fi shares the clinic's address, and a stranger on it guesses passwords."""

import http.client
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

import pytest

from clinic.accounts.lockout import MAX_FROM_ADDRESS
from clinic.tests.test_serving import THREADS, own_database, portal  # noqa: F401 -- fixtures

PASSWORD = "demo-clinic-2026"
LOGIN = "/accounts/login/"
AUDITED = """
import datetime as dt, json
from django.utils import timezone
from clinic.models import AuditEntry, Event, TryCount
before = AuditEntry.objects.filter(event=Event.SIGN_IN_FAILED).count()
TryCount.objects.close(at=timezone.now() + dt.timedelta(hours=1))
entries = AuditEntry.objects.filter(event=Event.SIGN_IN_FAILED).order_by("pk")
numbers = [entry.additional_data["tries"] for entry in entries if "tries" in (entry.additional_data or {})]
print(json.dumps([before, numbers]))
"""


class Browser:
    """Keeps its cookies, and sends forms with their token."""

    def __init__(self, url):
        self.host, self.cookies, self.token = urlsplit(url).netloc, SimpleCookie(), ""

    def send(self, method, path, **form):
        cookies = "; ".join(f"{name}={cookie.value}" for name, cookie in self.cookies.items())
        headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
        with closing(http.client.HTTPConnection(self.host, timeout=30)) as connection:
            connection.request(method, path, urlencode(form), headers)
            with closing(connection.getresponse()) as response:
                for text in response.headers.get_all("Set-Cookie", []):
                    self.cookies.load(text)
                page = response.read().decode()
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        self.token = found[1] if found else self.token
        return response.status

    def log_in(self, username, password=PASSWORD):
        self.send("GET", LOGIN)
        return self.send("POST", LOGIN, username=username, password=password, csrfmiddlewaretoken=self.token)

    def log_out(self):
        self.send("GET", "/accounts/")
        assert self.send("POST", "/accounts/logout/", csrfmiddlewaretoken=self.token) == 302


@pytest.mark.stress
@pytest.mark.both_databases
def test_stranger_at_the_same_address_cannot_stop_the_desk(portal):  # noqa: F811 -- the fixture
    url, _, _, shell = portal
    desk, stranger = Browser(url), Browser(url)
    assert desk.log_in("ana") == 302
    desk.log_out()
    if time.time() % 900 > 840:
        time.sleep(900 - time.time() % 900)  # numbers are those of a quarter of an hour of the clock

    statuses = [stranger.log_in(f"somebody{number}", "guess") for number in range(MAX_FROM_ADDRESS)]
    with ThreadPoolExecutor(THREADS) as threads:
        locked = list(threads.map(lambda number: Browser(url).log_in(f"guess{number}", "guess"), range(80)))

    assert statuses == [200] * (MAX_FROM_ADDRESS - 1) + [429]
    assert locked == [429] * 80
    assert Browser(url).log_in("ben") == 429  # an unknown browser has to wait, with the right password, too
    assert desk.log_in("ana") == 302
    assert desk.send("GET", "/patients/") == 200
    assert stranger.log_in("ana", "guess") == 429
    assert shell(AUDITED) == [MAX_FROM_ADDRESS, [82]]
