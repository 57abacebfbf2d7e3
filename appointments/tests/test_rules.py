"""Each rule of an appointment just below, at and just above its limit, through `clean()`."""

import datetime as dt
import itertools

import pytest
from django.core.exceptions import ValidationError

from appointments import rules, transitions
from appointments.models import Appointment
from appointments.statuses import BLOCKING, FORWARD, OPEN, Stamped, Status, undone
from appointments.tests.factories import AppointmentFactory
from clinic.tests.kit import NOW, START, codes_of
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)


def new_appointment(patient, doctor, **values):
    """Return a new appointment, not saved."""
    return Appointment(**{"patient": patient, "doctor": doctor, "start_time": START, "duration_minutes": 30} | values)


# duration


def test_duration_of_15_to_180_minutes_is_accepted(patient, doctor, subtests):
    for minutes in [15, 16, 30, 179, 180]:
        with subtests.test(minutes=minutes):
            assert codes_of(new_appointment(patient, doctor, duration_minutes=minutes)) == {}


def test_duration_of_less_or_more_is_refused(patient, doctor, subtests):
    for minutes in [0, 1, 14, 181, 1000]:
        with subtests.test(minutes=minutes):
            assert codes_of(new_appointment(patient, doctor, duration_minutes=minutes)) == {
                "duration_minutes": ["duration"]
            }


def test_invalid_duration_is_refused(patient, doctor, subtests):
    for minutes in [-30, None, 2**31]:
        with subtests.test(minutes=minutes):
            assert "duration_minutes" in codes_of(new_appointment(patient, doctor, duration_minutes=minutes))


def test_duration_that_is_not_a_whole_number_is_refused(patient, doctor, subtests):
    for minutes in ["half an hour", 30.5]:
        with subtests.test(minutes=minutes):
            assert "duration_minutes" in codes_of(new_appointment(patient, doctor, duration_minutes=minutes))


def test_duration_of_an_old_appointment_is_checked_too(now):
    appointment = AppointmentFactory(start_time=NOW - DAY)

    appointment.duration_minutes = 14

    assert codes_of(appointment) == {"duration_minutes": ["duration"]}


# past


def test_future_start_is_accepted(patient, doctor, subtests):
    for start_time in [NOW + MINUTE, NOW + DAY]:
        with subtests.test(start_time=start_time):
            assert codes_of(new_appointment(patient, doctor, start_time=start_time)) == {}


def test_past_start_is_refused(patient, doctor, subtests):
    for start_time in [NOW, NOW - MINUTE, NOW - DAY]:
        with subtests.test(start_time=start_time):
            assert codes_of(new_appointment(patient, doctor, start_time=start_time)) == {"start_time": ["past"]}


def test_start_in_the_current_minute_is_refused_whatever_its_seconds(now, patient, doctor):
    now.move_to(NOW + dt.timedelta(seconds=30))

    assert codes_of(new_appointment(patient, doctor, start_time=NOW + dt.timedelta(seconds=59))) == {
        "start_time": ["past"]
    }


def test_start_moved_into_the_past_is_refused():
    appointment = AppointmentFactory()

    appointment.start_time = NOW - MINUTE

    assert codes_of(appointment) == {"start_time": ["past"]}


def test_start_moved_from_the_past_to_the_future_is_accepted():
    appointment = AppointmentFactory(start_time=NOW - DAY)

    appointment.start_time = NOW + MINUTE

    assert codes_of(appointment) == {}


def test_unchanged_past_start_does_not_stop_other_edits(isolated):
    for field, value in [("notes", "Called back"), ("reason", "Knee"), ("duration_minutes", 45)]:
        with isolated(field=field, value=value):
            appointment = AppointmentFactory(start_time=NOW - DAY)

            setattr(appointment, field, value)

            assert codes_of(appointment) == {}


# naive


def test_start_without_a_zone_is_refused(patient, doctor):
    naive = dt.datetime(2026, 11, 24, 10, 0)  # noqa: DTZ001 -- what the rule is about

    assert codes_of(new_appointment(patient, doctor, start_time=naive)) == {"start_time": ["naive"]}


