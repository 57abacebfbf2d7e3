"""Clinic time: conversion of days and wall clock times to instants and back, in every kind of zone."""

import datetime as dt

import hypothesis
from django.core.exceptions import ValidationError
from django.test import override_settings
from django.utils.translation import override
from hypothesis import strategies as st

from clinic.core import clinic_time
from clinic.core.clinic_time import FIRST, SECOND
from clinic.tests.kit import refusal_code, utc
from clinic.tests.properties import examples

LISBON = "Europe/Lisbon"
NEW_YORK = "America/New_York"
LORD_HOWE = "Australia/Lord_Howe"  # its clocks change by half an hour
KATHMANDU = "Asia/Kathmandu"  # never changes, and is 5:45 ahead
SANTIAGO = "America/Santiago"  # skips midnight in September
CAIRO = "Africa/Cairo"  # skips midnight in April
HAVANA = "America/Havana"  # skips midnight in March and shows it twice in November
ZONES = [LISBON, NEW_YORK, LORD_HOWE, KATHMANDU, SANTIAGO, CAIRO, HAVANA]

ANY_DAY = st.dates(dt.date(2020, 1, 1), dt.date(2035, 12, 31))
ANY_MINUTE = st.builds(dt.time, st.integers(0, 23), st.integers(0, 59))
# Around the clock changes of 2026, where a fault would be.
CHANGE_DAYS = st.sampled_from(
    [
        dt.date(2026, 3, 8),
        dt.date(2026, 3, 29),
        dt.date(2026, 4, 4),
        dt.date(2026, 4, 5),
        dt.date(2026, 4, 23),
        dt.date(2026, 4, 24),
        dt.date(2026, 9, 6),
        dt.date(2026, 10, 4),
        dt.date(2026, 10, 25),
        dt.date(2026, 10, 29),
        dt.date(2026, 11, 1),
    ]
)
thoroughly = examples(200)


def in_zone(zone, function, *args, **kwargs):
    """Call a function of clinic time in a clinic of this zone."""
    with override_settings(TIME_ZONE=zone):
        return function(*args, **kwargs)


# Days


def test_day_bounds_are_the_first_instants_of_the_day_and_the_next():
    expected = {
        (LISBON, dt.date(2026, 11, 24)): (utc(2026, 11, 24), utc(2026, 11, 25)),
        (LISBON, dt.date(2026, 7, 1)): (utc(2026, 6, 30, 23), utc(2026, 7, 1, 23)),
        (LISBON, dt.date(2026, 3, 29)): (utc(2026, 3, 29), utc(2026, 3, 29, 23)),
        (LISBON, dt.date(2026, 10, 25)): (utc(2026, 10, 24, 23), utc(2026, 10, 26)),
        (NEW_YORK, dt.date(2026, 3, 8)): (utc(2026, 3, 8, 5), utc(2026, 3, 9, 4)),
        (NEW_YORK, dt.date(2026, 11, 1)): (utc(2026, 11, 1, 4), utc(2026, 11, 2, 5)),
        (LORD_HOWE, dt.date(2026, 10, 4)): (utc(2026, 10, 3, 13, 30), utc(2026, 10, 4, 13)),
        (LORD_HOWE, dt.date(2026, 4, 5)): (utc(2026, 4, 4, 13), utc(2026, 4, 5, 13, 30)),
        (KATHMANDU, dt.date(2026, 11, 24)): (utc(2026, 11, 23, 18, 15), utc(2026, 11, 24, 18, 15)),
        (CAIRO, dt.date(2026, 4, 24)): (utc(2026, 4, 23, 22), utc(2026, 4, 24, 21)),
        (CAIRO, dt.date(2026, 10, 29)): (utc(2026, 10, 28, 21), utc(2026, 10, 29, 22)),
        (SANTIAGO, dt.date(2026, 9, 6)): (utc(2026, 9, 6, 4), utc(2026, 9, 7, 3)),
        (SANTIAGO, dt.date(2026, 4, 4)): (utc(2026, 4, 4, 3), utc(2026, 4, 5, 4)),
        (HAVANA, dt.date(2026, 11, 1)): (utc(2026, 11, 1, 4), utc(2026, 11, 2, 5)),
    }

    found = {(zone, day): in_zone(zone, clinic_time.day_bounds, day) for zone, day in expected}

    assert found == expected
    assert {bound.tzinfo for bounds in found.values() for bound in bounds} == {dt.UTC}


