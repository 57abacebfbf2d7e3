"""Requests for calendar feeds that do not exist: limited, recorded once, and no burden for those that do."""

import datetime as dt

import pytest
from django.core.cache import cache

from appointments.calendar_feed.views import MAX_UNKNOWN_A_MINUTE
from appointments.models import CalendarFeed
from clinic.audit.try_counts import MAX_ADDRESSES
from clinic.audit_trail.entries import describe_entries
from clinic.models import Event, TryCount
from clinic.tests.kit import NOW
from clinic.tests.trail import entries, only_entry
from doctors.tests.factories import DoctorFactory

pytestmark = pytest.mark.usefixtures("db", "now")


@pytest.fixture(autouse=True)
def empty_cache():
    cache.clear()


def guess(client, number=0, address="10.0.0.1"):
    return client.get(f"/calendar/guess{number}.ics", REMOTE_ADDR=address)


def test_too_many_unknown_feeds_are_answered_429_until_the_minute_is_over(client, now):
    now.shift(20)
    answers = [guess(client, number) for number in range(MAX_UNKNOWN_A_MINUTE + 1)]

    assert [answer.status_code for answer in answers] == [404] * MAX_UNKNOWN_A_MINUTE + [429]
    assert answers[-1]["Retry-After"] == "40"
    assert guess(client, address="10.0.0.2").status_code == 404
    now.shift(40)
    assert guess(client).status_code == 404


def test_open_feed_works_from_an_address_over_its_limit(client):
    token = CalendarFeed.make(DoctorFactory(), by=None)
    for number in range(MAX_UNKNOWN_A_MINUTE + 1):
        guess(client, number)

    assert client.get(f"/calendar/{token}.ics", REMOTE_ADDR="10.0.0.1").status_code == 200


def test_addresses_of_one_ipv6_subscriber_share_the_limit(client):
    for number in range(MAX_UNKNOWN_A_MINUTE):
        guess(client, number, address=f"2001:db8:1:2::{number + 1:x}")

    assert guess(client, address="2001:db8:1:2:ffff::1").status_code == 429
    assert guess(client, address="2001:db8:1:3::1").status_code == 404


def test_revoked_feed_is_refused_like_an_unknown_one(client):
    doctor = DoctorFactory()
    token = CalendarFeed.make(doctor, by=None)
    CalendarFeed.revoke(doctor)

    statuses = {client.get(f"/calendar/{token}.ics").status_code for _ in range(MAX_UNKNOWN_A_MINUTE + 1)}

    assert statuses == {404, 429}


@pytest.mark.both_databases
def test_unknown_feeds_are_one_entry_and_a_number(client, now):
    for number in range(MAX_UNKNOWN_A_MINUTE + 10):
        guess(client, number)

    entry = only_entry(event=Event.REFUSAL)
    assert (entry.content_type.model_class(), entry.object_id, entry.remote_addr) == (CalendarFeed, None, "10.0.0.1")
    now.shift(dt.timedelta(minutes=15))
    TryCount.objects.close(at=NOW + dt.timedelta(minutes=15))
    _first, number = entries(event=Event.REFUSAL)
    assert number.additional_data["tries"] == MAX_UNKNOWN_A_MINUTE + 9
    (row,) = describe_entries([number])
    assert (row.what, row.record.text, row.details[0]) == ("refused", "calendar feeds", "29 more attempts")


def test_single_unknown_feed_leaves_no_number(client):
    guess(client)

    assert TryCount.objects.close(at=NOW + dt.timedelta(minutes=15)) == 1
    assert not TryCount.objects.exists()
    assert len(entries(event=Event.REFUSAL)) == 1


def test_unknown_feeds_from_many_addresses_write_few_entries(client):
    for number in range(MAX_ADDRESSES + 20):
        guess(client, address=f"10.1.0.{number}")
    TryCount.objects.close(at=NOW + dt.timedelta(minutes=15))

    assert len(entries(event=Event.REFUSAL)) == MAX_ADDRESSES + 1


def test_digits_in_an_address_of_a_feed_are_no_id(at_desk, doctor):
    at_desk.get(f"/calendar/{doctor.pk}.ics")

    assert {entry.content_type.model_class() for entry in entries(event=Event.REFUSAL)} == {CalendarFeed}
