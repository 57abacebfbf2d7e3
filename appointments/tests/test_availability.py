"""Booking inside, at the edge of and one minute outside hours, leave and closures, through every interface."""

import datetime as dt

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError

from appointments.availability.search import SlotSearch, find_free
from appointments.booking import actions
from appointments.booking.walk_in import walk_in
from appointments.models import Appointment
from appointments.schedule.day import day_view
from appointments.tests.booking_form import BOOK, KEY, at
from appointments.tests.factories import AppointmentFactory
from clinic.accounts.roles import OUT_OF_HOURS
from clinic.db.transactions import LostRace
from clinic.tests.kit import codes_at
from doctors.availability_loader import first_working_day
from doctors.models import Doctor
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory

pytestmark = pytest.mark.usefixtures("db", "now")

WEDNESDAY = dt.date(2026, 11, 25)
ADMIN_ADD = "/admin/appointments/appointment/add/"

# The doctor works 08:00-12:00 and 13:00-17:00 from Monday to Friday up to 4 December, is on leave on Thursday 26th
# from 10:00 to 11:00; the clinic is closed on Friday 27th. A case is a day, a start, minutes, and what refuses them.
CASES = {
    "inside the hours": (25, "09:00", 30, None),
    "touching the begin of hours": (25, "08:00", 30, None),
    "a minute before hours": (25, "07:59", 30, "hours"),
    "touching the begin of the break": (25, "11:30", 30, None),
    "a minute into the break": (25, "11:31", 30, "hours"),
    "within the break": (25, "12:15", 30, "hours"),
    "over the break": (25, "11:30", 120, "hours"),
    "a minute before the break ends": (25, "12:59", 30, "hours"),
    "touching the end of the break": (25, "13:00", 30, None),
    "touching the end of hours": (25, "16:30", 30, None),
    "a minute beyond hours": (25, "16:31", 30, "hours"),
    "touching the begin of a leave": (26, "09:30", 30, None),
    "a minute into a leave": (26, "09:31", 30, "leave"),
    "inside a leave": (26, "10:15", 30, "leave"),
    "over a whole leave": (26, "09:30", 150, "leave"),
    "a minute before a leave ends": (26, "10:59", 30, "leave"),
    "touching the end of a leave": (26, "11:00", 30, None),
    "on a closed date": (27, "09:00", 30, "closed"),
    "at the begin of a closed date": (27, "00:00", 30, "closed"),
    "at the end of a closed date": (27, "23:30", 30, "closed"),
    "on a day off": (28, "09:00", 30, "hours"),
    "on the last date of the timetable": (34, "09:00", 30, None),
    "after the last date of the timetable": (37, "09:00", 30, "hours"),
}
EVERY_CASE = CASES.values()


@pytest.fixture
def okafor():
    doctor = DoctorFactory(full_name="Dr Okafor")
    TimetableFactory(doctor=doctor, valid_until=dt.date(2026, 12, 4))
    LeaveFactory(doctor=doctor, start_time=at(10, day=26), end_time=at(11, day=26))
    ClosureFactory(date=dt.date(2026, 11, 27), name="Stocktaking")
    return doctor


def start_of(day, time):
    hour, minute = map(int, time.split(":"))
    return at(hour, minute, day=1) + dt.timedelta(days=day - 1)


@pytest.mark.both_databases
def test_booking_by_the_action(maria, okafor, receptionist, isolated):
    for day, time, minutes, code in EVERY_CASE:
        with isolated(day=day, time=time, minutes=minutes, code=code):
            asked = {"patient": maria, "doctor": okafor, "start_time": start_of(day, time), "duration_minutes": minutes}

            if code is None:
                assert actions.book(**asked, by=receptionist).pk
            else:
                with pytest.raises(ValidationError) as refused:
                    actions.book(**asked, by=receptionist)
                assert [error.code for error in refused.value.error_dict["start_time"]] == [code]
                assert not Appointment.objects.exists()


