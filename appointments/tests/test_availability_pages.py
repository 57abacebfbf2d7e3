"""The pages of hours, leave and closing days: refusals, and the appointments that a change affects."""

import datetime as dt

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission

from appointments.models import ScheduleChange
from appointments.tests.booking_form import at
from appointments.tests.factories import AppointmentFactory
from clinic.accounts.roles import ADMINISTRATOR
from clinic.core import clinic_time
from clinic.tests.factories import UserFactory
from clinic.tests.kit import codes_at
from doctors.closures.public_holidays import public_holidays
from doctors.models import Closure, Doctor, Leave, Timetable
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory

pytestmark = pytest.mark.usefixtures("db", "now")

EIGHT, NOON, ONE, FIVE = dt.time(8), dt.time(12), dt.time(13), dt.time(17)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOLIDAYS = "/doctors/closures/holidays/"


def form_of(response):
    return response.context["form"]


# Leave


def leave_data(**changes):
    return {"first_day": "2026-11-26", "last_day": "", "from_time": "", "until_time": "", "reason": "Ill"} | changes


def test_leave_is_whole_days_unless_times_are_given(in_admin, okafor, isolated):
    cases = [
        ({}, (at(0, day=26), at(0, day=27))),
        ({"last_day": "2026-11-27"}, (at(0, day=26), at(0, day=28))),
        ({"from_time": "13:00"}, (at(13, day=26), at(0, day=27))),
        ({"until_time": "12:00"}, (at(0, day=26), at(12, day=26))),
        ({"last_day": "2026-11-27", "from_time": "13:00", "until_time": "12:00"}, (at(13, day=26), at(12, day=27))),
        # The clocks of Lisbon go back on 31 October 2027: a leave over the hour that comes twice is the longer one.
        (
            {"first_day": "2027-10-31", "from_time": "01:30", "until_time": "01:30"},
            (dt.datetime(2027, 10, 31, 0, 30, tzinfo=dt.UTC), dt.datetime(2027, 10, 31, 1, 30, tzinfo=dt.UTC)),
        ),
        (
            {"first_day": "2027-10-31"},
            (dt.datetime(2027, 10, 30, 23, tzinfo=dt.UTC), dt.datetime(2027, 11, 1, tzinfo=dt.UTC)),
        ),
    ]
    for changes, expected in cases:
        with isolated(changes=changes, expected=expected):
            response = in_admin.post(f"/doctors/{okafor.pk}/leave/", leave_data(**changes))

            assert response["Location"] == okafor.get_absolute_url()
            leave = Leave.objects.get()
            assert (leave.start_time, leave.end_time, leave.doctor, leave.reason) == (*expected, okafor, "Ill")


def test_leave_is_refused_at_its_field_and_keeps_what_was_typed(in_admin, okafor, isolated):
    cases = [
        ({"first_day": ""}, "first_day", "required"),
        ({"first_day": "tomorrow"}, "first_day", "invalid"),
        ({"first_day": "1899-12-31"}, "first_day", "date_range"),
        ({"last_day": "9999-12-31"}, "last_day", "date_range"),
        ({"last_day": "2026-11-25"}, "last_day", "leave_span"),
        ({"last_day": "x"}, "last_day", "invalid"),
        ({"from_time": "25:00"}, "from_time", "invalid"),
        ({"from_time": "13:00", "until_time": "12:00"}, "until_time", "leave_span"),
        ({"from_time": "12:00", "until_time": "12:00"}, "until_time", "leave_span"),
        ({"first_day": "2026-11-20"}, "last_day", "past"),
        ({"first_day": "2027-03-28", "from_time": "01:30"}, "from_time", "no_such_time"),
        ({"reason": " "}, "reason", "required"),
        ({"reason": "x" * 101}, "reason", "max_length"),
        ({"reason": "a\0b"}, "reason", "null_characters_not_allowed"),
        ({"first_day": "2026-12-10"}, "first_day", "leave_overlap"),
    ]
    for changes, field, code in cases:
        with isolated(changes=changes, field=field, code=code):
            LeaveFactory(doctor=okafor)  # on 10 December

            response = in_admin.post(f"/doctors/{okafor.pk}/leave/", leave_data(**changes))

            assert codes_at(response, field) == [code]
            assert form_of(response)["reason"].value() == leave_data(**changes)["reason"]
            assert Leave.objects.count() == 1


