import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.db.keyset import KeysetOrder, cursor_of, parse_cursor, split_page
from clinic.tests.kit import START

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ORDERS = [
    KeysetOrder(("pk",)),
    KeysetOrder(("start_time", "pk")),
    KeysetOrder(("start_time", "pk"), is_descending=True),
    KeysetOrder(("duration_minutes", "start_time", "pk")),
]


@pytest.fixture
def appointments():
    """Seven appointments of two lengths at three starts, the later starts first."""
    for number in range(7):
        AppointmentFactory(
            start_time=START - number // 3 * dt.timedelta(hours=1), duration_minutes=20 if number % 2 else 30
        )


def pages_of(order):
    pages, key = [], None
    while True:
        page, key = order.page(Appointment.objects.all(), after=key, size=3)
        pages.append([appointment.pk for appointment in page])
        if key is None:
            return pages


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_pages_have_all_rows_once_and_in_order(appointments, order):
    ordered = sorted(Appointment.objects.all(), key=order.key_of, reverse=order.is_descending)

    pages = pages_of(order)

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [pk for page in pages for pk in page] == [appointment.pk for appointment in ordered]


def test_full_last_page_has_no_next_key(appointments):
    shown, key = ORDERS[0].page(Appointment.objects.all(), after=None, size=7)

    assert (len(shown), key) == (7, None)


def test_page_follows_the_key_of_a_deleted_row(appointments):
    shown, key = ORDERS[1].page(Appointment.objects.all(), after=None, size=3)
    rest = Appointment.objects.exclude(pk=shown[-1].pk)

    following, _key = ORDERS[1].page(rest, after=key, size=3)

    assert [appointment.pk for appointment in following] == pages_of(ORDERS[1])[1]


def test_page_is_one_query(appointments):
    with CaptureQueriesContext(connection) as queries:
        ORDERS[1].page(Appointment.objects.all(), after=(START, 1), size=3)

    assert len(queries) == 1


def test_split_page_returns_the_first_rows_and_whether_there_are_more():
    assert split_page([1, 2, 3], 2) == ([1, 2], True)
    assert split_page([1, 2, 3], 3) == ([1, 2, 3], False)
    assert split_page([], 3) == ([], False)


# Cursors


def test_cursor_is_read_as_the_key_it_was_made_of():
    key = (dt.datetime(2026, 11, 24, 9, 0, 0, 123456, tzinfo=dt.UTC), 7)

    assert parse_cursor(cursor_of(key)) == key


def test_text_that_is_no_cursor_has_no_key():
    texts = ["", "7", "-", "1-", "-1", "-1-1", "1-1-1", "1-x", "١-1", " 1-1", "1-1\n", "9" * 18 + "-1", "1-" + "9" * 19]

    assert [text for text in texts if parse_cursor(text) is not None] == []