def test_booking_by_the_form(at_desk, form_data, isolated):
    for day, time, minutes, code in EVERY_CASE:
        with isolated(day=day, time=time, minutes=minutes, code=code):
            start = start_of(day, time)
            changes = {"date": start.date().isoformat(), "time": time, "duration_minutes": str(minutes)}

            response = at_desk.post(BOOK, form_data | changes)

            assert Appointment.objects.filter(booking_key=KEY).exists() is (code is None)
            if code is not None:
                assert codes_at(response, "time") == [code]
                assert bool(response.context["nearest"]) is (day != 37)  # a timetable that has ended offers nothing


def test_booking_in_the_admin(in_admin, maria, okafor, isolated):
    for day, time, minutes, code in EVERY_CASE:
        with isolated(day=day, time=time, minutes=minutes, code=code):
            response = in_admin.post(
                ADMIN_ADD,
                {
                    "patient": maria.pk,
                    "doctor": okafor.pk,
                    "start_time_0": start_of(day, time).date().isoformat(),
                    "start_time_1": time,
                    "duration_minutes": str(minutes),
                    "reason": "",
                    "notes": "",
                    "seen_version": "",
                },
            )

            assert Appointment.objects.exists() is (code is None)
            if code is not None:
                form = response.context["adminform"].form
                assert [error.code for error in form.errors["start_time"].as_data()] == [code]


@pytest.mark.both_databases
def test_saving_without_the_form_is_refused_under_the_lock(maria, okafor, isolated):
    for code in ["hours", "leave", "closed"]:
        with isolated(code=code):
            day, time = {"hours": (25, "12:15"), "leave": (26, "10:15"), "closed": (27, "09:00")}[code]

            with pytest.raises(LostRace) as lost:
                Appointment(patient=maria, doctor=okafor, start_time=start_of(day, time)).save()

            assert [error.code for error in lost.value.error_dict["start_time"]] == [code]


# Existing and past appointments


@pytest.fixture
def affected(okafor, maria):
    """An appointment on a day on which leave was entered later."""
    appointment = AppointmentFactory(doctor=okafor, patient=maria, start_time=at(9, day=30))
    LeaveFactory(doctor=okafor, start_time=at(0, day=30), end_time=at(23, 59, day=30))
    return appointment


def test_leave_does_not_change_booked_appointments(affected):
    affected.reason = "Sore knee"
    affected.full_clean()
    affected.save()

    assert Appointment.objects.get().status == "booked"


@pytest.mark.both_databases
def test_appointment_in_a_leave_can_be_cancelled_but_not_restored(affected, receptionist):
    cancelled = actions.cancel(affected, reason="Doctor is away", cancelled_by="clinic", by=receptionist)

    with pytest.raises(ValidationError) as refused:
        actions.undo(cancelled, by=receptionist)

    assert [error.code for error in refused.value.error_dict["start_time"]] == ["leave"]


def test_appointment_in_a_leave_can_be_given_to_a_colleague(affected, receptionist):
    colleague = DoctorFactory()

    moved = actions.move(
        affected,
        doctor=colleague,
        start_time=affected.start_time,
        duration_minutes=affected.duration_minutes,
        by=receptionist,
    )

    assert moved.doctor == colleague


def test_consultation_that_ended_after_hours_can_be_recorded(okafor, now, administrator):
    appointment = AppointmentFactory(doctor=okafor, start_time=at(16, 30), duration_minutes=30)
    now.move_to(at(17, 10))
    appointment = actions.start(appointment, by=administrator)

    appointment.duration_minutes = 45
    appointment.full_clean()
    appointment.save()

    assert Appointment.objects.get().duration_minutes == 45


# Free times and the day view