def test_leave_is_shown_as_entered_and_saved_unchanged(in_admin, okafor, isolated):
    cases = [
        (at(0, day=26), at(0, day=28), ("2026-11-26", "2026-11-27", None, None)),
        (at(13, day=26), at(0, day=28), ("2026-11-26", "2026-11-27", "13:00", None)),
        (at(13, day=26), at(17, day=26), ("2026-11-26", "2026-11-26", "13:00", "17:00")),
    ]
    for starts, ends, shown in cases:
        with isolated(starts=starts, ends=ends, shown=shown):
            leave = LeaveFactory(doctor=okafor, start_time=starts, end_time=ends)

            form = form_of(in_admin.get(f"/doctors/leave/{leave.pk}/"))
            values = [form[name].value() for name in ("first_day", "last_day", "from_time", "until_time")]
            assert (
                tuple(None if each is None else each.isoformat()[:10].removesuffix(":00") for each in values) == shown
            )
            form_data = dict(
                zip(("first_day", "last_day", "from_time", "until_time"), (each or "" for each in shown), strict=True)
            )
            in_admin.post(
                f"/doctors/leave/{leave.pk}/", form_data | {"reason": "Training abroad", "seen_version": leave.version}
            )

            leave.refresh_from_db()
            assert (leave.start_time, leave.end_time, leave.reason) == (starts, ends, "Training abroad")


@pytest.mark.both_databases
def test_second_of_two_changes_to_a_leave_is_refused(in_admin, okafor):
    leave = LeaveFactory(doctor=okafor)
    form_data = leave_data(first_day="2026-12-11", seen_version=leave.version)
    in_admin.post(f"/doctors/leave/{leave.pk}/", form_data)

    response = in_admin.post(f"/doctors/leave/{leave.pk}/", form_data | {"first_day": "2026-12-12"})

    assert codes_at(response, "__all__") == ["stale"]
    assert clinic_time.local_date(Leave.objects.get().start_time) == dt.date(2026, 12, 11)


def test_page_of_a_new_leave_links_to_existing_leaves(in_admin, okafor):
    coming = LeaveFactory(doctor=okafor)
    over = LeaveFactory(doctor=okafor, start_time=at(0, day=20), end_time=at(0, day=21))

    text = in_admin.get(f"/doctors/{okafor.pk}/leave/").content.decode()

    assert f'href="/doctors/leave/{coming.pk}/"' in text
    assert f'href="/doctors/leave/{over.pk}/"' not in text


def test_leave_is_deleted(in_admin, okafor):
    leave = LeaveFactory(doctor=okafor)

    response = in_admin.post(f"/doctors/leave/{leave.pk}/", {"delete": "1", "seen_version": "1"})

    assert response["Location"] == okafor.get_absolute_url()
    assert not Leave.objects.exists()


@pytest.mark.both_databases
def test_leave_changed_in_the_meantime_is_not_deleted(in_admin, okafor):
    leave = LeaveFactory(doctor=okafor)
    leave.save()

    response = in_admin.post(f"/doctors/leave/{leave.pk}/", {"delete": "1", "seen_version": "1"}, follow=True)

    assert "Somebody else has changed this in the meantime" in response.content.decode()
    assert Leave.objects.exists()


