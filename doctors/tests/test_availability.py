"""Doctors' availability: hours as instants, less leave and closures, also where clocks change by half an hour."""

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import hypothesis
import pytest
from django.test import override_settings
from hypothesis import strategies as st

from appointments import rules
from appointments.availability.search import free_intervals, with_gap
from clinic.core import clinic_time
from clinic.tests.kit import utc
from clinic.tests.properties import examples
from doctors.availability import (
    Absence,
    DoctorAvailability,
    ValidWeek,
    Why,
    interval_spans,
    local_dates,
    merged,
    minutes_of,
    shared,
    without,
)
from doctors.models import Doctor

MINUTE = dt.timedelta(minutes=1)
LISBON, NEW_YORK, LORD_HOWE, KATHMANDU = "Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"
TUESDAY = dt.date(2026, 11, 24)
# Each zone with the days on which its clocks change; Kathmandu's never do, so an ordinary day twice.
CHANGES = [
    (LISBON, dt.date(2026, 3, 29)),
    (LISBON, dt.date(2026, 10, 25)),
    (NEW_YORK, dt.date(2026, 3, 8)),
    (NEW_YORK, dt.date(2026, 11, 1)),
    (LORD_HOWE, dt.date(2026, 10, 4)),
    (LORD_HOWE, dt.date(2026, 4, 5)),
    (KATHMANDU, dt.date(2026, 3, 29)),
    (KATHMANDU, dt.date(2026, 10, 25)),
]
DOCTOR = Doctor(full_name="Dr Okafor")


def hours(text):
    """Return `08:00-12:00 13:00-17:00` as intervals."""
    spans = (span.split("-") for span in text.split())
    return [(dt.time.fromisoformat(opens), dt.time.fromisoformat(closes)) for opens, closes in spans]


def every_day(text, **valid):
    week = dict.fromkeys(range(7), hours(text))
    return ValidWeek(valid.get("valid_from"), valid.get("valid_until"), week)


def in_zone(zone, function, *args):
    """Call a function in a clinic of this zone."""
    with override_settings(TIME_ZONE=zone):
        return function(*args)


# Hours as instants


def test_whole_day_has_its_length_on_a_clock_change():
    minutes = {
        (LISBON, dt.date(2026, 3, 29)): 23 * 60,
        (LISBON, dt.date(2026, 10, 25)): 25 * 60,
        (LORD_HOWE, dt.date(2026, 10, 4)): 23 * 60 + 30,
        (LORD_HOWE, dt.date(2026, 4, 5)): 24 * 60 + 30,
        (KATHMANDU, TUESDAY): 24 * 60,
    }

    spans = {(zone, day): in_zone(zone, interval_spans, day, hours("00:00-00:00")) for zone, day in minutes}

    assert spans == {(zone, day): [in_zone(zone, clinic_time.day_bounds, day)] for zone, day in minutes}
    assert {case: minutes_of(found) for case, found in spans.items()} == minutes


def test_hours_on_a_day_of_a_clock_change():
    cases = [
        # 01:00 to 02:00 is skipped: what begins or ends in it does so at the change.
        (LISBON, dt.date(2026, 3, 29), "01:30-04:00", (utc(2026, 3, 29, 1), utc(2026, 3, 29, 3))),
        (LISBON, dt.date(2026, 3, 29), "00:30-01:30", (utc(2026, 3, 29, 0, 30), utc(2026, 3, 29, 1))),
        (LISBON, dt.date(2026, 3, 29), "01:10-01:50", None),
        (LISBON, dt.date(2026, 3, 29), "00:30-03:00", (utc(2026, 3, 29, 0, 30), utc(2026, 3, 29, 2))),
        (NEW_YORK, dt.date(2026, 3, 8), "02:59-04:00", (utc(2026, 3, 8, 7), utc(2026, 3, 8, 8))),
        # 02:00 to 02:30 is skipped.
        (LORD_HOWE, dt.date(2026, 10, 4), "02:15-03:00", (utc(2026, 10, 3, 15, 30), utc(2026, 10, 3, 16))),
        (LORD_HOWE, dt.date(2026, 10, 4), "02:00-02:30", None),
        # 01:00 to 02:00 comes twice: the first counts, at either end.
        (LISBON, dt.date(2026, 10, 25), "01:30-03:00", (utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 3))),
        (LISBON, dt.date(2026, 10, 25), "00:00-01:30", (utc(2026, 10, 24, 23), utc(2026, 10, 25, 0, 30))),
        (KATHMANDU, TUESDAY, "08:00-12:00", (utc(2026, 11, 24, 2, 15), utc(2026, 11, 24, 6, 15))),
    ]

    found = [in_zone(zone, interval_spans, day, hours(text)) for zone, day, text, _span in cases]

    assert found == [[span] if span else [] for _zone, _day, _text, span in cases]


