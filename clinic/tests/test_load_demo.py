"""The demo clinic: its plan, which is pure and tested in full, and the command, tested with the diaries of one day."""

import datetime as dt
from collections import Counter
from functools import cache

import pytest
from django.contrib.auth import get_user
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from appointments.locking import overlapping_pairs
from appointments.models import Appointment
from appointments.statuses import BLOCKING, OPEN, Status
from clinic.accounts.roles import ADMINISTRATOR, AWAY_ENTRY, DOCTOR, MANAGER, RECEPTIONIST
from clinic.core import clinic_time
from clinic.demo import plan as demo
from clinic.demo.plan import plan_clinic
from clinic.management.commands.load_demo import PASSWORD
from clinic.models import AuditEntry, User
from clinic.tests.factories import UserFactory
from clinic.tests.kit import NOW, rolled_back
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory
from patients.models import Patient

SUNDAY = dt.datetime(2026, 11, 22, 11, 30, tzinfo=dt.UTC)
CLOCKS_GO_BACK = dt.datetime(2026, 10, 25, 11, 0, tzinfo=dt.UTC)
INSTANTS = [NOW, SUNDAY, CLOCKS_GO_BACK]


@cache
def plan_at(instant):
    return plan_clinic(at=instant)


@pytest.fixture
def debug(settings):
    settings.DEBUG = True


@pytest.fixture
def today_only(monkeypatch):
    """Diaries of one day, which are quick to write."""
    monkeypatch.setattr(demo, "DAYS_EACH_WAY", 0)


@pytest.fixture
def loaded(db, debug, today_only, now):
    call_command("load_demo")


def ends(appointment):
    return appointment.start_time + dt.timedelta(minutes=appointment.duration_minutes)


def local_day(appointment):
    return clinic_time.local_date(appointment.start_time)


# The plan


def test_plan_has_the_promised_numbers():
    plan = plan_at(NOW)

    assert len(plan.doctors) == 8
    assert len({doctor.specialization for doctor in plan.doctors}) == 6
    assert len(plan.patients) == 300
    assert 2000 < len(plan.appointments) < 2600


def test_plan_is_the_same_for_the_same_instant():
    assert plan_clinic(at=NOW) == plan_clinic(at=NOW)


def test_plan_an_hour_later_differs_only_in_what_has_happened_since():
    earlier, later = (plan_at(NOW + dt.timedelta(hours=hours)) for hours in (0, 1))

    changed = [(old, new) for old, new in zip(earlier.appointments, later.appointments, strict=True) if old != new]
    assert changed
    assert {local_day(old) for old, _new in changed} == {NOW.date()}


def test_plan_has_every_status():
    for instant in INSTANTS:
        assert {appointment.status for appointment in plan_at(instant).appointments} == set(Status), instant


def test_plan_has_no_patient_in_two_places():
    for instant in INSTANTS:
        appointments = [each for each in plan_at(instant).appointments if each.status in BLOCKING]
        for diary in ("doctor", "patient"):
            rows = sorted((getattr(each, diary), each.start_time, ends(each)) for each in appointments)
            numbered = [(owner, number, start, end) for number, (owner, start, end) in enumerate(rows)]

            assert not list(overlapping_pairs(numbered)), (instant, diary)


def test_plan_keeps_to_the_doctors_hours():
    planned = [(at, appointment) for at in INSTANTS for appointment in plan_at(at).appointments]

    for at, appointment in planned:
        doctor = demo.DOCTORS[appointment.doctor]
        start, end = clinic_time.local(appointment.start_time).time(), clinic_time.local(ends(appointment)).time()

        assert any(opens <= start and end <= closes for opens, closes in doctor.hours), appointment
        assert local_day(appointment).weekday() in doctor.weekdays or local_day(appointment) == at.date()


def test_plan_on_a_sunday_uses_that_day_and_no_other_of_a_weekend():
    weekend = {
        local_day(appointment) for appointment in plan_at(SUNDAY).appointments if local_day(appointment).weekday() > 4
    }

    assert weekend == {SUNDAY.date()}