@pytest.mark.both_databases
def test_start_in_any_zone_is_accepted(patient, doctor, subtests):
    for hours in [-11, -1, 0, 1, 5.75, 14]:
        with subtests.test(hours=hours):
            zone = dt.timezone(dt.timedelta(hours=hours))

            assert codes_of(new_appointment(patient, doctor, start_time=START.astimezone(zone))) == {}


# date_range


@pytest.mark.both_databases
def test_start_beyond_the_calendar_is_refused(settings, patient, doctor, subtests):
    start_time_cases = [
        dt.datetime(1, 1, 1, 0, 0, tzinfo=dt.UTC),
        dt.datetime(1899, 12, 30, 12, 0, tzinfo=dt.UTC),
        dt.datetime(2200, 1, 2, 0, 0, tzinfo=dt.UTC),
        dt.datetime(9999, 12, 31, 23, 59, tzinfo=dt.UTC),
    ]
    for start_time in start_time_cases:
        for zone in ["Europe/Lisbon", "America/Santiago", "Asia/Kathmandu"]:
            with subtests.test(start_time=start_time, zone=zone):
                settings.TIME_ZONE = zone

                assert codes_of(new_appointment(patient, doctor, start_time=start_time)) == {
                    "start_time": ["date_range"]
                }


@pytest.mark.both_databases
def test_start_on_the_last_day_of_the_calendar_is_accepted(patient, doctor):
    last = dt.datetime(2199, 12, 31, 23, 59, tzinfo=dt.UTC)

    assert codes_of(new_appointment(patient, doctor, start_time=last)) == {}


# inactive


def test_inactive_doctor_is_refused_for_a_new_appointment(patient):
    assert codes_of(new_appointment(patient, DoctorFactory(is_active=False))) == {"doctor": ["inactive"]}


def test_inactive_doctor_is_refused_for_a_move_to_the_doctor():
    appointment = AppointmentFactory()

    appointment.doctor = DoctorFactory(is_active=False)

    assert codes_of(appointment) == {"doctor": ["inactive"]}


def test_inactive_doctor_is_refused_for_another_time():
    appointment = AppointmentFactory()
    deactivate(appointment.doctor)

    appointment.start_time = START + DAY

    assert codes_of(appointment) == {"doctor": ["inactive"]}


def test_inactive_doctor_does_not_stop_other_edits(isolated):
    for field, value in [("notes", "Called back"), ("status", Status.ARRIVED), ("duration_minutes", 45)]:
        with isolated(field=field, value=value):
            appointment = AppointmentFactory()
            deactivate(appointment.doctor)

            setattr(appointment, field, value)

            assert codes_of(appointment) == {}


def test_inactive_doctor_is_refused_for_undo_of_a_cancellation():
    appointment = AppointmentFactory(status=Status.CANCELLED, cancelled_by="patient", cancel_reason="Ill")
    deactivate(appointment.doctor)

    appointment.status = Status.BOOKED

    assert codes_of(appointment) == {"doctor": ["inactive"]}


def test_inactive_doctor_can_be_replaced():
    appointment = AppointmentFactory()
    deactivate(appointment.doctor)

    appointment.doctor = DoctorFactory()

    assert codes_of(appointment) == {}


def deactivate(doctor):
    doctor.is_active = False
    doctor.save()


# overlap: the existing appointment lasts from 10:00 to 11:00


SHARING = {
    "equal": (0, 60),
    "inside": (15, 30),
    "inside from the start": (0, 15),
    "inside to the end": (45, 15),
    "containing": (-30, 120),
    "containing by one minute": (-1, 62),
    "into the beginning": (-15, 30),
    "into the end": (45, 30),
    "into the beginning by one minute": (-29, 30),
    "into the end by one minute": (59, 30),
    "longest into the beginning by one minute": (-179, 180),
}
APART = {
    "touching before": (-30, 30),
    "touching after": (60, 30),
    "touching before, longest": (-180, 180),
    "before": (-45, 30),
    "after": (75, 30),
}


def an_hour(**values):
    return AppointmentFactory(start_time=START + 3 * dt.timedelta(hours=1), duration_minutes=60, **values)


def at(minute):
    return START + dt.timedelta(hours=3, minutes=minute)