def test_touching_hours_are_one():
    assert interval_spans(TUESDAY, hours("12:00-13:00 08:00-12:00")) == [(utc(2026, 11, 24, 8), utc(2026, 11, 24, 13))]


def test_hours_over_midnight_are_one():
    time = DoctorAvailability([every_day("20:00-00:00 00:00-02:00")])

    spans = time.hours_between(utc(2026, 11, 24, 23, 30), utc(2026, 11, 25, 0, 30))

    assert (utc(2026, 11, 24, 20), utc(2026, 11, 25, 2)) in spans


# Which hours hold


def test_timetable_applies_from_its_first_to_its_last_date():
    november = every_day("08:00-12:00", valid_until=dt.date(2026, 11, 30))
    december = every_day("10:00-12:00", valid_from=dt.date(2026, 12, 1), valid_until=dt.date(2026, 12, 31))
    opens = {
        dt.date(2026, 11, 23): [8],
        dt.date(2026, 11, 30): [8],
        dt.date(2026, 12, 1): [10],
        dt.date(2026, 12, 31): [10],
    }

    time = DoctorAvailability([november, december])

    assert {day: [start.hour for start, _end in time.hours_on(day)] for day in opens} == opens


def test_doctor_with_hours_on_other_dates_only_does_not_work():
    time = DoctorAvailability([every_day("08:00-12:00", valid_from=dt.date(2026, 12, 1))])

    assert time.hours_on(TUESDAY) == []
    assert [away.why for away in time.away_on(TUESDAY)] == [Why.DAY_OFF]


def test_doctor_without_hours_is_open_all_day_and_offered_in_usual_hours():
    time = DoctorAvailability()

    assert time.open_on(TUESDAY) == [clinic_time.day_bounds(TUESDAY)]
    assert time.offered_on(TUESDAY) == [(utc(2026, 11, 24, 8), utc(2026, 11, 24, 18))]
    assert time.away_on(TUESDAY) == []


def test_doctor_without_hours_is_not_offered_at_weekends_by_default():
    works = {27: True, 28: False, 29: False, 30: True}

    assert {day: DoctorAvailability().works_on(dt.date(2026, 11, day)) for day in works} == works


# Why not


def test_unavailable_times_have_a_reason():
    training = Absence(utc(2026, 11, 24, 10), utc(2026, 11, 24, 11), "Training")

    away = DoctorAvailability([every_day("08:00-12:00 13:00-17:00")], [training]).away_on(TUESDAY)

    assert [(each.start.hour, each.why, each.detail) for each in away] == [
        (0, Why.BEFORE_HOURS, ""),
        (10, Why.LEAVE, "Training"),
        (12, Why.BREAK, ""),
        (17, Why.AFTER_HOURS, ""),
    ]


def test_closure_makes_the_whole_day_unavailable():
    time = DoctorAvailability([every_day("08:00-12:00")], [], {TUESDAY: "Stocktaking"})

    assert time.open_on(TUESDAY) == []
    assert [(each.why, each.detail) for each in time.away_on(TUESDAY)] == [(Why.CLOSED, "Stocktaking")]


# Properties. Minutes count from the midnight before a day of a clock change, so what is drawn lies around the change.