def test_day_bounds_are_as_far_apart_as_the_day_is_long():
    expected = {
        (LISBON, dt.date(2026, 11, 24)): dt.timedelta(hours=24),
        (LISBON, dt.date(2026, 3, 29)): dt.timedelta(hours=23),
        (LISBON, dt.date(2026, 10, 25)): dt.timedelta(hours=25),
        (LORD_HOWE, dt.date(2026, 10, 4)): dt.timedelta(hours=23.5),
        (LORD_HOWE, dt.date(2026, 4, 5)): dt.timedelta(hours=24.5),
        (CAIRO, dt.date(2026, 4, 24)): dt.timedelta(hours=23),
        (CAIRO, dt.date(2026, 10, 29)): dt.timedelta(hours=25),
        (HAVANA, dt.date(2026, 3, 8)): dt.timedelta(hours=23),
        (HAVANA, dt.date(2026, 11, 1)): dt.timedelta(hours=25),
    }

    lengths = {}
    for zone, day in expected:
        start, end = in_zone(zone, clinic_time.day_bounds, day)
        lengths[zone, day] = end - start

    assert lengths == expected


@thoroughly
@hypothesis.given(zone=st.sampled_from(ZONES), day=ANY_DAY | CHANGE_DAYS)
def test_day_bounds_of_consecutive_days_meet(zone, day):
    with override_settings(TIME_ZONE=zone):
        start, end = clinic_time.day_bounds(day)
        next_start, _ = clinic_time.day_bounds(day + dt.timedelta(days=1))

        assert end == next_start
        assert clinic_time.local_date(start) == day
        assert clinic_time.local_date(end - dt.timedelta(minutes=1)) == day
        assert clinic_time.local_date(start - dt.timedelta(minutes=1)) == day - dt.timedelta(days=1)


def test_day_bounds_at_the_ends_of_the_calendar_do_not_overflow():
    for zone in (KATHMANDU, SANTIAGO):
        for day in (clinic_time.FIRST_DATE, clinic_time.LAST_DATE):
            start, end = in_zone(zone, clinic_time.day_bounds, day)

            assert start < end, (zone, day)


def test_today_changes_at_the_clinics_midnight():
    expected = {
        utc(2026, 7, 1, 22, 59): dt.date(2026, 7, 1),
        utc(2026, 7, 1, 23, 0): dt.date(2026, 7, 2),
        utc(2026, 11, 24, 23, 59): dt.date(2026, 11, 24),
        utc(2026, 11, 25, 0, 0): dt.date(2026, 11, 25),
    }

    assert {instant: clinic_time.today(at=instant) for instant in expected} == expected


def test_today_without_an_instant_uses_the_clock(now, settings):
    settings.TIME_ZONE = "Pacific/Auckland"
    now.move_to(utc(2026, 11, 24, 11, 0))

    day = clinic_time.today()

    assert day == dt.date(2026, 11, 25)


# Wall times


def test_instant_at_a_time_that_comes_once():
    expected = {
        (LISBON, dt.date(2026, 11, 24), dt.time(10, 30)): utc(2026, 11, 24, 10, 30),
        (LISBON, dt.date(2026, 7, 1), dt.time(10, 30)): utc(2026, 7, 1, 9, 30),
        (LISBON, dt.date(2026, 3, 29), dt.time(0, 59)): utc(2026, 3, 29, 0, 59),
        (LISBON, dt.date(2026, 3, 29), dt.time(2, 0)): utc(2026, 3, 29, 1, 0),
        (LISBON, dt.date(2026, 10, 25), dt.time(0, 59)): utc(2026, 10, 24, 23, 59),
        (LISBON, dt.date(2026, 10, 25), dt.time(2, 0)): utc(2026, 10, 25, 2, 0),
        (NEW_YORK, dt.date(2026, 3, 8), dt.time(3, 0)): utc(2026, 3, 8, 7, 0),
        (LORD_HOWE, dt.date(2026, 10, 4), dt.time(2, 30)): utc(2026, 10, 3, 15, 30),
        (KATHMANDU, dt.date(2026, 11, 24), dt.time(0, 0)): utc(2026, 11, 23, 18, 15),
        (CAIRO, dt.date(2026, 4, 24), dt.time(1, 0)): utc(2026, 4, 23, 22, 0),
        (CAIRO, dt.date(2026, 4, 23), dt.time(23, 59)): utc(2026, 4, 23, 21, 59),
    }

    found = {(zone, day, time): in_zone(zone, clinic_time.instant_at, day, time) for zone, day, time in expected}

    assert found == expected
    assert {instant.tzinfo for instant in found.values()} == {dt.UTC}


