"""The demo clinic: its plan, which is pure and tested in full, and the command, tested with the diaries of one day."""

import datetime as dt
from collections import Counter

import pytest
from django.contrib.auth import get_user
from django.core.management import call_command
from django.core.management.base import CommandError

from appointments.locking import overlapping_pairs
from appointments.models import Appointment
from appointments.statuses import BLOCKING, OPEN, Status
from clinic.accounts.roles import ADMINISTRATOR, DOCTOR, MANAGER, RECEPTIONIST
from clinic.core import clinic_time
from clinic.demo import plan as demo
from clinic.demo.plan import plan_clinic
from clinic.management.commands.load_demo import PASSWORD
from clinic.models import AuditEntry, User
from clinic.tests.factories import UserFactory
from conftest import NOW
from doctors.models import Doctor
from doctors.tests.factories import DoctorFactory
from patients.models import Patient

SUNDAY = dt.datetime(2026, 11, 22, 11, 30, tzinfo=dt.UTC)
CLOCKS_GO_BACK = dt.datetime(2026, 10, 25, 11, 0, tzinfo=dt.UTC)
INSTANTS = [NOW, SUNDAY, CLOCKS_GO_BACK]


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


def ends(visit):
    return visit.start_time + dt.timedelta(minutes=visit.duration_minutes)


def local_day(visit):
    return clinic_time.local_date(visit.start_time)


# The plan


def test_plan_has_the_promised_numbers():
    plan = plan_clinic(at=NOW)

    assert len(plan.doctors) == 8
    assert len({doctor.specialization for doctor in plan.doctors}) == 6
    assert len(plan.patients) == 300
    assert 2000 < len(plan.visits) < 2600


def test_plan_is_the_same_for_the_same_instant():
    assert plan_clinic(at=NOW) == plan_clinic(at=NOW)


def test_plan_an_hour_later_differs_only_in_what_has_happened_since():
    earlier, later = (plan_clinic(at=NOW + dt.timedelta(hours=hours)) for hours in (0, 1))

    changed = [(old, new) for old, new in zip(earlier.visits, later.visits, strict=True) if old != new]
    assert changed
    assert {local_day(old) for old, _new in changed} == {NOW.date()}


@pytest.mark.parametrize("at", INSTANTS)
def test_plan_has_every_status(at):
    assert {visit.status for visit in plan_clinic(at=at).visits} == set(Status)


@pytest.mark.parametrize("at", INSTANTS)
@pytest.mark.parametrize("diary", ["doctor", "patient"])
def test_plan_has_nobody_in_two_places(at, diary):
    visits = [visit for visit in plan_clinic(at=at).visits if visit.status in BLOCKING]

    rows = sorted((getattr(visit, diary), visit.start_time, ends(visit)) for visit in visits)
    numbered = [(owner, number, start, end) for number, (owner, start, end) in enumerate(rows)]

    assert not list(overlapping_pairs(numbered))


@pytest.mark.parametrize("at", INSTANTS)
def test_plan_keeps_to_the_doctors_hours(at):
    for visit in plan_clinic(at=at).visits:
        doctor = demo.DOCTORS[visit.doctor]
        start, end = clinic_time.local(visit.start_time).time(), clinic_time.local(ends(visit)).time()

        assert any(opens <= start and end <= closes for opens, closes in doctor.hours)
        assert local_day(visit).weekday() in doctor.weekdays or local_day(visit) == at.date()


def test_plan_on_a_sunday_has_visits_on_that_day_and_on_no_other_of_a_weekend():
    weekend = {local_day(visit) for visit in plan_clinic(at=SUNDAY).visits if local_day(visit).weekday() > 4}

    assert weekend == {SUNDAY.date()}