@pytest.mark.parametrize(
    ("at", "last_working_day", "today"),
    [
        (NOW, [Status.BOOKED, Status.ARRIVED], [Status.BOOKED]),
        (NOW.replace(hour=7), [Status.BOOKED, Status.ARRIVED], []),  # before the first consultation
        (SUNDAY, [Status.BOOKED, Status.ARRIVED], [Status.BOOKED]),
    ],
    ids=["morning", "before opening", "Sunday"],
)
def test_plan_leaves_three_past_appointments_without_an_outcome(at, last_working_day, today):
    appointments = plan_at(at).appointments

    earlier = [
        appointment for appointment in appointments if appointment.status in OPEN and local_day(appointment) < at.date()
    ]

    assert [appointment.status for appointment in earlier] == last_working_day
    assert len({appointment.doctor for appointment in earlier}) == 2
    assert {(at.date() - local_day(appointment)).days for appointment in earlier} == {2 if at == SUNDAY else 1}
    # By then, missing patients are no-shows, and late ones are in consultation.
    over = [
        appointment
        for appointment in appointments
        if local_day(appointment) == at.date() and ends(appointment) + demo.NO_SHOW_AFTER <= at
    ]
    assert [appointment.status for appointment in over if appointment.status == Status.BOOKED] == today


def test_plan_of_past_days_has_outcomes_except_forgotten_ones():
    past = [appointment for appointment in plan_at(NOW).appointments if local_day(appointment) < NOW.date()]

    shares = {
        status: count / len(past) for status, count in Counter(appointment.status for appointment in past).items()
    }

    assert shares.keys() == set(Status) - {Status.IN_CONSULTATION}
    assert 0.06 < shares[Status.NO_SHOW] < 0.1
    assert 0.01 < shares[Status.LEFT] < 0.03
    assert 0.05 < shares[Status.CANCELLED] < 0.1


def test_plan_of_today_has_patients_who_left_unseen_and_walk_ins_who_are_here():
    today = [appointment for appointment in plan_at(NOW).appointments if local_day(appointment) == NOW.date()]

    assert any(appointment.status == Status.LEFT for appointment in today)
    assert any(appointment.is_walk_in for appointment in plan_at(NOW).appointments)
    assert all(each.arrived_at for each in plan_at(NOW).appointments if each.is_walk_in)


def test_plan_of_future_days_is_booked_or_cancelled():
    coming = [appointment for appointment in plan_at(NOW).appointments if local_day(appointment) > NOW.date()]

    assert {appointment.status for appointment in coming} == {Status.BOOKED, Status.CANCELLED}


def test_plan_has_each_doctor_with_one_patient_at_most():
    in_consultation = Counter(
        appointment.doctor for appointment in plan_at(NOW).appointments if appointment.status == Status.IN_CONSULTATION
    )

    assert set(in_consultation.values()) == {1}


def test_plan_sets_timestamps_by_status_and_none_in_the_future():
    stamped = {
        Status.BOOKED: (),
        Status.ARRIVED: ("arrived_at",),
        Status.IN_CONSULTATION: ("arrived_at", "started_at"),
        Status.COMPLETED: ("arrived_at", "started_at", "completed_at"),
        Status.NO_SHOW: (),
        Status.LEFT: ("arrived_at", "left_at"),
        Status.CANCELLED: ("cancelled_at",),
    }
    names = ("arrived_at", "started_at", "completed_at", "left_at", "cancelled_at")
    planned = [(at, appointment) for at in INSTANTS for appointment in plan_at(at).appointments]

    for at, appointment in planned:
        stamps = {name: getattr(appointment, name) for name in names if getattr(appointment, name)}
        is_cancelled = appointment.status == Status.CANCELLED

        assert tuple(stamps) == stamped[appointment.status], appointment
        assert list(stamps.values()) == sorted(stamps.values()), appointment
        assert all(stamp <= at for stamp in stamps.values()), appointment
        assert is_cancelled == bool(appointment.cancelled_by) == bool(appointment.cancel_reason), appointment
        assert not is_cancelled or appointment.cancelled_at < appointment.start_time, appointment


def test_plan_sends_children_and_only_children_to_the_paediatrician():
    plan = plan_at(NOW)
    paediatrics = [number for number, doctor in enumerate(plan.doctors) if doctor.specialization == "Paediatrics"]

    born = [
        plan.patients[appointment.patient].date_of_birth
        for appointment in plan.appointments
        if appointment.doctor in paediatrics
    ]

    assert born
    assert min(born) > dt.date(NOW.year - 17, 1, 1)


def test_plan_of_patients_has_valid_fields(now):
    plan = plan_at(NOW)

    for planned in plan.patients:
        patient = Patient(**vars(planned))
        patient.clean_fields(exclude=["name_key"])
        assert vars(planned).items() <= vars(patient).items()  # nothing had to be tidied
    assert len({planned.email for planned in plan.patients}) == len(plan.patients)
    assert {planned.email.partition("@")[2] for planned in plan.patients} == {"example.org", "example.com"}