def test_instant_at_a_skipped_time_is_refused():
    skipped = [
        (LISBON, dt.date(2026, 3, 29), dt.time(1, 0)),
        (LISBON, dt.date(2026, 3, 29), dt.time(1, 59)),
        (NEW_YORK, dt.date(2026, 3, 8), dt.time(2, 0)),
        (NEW_YORK, dt.date(2026, 3, 8), dt.time(2, 59)),
        (LORD_HOWE, dt.date(2026, 10, 4), dt.time(2, 0)),
        (LORD_HOWE, dt.date(2026, 10, 4), dt.time(2, 29)),
        (CAIRO, dt.date(2026, 4, 24), dt.time(0, 0)),
        (CAIRO, dt.date(2026, 4, 24), dt.time(0, 59)),
        (SANTIAGO, dt.date(2026, 9, 6), dt.time(0, 30)),
    ]

    codes = {
        (zone, day, time, which): in_zone(zone, refusal_code, clinic_time.instant_at, day, time, which=which)
        for zone, day, time in skipped
        for which in (None, FIRST, SECOND)
    }

    assert codes == dict.fromkeys(codes, "no_such_time")
    assert len(codes) == 3 * len(skipped)


# Zone, day and time, with the first instant of the two, and how many minutes later the second comes.
REPEATED = {
    (LISBON, dt.date(2026, 10, 25), dt.time(1, 0)): (utc(2026, 10, 25, 0, 0), 60),
    (LISBON, dt.date(2026, 10, 25), dt.time(1, 59)): (utc(2026, 10, 25, 0, 59), 60),
    (NEW_YORK, dt.date(2026, 11, 1), dt.time(1, 30)): (utc(2026, 11, 1, 5, 30), 60),
    (LORD_HOWE, dt.date(2026, 4, 5), dt.time(1, 30)): (utc(2026, 4, 4, 14, 30), 30),
    (LORD_HOWE, dt.date(2026, 4, 5), dt.time(1, 59)): (utc(2026, 4, 4, 14, 59), 30),
    (CAIRO, dt.date(2026, 10, 29), dt.time(23, 0)): (utc(2026, 10, 29, 20, 0), 60),
    (HAVANA, dt.date(2026, 11, 1), dt.time(0, 0)): (utc(2026, 11, 1, 4, 0), 60),
}


def test_instant_at_a_repeated_time_is_ambiguous():
    codes = {case: in_zone(case[0], refusal_code, clinic_time.instant_at, *case[1:]) for case in REPEATED}

    assert codes == dict.fromkeys(REPEATED, "ambiguous_time")


def test_instant_at_a_repeated_time_uses_the_requested_one():
    expected = {case: [first, first + dt.timedelta(minutes=minutes)] for case, (first, minutes) in REPEATED.items()}

    found = {
        (zone, day, time): [in_zone(zone, clinic_time.instant_at, day, time, which=which) for which in (FIRST, SECOND)]
        for zone, day, time in REPEATED
    }

    assert found == expected


def test_instant_at_around_a_half_hour_change_comes_once():
    for time in (dt.time(1, 29), dt.time(2, 0)):
        instants = {
            in_zone(LORD_HOWE, clinic_time.instant_at, dt.date(2026, 4, 5), time, which=which)
            for which in (None, FIRST, SECOND)
        }

        assert len(instants) == 1, time


def test_instant_at_a_time_that_comes_once_ignores_which():
    found = [clinic_time.instant_at(dt.date(2026, 7, 1), dt.time(10, 30), which=which) for which in (FIRST, SECOND)]

    assert found == [utc(2026, 7, 1, 9, 30)] * 2


def test_instant_at_is_cut_to_the_minute():
    found = clinic_time.instant_at(dt.date(2026, 11, 24), dt.time(10, 30, 59, 999_999))

    assert found == utc(2026, 11, 24, 10, 30)


def test_instant_at_the_ends_of_the_calendar_is_accepted():
    days = [dt.date(1900, 1, 1), dt.date(2199, 12, 31)]

    found = [in_zone("UTC", clinic_time.instant_at, day, dt.time(12)) for day in days]

    assert found == [dt.datetime.combine(day, dt.time(12), dt.UTC) for day in days]


def test_instant_at_a_day_beyond_the_calendar_is_refused():
    codes = {
        (zone, day): in_zone(zone, refusal_code, clinic_time.instant_at, day, dt.time(0))
        for zone in (LISBON, KATHMANDU, SANTIAGO)
        for day in (dt.date.min, dt.date(1899, 12, 31), dt.date(2200, 1, 1), dt.date.max)
    }

    assert codes == dict.fromkeys(codes, "date_range")