def test_free_times_respect_hours_leave_and_closures(okafor):
    found = find_free(SlotSearch(minutes=60), [okafor], first_day=WEDNESDAY)

    times = {day.date.day: [slot.time for _doctor, slots in day.doctors for slot in slots] for day in found.days}
    assert sorted(times) == [1, 2, 3, 4, 25, 26, 30]  # not the closed Friday, no weekend
    assert times[25] == [
        *("08:00", "08:30", "09:00", "09:30", "10:00", "10:30", "11:00"),
        *("13:00", "13:30", "14:00", "14:30", "15:00", "15:30", "16:00"),
    ]
    assert times[26] == ["08:00", "08:30", "09:00", "11:00", "13:00", *times[25][8:]]


def test_first_working_day_is_one_with_a_working_doctor(okafor):
    assert first_working_day([okafor], dt.date(2026, 11, 27)) == dt.date(2026, 11, 30)
    assert first_working_day([okafor], WEDNESDAY) == WEDNESDAY


def test_walk_in_after_hours_finds_no_doctor(okafor, maria, receptionist, now):
    now.move_to(at(16, 50, day=24))

    with pytest.raises(ValidationError) as refused:
        walk_in(patient=maria, search=SlotSearch(minutes=30), by=receptionist)

    assert [error.code for error in refused.value.error_dict["start_time"]] == ["no_free_time"]


def column_of(day, user):
    shown = day_view(day, user=user)
    return shown, shown.columns[0]


def test_day_explains_why_no_doctor_can_be_booked(okafor, receptionist):
    shown, column = column_of(dt.date(2026, 11, 26), receptionist)

    assert [(each.text, each.span) for each in column.unavailable] == [
        ("Leave", "10:00–11:00"),
        ("Break", "12:00–13:00"),
    ]
    assert (shown.grid.start, shown.grid.end) == (at(8, day=26), at(17, day=26))


def test_closed_day_is_marked_in_every_column(okafor, receptionist):
    _shown, column = column_of(dt.date(2026, 11, 27), receptionist)

    assert [(each.text, each.place.minute, each.place.minutes) for each in column.unavailable] == [
        ("Closed: Stocktaking", 0, 600)
    ]
    assert column.unavailable[0].span == ""
    assert column.free == []
    assert column.load is None


def test_day_spans_the_earliest_to_the_latest_hours(okafor, receptionist):
    early = DoctorFactory(full_name="Dr Early")
    TimetableFactory(doctor=early, week={2: [(dt.time(6, 30), dt.time(19, 15))]})

    shown, _column = column_of(WEDNESDAY, receptionist)

    assert (shown.grid.start, shown.grid.end) == (at(6), at(20))
    assert [(each.text, each.span) for each in shown.columns[1].unavailable] == [
        ("Before hours", "until 08:00"),
        ("Break", "12:00–13:00"),
        ("After hours", "from 17:00"),
    ]


def test_column_head_shows_how_much_is_booked(okafor, receptionist, isolated):
    for status, share in [("booked", 12), ("no_show", 0), ("completed", 12), ("in_consultation", 12)]:
        with isolated(status=status, share=share):
            AppointmentFactory(doctor=okafor, start_time=at(9), duration_minutes=60, status=status)

            assert column_of(WEDNESDAY, receptionist)[1].load.percent == share


def test_own_column_comes_first(okafor, doctor_user):
    own = DoctorFactory(full_name="Dr Zuse", user=doctor_user)

    shown = day_view(WEDNESDAY, user=doctor_user)

    assert [column.doctor for column in shown.columns] == [own, okafor]


def test_change_of_availability_changes_the_version_of_the_day(okafor):
    versions = {Doctor.objects.get(pk=okafor.pk).diary_version}

    for change in (
        LeaveFactory(doctor=okafor).save,
        okafor.timetables.get().save,
        ClosureFactory().save,
        ClosureFactory(date=dt.date(2027, 1, 1)).delete,
    ):
        change()
        versions.add(Doctor.objects.get(pk=okafor.pk).diary_version)

    assert len(versions) == 5


# Overrides: permission, tick and reason