def test_user_without_delete_permission_cannot_delete_leave(client, administrator, okafor):
    administrator.groups.set([Group.objects.create(name="Leave clerk")])
    administrator.groups.get().permissions.add(Permission.objects.get(codename="change_leave"))
    client.force_login(administrator)
    leave = LeaveFactory(doctor=okafor)

    shown = client.get(f"/doctors/leave/{leave.pk}/")
    assert shown.status_code == 200
    assert "Delete" not in shown.content.decode()
    response = client.post(f"/doctors/leave/{leave.pk}/", {"delete": "1", "seen_version": "1"})

    assert response.status_code == 403
    assert Leave.objects.exists()


def test_leave_from_a_repeated_hour_keeps_it_when_the_reason_changes(in_admin, okafor):
    first_half_past_one = dt.datetime(2027, 10, 31, 0, 30, tzinfo=dt.UTC)
    leave = LeaveFactory(doctor=okafor, start_time=at(0, day=30), end_time=first_half_past_one)
    form = form_of(in_admin.get(f"/doctors/leave/{leave.pk}/"))
    form_data = {name: form[name].value() or "" for name in form.fields}

    in_admin.post(f"/doctors/leave/{leave.pk}/", form_data | {"reason": "Abroad"})

    leave.refresh_from_db()
    assert (leave.end_time, leave.reason) == (first_half_past_one, "Abroad")


# Affected appointments are shown first


@pytest.fixture
def booked(okafor):
    return AppointmentFactory(doctor=okafor, start_time=at(10, day=26), patient__phone_number="+351 912 345 001")


def test_leave_with_affected_appointments_is_not_saved_at_first(in_admin, okafor, booked):
    version = Doctor.objects.get().diary_version

    response = in_admin.post(f"/doctors/{okafor.pk}/leave/", leave_data())

    assert codes_at(response, "__all__") == ["hits"]
    assert form_of(response).displaced == [booked]
    text = response.content.decode()
    assert booked.patient.full_name in text
    assert "+351 912 345 001" in text
    assert Doctor.objects.get().diary_version == version
    assert not Leave.objects.exists()
    assert not ScheduleChange.objects.exists()


def test_leave_sent_again_is_saved_and_opens_the_worklist(in_admin, okafor, booked, administrator):
    shown = in_admin.post(f"/doctors/{okafor.pk}/leave/", leave_data())

    response = in_admin.post(f"/doctors/{okafor.pk}/leave/", leave_data(seen_hits=form_of(shown)["seen_hits"].value()))

    change = ScheduleChange.objects.get()
    assert response["Location"] == change.get_absolute_url()
    assert (change.cause, change.created_by) == ("Dr Okafor on leave: Thu 26 Nov 2026", administrator)
    assert [each.appointment for each in change.displaced.all()] == [booked]
    booked.refresh_from_db()
    assert booked.status == "booked"


@pytest.mark.both_databases
def test_appointment_booked_before_confirmation_is_shown_too(in_admin, okafor, booked):
    shown = in_admin.post(f"/doctors/{okafor.pk}/leave/", leave_data())
    late = AppointmentFactory(doctor=okafor, start_time=at(11, day=26))

    response = in_admin.post(f"/doctors/{okafor.pk}/leave/", leave_data(seen_hits=form_of(shown)["seen_hits"].value()))

    assert form_of(response).displaced == [booked, late]
    assert not Leave.objects.exists()


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", ["leave", "holidays"])
def test_lost_race_under_the_lock_is_retried(client, page, monkeypatch):
    """Another user enters the same between the check and the save, once."""
    administrator, doctor = UserFactory(role=ADMINISTRATOR), DoctorFactory()
    client.force_login(administrator)
    calls = []

    def check_then_lose_race(*args):
        if not calls:
            calls.append(args)
            LeaveFactory(doctor=doctor, start_time=at(0, day=26), end_time=at(0, day=27))
            ClosureFactory(date=dt.date(2027, 1, 1))
        return []

    monkeypatch.setattr("doctors.forms.displaced_by_saving", check_then_lose_race)
    monkeypatch.setattr("doctors.closures.views.displaced_by_saving", check_then_lose_race)
    if page == "leave":
        response = client.post(f"/doctors/{doctor.pk}/leave/", leave_data())
    else:
        response = client.post(HOLIDAYS, SHOWN | {"date": ["2027-01-01"]})

    assert response.status_code == 302
    assert calls