@pytest.mark.parametrize(
    ("at", "last_working_day", "today"),
    [
        (NOW, [Status.BOOKED, Status.ARRIVED], [Status.BOOKED]),
        (NOW.replace(hour=7), [Status.BOOKED, Status.ARRIVED], []),  # nobody has been seen yet
        (SUNDAY, [Status.BOOKED, Status.ARRIVED], [Status.BOOKED]),
    ],
    ids=["morning", "before opening", "Sunday"],
)
def test_plan_leaves_three_past_visits_without_an_outcome(at, last_working_day, today):
    visits = plan_clinic(at=at).visits

    earlier = [visit for visit in visits if visit.status in OPEN and local_day(visit) < at.date()]

    assert [visit.status for visit in earlier] == last_working_day
    assert len({visit.doctor for visit in earlier}) == 2
    assert {(at.date() - local_day(visit)).days for visit in earlier} == {2 if at == SUNDAY else 1}
    # Who did not come is a no-show by then, and who came late is in consultation.
    over = [visit for visit in visits if local_day(visit) == at.date() and ends(visit) + demo.NO_SHOW_AFTER <= at]
    assert [visit.status for visit in over if visit.status == Status.BOOKED] == today


def test_plan_of_past_days_is_settled_but_for_what_was_forgotten():
    past = [visit for visit in plan_clinic(at=NOW).visits if local_day(visit) < NOW.date()]

    shares = {status: count / len(past) for status, count in Counter(visit.status for visit in past).items()}

    assert shares.keys() == {Status.COMPLETED, Status.NO_SHOW, Status.CANCELLED, Status.BOOKED, Status.ARRIVED}
    assert 0.06 < shares[Status.NO_SHOW] < 0.1
    assert 0.05 < shares[Status.CANCELLED] < 0.1


def test_plan_of_days_to_come_is_booked_or_cancelled():
    coming = [visit for visit in plan_clinic(at=NOW).visits if local_day(visit) > NOW.date()]

    assert {visit.status for visit in coming} == {Status.BOOKED, Status.CANCELLED}


def test_plan_has_each_doctor_with_one_patient_at_most():
    in_consultation = Counter(
        visit.doctor for visit in plan_clinic(at=NOW).visits if visit.status == Status.IN_CONSULTATION
    )

    assert set(in_consultation.values()) == {1}


@pytest.mark.parametrize("at", INSTANTS)
def test_plan_stamps_what_the_status_says_and_nothing_after_now(at):
    stamped = {
        Status.BOOKED: (),
        Status.ARRIVED: ("arrived_at",),
        Status.IN_CONSULTATION: ("arrived_at", "started_at"),
        Status.COMPLETED: ("arrived_at", "started_at", "completed_at"),
        Status.NO_SHOW: (),
        Status.CANCELLED: ("cancelled_at",),
    }
    for visit in plan_clinic(at=at).visits:
        names = ("arrived_at", "started_at", "completed_at", "cancelled_at")
        stamps = {name: getattr(visit, name) for name in names if getattr(visit, name)}

        assert tuple(stamps) == stamped[visit.status]
        assert list(stamps.values()) == sorted(stamps.values())
        assert all(stamp <= at for stamp in stamps.values())
        assert (visit.status == Status.CANCELLED) == bool(visit.cancelled_by) == bool(visit.cancel_reason)
        assert visit.status != Status.CANCELLED or visit.cancelled_at < visit.start_time


def test_plan_sends_children_and_only_children_to_the_paediatrician():
    plan = plan_clinic(at=NOW)
    paediatrics = [number for number, doctor in enumerate(plan.doctors) if doctor.specialization == "Paediatrics"]

    born = [plan.patients[visit.patient].date_of_birth for visit in plan.visits if visit.doctor in paediatrics]

    assert born
    assert min(born) > dt.date(NOW.year - 17, 1, 1)


def test_plan_of_patients_passes_the_fields_of_a_patient(now):
    plan = plan_clinic(at=NOW)

    for planned in plan.patients:
        patient = Patient(**vars(planned))
        patient.clean_fields(exclude=["name_key"])
        assert vars(planned).items() <= vars(patient).items()  # nothing had to be tidied
    assert len({planned.email for planned in plan.patients}) == len(plan.patients)
    assert {planned.email.partition("@")[2] for planned in plan.patients} == {"example.org", "example.com"}


# The command