A_SPAN = st.tuples(st.integers(-120, 1620), st.integers(1, 400)).map(lambda it: (it[0], it[0] + it[1]))
SPANS = st.lists(A_SPAN, max_size=6)
A_TIME = st.integers(0, 95).map(lambda quarter: dt.time(quarter // 4, quarter % 4 * 15))
INTERVALS = st.lists(st.tuples(A_TIME, A_TIME).filter(lambda it: it[0] < it[1] or it[1] == dt.time.min), max_size=3)
EXAMPLES = examples(100)
PER_DAY = examples(100, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])


def from_midnight(day, spans):
    midnight, _ = clinic_time.day_bounds(day)
    return [(midnight + start * MINUTE, midnight + end * MINUTE) for start, end in spans]


@EXAMPLES
@hypothesis.given(SPANS, SPANS)
def test_free_and_busy_times_cover_the_hours_without_overlap(open_minutes, taken_minutes):
    spans, taken = merged(from_midnight(TUESDAY, open_minutes)), from_midnight(TUESDAY, taken_minutes)

    free, busy = list(without(spans, taken)), shared(spans, taken)

    assert all(start < end for start, end in free)
    assert all(one[1] < other[0] for one, other in pairwise(spans))
    assert shared(free, busy) == []
    assert merged([*free, *busy]) == spans
    assert minutes_of(free) + minutes_of(busy) == minutes_of(spans)


@pytest.mark.parametrize(("zone", "day"), CHANGES)
@PER_DAY
@hypothesis.given(INTERVALS, SPANS, st.booleans())
def test_open_and_unavailable_times_cover_the_day(settings, zone, day, intervals, leave, is_closed):
    settings.TIME_ZONE = zone
    absences = [Absence(start, end, "Training") for start, end in from_midnight(day, leave)]
    time = DoctorAvailability(
        [ValidWeek(None, None, dict.fromkeys(range(7), intervals))] if intervals else [],
        absences,
        {day: "Stocktaking"} if is_closed else {},
    )

    is_open, away = time.open_on(day), [(each.start, each.end) for each in time.away_on(day)]

    assert all(one[1] <= other[0] for one, other in pairwise(away))
    assert shared(is_open, away) == []
    assert merged([*is_open, *away]) == [clinic_time.day_bounds(day)]


@pytest.mark.parametrize(("zone", "day"), CHANGES)
@PER_DAY
@hypothesis.given(
    st.lists(st.tuples(A_TIME, A_TIME).filter(lambda it: it[0] < it[1]), min_size=1, max_size=3),
    SPANS,
    SPANS,
    st.integers(15, 180),
    st.integers(0, 1500),
    st.sampled_from([0, 1, 10, 60]),
    st.sampled_from([15, 20, 25, 30]),
)
def test_offered_times_are_exactly_those_that_can_be_booked(
    settings, zone, day, intervals, leave, booked, minutes, minute, gap, step
):
    settings.TIME_ZONE = zone
    absences = [Absence(start, end, "Training") for start, end in from_midnight(day, leave)]
    time = DoctorAvailability([ValidWeek(None, None, dict.fromkeys(range(7), intervals))], absences)
    booked, length, gap = from_midnight(day, booked), minutes * MINUTE, gap * MINUTE
    midnight, next_midnight = clinic_time.day_bounds(day)

    def can_be_booked(start):
        end = start + length
        has_gap = all(after + gap <= start or end + gap <= before for before, after in booked)
        return has_gap and is_open(time, start, end)

    taken = [with_gap(span, gap) for span in booked]
    before = midnight - MINUTE
    offered = list(free_intervals(time.offered_on(day), taken, minutes=minutes, at=before, step=step * MINUTE))

    assert all(can_be_booked(piece.start) for piece in offered)
    start = midnight + minute * MINUTE
    is_offered = any(piece.start <= start < piece.end and start + length <= piece.free_until for piece in offered)
    if start + length <= next_midnight:  # after midnight the hours of the next date apply
        assert is_offered == can_be_booked(start)


def is_open(time, start, end):
    try:
        rules.check_open(time, start, end, doctor=DOCTOR)
    except rules.ValidationError:
        return False
    return True


@EXAMPLES
@hypothesis.given(
    st.sampled_from([LISBON, NEW_YORK, LORD_HOWE, KATHMANDU]),
    st.dates(dt.date(2026, 1, 1), dt.date(2026, 12, 31)),
    A_TIME,
)
def test_first_instant_of_a_time_around_clock_changes(zone, day, time):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clinic_time, "clinic_zone", lambda: ZoneInfo(zone))
        instant = clinic_time.first_instant_from(day, time)

        wall = dt.datetime.combine(day, time)
        assert clinic_time.local(instant).replace(tzinfo=None) >= wall
        assert clinic_time.local(instant - MINUTE).replace(tzinfo=None) < wall


def test_dates_touched_end_before_the_end():
    assert list(local_dates(utc(2026, 11, 24, 23), utc(2026, 11, 25))) == [TUESDAY]
    assert len(list(local_dates(utc(2026, 11, 24, 23), utc(2026, 11, 25, 0, 1)))) == 2