LATE = {"date": "2026-11-25", "time": "17:30"}
WHY = "Came from far"


@pytest.fixture
def at_late_desk(client, receptionist):
    """A test client signed in as a receptionist who may book outside hours."""
    receptionist.groups.add(Group.objects.get(name=OUT_OF_HOURS))
    client.force_login(receptionist)
    return client


def test_refused_time_is_offered_to_users_who_may_override(at_late_desk, form_data):
    refused = at_late_desk.post(BOOK, form_data | LATE)
    booked = at_late_desk.post(BOOK, form_data | LATE | {"outside_hours": "on", "outside_hours_reason": WHY})

    assert refused.context["form"].offers_outside_hours
    assert 'name="outside_hours_reason"' in refused.content.decode()
    assert booked.status_code == 302
    assert Appointment.objects.get().outside_hours_reason == WHY


def test_bookable_time_offers_no_override(at_late_desk, form_data):
    response = at_late_desk.post(BOOK, form_data | {"duration_minutes": "5"})

    assert codes_at(response, "duration_minutes") == ["duration"]
    assert 'name="outside_hours"' not in response.content.decode()


def test_user_without_permission_cannot_override(at_desk, form_data):
    refused = at_desk.post(BOOK, form_data | LATE)
    forged = at_desk.post(BOOK, form_data | LATE | {"outside_hours": "on", "outside_hours_reason": WHY})

    assert 'name="outside_hours"' not in refused.content.decode()
    assert codes_at(forged, "outside_hours_reason") == ["outside_hours_denied"]
    assert not Appointment.objects.exists()


def test_override_needs_both_tick_and_reason(at_late_desk, form_data, isolated):
    cases = {
        "no reason": ({"outside_hours": "on", "outside_hours_reason": ""}, "outside_hours_reason", "required"),
        "blank reason": ({"outside_hours": "on", "outside_hours_reason": "  "}, "outside_hours_reason", "required"),
        "no tick": ({"outside_hours_reason": WHY}, "time", "hours"),
    }
    for case, (sent, field, code) in cases.items():
        with isolated(case):
            response = at_late_desk.post(BOOK, form_data | LATE | sent)

            assert codes_at(response, field) == [code]
            assert not Appointment.objects.exists()


def test_reason_overrides_hours_leave_and_closure(maria, okafor, administrator, isolated):
    for day, time in [(25, "12:15"), (26, "10:15"), (27, "09:00"), (28, "09:00")]:
        with isolated(day=day, time=time):
            start = start_of(day, time)
            asked = {"patient": maria, "doctor": okafor, "start_time": start, "duration_minutes": 30}

            booked = actions.book(**asked, by=administrator, outside_hours_reason=WHY)

            assert booked.outside_hours_reason == WHY


@pytest.mark.both_databases
def test_reason_overrides_no_double_booking(maria, okafor, administrator):
    AppointmentFactory(doctor=okafor, start_time=at(17, 15), outside_hours_reason=WHY)
    asked = {"patient": maria, "doctor": okafor, "start_time": at(17, 30), "duration_minutes": 30}

    with pytest.raises(ValidationError) as refused:
        actions.book(**asked, by=administrator, outside_hours_reason=WHY)

    assert [error.code for error in refused.value.error_dict["start_time"]] == ["doctor_overlap"]


def test_booking_action_refuses_a_reason_without_permission(request, maria, okafor, isolated):
    for by in ["receptionist", None]:
        with isolated(by=by):
            user = by and request.getfixturevalue(by)
            asked = {"patient": maria, "doctor": okafor, "start_time": at(17, 30), "duration_minutes": 30}

            with pytest.raises(ValidationError) as refused:
                actions.book(**asked, by=user, outside_hours_reason=WHY)

            assert list(refused.value.error_dict) == ["outside_hours_reason"]