def test_appointments_never_shown_are_not_confirmed(in_admin, okafor, booked, isolated):
    for seen in ["x", "-1", "777777,999999999999999999999", "\u0661", ","]:
        with isolated(seen=seen):
            response = in_admin.post(f"/doctors/{okafor.pk}/leave/", leave_data(seen_hits=f"0{booked.pk + 1},{seen}"))

            assert response.status_code == 200
            assert not Leave.objects.exists()


# Hours


def hours_data(**changes):
    return dict.fromkeys(DAYS, "") | {"monday": "8-12, 13-17", "valid_from": "", "valid_until": ""} | changes


def test_hours_are_entered(in_admin, okafor):
    response = in_admin.post(f"/doctors/{okafor.pk}/hours/", hours_data())

    assert response["Location"] == okafor.get_absolute_url()
    assert Timetable.objects.get().week == {0: [(EIGHT, NOON), (ONE, FIVE)]}


def test_hours_are_refused_at_their_field(in_admin, okafor, isolated):
    cases = [
        ({"monday": "8-12, 11-17"}, "monday", "intervals_overlap"),
        ({"monday": "12-8"}, "monday", "interval"),
        ({"monday": "22-02"}, "monday", "interval"),
        ({"monday": "early"}, "monday", "intervals"),
        ({"monday": "25-26"}, "monday", "intervals"),
        ({"monday": ""}, "monday", "no_hours"),
        ({"valid_from": "2026-12-02", "valid_until": "2026-12-01"}, "valid_until", "validity"),
        ({"valid_from": "x"}, "valid_from", "invalid"),
        ({"valid_until": "2200-01-01"}, "valid_until", "date_range"),
    ]
    for changes, field, code in cases:
        with isolated(changes=changes, field=field, code=code):
            response = in_admin.post(f"/doctors/{okafor.pk}/hours/", hours_data(**changes))

            assert codes_at(response, field) == [code]
            assert not Timetable.objects.exists()


def test_a_day_is_copied_to_others_and_nothing_is_saved_yet(in_admin, okafor):
    form_data = hours_data(valid_from="2026-12-01", copy="1", copy_from="monday", copy_to=["tuesday", "sunday"])

    form = form_of(in_admin.post(f"/doctors/{okafor.pk}/hours/", form_data))

    assert {day: form[day].value() for day in DAYS if form[day].value()} == dict.fromkeys(
        ("monday", "tuesday", "sunday"), "8-12, 13-17"
    )
    assert form["valid_from"].value() == "2026-12-01"
    assert form["copy_to"].value() == ["tuesday", "sunday"]
    assert not Timetable.objects.exists()


def test_ticks_survive_copying_a_day_and_a_confirmation(in_admin, okafor):
    TimetableFactory(doctor=okafor)
    AppointmentFactory(doctor=okafor, start_time=dt.datetime(2026, 12, 8, 10, tzinfo=dt.UTC))  # a Tuesday
    address, days = f"/doctors/{okafor.pk}/hours/", ["wednesday", "thursday"]
    form_data = hours_data(valid_from="2026-12-01", copy_from="monday", copy_to=days)

    copied = form_of(in_admin.post(address, form_data | {"copy": "1"}))
    shown = form_of(in_admin.post(address, form_data | {"displaces": "on"}))

    assert (copied["displaces"].value(), copied["copy_to"].value()) == (False, days)
    assert shown.needs_confirmation
    assert (shown["displaces"].value(), shown["copy_to"].value()) == (True, days)


def test_form_for_new_hours_starts_with_current_hours(in_admin, okafor):
    TimetableFactory(doctor=okafor)

    form = form_of(in_admin.get(f"/doctors/{okafor.pk}/hours/"))

    assert form["monday"].value() == "08:00–12:00, 13:00–17:00"