@pytest.mark.both_databases
def test_doctor_overlap_is_refused(patient, doctor, isolated):
    for case, (minute, minutes) in SHARING.items():
        with isolated(case):
            an_hour(doctor=doctor)

            wanted = new_appointment(patient, doctor, start_time=at(minute), duration_minutes=minutes)

            assert codes_of(wanted) == {"start_time": ["doctor_overlap"]}


@pytest.mark.both_databases
def test_adjacent_times_of_a_doctor_do_not_overlap(patient, doctor, isolated):
    for case, (minute, minutes) in APART.items():
        with isolated(case):
            an_hour(doctor=doctor)

            assert codes_of(new_appointment(patient, doctor, start_time=at(minute), duration_minutes=minutes)) == {}


@pytest.mark.both_databases
def test_patient_overlap_is_refused(patient, doctor, isolated):
    for case, (minute, minutes) in SHARING.items():
        with isolated(case):
            an_hour(patient=patient)

            wanted = new_appointment(patient, doctor, start_time=at(minute), duration_minutes=minutes)

            assert codes_of(wanted) == {"start_time": ["patient_overlap"]}


@pytest.mark.both_databases
def test_adjacent_times_of_a_patient_do_not_overlap(patient, doctor, isolated):
    for case, (minute, minutes) in APART.items():
        with isolated(case):
            an_hour(patient=patient)

            assert codes_of(new_appointment(patient, doctor, start_time=at(minute), duration_minutes=minutes)) == {}


@pytest.mark.both_databases
def test_overlap_with_the_last_minute_of_the_longest_is_refused(patient, doctor):
    AppointmentFactory(doctor=doctor, start_time=START, duration_minutes=180)

    by_a_minute = new_appointment(patient, doctor, start_time=START + dt.timedelta(minutes=179))
    touching = new_appointment(patient, doctor, start_time=START + dt.timedelta(minutes=180))

    assert codes_of(by_a_minute) == {"start_time": ["doctor_overlap"]}
    assert codes_of(touching) == {}


@pytest.mark.both_databases
def test_overlap_of_doctor_and_patient_is_reported_for_both(patient, doctor):
    an_hour(patient=patient, doctor=doctor)

    assert codes_of(new_appointment(patient, doctor, start_time=at(0))) == {
        "start_time": ["doctor_overlap", "patient_overlap"]
    }


@pytest.mark.both_databases
def test_overlap_with_other_doctors_and_patients_is_accepted(patient, doctor):
    an_hour()

    assert codes_of(new_appointment(patient, doctor, start_time=at(0))) == {}


@pytest.mark.both_databases
def test_overlap_counts_only_statuses_that_block(patient, doctor, isolated):
    for status in Status:
        with isolated(status=status):
            an_hour(doctor=doctor, status=status)

            wanted = new_appointment(patient, doctor, start_time=at(0))

            is_refused = status in {"booked", "arrived", "in_consultation", "completed"}
            assert codes_of(wanted) == ({"start_time": ["doctor_overlap"]} if is_refused else {})


@pytest.mark.both_databases
def test_appointment_does_not_overlap_itself():
    appointment = an_hour()

    appointment.start_time = at(15)

    assert codes_of(appointment) == {}


@pytest.mark.both_databases
def test_overlap_across_the_autumn_clock_change_compares_instants(now, patient, doctor):
    now.move_to(dt.datetime(2026, 10, 24, 9, 0, tzinfo=dt.UTC))
    first_half_past_one = dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)
    AppointmentFactory(doctor=doctor, start_time=first_half_past_one)

    second_half_past_one = new_appointment(patient, doctor, start_time=first_half_past_one + dt.timedelta(hours=1))

    assert codes_of(second_half_past_one) == {}


@pytest.mark.both_databases
def test_overlap_across_the_spring_clock_change_compares_instants(now, patient, doctor):
    now.move_to(dt.datetime(2026, 3, 28, 9, 0, tzinfo=dt.UTC))
    quarter_to_one = dt.datetime(2026, 3, 29, 0, 45, tzinfo=dt.UTC)
    AppointmentFactory(doctor=doctor, start_time=quarter_to_one)  # until a quarter past two on the clock

    two_o_clock = new_appointment(patient, doctor, start_time=quarter_to_one + dt.timedelta(minutes=15))
    quarter_past_two = new_appointment(patient, doctor, start_time=quarter_to_one + dt.timedelta(minutes=30))

    assert codes_of(two_o_clock) == {"start_time": ["doctor_overlap"]}
    assert codes_of(quarter_past_two) == {}


