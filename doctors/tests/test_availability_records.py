"""Timetables, leaves and closures: validation, saved rows, and simultaneous changes."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from clinic.db.transactions import LostRace
from clinic.models import AuditEntry
from clinic.tests.kit import at, codes_at, codes_in, codes_of, refusal_code, rolled_back
from doctors.forms import IntervalsField
from doctors.models import Closure, Doctor, Leave, Timetable, WorkingHours
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory

pytestmark = pytest.mark.usefixtures("db", "now")

EIGHT, NOON, ONE, FIVE, MIDNIGHT = dt.time(8), dt.time(12), dt.time(13), dt.time(17), dt.time(0)
ADMIN = "/admin/doctors"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def timetable(doctor, monday=((EIGHT, NOON),), **fields):
    return Timetable(doctor=doctor, week={0: list(monday)}, **fields)


# Timetables


@pytest.mark.both_databases
def test_hours_of_a_day(doctor):
    days = [
        ([(EIGHT, NOON)], {}),
        ([(EIGHT, NOON), (NOON, FIVE)], {}),
        ([(ONE, MIDNIGHT)], {}),
        ([(MIDNIGHT, MIDNIGHT)], {}),
        ([(NOON, EIGHT)], {"monday": ["interval"]}),
        ([(NOON, NOON)], {"monday": ["interval"]}),
        ([(dt.time(22), dt.time(2))], {"monday": ["interval"]}),
        ([(EIGHT, ONE), (NOON, FIVE)], {"monday": ["intervals_overlap"]}),
        ([(EIGHT, FIVE), (NOON, ONE)], {"monday": ["intervals_overlap"]}),
        ([(EIGHT, NOON), (EIGHT, NOON)], {"monday": ["intervals_overlap"]}),
        ([(EIGHT, MIDNIGHT), (NOON, ONE)], {"monday": ["intervals_overlap"]}),
        ([(EIGHT, dt.time(12, 1)), (NOON, FIVE)], {"monday": ["intervals_overlap"]}),
        ([], {"monday": ["no_hours"]}),
    ]
    for monday, expected in days:
        with rolled_back():
            wanted = timetable(doctor, monday)

            assert codes_of(wanted) == expected, monday
            if not expected:
                wanted.save()
                assert Timetable.objects.get().week == {0: monday}


def test_dates_of_a_second_timetable(doctor):
    """The first is for December 2026."""
    TimetableFactory(doctor=doctor, valid_from=dt.date(2026, 12, 1), valid_until=dt.date(2026, 12, 31))
    dates = [
        (None, None, {"valid_from": ["validity_overlap"]}),
        (None, dt.date(2026, 11, 30), {}),
        (None, dt.date(2026, 12, 1), {"valid_from": ["validity_overlap"]}),
        (dt.date(2027, 1, 1), None, {}),
        (dt.date(2026, 12, 31), None, {"valid_from": ["validity_overlap"]}),
        (dt.date(2026, 12, 10), dt.date(2026, 12, 12), {"valid_from": ["validity_overlap"]}),
        (dt.date(2026, 11, 30), dt.date(2027, 1, 1), {"valid_from": ["validity_overlap"]}),
        (dt.date(2026, 11, 5), dt.date(2026, 11, 4), {"valid_until": ["validity"]}),
        (dt.date(2026, 11, 5), dt.date(2026, 11, 5), {}),
        (dt.date(1026, 11, 5), None, {"valid_until": ["date_range"]}),
    ]

    codes = [codes_of(timetable(doctor, valid_from=first, valid_until=last)) for first, last, _expected in dates]

    assert codes == [expected for _first, _last, expected in dates]


def test_timetables_of_two_doctors_may_be_for_the_same_dates():
    TimetableFactory()

    TimetableFactory()

    assert Timetable.objects.count() == 2


@pytest.mark.both_databases
def test_changing_a_week_keeps_unchanged_rows():
    stored = TimetableFactory(week={0: [(EIGHT, NOON)], 1: [(EIGHT, NOON)]})
    monday = WorkingHours.objects.get(weekday=0).pk

    stored.week = {0: [(EIGHT, NOON)], 2: [(ONE, FIVE)]}
    stored.save()

    assert Timetable.objects.get().week == {0: [(EIGHT, NOON)], 2: [(ONE, FIVE)]}
    assert WorkingHours.objects.get(weekday=0).pk == monday
    assert AuditEntry.objects.get_for_model(WorkingHours).filter(action=AuditEntry.Action.DELETE).count() == 1


@pytest.mark.both_databases
def test_second_change_of_the_same_timetable_is_stale():
    TimetableFactory()
    one, other = Timetable.objects.get(), Timetable.objects.get()
    one.week = {0: [(EIGHT, NOON)]}
    one.save()

    other.week = {4: [(EIGHT, NOON)]}
    with pytest.raises(LostRace) as lost:
        other.save()

    assert [error.code for error in lost.value.error_list] == ["stale"]
    assert Timetable.objects.get().week == {0: [(EIGHT, NOON)]}


@pytest.mark.both_databases
def test_timetable_saved_unchecked_is_checked_under_the_lock(doctor):
    TimetableFactory(doctor=doctor)

    with pytest.raises(LostRace) as lost:
        timetable(doctor).save()

    assert codes_in(lost.value) == {"valid_from": ["validity_overlap"]}
    assert Timetable.objects.count() == 1


@pytest.mark.both_databases
def test_database_refuses_inverted_hours_and_leaves(doctor):
    stored = TimetableFactory(doctor=doctor)

    with pytest.raises(IntegrityError), transaction.atomic():
        WorkingHours.objects.create(timetable=stored, weekday=6, start=NOON, end=EIGHT)
    with pytest.raises(IntegrityError), transaction.atomic():
        Leave.objects.bulk_create([Leave(doctor=doctor, reason="x", **span((26, 10), (26, 10)))])


# Leaves


def span(start, end):
    """Return the times of a leave from pairs of day and hour of November 2026."""
    return {"start_time": at(start[1], day=start[0]), "end_time": at(end[1], day=end[0])}


def test_span_of_a_leave(doctor):
    """The doctor is on leave on the 28th already, up to noon. It is nine o'clock on the 24th."""
    LeaveFactory(doctor=doctor, **span((28, 0), (28, 12)))
    spans = [
        ((26, 0), (27, 0), {}),
        ((26, 10), (26, 10), {"end_time": ["leave_span"]}),
        ((26, 10), (26, 9), {"end_time": ["leave_span"]}),
        ((29, 0), (30, 0), {}),
        ((28, 0), (29, 0), {"start_time": ["leave_overlap"]}),
        ((28, 11), (29, 0), {"start_time": ["leave_overlap"]}),
        ((28, 12), (29, 0), {}),
        ((27, 0), (28, 1), {"start_time": ["leave_overlap"]}),
        ((27, 23), (28, 0), {}),
        ((22, 0), (24, 9), {"end_time": ["past"]}),
        ((22, 0), (24, 10), {}),
    ]
    for start, end, expected in spans:
        with rolled_back():
            leave = Leave(doctor=doctor, reason=" Family  matter ", **span(start, end))

            assert codes_of(leave) == expected, (start, end)
            if not expected:
                leave.save()
                assert leave.reason == "Family matter"


