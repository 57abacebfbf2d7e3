"""The periods of the admin's date hierarchy."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def appointments():
    for start in ("2025-12-31T23:30", "2026-01-01T00:30", "2026-03-29T00:30", "2026-03-29T22:30", "2026-10-25T00:30"):
        AppointmentFactory(start_time=dt.datetime.fromisoformat(f"{start}+00:00"))


def periods(kind, **options):
    return [f"{start:%Y-%m-%d %H:%M}" for start in Appointment.objects.datetimes("start_time", kind, **options)]


def test_datetimes_are_the_years_and_months_of_clinic_time(appointments):
    assert periods("year") == ["2025-01-01 00:00", "2026-01-01 00:00"]
    assert periods("month") == ["2025-12-01 00:00", *(f"2026-{month:02}-01 00:00" for month in range(1, 11))]


def test_datetimes_are_the_days_from_the_first_record_to_the_last(appointments):
    days = periods("day")

    assert days[:2] == ["2025-12-31 00:00", "2026-01-01 00:00"]
    assert days[-2:] == ["2026-10-24 00:00", "2026-10-25 00:00"]
    assert len(days) == 299


def test_datetimes_follow_the_clinic_to_another_zone(appointments, settings):
    settings.TIME_ZONE = "Asia/Kathmandu"

    assert periods("year") == ["2026-01-01 00:00"]
    assert periods("day")[0] == "2026-01-01 00:00"


def test_datetimes_can_come_latest_first(appointments):
    assert periods("year", order="DESC") == ["2026-01-01 00:00", "2025-01-01 00:00"]


def test_datetimes_respect_filters(appointments):
    march = Appointment.objects.filter(start_time__gte=dt.datetime(2026, 2, 1, tzinfo=ZoneInfo("UTC")))

    assert [start.month for start in march.datetimes("start_time", "month")] == [3, 4, 5, 6, 7, 8, 9, 10]


def test_datetimes_of_any_number_of_periods_are_two_queries(appointments, django_assert_num_queries):
    with django_assert_num_queries(2):
        periods("day")


def test_datetimes_of_an_empty_queryset_are_empty():
    assert periods("day") == []