# The command


@pytest.mark.both_databases
def test_load_demo_saves_the_plan(loaded):
    plan = plan_clinic(at=NOW)

    written = Appointment.objects.values_list(
        "doctor__full_name", "patient__email", "start_time", "duration_minutes", "status", "completed_at", "reason"
    )

    assert sorted(written, key=str) == sorted(
        (
            (
                plan.doctors[appointment.doctor].full_name,
                plan.patients[appointment.patient].email,
                appointment.start_time,
                appointment.duration_minutes,
                appointment.status.value,
                appointment.completed_at,
                appointment.reason,
            )
            for appointment in plan.appointments
        ),
        key=str,
    )
    assert Doctor.objects.filter(is_active=True).count() == len(plan.doctors)
    assert Patient.objects.count() == len(plan.patients)


def test_load_demo_leaves_a_clinic_that_can_be_used(loaded, capsys):
    receptionist = User.objects.get(username="reception")
    patient = Patient.objects.order_by("pk").first()
    entries = AuditEntry.objects.get_for_model(Appointment)

    call_command("check_diaries")

    assert capsys.readouterr().out.splitlines()[-1] == "0"  # no overlaps
    assert not Appointment.objects.exclude(booked_by=receptionist).exists()
    assert entries.count() == Appointment.objects.count()
    assert not entries.exclude(actor=receptionist).exists()
    assert patient in Patient.objects.search(patient.email)


def test_load_demo_users_can_sign_in_and_have_their_roles(loaded):
    role_and_name = {
        "reception": (f"{AWAY_ENTRY}, {RECEPTIONIST}", "Joana Reis"),
        "manager": (MANAGER, "Miguel Tavares"),
        "doctor": (DOCTOR, "Amara Okafor"),
        "admin": (ADMINISTRATOR, "Helena Duarte"),
    }
    for username, (role, name) in role_and_name.items():
        client = Client()
        client.post("/accounts/login/", {"username": username, "password": PASSWORD})

        user = User.objects.get(username=username)
        assert get_user(client) == user
        assert (user.role, user.get_full_name(), user.is_superuser) == (role, name, False)
        assert not user.password_is_temporary
    assert User.objects.get(username="doctor").doctor.full_name == "Dr Amara Okafor"


def test_load_demo_if_empty_fills_an_empty_database_and_prints_the_users(db, debug, today_only, now, capsys):
    call_command("load_demo", "--if-empty")

    assert Appointment.objects.exists()
    printed = capsys.readouterr().out
    assert "8 doctors, 300 patients" in printed
    assert all(printed.count(word) for word in ("reception", "manager", "doctor", "admin", PASSWORD))


def test_load_demo_refuses_a_database_that_is_not_empty(db, debug):
    for factory in (UserFactory, DoctorFactory):
        with rolled_back():
            factory()

            with pytest.raises(CommandError, match=r"already has 1 .*reset_database"):
                call_command("load_demo")
            assert not Patient.objects.exists(), factory


def test_load_demo_if_empty_leaves_a_database_that_is_not_empty_as_it_is(db, debug, capsys):
    UserFactory()

    call_command("load_demo", "--if-empty")

    assert "has 1 user" in capsys.readouterr().out
    assert User.objects.count() == 1


def test_load_demo_refuses_with_debug_off(db, settings):
    settings.DEBUG = False

    for options in ([], ["--if-empty"]):
        with pytest.raises(CommandError, match="DEBUG is off"):
            call_command("load_demo", *options)
        assert not User.objects.exists(), options


@pytest.mark.both_databases
def test_load_demo_without_tables_says_to_migrate(db, debug, monkeypatch):
    monkeypatch.setattr("django.db.connection.introspection.table_names", lambda: ["auth_group"])

    with pytest.raises(CommandError, match="migrate"):
        call_command("load_demo")


@pytest.mark.both_databases
def test_load_demo_that_fails_half_way_leaves_nothing(db, debug, today_only, now, monkeypatch):
    saves = []

    def save(appointment):
        saves.append(appointment)
        if len(saves) > 3:
            raise RuntimeError("the disk is full")

    monkeypatch.setattr(Appointment, "save", save)

    with pytest.raises(RuntimeError):
        call_command("load_demo")
    assert not User.objects.exists()
    assert not Patient.objects.exists()
