"""Predicted changes of availability equal those of the saved rows."""

import datetime as dt

import pytest
from django.db import transaction

from clinic.db.transactions import LostRace
from doctors.availability_change import AvailabilityChange
from doctors.availability_loader import load_availability
from doctors.models import Closure, Doctor, Leave, Timetable
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory

pytestmark = pytest.mark.usefixtures("db", "now")

FIRST, LAST = dt.date(2026, 12, 1), dt.date(2026, 12, 31)
MORNINGS = {day: [(dt.time(8), dt.time(12))] for day in range(5)}
EVENINGS = {day: [(dt.time(16), dt.time(20))] for day in range(5)}


@pytest.fixture
def okafor():
    return DoctorFactory(full_name="Dr Okafor")


def instant(day, hour=0):
    return dt.datetime(2026, 12, day, hour, tzinfo=dt.UTC)


def facts(doctor, **after):
    """Return the doctor's unavailable times in December with reasons, and whether there are any hours."""
    times = load_availability([doctor.pk], FIRST, LAST, **after)[doctor.pk]
    days = (FIRST + dt.timedelta(days=number) for number in range(31))
    return [times.away_on(day) for day in days], times.has_hours


def assert_foreseen(doctor, change):
    before, foreseen = facts(doctor), facts(doctor, after=change)

    assert facts(doctor) == before  # looking changes nothing
    with transaction.atomic():
        for record in change.saved:
            record.save()
        for record in change.deleted:
            record.delete()
        assert facts(doctor) == foreseen
    return foreseen != before


def hours(doctor, week, *, first=None, last=None, shortens_others=False):
    timetable = Timetable(doctor=doctor, valid_from=first, valid_until=last)
    timetable.week = week
    timetable.shortens_others = shortens_others
    return timetable


def test_new_leave(okafor):
    leave = Leave(doctor=okafor, start_time=instant(3), end_time=instant(5), reason="Ill")

    assert assert_foreseen(okafor, AvailabilityChange(saved=[leave]))


def test_leave_of_another_doctor(okafor):
    leave = Leave(doctor=DoctorFactory(), start_time=instant(3), end_time=instant(5), reason="Ill")

    assert not assert_foreseen(okafor, AvailabilityChange(saved=[leave]))


def test_changed_and_deleted_leave(okafor):
    leave = LeaveFactory(doctor=okafor)
    leave.start_time, leave.end_time = instant(11), instant(13)

    assert assert_foreseen(okafor, AvailabilityChange(saved=[leave]))
    assert assert_foreseen(okafor, AvailabilityChange(deleted=[leave]))


def test_new_moved_and_deleted_closures(okafor):
    closures = [Closure(date=dt.date(2026, 12, day), name="Strike") for day in (3, 4)]
    assert assert_foreseen(okafor, AvailabilityChange(saved=closures))

    moved = ClosureFactory()
    moved.date = dt.date(2026, 12, 28)

    assert assert_foreseen(okafor, AvailabilityChange(saved=[moved]))
    assert assert_foreseen(okafor, AvailabilityChange(deleted=[moved]))


def test_first_hours_and_their_deletion(okafor):
    timetable = hours(okafor, MORNINGS)

    assert assert_foreseen(okafor, AvailabilityChange(saved=[timetable]))
    assert assert_foreseen(okafor, AvailabilityChange(deleted=[timetable]))


def test_changed_hours_and_dates(okafor):
    timetable = TimetableFactory(doctor=okafor)
    timetable.week = EVENINGS
    assert assert_foreseen(okafor, AvailabilityChange(saved=[timetable]))

    timetable = Timetable.objects.get()
    timetable.valid_until = dt.date(2026, 12, 9)  # the week is that of its rows

    assert assert_foreseen(okafor, AvailabilityChange(saved=[timetable]))


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [
        (dt.date(2026, 12, 7), dt.date(2026, 12, 11), 3),
        (dt.date(2026, 12, 7), None, 2),
        (None, dt.date(2026, 12, 11), 2),
    ],
)
def test_hours_that_split_others_and_their_deletion(okafor, first, last, count):
    TimetableFactory(doctor=okafor, week=MORNINGS)
    timetable = hours(okafor, EVENINGS, first=first, last=last, shortens_others=True)

    assert assert_foreseen(okafor, AvailabilityChange(saved=[timetable]))
    assert Timetable.objects.count() == count
    assert assert_foreseen(okafor, AvailabilityChange(deleted=[Timetable.objects.get(pk=timetable.pk)]))


def test_inactive_doctor_is_among_the_rows_to_write(okafor):
    okafor.is_active = False

    assert AvailabilityChange(saved=[okafor]).put(Doctor) == [okafor]
    assert AvailabilityChange(saved=[okafor]).touched() is None


def test_change_is_refused_after_a_lost_race(okafor):
    leave = LeaveFactory(doctor=okafor)
    Leave.objects.get().save()

    with pytest.raises(LostRace):
        AvailabilityChange(saved=[leave]).check()


def test_change_needs_no_additional_queries(okafor, django_assert_num_queries):
    leave = LeaveFactory(doctor=okafor)

    with django_assert_num_queries(3):
        load_availability([okafor.pk], FIRST, LAST, after=AvailabilityChange(saved=[leave]))