@thoroughly
@hypothesis.given(
    zone=st.sampled_from(ZONES),
    day=ANY_DAY | CHANGE_DAYS,
    time=ANY_MINUTE,
    which=st.sampled_from([None, FIRST, SECOND]),
)
@hypothesis.example(zone=LISBON, day=dt.date(2026, 10, 25), time=dt.time(1, 30), which=SECOND)
@hypothesis.example(zone=LORD_HOWE, day=dt.date(2026, 4, 5), time=dt.time(1, 45), which=FIRST)
def test_instant_at_every_accepted_time_survives_a_round_trip(zone, day, time, which):
    with override_settings(TIME_ZONE=zone):
        try:
            instant = clinic_time.instant_at(day, time, which=which)
        except ValidationError:
            hypothesis.reject()

        wall = clinic_time.local(instant)

        assert (wall.date(), wall.time()) == (day, time)
        assert clinic_time.instant_at(wall.date(), wall.time(), which=wall.fold) == instant


@thoroughly
@hypothesis.given(
    zone=st.sampled_from(ZONES),
    instant=st.integers(0, 16 * 365 * 24 * 60).map(lambda minutes: utc(2020, 1, 1) + dt.timedelta(minutes=minutes)),
)
@hypothesis.example(zone=LISBON, instant=utc(2026, 10, 25, 0, 30))
@hypothesis.example(zone=LISBON, instant=utc(2026, 10, 25, 1, 30))
@hypothesis.example(zone=CAIRO, instant=utc(2026, 4, 23, 22, 0))
@hypothesis.example(zone=LORD_HOWE, instant=utc(2026, 4, 4, 15, 10))
def test_instant_at_finds_every_instant_from_its_wall_time(zone, instant):
    with override_settings(TIME_ZONE=zone):
        wall = clinic_time.local(instant)

        found = clinic_time.instant_at(wall.date(), wall.time(), which=wall.fold)

        assert found == instant


# Texts


def test_span_text_is_in_clinic_time():
    text = clinic_time.span_text(utc(2026, 7, 1, 9, 15), utc(2026, 7, 1, 9, 45))

    assert text == "10:15–10:45 on Wed 1 Jul 2026"


def test_date_text_is_the_clinics_date_not_that_of_utc():
    assert clinic_time.date_text(utc(2026, 6, 30, 23, 30)) == "Wed 1 Jul 2026"


def test_time_text_distinguishes_repeated_times(settings):
    settings.TIME_ZONE = "Europe/Lisbon"

    first, second, after = (utc(2026, 10, 25, hour, minute) for hour, minute in ((0, 30), (1, 30), (2, 0)))

    assert [clinic_time.time_text(instant) for instant in (first, second, after)] == [
        "01:30 WEST",
        "01:30 WET",
        "02:00",
    ]


def test_texts_depend_on_the_fold_of_an_instant_in_clinic_time(settings):
    settings.TIME_ZONE = "Europe/Lisbon"
    walls = [dt.datetime(2026, 10, 25, 1, 30, tzinfo=clinic_time.clinic_zone(), fold=fold) for fold in (FIRST, SECOND)]

    assert walls[0] == walls[1]  # as keys of a dictionary they are one
    assert [clinic_time.time_text(wall) for wall in walls] == ["01:30 WEST", "01:30 WET"]


def test_conversions_follow_a_changed_zone(settings):
    instant, day = utc(2026, 7, 1, 23, 30), dt.date(2026, 7, 1)
    by_zone = {
        "Europe/Lisbon": ("00:30", "Thu 2 Jul 2026", utc(2026, 6, 30, 23), utc(2026, 7, 1, 7)),
        "UTC": ("23:30", "Wed 1 Jul 2026", utc(2026, 7, 1), utc(2026, 7, 1, 8)),
    }
    for zone, expected in (*by_zone.items(), *by_zone.items()):
        settings.TIME_ZONE = zone

        assert expected == (
            clinic_time.time_text(instant),
            clinic_time.date_text(instant),
            clinic_time.day_bounds(day)[0],
            clinic_time.first_instant_from(day, dt.time(8)),
        )


def test_date_text_follows_the_language():
    with override("de"):
        assert clinic_time.date_text(utc(2026, 3, 3, 12)) == "Di 3 Mär 2026"
    assert clinic_time.date_text(utc(2026, 3, 3, 12)) == "Tue 3 Mar 2026"