def test_unneeded_reason_is_not_saved(maria, okafor, administrator):
    asked = {"patient": maria, "doctor": okafor, "start_time": at(10), "duration_minutes": 30}

    assert actions.book(**asked, by=administrator, outside_hours_reason=WHY).outside_hours_reason == ""


def test_move_outside_hours_asks_again_and_into_hours_drops_the_reason(client, okafor, administrator):
    appointment = AppointmentFactory(doctor=okafor, start_time=at(17, 30), outside_hours_reason=WHY)
    client.force_login(administrator)
    url = f"/appointments/{appointment.pk}/move/"
    sent = {"doctor": okafor.pk, "date": "2026-11-25", "time": "18:00", "duration_minutes": 30, "version": 1}

    refused = client.post(url, sent)
    client.post(url, sent | {"outside_hours": "on", "outside_hours_reason": "Still"})
    appointment.refresh_from_db()
    moved = actions.move(
        appointment,
        doctor=okafor,
        start_time=at(10),
        duration_minutes=30,
        by=administrator,
        version=appointment.version,
    )

    assert codes_at(refused, "time") == ["hours"]
    assert appointment.outside_hours_reason == "Still"
    assert moved.outside_hours_reason == ""


def test_admin_asks_for_tick_and_reason(in_admin, maria, okafor, isolated):
    cases = [
        ({}, "start_time", "hours"),
        ({"outside_hours": "on"}, "outside_hours_reason", "required"),
        ({"outside_hours_reason": WHY}, "start_time", "hours"),
        ({"outside_hours": "on", "outside_hours_reason": WHY}, None, None),
    ]
    for sent, field, code in cases:
        with isolated(sent=sent, field=field, code=code):
            form_data = {
                "patient": maria.pk,
                "doctor": okafor.pk,
                "start_time_0": "2026-11-25",
                "start_time_1": "17:30",
            }
            form_data |= {"duration_minutes": "30", "reason": "", "notes": "", "seen_version": ""}

            response = in_admin.post(ADMIN_ADD, form_data | sent)

            if field is None:
                assert Appointment.objects.get().outside_hours_reason == WHY
            else:
                errors = response.context["adminform"].form.errors
                assert [error.code for error in errors[field].as_data()] == [code]
                assert not Appointment.objects.exists()


def test_day_marks_appointments_outside_hours_or_in_an_absence(okafor, receptionist, manager):
    AppointmentFactory(doctor=okafor, start_time=at(17, 30), outside_hours_reason=WHY)
    AppointmentFactory(doctor=okafor, start_time=at(9))
    AppointmentFactory(doctor=okafor, start_time=at(15))
    LeaveFactory(doctor=okafor, start_time=at(15), end_time=at(16))

    columns = [column_of(WEDNESDAY, user)[1] for user in (receptionist, manager)]
    seen = [[block.remarks.exception for block in column.listed] for column in columns]

    assert seen == [["", "doctor away", f"outside hours: {WHY}"], ["", "doctor away", "outside hours"]]


def test_appointment_booked_outside_hours_is_marked_with_its_reason(okafor, receptionist, isolated):
    cases = {
        "leave": (
            lambda doctor: LeaveFactory(doctor=doctor, start_time=at(0, day=30), end_time=at(23, day=30)),
            "doctor away",
        ),
        "closure": (lambda doctor: ClosureFactory(date=dt.date(2026, 11, 30)), "clinic closed"),
        "deactivation": (lambda doctor: Doctor.objects.filter(pk=doctor.pk).update(is_active=False), "doctor away"),
    }
    for case, (happens, mark) in cases.items():
        with isolated(case):
            AppointmentFactory(doctor=okafor, start_time=at(18, day=30), outside_hours_reason=WHY)
            AppointmentFactory(doctor=okafor, start_time=at(9, day=30))

            happens(okafor)

            (column,) = day_view(dt.date(2026, 11, 30), user=receptionist).columns
            assert [block.remarks.exception for block in column.listed] == [mark, mark]