def test_leave_needs_a_reason(doctor):
    assert codes_of(Leave(doctor=doctor, reason="  ", **span((26, 0), (27, 0)))) == {"reason": ["blank"]}


def test_leave_text_is_readable():
    texts = [
        ((26, 0), (27, 0), "Thu 26 Nov 2026"),
        ((26, 0), (28, 0), "Thu 26 Nov 2026 – Fri 27 Nov 2026"),
        ((26, 9), (26, 12), "09:00–12:00 on Thu 26 Nov 2026"),
        ((26, 13), (27, 0), "from 13:00 on Thu 26 Nov 2026"),
        ((26, 0), (26, 12), "until 12:00 on Thu 26 Nov 2026"),
        ((26, 13), (28, 0), "Thu 26 Nov 2026 13:00 – Fri 27 Nov 2026"),
        ((26, 9), (27, 12), "Thu 26 Nov 2026 09:00 – Fri 27 Nov 2026 12:00"),
    ]

    assert [Leave(**span(start, end)).span_text for start, end, _text in texts] == [text for *_span, text in texts]


# Closures


@pytest.mark.both_databases
def test_date_has_only_one_closure():
    ClosureFactory()

    with pytest.raises(ValidationError) as refused:
        Closure(date=dt.date(2026, 12, 25), name="Christmas").full_clean()

    assert codes_in(refused.value) == {"date": ["closed_already"]}
    assert "Christmas Day" in str(refused.value)


def test_closures_are_saved_one_by_one():
    with pytest.raises(TypeError):
        Closure.objects.bulk_create([Closure(date=dt.date(2026, 12, 25), name="Christmas")])


@pytest.mark.both_databases
def test_change_of_availability_locks_only_that_diary():
    for factory in (TimetableFactory, LeaveFactory):
        own, other = DoctorFactory(), DoctorFactory()

        factory(doctor=own)

        versions = Doctor.objects.in_bulk([own.pk, other.pk])
        assert (versions[own.pk].diary_version, versions[other.pk].diary_version) == (1, 0), factory


@pytest.mark.both_databases
def test_closure_locks_all_diaries():
    DoctorFactory.create_batch(2)

    ClosureFactory().delete()

    assert set(Doctor.objects.values_list("diary_version", flat=True)) == {2}


@pytest.mark.both_databases
def test_rows_deleted_from_a_list_lock_the_diary(in_admin, doctor):
    for row in (LeaveFactory(doctor=doctor), ClosureFactory()):
        before = Doctor.objects.get(pk=doctor.pk).diary_version
        name = type(row)._meta.model_name

        in_admin.post(f"{ADMIN}/{name}/", {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})

        assert not type(row).objects.exists(), name
        assert Doctor.objects.get(pk=doctor.pk).diary_version == before + 1, name