def test_hours_over_an_hour_that_the_clocks_skip_are_entered(in_admin, okafor):
    in_admin.post(f"/doctors/{okafor.pk}/hours/", hours_data(monday="", sunday="0-1:30, 1:45-4"))

    assert Timetable.objects.get().week == {6: [(dt.time(0), dt.time(1, 30)), (dt.time(1, 45), dt.time(4))]}


def spans_of(doctor):
    return [(each.valid_from, each.valid_until, sorted(each.week)) for each in doctor.timetables.order_by("valid_from")]


DECEMBER, NEW_YEAR = dt.date(2026, 12, 1), dt.date(2027, 1, 1)
ONE_DAY = dt.timedelta(days=1)


def test_new_hours_end_those_before_them(in_admin, okafor):
    TimetableFactory(doctor=okafor)

    in_admin.post(f"/doctors/{okafor.pk}/hours/", hours_data(valid_from="2026-12-01", displaces="on"))

    assert spans_of(okafor) == [(None, DECEMBER - ONE_DAY, [0, 1, 2, 3, 4]), (DECEMBER, None, [0])]


def test_temporary_hours_are_followed_by_the_previous_hours(in_admin, okafor):
    TimetableFactory(doctor=okafor)

    in_admin.post(
        f"/doctors/{okafor.pk}/hours/",
        hours_data(valid_from="2026-12-01", valid_until="2026-12-31", displaces="on"),
    )

    assert spans_of(okafor) == [
        (None, DECEMBER - ONE_DAY, [0, 1, 2, 3, 4]),
        (DECEMBER, NEW_YEAR - ONE_DAY, [0]),
        (NEW_YEAR, None, [0, 1, 2, 3, 4]),
    ]


def test_other_hours_start_after_hours_with_a_last_date(in_admin, okafor):
    TimetableFactory(doctor=okafor)

    in_admin.post(f"/doctors/{okafor.pk}/hours/", hours_data(valid_until="2026-12-31", displaces="on"))

    assert spans_of(okafor) == [(None, NEW_YEAR - ONE_DAY, [0]), (NEW_YEAR, None, [0, 1, 2, 3, 4])]


def test_deleting_temporary_hours_restores_the_other_hours(in_admin, okafor):
    TimetableFactory(doctor=okafor)
    in_admin.post(
        f"/doctors/{okafor.pk}/hours/",
        hours_data(valid_from="2026-12-01", valid_until="2026-12-31", displaces="on"),
    )
    for_december = Timetable.objects.get(valid_from=DECEMBER)

    in_admin.post(f"/doctors/hours/{for_december.pk}/", {"delete": "1", "seen_version": "1"})

    assert spans_of(okafor) == [(None, None, [0, 1, 2, 3, 4])]


def test_deleting_hours_between_different_hours_joins_nothing(okafor):
    TimetableFactory(doctor=okafor, valid_until=DECEMBER - ONE_DAY)
    between = TimetableFactory(doctor=okafor, valid_from=DECEMBER, valid_until=NEW_YEAR - ONE_DAY)
    TimetableFactory(doctor=okafor, valid_from=NEW_YEAR, week={5: [(EIGHT, NOON)]})

    between.delete()

    assert spans_of(okafor) == [(None, DECEMBER - ONE_DAY, [0, 1, 2, 3, 4]), (NEW_YEAR, None, [5])]


def test_hours_up_to_the_calendars_ends_leave_no_remainder(in_admin, okafor, isolated):
    for ends in [{"valid_from": "1900-01-01"}, {"valid_until": "2199-12-31"}]:
        with isolated(ends=ends):
            TimetableFactory(doctor=okafor, valid_from=DECEMBER)

            in_admin.post(f"/doctors/{okafor.pk}/hours/", hours_data(displaces="on", **ends))

            assert all(
                clinic_time.FIRST_DATE <= (each.valid_from or each.valid_until or DECEMBER) <= clinic_time.LAST_DATE
                for each in Timetable.objects.all()
            )