@pytest.mark.both_databases
def test_overlap_message_has_doctor_and_clinic_time_but_no_patient(settings, patient, doctor):
    settings.TIME_ZONE = "Asia/Kathmandu"
    other = PatientFactory(first_name="Secret", last_name="Person")
    an_hour(doctor=doctor, patient=other)

    with pytest.raises(ValidationError) as refusal:
        new_appointment(patient, doctor, start_time=at(0)).full_clean()

    text = " ".join(refusal.value.messages)
    assert doctor.full_name in text
    assert "18:45–19:45" in text
    assert "Secret" not in text


# Statuses. This table repeats design.md, so that a mistake in statuses.py shows.

ALLOWED = {
    ("booked", "arrived"),
    ("booked", "in_consultation"),
    ("booked", "completed"),
    ("booked", "no_show"),
    ("booked", "cancelled"),
    ("arrived", "in_consultation"),
    ("arrived", "completed"),
    ("arrived", "left"),
    ("arrived", "cancelled"),
    ("arrived", "booked"),
    ("in_consultation", "completed"),
    ("in_consultation", "arrived"),
    ("completed", "in_consultation"),
    ("no_show", "arrived"),
    ("no_show", "booked"),
    ("left", "arrived"),
    ("cancelled", "booked"),
}
PAIRS = [(old.value, new.value) for old, new in itertools.product(Status, Status)]
END = START + dt.timedelta(minutes=30)
SEEN = Stamped(arrived=True, started=True, completed=True, left=True)
SEEN_STAMPS = {"arrived_at": START, "started_at": START, "completed_at": END, "left_at": END}


def code_of_transition(old, new, *, start_time=START, at, stamped=SEEN):
    end_time = start_time + dt.timedelta(minutes=30)
    try:
        transitions.check_transition(old, new, stamped=stamped, start_time=start_time, end_time=end_time, at=at)
    except ValidationError as refusal:
        return refusal.code
    return None


def test_statuses_match_the_design():
    assert [status.value for status in Status] == [
        "booked",
        "arrived",
        "in_consultation",
        "completed",
        "no_show",
        "left",
        "cancelled",
    ]
    assert {status.value for status in BLOCKING} == {"booked", "arrived", "in_consultation", "completed"}
    assert {status.value for status in OPEN} == {"booked", "arrived", "in_consultation"}


STAMPED = [Stamped(*each) for each in itertools.product((False, True), repeat=4)]


def test_undo_never_advances_the_status(subtests):
    for status in Status:
        for stamped in STAMPED:
            with subtests.test(status=status, stamped=stamped):
                assert undone(status, stamped) not in FORWARD[status]


def test_undo_of_completed_restores_the_previous_status(subtests):
    cases = [
        (Stamped(arrived=True, started=True, completed=True), "in_consultation"),
        (Stamped(completed=True), "in_consultation"),
        (Stamped(arrived=True, started=True), "in_consultation"),
        (Stamped(arrived=True), "arrived"),
        (Stamped(), "booked"),
    ]
    for stamped, back in cases:
        with subtests.test(stamped=stamped, back=back):
            assert undone("completed", stamped) == back


def test_undo_of_any_other_status_ignores_timestamps(subtests):
    status_cases = [
        ("booked", None),
        ("arrived", "booked"),
        ("in_consultation", "arrived"),
        ("no_show", "booked"),
        ("left", "arrived"),
        ("cancelled", "booked"),
    ]
    for status, back in status_cases:
        for stamped in STAMPED:
            with subtests.test(status=status, back=back, stamped=stamped):
                assert undone(status, stamped) == back


def test_transition_is_allowed_exactly_where_the_design_says(subtests):
    for old, new in PAIRS:
        with subtests.test(old=old, new=new):
            # On its day: before the start for a cancelled appointment, after the end for any other.
            at = NOW if old == "cancelled" else END

            code = code_of_transition(old, new, at=at)

            assert code == (None if (old, new) in ALLOWED else "transition")


