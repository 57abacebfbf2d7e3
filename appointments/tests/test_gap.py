"""A doctor's usual length, and the gap kept free after each appointment: in the rule, in search and in the day view."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from appointments.availability.search import SlotSearch, find_free
from appointments.booking import actions
from appointments.models import Appointment
from appointments.schedule.day import day_view
from appointments.tests.booking_form import BOOK, KEY, at
from appointments.tests.factories import AppointmentFactory
from clinic.db.transactions import LostRace
from clinic.tests.kit import codes_at
from doctors.tests.factories import ClosureFactory, DoctorFactory, TimetableFactory

pytestmark = pytest.mark.usefixtures("db", "now")

WEDNESDAY = dt.date(2026, 11, 25)
ADMIN_ADD = "/admin/appointments/appointment/add/"

# The doctor keeps ten minutes free and is booked 10:00-10:30. A case is a start, minutes, and what refuses them.
CASES = {
    "touching the gap before": ("09:20", 30, None),
    "a minute into the gap before": ("09:21", 30, "gap"),
    "touching the appointment": ("09:30", 30, "gap"),
    "within the appointment": ("10:05", 15, "doctor_overlap"),
    "touching the appointment's end": ("10:30", 30, "gap"),
    "a minute before the gap ends": ("10:39", 30, "gap"),
    "touching the end of the gap": ("10:40", 30, None),
}
EVERY_CASE = CASES.values()


@pytest.fixture
def okafor():
    doctor = DoctorFactory(full_name="Dr Okafor", usual_minutes=20, gap_minutes=10)
    TimetableFactory(doctor=doctor)
    return doctor


@pytest.fixture
def booked(okafor):
    return AppointmentFactory(doctor=okafor, start_time=at(10, day=25))


def start_of(time):
    hour, minute = map(int, time.split(":"))
    return at(hour, minute, day=25)


# The rule


@pytest.mark.both_databases
def test_booking_by_the_action(maria, okafor, booked, receptionist, isolated):
    for time, minutes, code in EVERY_CASE:
        with isolated(time=time, minutes=minutes, code=code):
            asked = {"patient": maria, "doctor": okafor, "start_time": start_of(time), "duration_minutes": minutes}

            if code is None:
                assert actions.book(**asked, by=receptionist).pk
            else:
                with pytest.raises(ValidationError) as refused:
                    actions.book(**asked, by=receptionist)
                assert [error.code for error in refused.value.error_dict["start_time"]] == [code]
                assert Appointment.objects.get() == booked


def test_booking_by_the_form(at_desk, form_data, booked, isolated):
    for time, minutes, code in EVERY_CASE:
        with isolated(time=time, minutes=minutes, code=code):
            changes = {"date": "2026-11-25", "time": time, "duration_minutes": str(minutes)}

            response = at_desk.post(BOOK, form_data | changes)

            assert Appointment.objects.filter(booking_key=KEY).exists() is (code is None)
            if code is not None:
                assert codes_at(response, "time") == [code]
                assert response.context["nearest"]


def test_booking_in_the_admin(in_admin, maria, okafor, booked, isolated):
    for time, minutes, code in EVERY_CASE:
        with isolated(time=time, minutes=minutes, code=code):
            form_data = {"patient": maria.pk, "doctor": okafor.pk, "start_time_0": "2026-11-25", "start_time_1": time}

            response = in_admin.post(
                ADMIN_ADD, form_data | {"duration_minutes": str(minutes), "reason": "", "notes": ""}
            )

            assert Appointment.objects.exclude(pk=booked.pk).exists() is (code is None)
            if code is not None:
                form = response.context["adminform"].form
                assert [error.code for error in form.errors["start_time"].as_data()] == [code]


@pytest.mark.both_databases
def test_saving_without_the_form_is_refused_under_the_lock(maria, okafor, booked):
    with pytest.raises(LostRace) as lost:
        Appointment(patient=maria, doctor=okafor, start_time=start_of("10:35")).save()

    assert [error.code for error in lost.value.error_dict["start_time"]] == ["gap"]


@pytest.mark.both_databases
def test_gap_that_grew_after_the_doctor_was_read_is_kept(maria, okafor, booked, receptionist):
    type(okafor).objects.filter(pk=okafor.pk).update(gap_minutes=15)

    with pytest.raises(ValidationError) as refused:
        actions.book(patient=maria, doctor=okafor, start_time=start_of("10:40"), duration_minutes=30, by=receptionist)

    assert [error.code for error in refused.value.error_dict["start_time"]] == ["gap"]


def test_gap_applies_between_appointments_but_not_at_the_end_of_hours(okafor, maria, receptionist):
    asked = {"patient": maria, "doctor": okafor, "duration_minutes": 30, "by": receptionist}

    assert actions.book(start_time=start_of("11:30"), **asked).pk


@pytest.mark.both_databases
def test_cancelled_appointment_has_no_gap_and_needs_one_to_be_reinstated(okafor, booked, maria, receptionist):
    cancelled = actions.cancel(booked, reason="Ill", cancelled_by="patient", by=receptionist)
    asked = {"patient": maria, "doctor": okafor, "duration_minutes": 30, "by": receptionist}
    actions.book(start_time=start_of("10:30"), **asked)

    with pytest.raises(ValidationError) as refused:
        actions.undo(cancelled, by=receptionist)

    assert [error.code for error in refused.value.error_dict["start_time"]] == ["gap"]


def test_appointments_booked_before_the_gap_was_entered_stay_editable(okafor, booked):
    okafor.gap_minutes = 0
    okafor.save()
    beside = AppointmentFactory(doctor=okafor, start_time=at(10, 30, day=25))
    okafor.gap_minutes = 10
    okafor.save()

    beside = Appointment.objects.get(pk=beside.pk)
    beside.reason = "Sore knee"
    beside.full_clean()
    beside.save()

    assert Appointment.objects.get(pk=beside.pk).reason == "Sore knee"


def test_appointment_too_close_before_the_gap_was_entered_can_be_shortened(okafor, receptionist):
    okafor.gap_minutes = 0
    okafor.save()
    appointments = [AppointmentFactory(doctor=okafor, start_time=at(9, minute, day=25)) for minute in (0, 30)]
    okafor.gap_minutes = 10
    okafor.save()

    asked = {"doctor": okafor, "start_time": at(9, day=25), "by": receptionist}
    assert actions.move(appointments[0], duration_minutes=25, **asked).duration_minutes == 25
    with pytest.raises(ValidationError) as refused:
        actions.move(appointments[0], duration_minutes=29, **asked)
    assert [error.code for error in refused.value.error_dict["start_time"]] == ["gap"]


def test_gap_can_be_overridden_with_a_reason_double_booking_not(in_admin, form_data, booked):
    may = form_data | {"outside_hours": "on", "outside_hours_reason": "Emergency", "date": "2026-11-25"}

    shown = in_admin.post(BOOK, may | {"time": "10:15"})
    assert codes_at(shown, "time") == ["doctor_overlap"]
    in_admin.post(BOOK, may | {"time": "10:30"})

    assert Appointment.objects.get(booking_key=KEY).outside_hours_reason == "Emergency"


def test_override_is_not_offered_where_it_could_not_help(in_admin, form_data, okafor, booked):
    ClosureFactory(date=WEDNESDAY)

    response = in_admin.post(BOOK, form_data | {"date": "2026-11-25", "time": "10:15"})

    assert codes_at(response, "time") == ["closed", "doctor_overlap"]
    assert not response.context["form"].offers_outside_hours


def test_unneeded_reason_is_dropped(in_admin, form_data, booked):
    may = form_data | {"outside_hours": "on", "outside_hours_reason": "Emergency", "date": "2026-11-25"}

    in_admin.post(BOOK, may | {"time": "11:00"})

    assert Appointment.objects.get(booking_key=KEY).outside_hours_reason == ""


def test_length_or_gap_out_of_range_is_refused_at_its_field(in_admin, okafor):
    form_data = {"full_name": "Dr Okafor", "specialization": "Cardiology", "is_active": "on", "user": ""}

    response = in_admin.post(
        f"/admin/doctors/doctor/{okafor.pk}/change/", form_data | {"usual_minutes": "14", "gap_minutes": "61"}
    )

    errors = response.context["adminform"].form.errors.as_data()
    assert {name: [error.code for error in found] for name, found in errors.items()} == {
        "usual_minutes": ["duration"],
        "gap_minutes": ["gap_minutes"],
    }


# Search


def times_of(found):
    return [slot.time for slot in found.slots()]


def test_free_times_keep_the_gap(okafor, booked):
    found = find_free(SlotSearch(), [okafor], first_day=WEDNESDAY, days=1)

    assert times_of(found)[:6] == ["08:00", "08:30", "09:00", "09:30", "10:40", "11:00"]
    DoctorFactory()
    okafor.gap_minutes = 0
    assert times_of(find_free(SlotSearch(), [okafor], first_day=WEDNESDAY, days=1))[:7] == [
        *("08:00", "08:20", "08:40", "09:00", "09:20", "09:40", "10:30"),
    ]


def test_free_times_without_a_length_use_each_doctors_usual_length(okafor, booked):
    slow = DoctorFactory(usual_minutes=90)
    AppointmentFactory(doctor=slow, start_time=at(9, day=25), duration_minutes=180)

    found = find_free(SlotSearch(), [okafor, slow], first_day=WEDNESDAY, days=1)

    starts = {doctor: [slot.time for slot in slots] for doctor, slots in found.days[0].doctors}
    assert starts[okafor][:2] == ["08:00", "08:30"]
    assert starts[slow][0] == "12:00"


@pytest.mark.both_databases
def test_gap_applies_across_midnight(okafor):
    night = {day: [(dt.time(0), dt.time(2)), (dt.time(20), dt.time(0))] for day in range(7)}
    doctor = DoctorFactory(gap_minutes=30)
    TimetableFactory(doctor=doctor, week=night)
    AppointmentFactory(doctor=doctor, start_time=at(23, 30, day=25))

    after = times_of(find_free(SlotSearch(), [doctor], first_day=dt.date(2026, 11, 26), days=1))
    AppointmentFactory(doctor=doctor, start_time=at(0, day=28))
    before = times_of(find_free(SlotSearch(), [doctor], first_day=dt.date(2026, 11, 27), days=1))

    assert after[0] == "00:30"
    assert before[-1] == "23:00"


# Forms


def test_booking_without_a_length_uses_the_doctors_usual_one(at_desk, form_data):
    at_desk.post(BOOK, form_data | {"duration_minutes": ""})

    assert Appointment.objects.get().duration_minutes == 20


def test_move_without_a_length_keeps_the_length(in_admin, okafor, isolated):
    for by in ["form", "admin"]:
        with isolated(by=by):
            appointment = AppointmentFactory(doctor=okafor, start_time=at(10, day=25), duration_minutes=90)
            if by == "form":
                form_data = {
                    "doctor": okafor.pk,
                    "date": "2026-11-26",
                    "time": "10:00",
                    "duration_minutes": "",
                    "version": "1",
                }
                in_admin.post(f"/appointments/{appointment.pk}/move/", form_data)
            else:
                form_data = {"patient": appointment.patient.pk, "doctor": okafor.pk, "start_time_0": "2026-11-26"}
                form_data |= {
                    "start_time_1": "10:00",
                    "duration_minutes": "",
                    "reason": "",
                    "notes": "",
                    "seen_version": "1",
                }
                in_admin.post(f"/admin/appointments/appointment/{appointment.pk}/change/", form_data)

            appointment.refresh_from_db()
            assert (appointment.start_time, appointment.duration_minutes) == (at(10, day=26), 90)


def test_admin_booking_without_a_length_uses_the_doctors_usual_one(in_admin, maria, okafor):
    form_data = {"patient": maria.pk, "doctor": okafor.pk, "start_time_0": "2026-11-25", "start_time_1": "10:00"}

    in_admin.post(ADMIN_ADD, form_data | {"duration_minutes": "", "reason": "", "notes": ""})

    assert Appointment.objects.get().duration_minutes == 20


def test_walk_in_without_a_length_uses_the_free_doctors_usual_one(at_desk, form_data):
    at_desk.post(BOOK, form_data | {"duration_minutes": "", "doctor": "", "date": "", "time": "", "walk_in": "1"})

    appointment = Appointment.objects.get()
    assert (appointment.duration_minutes, appointment.status) == (20, "arrived")


@pytest.mark.both_databases
def test_same_walk_in_without_a_length_twice_books_once(at_desk, form_data):
    walk_in = form_data | {"duration_minutes": "", "date": "", "time": "", "walk_in": "1"}

    at_desk.post(BOOK, walk_in)
    at_desk.post(BOOK, walk_in)

    assert Appointment.objects.count() == 1


# The day view


def test_day_view_labels_gaps_and_times_that_are_too_short(okafor, booked, receptionist):
    AppointmentFactory(doctor=okafor, start_time=at(11, 10, day=25))

    (column,) = day_view(WEDNESDAY, user=receptionist).columns

    unavailable = [(each.text, each.span) for each in column.unavailable if each.why in {"gap", "too_short"}]
    assert unavailable == [
        ("Gap", "09:50–10:00"),
        ("Gap", "10:30–10:40"),
        ("Gap", "11:00–11:10"),
        ("Gap", "11:40–11:50"),
        ("Too short", "11:50–12:00"),
    ]
    free = [free.time for free in column.free]
    assert free == [
        *("08:00", "08:30", "09:00", "09:30", "10:40"),
        *(f"{h}:{m}" for h in (13, 14, 15, 16) for m in ("00", "30")),
    ]


def test_open_day_view_follows_a_changed_gap_or_length(okafor, receptionist, isolated):
    for changes in [{"gap_minutes": 5}, {"usual_minutes": 45}]:
        with isolated(changes=changes):
            before = day_view(WEDNESDAY, user=receptionist).versions

            for name, value in changes.items():
                setattr(okafor, name, value)
            okafor.save()

            assert day_view(WEDNESDAY, user=receptionist).versions.rest != before.rest


def test_inactive_doctor_with_appointments_only_tomorrow_has_no_column(okafor, receptionist):
    inactive = DoctorFactory(full_name="Dr Aaron")
    AppointmentFactory(doctor=inactive, start_time=at(0, 5, day=26))
    inactive.is_active = False
    inactive.save()

    assert [column.doctor for column in day_view(WEDNESDAY, user=receptionist).columns] == [okafor]


def test_past_gap_is_not_shown(okafor, receptionist):
    AppointmentFactory(doctor=okafor, start_time=at(8))

    (column,) = day_view(dt.date(2026, 11, 24), user=receptionist).columns

    assert [each.why for each in column.unavailable] == ["break"]