def test_hours_with_the_same_dates_as_others_are_refused(in_admin, okafor, isolated):
    for displaces in [{}, {"displaces": "on"}]:
        with isolated(displaces=displaces):
            TimetableFactory(doctor=okafor)

            response = in_admin.post(f"/doctors/{okafor.pk}/hours/", hours_data(**displaces))

            assert codes_at(response, "valid_from") == ["validity_overlap"]
            assert Timetable.objects.count() == 1


def test_new_hours_displace_only_appointments_outside_them(in_admin, okafor):
    TimetableFactory(doctor=okafor)
    AppointmentFactory(doctor=okafor, start_time=at(10, day=26))  # a Thursday before the new hours
    AppointmentFactory(doctor=okafor, start_time=dt.datetime(2026, 12, 7, 10, tzinfo=dt.UTC))  # a Monday
    affected = AppointmentFactory(doctor=okafor, start_time=dt.datetime(2026, 12, 8, 10, tzinfo=dt.UTC))

    response = in_admin.post(f"/doctors/{okafor.pk}/hours/", hours_data(valid_from="2026-12-01", displaces="on"))

    assert form_of(response).displaced == [affected]
    assert spans_of(okafor) == [(None, None, [0, 1, 2, 3, 4])]


@pytest.mark.both_databases
def test_hours_shortened_while_shown_are_not_partly_saved(in_admin, okafor):
    timetable = TimetableFactory(doctor=okafor)
    AppointmentFactory(doctor=okafor, start_time=at(15, day=30))
    form_data = hours_data(monday="8-12", seen_version=timetable.version)
    shown = in_admin.post(f"/doctors/hours/{timetable.pk}/", form_data)

    assert Timetable.objects.get().week[0] == [(EIGHT, NOON), (ONE, FIVE)]
    in_admin.post(f"/doctors/hours/{timetable.pk}/", form_data | {"seen_hits": form_of(shown)["seen_hits"].value()})

    assert Timetable.objects.get().week == {0: [(EIGHT, NOON)]}
    assert ScheduleChange.objects.get().displaced.count() == 1


@pytest.mark.both_databases
def test_second_of_two_changes_to_hours_is_refused(in_admin, okafor):
    timetable = TimetableFactory(doctor=okafor)
    form_data = hours_data(seen_version=timetable.version)
    in_admin.post(f"/doctors/hours/{timetable.pk}/", form_data)

    response = in_admin.post(f"/doctors/hours/{timetable.pk}/", form_data | {"monday": "8-9"})

    assert codes_at(response, "__all__") == ["stale"]
    assert Timetable.objects.get().week == {0: [(EIGHT, NOON), (ONE, FIVE)]}


def test_deleting_hours_in_use_first_shows_the_affected_appointments(in_admin, okafor):
    timetable = TimetableFactory(doctor=okafor, valid_until=dt.date(2026, 11, 30))
    TimetableFactory(doctor=okafor, valid_from=DECEMBER)
    affected = AppointmentFactory(doctor=okafor, start_time=at(10, day=26))
    address = f"/doctors/hours/{timetable.pk}/"

    version = Doctor.objects.get().diary_version
    shown = in_admin.post(address, {"delete": "1", "seen_version": "1"})
    assert shown.context["displaced"] == [affected]
    assert Timetable.objects.count() == 2
    assert Doctor.objects.get().diary_version == version  # to look writes nothing
    response = in_admin.post(address, {"delete": "1", "seen_version": "1", "seen_hits": str(affected.pk)})

    assert response["Location"] == ScheduleChange.objects.get().get_absolute_url()
    assert Timetable.objects.count() == 1


# Closures