# What people type


def test_hours_are_parsed_from_usual_spellings():
    expected = {
        "08:00-12:00": [(EIGHT, NOON)],
        "8-12, 13-17": [(EIGHT, NOON), (ONE, FIVE)],
        "13:00–17:00 8h00 to 12": [(EIGHT, NOON), (ONE, FIVE)],
        " 8.00 - 12.00 ; 13 — 24:00 ": [(EIGHT, NOON), (ONE, MIDNIGHT)],
        "": [],
    }

    assert {text: IntervalsField().clean(text) for text in expected} == expected


def test_text_without_valid_hours_is_refused():
    texts = ["morning", "8", "8-", "8-12-17", "25-26", "8:60-12", "8-12 and 13-17", "8-123", "-", "\0"]

    assert [text for text in texts if not refusal_code(IntervalsField().clean, text)] == []


# In the admin


def typed(doctor, **changes):
    return {"doctor": doctor.pk, "valid_from": "", "valid_until": "", "seen_version": "", "monday": "8-12"} | changes


def test_admin_writes_a_week(in_admin, doctor):
    response = in_admin.post(f"{ADMIN}/timetable/add/", typed(doctor, friday="8-12, 13-17"))

    assert response.status_code == 302
    assert Timetable.objects.get().week == {0: [(EIGHT, NOON)], 4: [(EIGHT, NOON), (ONE, FIVE)]}


def test_admin_refuses_a_wrong_week_at_its_field_and_keeps_the_input(in_admin, doctor):
    refusals = [
        ({"monday": "12-8"}, "monday", "interval"),
        ({"tuesday": "8-13, 12-17"}, "tuesday", "intervals_overlap"),
        ({"sunday": "always"}, "sunday", "intervals"),
        ({"monday": ""}, "monday", "no_hours"),
        ({"valid_from": "2026-12-02", "valid_until": "2026-12-01"}, "valid_until", "validity"),
        ({"valid_from": "soon"}, "valid_from", "invalid"),
    ]
    for changes, field, code in refusals:
        response = in_admin.post(f"{ADMIN}/timetable/add/", typed(doctor, **changes))

        form = response.context["adminform"].form
        assert list(form.errors) == [field], changes
        assert codes_at(response, field) == [code], changes
        assert form[field].value() == changes[field]
        assert not Timetable.objects.exists(), changes


def test_admin_refuses_the_second_change_of_the_same_timetable(in_admin):
    stored = TimetableFactory()
    opened = in_admin.get(f"{ADMIN}/timetable/{stored.pk}/change/")
    sent = {day: opened.context["adminform"].form[day].value() or "" for day in DAYS}
    sent = {day: IntervalsField().prepare_value(value) for day, value in sent.items()}
    sent |= {
        "valid_from": "",
        "valid_until": "",
        "seen_version": opened.context["adminform"].form["seen_version"].value(),
    }
    stored.week = {0: [(EIGHT, NOON)]}
    stored.save()

    refused = in_admin.post(f"{ADMIN}/timetable/{stored.pk}/change/", sent | {"friday": "9-10"})

    assert codes_at(refused, "__all__") == ["stale"]
    assert Timetable.objects.get().week == {0: [(EIGHT, NOON)]}
    again = sent | {"friday": "9-10", "seen_version": refused.context["adminform"].form["seen_version"].value()}
    assert in_admin.post(f"{ADMIN}/timetable/{stored.pk}/change/", again).status_code == 302
    assert Timetable.objects.get().week[4] == [(dt.time(9), dt.time(10))]


def test_admin_refuses_a_leave_that_begins_at_a_skipped_time(in_admin, doctor):
    sent = {"doctor": doctor.pk, "reason": "Training", "seen_version": ""}
    sent |= {"start_time_0": "2027-03-28", "start_time_1": "01:30", "end_time_0": "2027-03-29", "end_time_1": "00:00"}

    response = in_admin.post(f"{ADMIN}/leave/add/", sent)

    form = response.context["adminform"].form
    assert list(form.errors) == ["start_time"]
    assert not Leave.objects.exists()


def test_admin_adds_leave_and_closure(in_admin, doctor):
    sent = {"doctor": doctor.pk, "reason": "Training", "seen_version": ""}
    sent |= {"start_time_0": "2026-11-26", "start_time_1": "00:00", "end_time_0": "2026-11-27", "end_time_1": "00:00"}

    in_admin.post(f"{ADMIN}/leave/add/", sent)
    in_admin.post(f"{ADMIN}/closure/add/", {"date": "2026-12-25", "name": "Christmas Day", "seen_version": ""})

    assert Leave.objects.get().span_text == "Thu 26 Nov 2026"
    assert Closure.objects.get().name == "Christmas Day"
    assert in_admin.get(f"{ADMIN}/leave/").status_code == 200