def test_transition_through_clean_is_allowed_exactly_where_the_design_says(now, isolated):
    for old, new in [pair for pair in PAIRS if pair[0] != pair[1]]:
        with isolated(old=old, new=new):
            called_off = {"cancelled_by": "patient", "cancel_reason": "Ill"}
            appointment = AppointmentFactory(status=old, **called_off, **SEEN_STAMPS)
            now.move_to(NOW if old == "cancelled" else END)

            appointment.status = new

            assert codes_of(appointment) == ({} if (old, new) in ALLOWED else {"status": ["transition"]})


def test_transition_to_a_status_that_does_not_exist_is_refused():
    appointment = AppointmentFactory()

    appointment.status = "asleep"

    assert "invalid_choice" in codes_of(appointment)["status"]


ON_ITS_DAY = [
    ("booked", "arrived"),
    ("booked", "in_consultation"),
    ("no_show", "arrived"),
    ("completed", "in_consultation"),
    ("left", "arrived"),
]


def test_transition_bound_to_its_day_uses_the_clinics_date(subtests):
    at_cases = [
        (dt.datetime(2026, 7, 1, 22, 59, tzinfo=dt.UTC), "not_today"),
        (dt.datetime(2026, 7, 1, 23, 0, tzinfo=dt.UTC), None),
        (dt.datetime(2026, 7, 2, 22, 59, tzinfo=dt.UTC), None),
        (dt.datetime(2026, 7, 2, 23, 0, tzinfo=dt.UTC), "not_today"),
    ]
    for old, new in ON_ITS_DAY:
        for at, code in at_cases:
            with subtests.test(old=old, new=new, at=at, code=code):
                start_time = dt.datetime(2026, 7, 2, 9, 0, tzinfo=dt.UTC)

                assert code_of_transition(old, new, start_time=start_time, at=at) == code


def test_transition_not_bound_to_its_day_is_allowed_a_day_later(isolated):
    for old, new in sorted(ALLOWED - set(ON_ITS_DAY) - {("cancelled", "booked")}):
        with isolated(old=old, new=new):
            assert code_of_transition(old, new, start_time=START, at=START + DAY) is None


def test_transition_to_no_show_waits_for_the_start(subtests):
    cases = [(START - MINUTE, "not_started"), (START, None), (START + MINUTE, None), (START + DAY, None)]
    for at, code in cases:
        with subtests.test(at=at, code=code):
            assert code_of_transition("booked", "no_show", start_time=START, at=at) == code


def test_transition_to_completed_without_a_consultation_waits_for_the_end(subtests):
    at_cases = [(START, "not_over"), (END - MINUTE, "not_over"), (END, None), (END + MINUTE, None), (END + DAY, None)]
    for old in ["booked", "arrived"]:
        for at, code in at_cases:
            with subtests.test(old=old, at=at, code=code):
                assert code_of_transition(old, "completed", at=at, stamped=Stamped()) == code


def test_clean_refuses_completed_without_consultation_before_the_end(now):
    appointment = AppointmentFactory()
    now.move_to(END - MINUTE)

    appointment.status = Status.COMPLETED

    assert codes_of(appointment) == {"status": ["not_over"]}


def test_transition_to_completed_from_a_consultation_may_come_at_any_time(subtests):
    for at in [START, END - MINUTE, END, END + DAY]:
        with subtests.test(at=at):
            assert code_of_transition("in_consultation", "completed", at=at) is None


def test_transition_back_after_close_out_is_allowed_on_any_day(subtests):
    cases = [
        (Stamped(), "booked"),
        (Stamped(arrived=True), "arrived"),
        (Stamped(arrived=True, started=True), "in_consultation"),
    ]
    for stamped, back in cases:
        with subtests.test(stamped=stamped, back=back):
            assert code_of_transition("completed", back, at=END + 7 * DAY, stamped=stamped) is None


def test_patient_recorded_as_left_on_a_later_day_can_be_brought_back_on_any_day():
    stamped = Stamped(arrived=True)

    assert code_of_transition("left", "arrived", at=END + 7 * DAY, stamped=stamped) is None


def test_undo_of_completed_consultation_is_to_in_consultation_only(subtests):
    for back in ["booked", "arrived"]:
        with subtests.test(back=back):
            assert code_of_transition("completed", back, at=END) == "transition"


