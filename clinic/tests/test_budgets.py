"""Each page makes the same few queries for 3 rows and for 300, and its size stays within a budget."""

import datetime as dt
from collections import defaultdict

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext

from appointments.displaced.finder import open_schedule_change
from appointments.models import Appointment
from benchmarks.large_clinic import LargeClinic
from clinic.core.clinic_time import ONE_DAY
from clinic.models import ApiToken, User
from clinic.tests import crawl
from clinic.tests.budgets import BUDGETS
from clinic.tests.kit import NOW
from clinic.tests.page_requests import page_requests
from doctors.models import Closure, Leave

FEW, MANY = 3, 300


@pytest.fixture
def costs(db, now, request):
    """By page, the most queries and the largest answer in bytes of all its requests, in a clinic of so many rows."""
    world = make_clinic(request.param)
    costs = defaultdict(lambda: (0, 0))
    for each in page_requests(world.objects["own"]):
        client = Client(raise_request_exception=False)
        client.cookies["session"] = world.sessions.get(each.role, "")
        with CaptureQueriesContext(connection) as queries:
            response = each.send(client, world.tokens.get(each.role, ""))
        assert response.status_code < 400, f"{each}: {response.status_code}"
        queries_before, size_before = costs[each.page]
        costs[each.page] = max(queries_before, len(queries)), max(size_before, size_of(response))
    return costs


def size_of(response):
    return sum(map(len, response.streaming_content)) if response.streaming else len(response.content)


def make_clinic(rows):
    """Create so many rows of everything that lists show, all of them of the table's doctor if they have one."""
    LargeClinic(rows, last_day=NOW.date(), doctors=min(rows, 50)).fill()
    world = crawl.make_world()
    doctor = world.objects["own"]["doctor"]
    spans = [(NOW + (10 + number) * ONE_DAY, NOW + (11 + number) * ONE_DAY) for number in range(rows)]
    QuerySet(Leave).bulk_create(
        [Leave(doctor_id=doctor, start_time=start, end_time=end, reason="Training") for start, end in spans]
    )
    QuerySet(Closure).bulk_create(
        [Closure(date=dt.date(2027, 1, 1) + number * ONE_DAY, name="Closed") for number in range(rows)]
    )
    users = User.objects.bulk_create([User(username=f"many{number}") for number in range(rows)])
    Group.objects.get(name="Receptionist").user_set.add(*users)
    ApiToken.objects.bulk_create([ApiToken(user=user, name="test", digest=user.username) for user in users])
    booked = Appointment.objects.filter(status="booked").exclude(doctor=doctor)[:rows]
    world.objects["own"]["worklist"] = open_schedule_change(list(booked), cause="closure", by=None).pk
    return world


@pytest.mark.parametrize("costs", [FEW, MANY], indirect=True)
def test_page_stays_within_its_budget(costs):
    assert costs.keys() == BUDGETS.keys()
    exceeded = {
        page: f"{queries} queries, {size / 1000:.1f} kB; the budget is {BUDGETS[page]}"
        for page, (queries, size) in costs.items()
        if queries > BUDGETS[page].queries or size > 1000 * BUDGETS[page].kilobytes
    }

    assert exceeded == {}