def test_closure_is_entered_changed_and_deleted(in_admin):
    in_admin.post("/doctors/closures/new/", {"date": "2026-12-24", "name": " Stock  taking "})
    closure = Closure.objects.get()
    assert (closure.date, closure.name) == (dt.date(2026, 12, 24), "Stock taking")
    assert "Stock taking" in in_admin.get("/doctors/closures/").content.decode()

    in_admin.post(
        f"/doctors/closures/{closure.pk}/", {"date": "2026-12-23", "name": "Works outing", "seen_version": "1"}
    )
    closure.refresh_from_db()
    assert (closure.date, closure.name) == (dt.date(2026, 12, 23), "Works outing")

    in_admin.post(f"/doctors/closures/{closure.pk}/", {"delete": "1", "seen_version": "2"})
    assert not Closure.objects.exists()


def test_closure_is_refused_at_its_field(in_admin, isolated):
    cases = [
        ({"date": "2026-12-25"}, "date", "closed_already"),
        ({"date": ""}, "date", "required"),
        ({"date": "25/13/2026"}, "date", "invalid"),
        ({"date": "1800-01-01"}, "date", "date_range"),
        ({"name": ""}, "name", "required"),
    ]
    for changes, field, code in cases:
        with isolated(changes=changes, field=field, code=code):
            ClosureFactory()

            response = in_admin.post("/doctors/closures/new/", {"date": "2026-12-24", "name": "Stocktaking"} | changes)

            assert codes_at(response, field) == [code]
            assert Closure.objects.count() == 1


def test_closure_shows_affected_appointments_of_all_doctors(in_admin, booked):
    other = AppointmentFactory(start_time=at(11, day=26))
    form_data = {"date": "2026-11-26", "name": "Power cut"}

    shown = in_admin.post("/doctors/closures/new/", form_data)
    assert form_of(shown).displaced == [booked, other]
    in_admin.post("/doctors/closures/new/", form_data | {"seen_hits": form_of(shown)["seen_hits"].value()})

    assert ScheduleChange.objects.get().cause == "Clinic closed: Thu 26 Nov 2026: Power cut"


# A year of public holidays

LISBON_2027 = {"country": "PT", "region": "11", "year": "2027"}
LISTED = ",".join(holiday.date.isoformat() for holiday in public_holidays("PT", "11", 2027))
SHOWN = LISBON_2027 | {"shown": "PT/11/2027", "listed": LISTED}


def lines_of(response):
    return [(holiday.date.isoformat(), is_closed, picked) for holiday, is_closed, picked in response.context["lines"]]


def test_holidays_are_shown_before_anything_is_saved(in_admin):
    ClosureFactory(date=dt.date(2027, 12, 25))

    response = in_admin.get(HOLIDAYS, LISBON_2027)

    lines = lines_of(response)
    assert ("2027-06-13", False, True) in lines  # Saint Anthony's, in Lisbon only
    assert lines[-1] == ("2027-12-25", True, True)
    assert "Good Friday" in response.content.decode()
    assert Closure.objects.count() == 1


def test_holidays_of_the_whole_country_leave_out_those_of_a_region(in_admin):
    lines = lines_of(in_admin.get(HOLIDAYS, LISBON_2027 | {"region": ""}))

    assert "2027-06-13" not in [date for date, *_rest in lines]


def test_past_holidays_are_left_out(in_admin):
    assert [date for date, *_rest in lines_of(in_admin.get(HOLIDAYS, LISBON_2027 | {"year": "2026"}))] == [
        *("2026-12-01", "2026-12-08", "2026-12-25"),
    ]


def test_holidays_page_starts_with_the_next_year_to_enter(client, administrator, isolated):
    for month, year in [(9, "2026"), (10, "2027"), (12, "2027")]:
        with isolated(month=month, year=year):
            with time_machine.travel(dt.datetime(2026, month, 15, 9, tzinfo=dt.UTC), tick=False):
                client.force_login(administrator)
                response = client.get(HOLIDAYS, {"country": "PT"})

            assert str(form_of(response)["year"].value()) == year


def test_chosen_holidays_become_closures(in_admin):
    in_admin.post(HOLIDAYS, SHOWN | {"date": ["2027-01-01", "2027-03-26"]})

    assert list(Closure.objects.values_list("date", "name")) == [
        (dt.date(2027, 1, 1), "New Year's Day"),
        (dt.date(2027, 3, 26), "Good Friday"),
    ]