def test_reinstating_needs_a_start_in_the_future(subtests):
    cases = [(START - DAY, None), (START - MINUTE, None), (START, "past"), (START + MINUTE, "past")]
    for at, code in cases:
        with subtests.test(at=at, code=code):
            assert code_of_transition("cancelled", "booked", start_time=START, at=at) == code


@pytest.mark.both_databases
def test_transition_back_to_booked_needs_free_time(now, isolated):
    for status in ["no_show", "cancelled"]:
        with isolated(status=status):
            appointment = AppointmentFactory(status=status)
            AppointmentFactory(doctor=appointment.doctor)
            now.move_to(NOW if status == "cancelled" else START)

            appointment.status = Status.BOOKED

            assert codes_of(appointment) == {"start_time": ["doctor_overlap"]}


# cancellation


def test_cancellation_with_reason_and_cancelled_by_is_accepted():
    appointment = AppointmentFactory()

    appointment.status, appointment.cancelled_by, appointment.cancel_reason = Status.CANCELLED, "clinic", "Storm"

    assert codes_of(appointment) == {}


def test_cancellation_without_reason_or_cancelled_by_is_refused(isolated):
    cases = [
        ("", "Storm", {"cancelled_by": ["cancelled_by"]}),
        ("clinic", "", {"cancel_reason": ["cancel_reason"]}),
        ("clinic", " \t ", {"cancel_reason": ["cancel_reason"]}),
        ("", "", {"cancelled_by": ["cancelled_by"], "cancel_reason": ["cancel_reason"]}),
    ]
    for cancelled_by, cancel_reason, codes in cases:
        with isolated(cancelled_by=cancelled_by, cancel_reason=cancel_reason, codes=codes):
            appointment = AppointmentFactory()

            appointment.status, appointment.cancelled_by, appointment.cancel_reason = (
                "cancelled",
                cancelled_by,
                cancel_reason,
            )

            assert codes_of(appointment) == codes


# not_movable


def test_only_booked_and_arrived_appointments_can_be_moved(isolated):
    for status in Status:
        for what in ["start_time", "doctor", "patient"]:
            with isolated(status=status, what=what):
                appointment = AppointmentFactory(status=status, cancelled_by="patient", cancel_reason="Ill")
                other = {
                    "start_time": START + dt.timedelta(hours=1),
                    "doctor": DoctorFactory(),
                    "patient": PatientFactory(),
                }

                setattr(appointment, what, other[what])

                is_movable = status in {"booked", "arrived"}
                assert codes_of(appointment) == ({} if is_movable else {"start_time": ["not_movable"]})


def test_arrived_appointment_cannot_move_to_another_day(isolated):
    for status, codes in [("booked", {}), ("arrived", {"start_time": ["not_movable"]})]:
        with isolated(status=status, codes=codes):
            appointment = AppointmentFactory(status=status)

            appointment.start_time = START + DAY

            assert codes_of(appointment) == codes


# stale


def test_current_or_unknown_version_is_accepted(subtests):
    for seen in [None, 3]:
        with subtests.test(seen=seen):
            assert rules.check_not_stale(3, seen_version=seen) is None


def test_any_other_version_is_stale(subtests):
    for seen in [0, 2, 4]:
        with subtests.test(seen=seen):
            with pytest.raises(ValidationError) as refusal:
                rules.check_not_stale(3, seen_version=seen)

            assert refusal.value.code == "stale"


# records that do not exist


@pytest.mark.both_databases
def test_record_that_does_not_exist_is_refused_at_its_field(patient, doctor, subtests):
    for field in ["doctor", "patient"]:
        with subtests.test(field=field):
            appointment = new_appointment(patient, doctor)

            setattr(appointment, f"{field}_id", 999_999)

            assert codes_of(appointment) == {field: ["invalid"]}


def test_record_that_is_missing_is_refused_at_its_field(patient, doctor, subtests):
    for field in ["doctor", "patient", "start_time"]:
        with subtests.test(field=field):
            appointment = new_appointment(patient, doctor)

            setattr(appointment, field, None)

            assert codes_of(appointment) == {field: ["null"]}