def test_load_demo_writes_what_is_planned(loaded):
    plan = plan_clinic(at=NOW)

    written = Appointment.objects.values_list(
        "doctor__full_name", "patient__email", "start_time", "duration_minutes", "status", "completed_at", "reason"
    )

    assert sorted(written, key=str) == sorted(
        (
            (
                plan.doctors[visit.doctor].full_name,
                plan.patients[visit.patient].email,
                visit.start_time,
                visit.duration_minutes,
                visit.status.value,
                visit.completed_at,
                visit.reason,
            )
            for visit in plan.visits
        ),
        key=str,
    )
    assert Doctor.objects.filter(is_active=True).count() == len(plan.doctors)
    assert Patient.objects.count() == len(plan.patients)


def test_load_demo_leaves_diaries_without_overlaps(loaded, capsys):
    call_command("check_diaries")

    assert capsys.readouterr().out.splitlines()[-1] == "0"


def test_load_demo_names_the_receptionist_as_who_booked_and_in_the_audit_trail(loaded):
    receptionist = User.objects.get(username="reception")

    assert not Appointment.objects.exclude(booked_by=receptionist).exists()
    entries = AuditEntry.objects.get_for_model(Appointment)
    assert entries.count() == Appointment.objects.count()
    assert not entries.exclude(actor=receptionist).exists()


def test_load_demo_makes_patients_that_can_be_found(loaded):
    patient = Patient.objects.order_by("pk").first()

    assert patient in Patient.objects.search(patient.email)


@pytest.mark.parametrize(
    ("username", "role", "name"),
    [
        ("reception", RECEPTIONIST, "Joana Reis"),
        ("manager", MANAGER, "Miguel Tavares"),
        ("doctor", DOCTOR, "Amara Okafor"),
        ("admin", ADMINISTRATOR, "Helena Duarte"),
    ],
)
def test_load_demo_user_can_sign_in_and_has_the_role(loaded, client, username, role, name):
    client.post("/accounts/login/", {"username": username, "password": PASSWORD})

    user = User.objects.get(username=username)
    assert get_user(client) == user
    assert (user.role, user.get_full_name(), user.is_superuser) == (role, name, False)
    assert not user.password_is_temporary


def test_load_demo_links_the_doctors_login_to_the_first_doctor(loaded):
    assert User.objects.get(username="doctor").doctor.full_name == "Dr Amara Okafor"


def test_load_demo_prints_users_and_password(db, debug, today_only, now, capsys):
    call_command("load_demo")

    printed = capsys.readouterr().out
    assert "8 doctors, 300 patients" in printed
    assert all(printed.count(word) for word in ("reception", "manager", "doctor", "admin", PASSWORD))


@pytest.mark.parametrize("make", [UserFactory, DoctorFactory])
def test_load_demo_refuses_a_database_that_is_not_empty(db, debug, make):
    make()

    with pytest.raises(CommandError, match=r"already holds 1 .*reset_database"):
        call_command("load_demo")
    assert not Patient.objects.exists()


def test_load_demo_if_empty_leaves_a_database_that_is_not_empty_as_it_is(db, debug, capsys):
    UserFactory()

    call_command("load_demo", "--if-empty")

    assert "holds 1 user" in capsys.readouterr().out
    assert User.objects.count() == 1


def test_load_demo_if_empty_fills_an_empty_database(db, debug, today_only, now):
    call_command("load_demo", "--if-empty")

    assert Appointment.objects.exists()


@pytest.mark.parametrize("options", [[], ["--if-empty"]])
def test_load_demo_refuses_with_debug_off(db, settings, options):
    settings.DEBUG = False

    with pytest.raises(CommandError, match="DEBUG is off"):
        call_command("load_demo", *options)
    assert not User.objects.exists()


def test_load_demo_without_tables_says_to_migrate(db, debug, monkeypatch):
    monkeypatch.setattr("django.db.connection.introspection.table_names", lambda: ["auth_group"])

    with pytest.raises(CommandError, match="migrate"):
        call_command("load_demo")


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