def test_dates_that_are_not_holidays_of_the_year_are_ignored(in_admin, isolated):
    for dates in [[], ["2027-01-02"], ["x"]]:
        with isolated(dates=dates):
            response = in_admin.post(HOLIDAYS, SHOWN | {"date": dates})

            assert "Choose at least one date." in response.content.decode()
            assert {picked for _date, _closed, picked in lines_of(response)} == {False}
            assert not Closure.objects.exists()


def test_holidays_not_shown_yet_are_shown_first(in_admin):
    """The region was changed, and its list not shown before saving."""
    response = in_admin.post(HOLIDAYS, SHOWN | {"region": "13", "date": ["2027-01-01"]})

    ticked = [date for date, _closed, picked in lines_of(response) if picked]
    assert ticked == ["2027-01-01", "2027-06-24"]  # Saint John's, in Porto, is new; the others were taken out
    assert "Nothing is saved yet" in response.content.decode()
    assert not Closure.objects.exists()


def test_past_holiday_is_not_closed(in_admin):
    in_admin.post(
        HOLIDAYS, {"country": "PT", "region": "", "year": "2026", "shown": "PT//2026", "date": ["2026-01-01"]}
    )

    assert not Closure.objects.exists()


def test_closing_many_dates_checks_appointments_once(in_admin, django_assert_max_num_queries, isolated):
    for doctors in [1, 10]:
        with isolated(doctors=doctors):
            DoctorFactory.create_batch(doctors)
            lines = lines_of(in_admin.get(HOLIDAYS, LISBON_2027))

            # Each doctor is locked for each date when it is saved, and once for the check.
            with django_assert_max_num_queries(30 + len(lines) * (6 + doctors) + doctors):
                in_admin.post(HOLIDAYS, SHOWN | {"date": [date for date, *_rest in lines]})

            assert Closure.objects.count() == len(lines)


def test_holidays_page_opens_for_any_query(in_admin, isolated):
    cases = [
        {},
        {"country": "XX"},
        {"country": "PT", "region": "ENG", "year": "2027"},
        {"country": "PT", "year": "x"},
        {"country": "PT", "year": "1999"},
        {"country": "__class__", "year": "2027"},
        {"country": "PT\0", "year": "2027"},
    ]
    for asked in cases:
        with isolated(asked=asked):
            assert in_admin.get(HOLIDAYS, asked).status_code == 200
            assert in_admin.post(HOLIDAYS, asked).status_code == 200
            assert not Closure.objects.exists()


def test_holidays_show_affected_appointments_and_close_all_dates_or_none(in_admin, okafor):
    affected = AppointmentFactory(doctor=okafor, start_time=dt.datetime(2027, 1, 1, 10, tzinfo=dt.UTC))
    form_data = SHOWN | {"date": ["2027-01-01", "2027-03-26"]}

    shown = in_admin.post(HOLIDAYS, form_data)
    assert shown.context["displaced"] == [affected]
    assert [picked for _date, _closed, picked in lines_of(shown)].count(True) == 2
    assert not Closure.objects.exists()
    response = in_admin.post(HOLIDAYS, form_data | {"seen_hits": str(affected.pk)})

    change = ScheduleChange.objects.get()
    assert response["Location"] == change.get_absolute_url()
    assert change.cause == "Clinic closed: Fri 1 Jan 2027: New Year's Day, Fri 26 Mar 2027: Good Friday"
    assert Closure.objects.count() == 2


def test_unknown_availability_record_is_404(in_admin, isolated):
    for address in ["999/leave/", "leave/999/", "999/hours/", "hours/999/", "closures/999/"]:
        with isolated(address=address):
            assert in_admin.get(f"/doctors/{address}").status_code == 404
            assert in_admin.post(f"/doctors/{address}", {}).status_code == 404
